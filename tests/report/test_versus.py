"""Two runs held against each other: from values, and through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fgkd.cli.main import main
from fgkd.errors import UserError
from fgkd.record import pack_predictions, write_record
from fgkd.report.apart import settings_apart
from fgkd.report.latency import Latency, write_latencies
from fgkd.report.truth import truth_path, write_truth
from fgkd.report.versus import check_comparable, versus
from fgkd.spec import Recipe
from tests.board_factory import TEACHER, record, run_spec
from tests.report.test_per_class import ANSWERS, FACTS, TARGETS, judged, truth

#                   auk          bee crow    emu
OTHER = np.array([0, 1, 0, 0, 1, 2, 1, 4, 3, 2])  # ANSWERS: 0 0 1 0 1 0 0 2 3 3


def pair():
    """A kd run that gave `ANSWERS`, and a crd run that gave `OTHER`."""
    crd = run_spec("crd")
    return judged(), judged(spec=crd, run_id=crd.run_id, predictions=pack_predictions(OTHER))


def test_counts_by_hand():
    found = versus(*pair(), truth())
    gone = found.disagreement
    assert gone.first_right == (1,)
    assert gone.second_right == (2, 5, 7)
    assert gone.both_wrong == (6, 9)
    assert gone.total == int((ANSWERS != OTHER).sum()) == 6
    assert (found.paired.wins, found.paired.losses, found.paired.p) == (3, 1, 0.625)
    assert found.paired.mean == pytest.approx(20)
    assert [(g.name, g.images, g.first, g.second, g.gap) for g in found.classes] == [
        ("crow", 2, 0, 1, 0.5),
        ("emu", 3, 0, 1, pytest.approx(1 / 3)),
        ("auk", 4, 3, 3, 0),
        ("bee", 1, 1, 1, 0),
    ]


def test_turned_round_everything_turns_round():
    first, second = pair()
    found, back = versus(first, second, truth()), versus(second, first, truth())
    assert back.paired.mean == -found.paired.mean
    assert back.paired.p == found.paired.p
    assert back.disagreement.first_right == found.disagreement.second_right
    assert [g.gap for g in back.classes] == [-g.gap for g in found.classes]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "farm"}, "data name: .* was tested on zoo, .* on farm; only runs with the same test images"),
        ({"protocol": "other"}, "data protocol"),
        ({"revision": "ba9876543210"}, "data revision: .* on 0123456789ab, .* on ba9876543210"),
        ({"revision": None}, "something not recorded"),
    ],
)
def test_runs_on_other_images_are_refused(change, said):
    first, second = pair()
    with pytest.raises(UserError, match=said):
        check_comparable(first, second.model_copy(update={"data": FACTS.model_copy(update=change)}))


def test_a_run_is_not_compared_with_itself():
    with pytest.raises(UserError, match="the same one twice"):
        check_comparable(judged(), judged())


def test_two_revisions_that_are_not_recorded_are_not_equal():
    first, second = (r.model_copy(update={"data": FACTS.model_copy(update={"revision": None})}) for r in pair())
    with pytest.raises(UserError, match="something not recorded"):
        check_comparable(first, second)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two suites with a run each of the same data; the labels lie in the second."""
    for suite, one in zip(("tiny", "other"), pair(), strict=True):
        write_record(one, tmp_path / suite / "records")
    write_truth(tmp_path / "other", truth())
    return tmp_path


def test_command_across_suites(results, capsys):
    first, second = (r.run_id for r in pair())
    flags = ["--results", str(results), "--data-root", str(results / "none"), "--limit", "2"]
    assert main(["compare", first[:6], second[:6], *flags]) == 0
    out = capsys.readouterr().out
    assert "+20.00 points" in out
    assert "McNemar's exact p 0.62: alone right on 3 images, alone wrong on 1." in out
    assert "6 of 10 images got different classes:" in out
    assert f"only {second} is right: 3: #2, #5, ..." in out
    assert out.count("Numbers are positions in the test split; --data-root names the files.") == 1
    rows = [line.split() for line in out.splitlines()]
    assert ["crow", "2", "0", "1", "+50.0"] in rows
    assert ["method", "kd", "crd"] in rows
    assert ["student", "small_net", "the", "same"] in rows
    assert ["parameters", "M", "1.23", "1.23", "+0.00"] in rows
    assert not any(row[:1] == ["auk"] for row in rows), "classes without a difference are not listed"


def test_settings_that_neither_names_nor_labels_tell_are_listed():
    """Two runs of `kd` under one teacher's name need not be alike."""
    first = run_spec("kd", params={"temperature": 4.0, "kd_weight": 1.0})
    assert settings_apart(first, first) == []
    head = TEACHER.model_copy(update={"head_from": run_spec("scratch"), "seed": 7})
    recipe = Recipe(lr=0.2, clip_grad=5)
    second = run_spec(
        "kd", params={"temperature": 1.0, "kd_weight": 1.0}, teacher=head, recipe=recipe, precision="bf16"
    )
    assert settings_apart(first, second) == [
        ("teacher.seed", "0", "7"),
        ("teacher.head_from", "none", run_spec("scratch").run_id),
        ("precision", "no", "bf16"),
        ("method.kd.temperature", "4.0", "1.0"),
        ("recipe.lr", "0.05", "0.2"),
        ("recipe.clip_grad", "none", "5.0"),
    ]


