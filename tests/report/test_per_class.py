"""Classes of a run, from its record and the kept labels alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fgkd.cli.main import main
from fgkd.errors import UserError
from fgkd.facts import DataFacts
from fgkd.record import pack_predictions, write_record
from fgkd.report.per_class import class_scores, mean_class_accuracy, worst_first
from fgkd.report.truth import Truth, read_truth, truth_path, write_truth
from tests.board_factory import record, run_spec

NAMES = ("auk", "bee", "crow", "dodo", "emu")
TARGETS = np.array([0, 0, 0, 0, 1, 2, 2, 4, 4, 4])
ANSWERS = np.array([0, 0, 1, 0, 1, 0, 0, 2, 3, 3])
REVISION = "0123456789ab"
FACTS = DataFacts(name="zoo", protocol="default", revision=REVISION, classes=5, counts={"test": 10})


def truth(targets: np.ndarray = TARGETS) -> Truth:
    """Ten images of five animals; there is no dodo to test on."""
    return Truth(
        dataset="zoo", protocol="default", revision=REVISION, class_names=NAMES, targets=pack_predictions(targets)
    )


def judged(**changes):
    """The record of a run that gave `ANSWERS`."""
    return record(**{"data": FACTS, "predictions": pack_predictions(ANSWERS), **changes})


def test_scores():
    scores = class_scores(judged(), truth())
    assert [(s.name, s.images, s.right, s.taken_for, s.taken) for s in scores] == [
        ("auk", 4, 3, "bee", 1),
        ("bee", 1, 1, "", 0),
        ("crow", 2, 0, "auk", 2),
        ("dodo", 0, 0, "", 0),
        ("emu", 3, 0, "dodo", 2),
    ]
    assert [s.accuracy for s in scores] == [0.75, 1, 0, None, 0]
    assert [s.name for s in worst_first(scores)] == ["emu", "crow", "auk", "bee"]
    assert mean_class_accuracy(scores) == pytest.approx((0.75 + 1) / 4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"predictions": None, "status": "diverged"}, "no predictions .it ended as diverged"),
        ({"predictions": None, "data": FACTS.model_copy(update={"task": "retrieval"})}, "retrieval has none"),
        ({"predictions": pack_predictions(ANSWERS[:9])}, "9 predictions do not fit the 10 test images of zoo"),
        ({"predictions": pack_predictions(ANSWERS + 2)}, "do not fit"),
    ],
)
def test_records_that_cannot_be_judged(changes, said):
    with pytest.raises(UserError, match=said):
        class_scores(judged(**changes), truth())


def test_truth_is_written_once_and_read_back(tmp_path):
    write_truth(tmp_path, truth())
    write_truth(tmp_path, truth(TARGETS[::-1]))
    found = read_truth(tmp_path, REVISION)
    assert found == truth()
    assert found.labels().tolist() == TARGETS.tolist()
    assert read_truth(tmp_path, "ba9876543210") is None
    truth_path(tmp_path, REVISION).write_text("{")
    with pytest.raises(UserError, match=r"0123456789ab\.json: is damaged"):
        read_truth(tmp_path, REVISION)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results with two runs of one suite."""
    for seed in (0, 1):
        write_record(judged(spec=run_spec(seed=seed), run_id=run_spec(seed=seed).run_id), tmp_path / "tiny/records")
    write_truth(tmp_path / "tiny", truth())
    return tmp_path


def test_command(results, capsys):
    run_id = run_spec().run_id
    assert main(["board", "--per-class", run_id[:8], "--results", str(results), "--limit", "2"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["emu", "3", "0", "0.0", "dodo", "(2)"]
    assert lines[2] == ["crow", "2", "0", "0.0", "auk", "(2)"]
    assert " ".join(lines[3]) == f"{run_id}: 2 of 4 classes, worst first; top-1 40.00 %, mean over classes 43.75 %"
    assert main(["board", "--per-class", run_id, "--results", str(results), "--suite", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {
        "label": 0,
        "name": "auk",
        "images": 4,
        "right": 3,
        "taken_for": "bee",
        "taken": 1,
        "accuracy": 0.75,
    }
    assert not (results / "tiny/README.md").exists(), "nothing is regenerated"


@pytest.mark.parametrize(("wanted", "said"), [("kd-", "beginning of one id"), ("crd-0", "unknown run 'crd-0'")])
def test_runs_that_are_not_one(results, capsys, wanted, said):
    assert main(["board", "--per-class", wanted, "--results", str(results)]) == 2
    assert said in capsys.readouterr().err


def test_without_kept_labels_the_data_are_asked(results, capsys, tmp_path):
    truth_path(results / "tiny", REVISION).unlink()
    flags = ["--results", str(results), "--data-root", str(tmp_path), "--cache", str(tmp_path)]
    assert main(["board", "--per-class", run_spec().run_id, *flags]) == 2
    assert "neither in truth/0123456789ab.json beside the records nor in the data root" in capsys.readouterr().err


def test_drawn_birds_serve_where_no_labels_were_kept(tmp_path, capsys):
    from fgkd.data import open_dataset
    from fgkd.spec import DatasetSpec

    dataset = DatasetSpec(name="synthetic_birds", protocol="tiny")
    data = open_dataset(dataset, tmp_path, cache=tmp_path)
    spec, facts = run_spec(dataset=dataset), FACTS.model_copy(update={"revision": data.revision})
    predictions = pack_predictions(np.where(data.test.targets < 5, 7, data.test.targets))
    made = record(spec, data=facts, predictions=predictions)
    write_record(made, tmp_path / "results/birds/records")
    flags = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path), "--data-root", str(tmp_path)]
    assert main(["board", "--per-class", made.run_id, *flags]) == 0
    assert "top-1 80.00 %, mean over classes 80.00 %" in capsys.readouterr().out
    other = record(run_spec(dataset=dataset, seed=5), data=FACTS, predictions=predictions)
    write_record(other, tmp_path / "results/birds/records")
    assert main(["board", "--per-class", other.run_id, *flags]) == 2
    assert f"tested on revision {REVISION} of synthetic_birds" in capsys.readouterr().err
