"""The model card: what it has to say, and that names cannot say more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fgkd.cli.export import _tell
from fgkd.export.card import licences, metric_rows, model_card
from fgkd.export.deployed import Deployed
from fgkd.export.writing import Exported
from fgkd.models import create_backbone
from fgkd.record import RunRecord
from fgkd.spec import BackboneSpec, RunSpec
from tests.export.conftest import Study


def with_spec(deployed: Deployed, **changes: object) -> Deployed:
    """The same deployment, its record's spec changed."""
    record = deployed.record
    return replace(deployed, record=record.model_copy(update={"spec": record.spec.model_copy(update=changes)}))


def front(page: str) -> dict:
    return yaml.safe_load(page.split("---\n")[1])


def test_the_card_says_what_made_the_student(study: Study) -> None:
    deployed = study.deployed("kd")
    record, page = deployed.record, model_card(deployed, study.chosen("kd").companions(), onnx=False)
    teacher = record.teacher
    assert teacher
    for said in (
        f"test top-1 {100 * teacher.test_top1:.2f} %",
        f"weights `{teacher.weights_hash}`",
        f"`{record.run_id}` of the suite small, version 1",
        f"commit `{record.environment.code_commit}`",
        "protocol tiny, 150 images",
        "the pictures \\| are &lt;b&gt;drawn&lt;/b&gt;",  # the suite's note
        "Drawn birds are not photographs",  # the data card's
        "images of synthetic\\_birds" if "synthetic\\_birds" in page else "images of synthetic_birds: apache-2.0",
        "squares of 48 px that were then resized to 32 px",
        "pictures that OpenCV resized, by area where they shrink; timm's transform resamples otherwise",
        'timm.create_model("local-dir:DIR", pretrained=True)',
    ):
        assert said in page, said
    assert front(page)["library_name"] == "timm"
    (result,) = front(page)["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == pytest.approx(100 * record.metric("top1"), abs=1e-3)
    assert "onnxruntime" not in page


def test_the_spread_is_over_seeds_and_one_run_has_none(study: Study) -> None:
    chosen = study.chosen("kd")
    seeds = [record for record in chosen.companions() if record.spec.method.label == "kd"]
    values = [100 * record.metric("top1") for record in seeds]
    half = 12.706204736 * abs(values[0] - values[1]) / 2  # t of one degree of freedom, sd / sqrt(2)
    (row,) = [row for row in metric_rows(chosen.record, chosen.companions()) if row[0] == "top-1 %"]
    assert row[1:] == (f"{values[0]:.2f}", f"{sum(values) / 2:.2f} +- {half:.2f}")
    assert all(spread == "" for _, _, spread in metric_rows(chosen.record, [chosen.record]))
    alone = study.chosen("simkd")
    assert all(spread == "" for _, _, spread in metric_rows(alone.record, alone.companions()))
    assert "one run has no interval" in model_card(study.deployed("simkd"), alone.companions(), onnx=True)


def test_a_card_for_what_timm_cannot_load_says_so(study: Study) -> None:
    page = model_card(study.deployed("letkd"), [], onnx=True, difference=3e-7)
    assert "**Plain timm cannot load this folder**: the method keeps layers" in page
    assert "timm.create_model" not in page
    assert "resamples otherwise" not in page
    assert "at most 3e-07" in page
    assert front(page)["library_name"] == "onnx"


def test_a_network_that_timm_does_not_have_is_named_as_the_reason(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = BackboneSpec(name="cifar_resnet8x4")
    network = create_backbone(spec, num_classes=25, view_size=32)
    deployed = replace(with_spec(study.deployed("kd"), student=spec), network=network)
    _tell(Exported(Path("out"), deployed, None), real=False)
    for told in (capsys.readouterr().out, model_card(deployed, [], onnx=False)):
        assert "cifar_resnet8x4 is not one of timm's own networks" in told
        assert "the method keeps layers" not in told


def test_folded_layers_are_disclosed(study: Study) -> None:
    assert "was folded into its classifier" in model_card(study.deployed("copy_head"), [], onnx=False)
    assert "was folded into its classifier" not in model_card(study.deployed("kd"), [], onnx=False)


def test_names_are_shown_and_not_obeyed(study: Study) -> None:
    deployed = study.deployed("kd")
    feed = deployed.record.spec.feed
    evil = "x`|\n---\nlicense: mit\n<script>alert(1)</script>"
    deployed = with_spec(
        deployed,
        method=deployed.record.spec.method.model_copy(update={"label": evil}),
        feed=feed.model_copy(update={"dataset": feed.dataset.model_copy(update={"name": f"folder:/home/me/{evil}"})}),
    )
    hostile = deployed.record.model_copy(update={"suite": evil})
    page = model_card(replace(deployed, record=hostile), [], onnx=False)
    assert "<script>" not in page.split("---\n", 2)[2]
    assert "/home/me" not in page
    assert page.count("\n---\n") == 1
    assert front(page)["license"] == "other"


def test_licences_are_told_as_far_as_they_are_known(study: Study) -> None:
    spec: RunSpec = study.chosen("kd").record.spec
    told = dict(licences(spec))
    assert told["images of synthetic_birds"] == "apache-2.0"
    assert told["weights of the teacher test_resnet"] == "none: drawn at random"
    feed = spec.feed.model_copy(update={"dataset": spec.feed.dataset.model_copy(update={"name": "folder:/x/pets"})})
    teacher = spec.feed.teacher.model_copy(update={"backbone": BackboneSpec(name="resnet18.a1_in1k")})
    feed = feed.model_copy(update={"teacher": teacher})
    student = BackboneSpec(name="resnet18", weights="mine.safetensors")
    told = dict(licences(spec.model_copy(update={"feed": feed, "student": student})))
    assert told["images of folder:pets"].startswith("not known")
    assert told["weights of the teacher resnet18.a1_in1k"] == "apache-2.0"
    assert "not known" in told["weights that resnet18 started from"]


def test_unmeasured_metrics_have_no_row(study: Study) -> None:
    record: RunRecord = study.chosen("kd").record
    bare = record.model_copy(update={"metrics": {"test_last": {"top1": 0.5}}})
    assert [row[0] for row in metric_rows(bare, [])] == ["top-1 %"]


def test_a_retrieval_protocol_is_disclosed_and_claims_no_accuracy(study: Study) -> None:
    deployed = study.deployed("kd")
    record = deployed.record
    assert record.data
    metrics = {"test_last": {"recall_at_1": 0.4321}}
    data = record.data.model_copy(update={"task": "retrieval"})
    page = model_card(
        replace(deployed, record=record.model_copy(update={"metrics": metrics, "data": data})), [], onnx=False
    )
    assert "| recall@1 of embeddings % | 43.21 |  |" in page
    assert "holds other classes than those" in page
    assert "model-index" not in front(page)
    assert "top-1 % |" not in page