def test_settings_of_one_run_alone_are_told_as_such():
    apart = {key: (one, other) for key, one, other in settings_apart(run_spec("scratch"), run_spec("kd+crd"))}
    assert apart["teacher"] == ("none", "given")
    assert apart["method.parts"] == ("scratch", "kd+crd")


def test_settings_that_are_mappings_are_told_where_one_run_alone_has_them():
    plain = run_spec("kd")
    student = plain.student.model_copy(update={"kwargs": {"act_args": {"inplace": True}}})
    second = plain.model_copy(update={"student": student})
    assert settings_apart(plain, second) == [("student.kwargs.act_args", "none", "given")]


def test_the_command_lists_the_settings_that_differ(results, capsys):
    first = pair()[0]
    hot = record(run_spec("kd", seed=1, precision="bf16"), data=first.data, predictions=first.predictions)
    write_record(hot, results / "tiny" / "records")
    write_truth(results / "tiny", truth())
    flags = ["--results", str(results), "--data-root", str(results / "none")]
    assert main(["compare", first.run_id, hot.run_id, *flags]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["method", "kd", "the", "same"] in rows
    assert [row for row in rows if row and row[0] in ("seed", "precision")] == [
        ["seed", "0", "1"],
        ["precision", "no", "bf16"],
    ]


def test_devices_are_named_below_the_table(results, capsys):
    facts = ("small_net", 224, 1_234_567, 98_765_432, 1.5, 2.5, 64, 1000.0)
    device = "Intel(R) Xeon(R) Processor (of a cloud)"
    row = Latency(*facts, device, 2, "fp32", "2.0", "1.0", "2026-01-01T00:00:00+00:00")
    for suite in ("tiny", "other"):
        write_latencies(results / suite, [row])
    assert main(["compare", "kd", "crd", "--results", str(results), "--data-root", str(results)]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["images/s", "in", "batches", "of", "64", "[1]", "1000.00", "1000.00", "+0.00"] in rows
    assert out.count("Xeon") == 1
    assert f"\n[1] on {device}, 2 threads, fp32\n" in out


def test_command_as_json(results, capsys):
    first, second = (r.run_id for r in pair())
    flags = ["--results", str(results), "--data-root", str(results / "none"), "--json"]
    assert main(["compare", first, second, *flags]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["first"], found["second"]) == (first, second)
    assert found["difference"]["p"] == 0.625
    assert found["disagreement"]["both_wrong"] == [{"position": 6, "image": "#6"}, {"position": 9, "image": "#9"}]
    assert found["classes"][0]["gap"] == 0.5
    assert found["figures"]["own s"] == [12.34, 12.34]


def test_images_are_named_where_the_data_is_at_hand(tmp_path, capsys):
    from fgkd.data import open_dataset
    from fgkd.spec import DatasetSpec

    dataset = DatasetSpec(name="synthetic_birds", protocol="tiny")
    data = open_dataset(dataset, tmp_path, cache=tmp_path)
    labels = data.test.targets
    facts = FACTS.model_copy(update={"name": data.name, "protocol": data.protocol, "revision": data.revision})
    wrong = labels.copy()
    wrong[3] = (wrong[3] + 1) % 12
    for method, given in (("kd", labels), ("crd", wrong)):
        made = record(run_spec(method, dataset=dataset), data=facts, predictions=pack_predictions(given))
        write_record(made, tmp_path / "results/birds/records")
    flags = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path)]
    for root in (tmp_path, tmp_path / "none"):  # the birds are drawn: they need no root
        assert main(["compare", "kd", "crd", *flags, "--data-root", str(root)]) == 0
        out = capsys.readouterr().out
        assert f"is right: 1: {Path(*data.test.paths[3].parts[-2:])}\n" in out
        assert "Numbers are positions" not in out


def test_commands_that_cannot_be_followed(results, capsys):
    first, second = (r.run_id for r in pair())
    flags = ["--results", str(results), "--data-root", str(results / "none"), "--cache", str(results)]
    assert main(["compare", first, first, *flags]) == 2
    assert main(["compare", first, "at-", *flags]) == 2
    truth_path(results / "other", FACTS.revision).unlink()
    assert main(["compare", first, second, *flags]) == 2
    said = capsys.readouterr().err
    assert "the same one twice" in said
    assert "unknown run 'at-'" in said
    assert "neither in truth/" in said


def test_retrieval_runs_have_no_classes_to_compare(tmp_path, capsys):
    facts = FACTS.model_copy(update={"task": "retrieval"})
    for one in pair():
        changed = one.model_copy(update={"data": facts, "predictions": None})
        write_record(changed, tmp_path / "tiny/records")
    assert main(["compare", "kd", "crd", "--results", str(tmp_path)]) == 2
    assert "retrieval has none" in capsys.readouterr().err


def test_targets_are_what_the_hand_counts_were_made_for():
    assert TARGETS.tolist() == [0, 0, 0, 0, 1, 2, 2, 4, 4, 4]
