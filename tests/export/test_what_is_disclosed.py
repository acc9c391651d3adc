"""What an export keeps to itself, and what it must say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fgkd.errors import UserError
from fgkd.export.card import disclosures, metric_rows
from fgkd.export.manifest import public_spec
from fgkd.export.onnx_file import compare
from fgkd.spec import TeacherSpec
from tests.board_factory import TEACHER, run_spec
from tests.export.conftest import Study


def test_a_public_spec_names_no_folder_of_this_machine() -> None:
    head = run_spec("scratch", student={"name": "resnet18", "weights": "/home/me/head.safetensors"})
    teacher = TeacherSpec(
        backbone={"name": "vit", "weights": "/home/me/teacher.safetensors"},
        train=TEACHER.train,
        head_from=head,
        label="local-dir:/home/me/net",
    )
    student = {"name": "resnet18", "weights": "/home/me/mine.safetensors"}
    found = public_spec(run_spec("sh_kd", student=student, teacher=teacher, dataset="folder:/home/me/birds"))
    assert "/home/me" not in found.model_dump_json()
    assert found.student.weights == "mine.safetensors"
    assert found.feed.teacher.label == "local-dir:net"
    assert found.feed.teacher.head_from.student.weights == "head.safetensors"
    assert found.feed.dataset.name == "folder:birds"


def test_code_that_was_not_committed_and_half_precision_are_disclosed(study: Study) -> None:
    deployed = study.deployed("kd")
    record = deployed.record
    for changes, said in (
        ({"code_commit": "0123456789ab-dirty"}, "differed from its commit"),
        ({"precision": "bf16"}, "measured in bf16"),
    ):
        environment = record.environment.model_copy(update={"code_commit": "0123456789ab", **changes})
        other = replace(deployed, record=record.model_copy(update={"environment": environment}))
        assert said in " ".join(disclosures(other, []))
    clean = record.environment.model_copy(update={"code_commit": "0123456789ab"})
    plain = replace(deployed, record=record.model_copy(update={"environment": clean}))
    told = " ".join(disclosures(plain, []))
    assert "differed from its commit" not in told
    assert "measured in" not in told


def test_a_seed_that_failed_is_in_no_spread(study: Study) -> None:
    chosen = study.chosen("kd")
    seeds = [record for record in chosen.companions() if record.spec.method.label == "kd"]
    other = next(record for record in seeds if record.run_id != chosen.record.run_id)
    lost = other.model_copy(update={"status": "diverged"})
    assert all(spread == "" for _, _, spread in metric_rows(chosen.record, [chosen.record, lost]))


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_an_onnx_file_that_gives_no_numbers_is_refused(wrong: float) -> None:
    answer = lambda image: image.flatten(1)[:, :5]
    with pytest.raises(UserError, match="other logits than torch"):
        compare(answer, lambda image: torch.full((len(image), 5), wrong), [torch.ones(2, 3, 4, 4)])
