"""A run that another suite of the same results has recorded is taken over, and trained anew where that is not safe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fgkd.cli.main import main
from fgkd.leaderboard import check_boards
from fgkd.train.cohort import Cohort
from tests.runner.bench_desk import SUITE, Desk


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Labels of the learners of every cohort that runs."""
    seen: list[str] = []
    run = Cohort.run

    def noted(cohort: Cohort) -> object:
        seen.extend(learner.spec.run_id.split("-")[0] for learner in cohort.learners)
        return run(cohort)

    monkeypatch.setattr(Cohort, "run", noted)
    return seen


def other(desk: Desk, *flags: str, methods: tuple[str, ...] = ("scratch", "kd")) -> int:
    """Bench another suite with runs of the first."""
    path = desk.folder / "other.yaml"
    text = SUITE.replace("name: small", "name: other").replace("METHODS", "\n".join(f"  - {m}" for m in methods))
    path.write_text(text)
    return main(["bench", "--suite", str(path), "--results", str(desk.results), "--cache", str(desk.cache), *flags])


def ours(desk: Desk) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in (desk.results / "other" / "records").glob("*.json")}


@pytest.fixture
def whole(tmp_path: Path, done: Desk) -> Desk:
    """A desk of which everything is recorded."""
    return done.copied(tmp_path, done.methods, keep="")


def test_a_teacher_of_other_images_by_the_same_name_is_trained_anew(whole: Desk, trained: list[str]) -> None:
    """Another project has put its own into the cache since; a student that is missing is to learn from ours."""
    (teacher,) = (path.stem for path in whole.records_folder.glob("teacher-*.json"))
    manifest = whole.cache / "weights" / teacher / "manifest.json"
    ours_then = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(ours_then | {"revision": "f" * 12, "weights_hash": "0" * 16}))
    next(whole.records_folder.glob("kd-*.json")).unlink()
    assert whole.bench() == 0
    assert trained == ["teacher", "kd"]
    assert json.loads(manifest.read_text())["weights_hash"] == ours_then["weights_hash"]


def test_what_a_sibling_recorded_is_taken_over_as_it_is(
    whole: Desk, trained: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert other(whole) == 0
    assert trained == []
    assert "taken over from small, where they are recorded: kd-" in capsys.readouterr().out
    found = ours(whole)
    assert {run_id.split("-")[0] for run_id in found} == {"teacher", "scratch", "kd"}
    for run_id, record in found.items():
        theirs = json.loads((whole.records_folder / f"{run_id}.json").read_text())
        assert record == theirs | {"suite": "other"}
    assert check_boards(whole.results / "other") == []
    (truth,) = (whole.results / "small" / "truth").iterdir()
    assert (whole.results / "other" / "truth" / truth.name).read_bytes() == truth.read_bytes()


def test_only_what_is_missing_is_trained(desk: Desk, trained: list[str]) -> None:
    assert other(desk) == 0
    assert sorted(trained) == ["kd", "scratch"]  # the teacher is recorded, see the fixture


def test_a_dry_run_counts_it_and_writes_nothing(
    whole: Desk, trained: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert other(whole, "--dry-run") == 0
    assert "2 runs are recorded already" in capsys.readouterr().out
    assert ours(whole) == {}


def test_a_rerun_trains(whole: Desk, trained: list[str]) -> None:
    assert other(whole, "--rerun", methods=("scratch",)) == 0
    assert trained == ["scratch"]


@pytest.mark.parametrize(
    "harm", ["other weights", "no weights", "a failure", "a broken record", "an edited record", "other data"]
)
def test_what_cannot_be_trusted_is_trained(whole: Desk, trained: list[str], harm: str) -> None:
    (path,) = whole.records_folder.glob("scratch-*.json")
    manifest = whole.cache / "weights" / path.stem / "manifest.json"
    if harm == "other weights":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"weights_hash": "0" * 16}))
    elif harm == "no weights":
        manifest.unlink()
    elif harm == "a failure":
        path.write_text(path.read_text().replace('"status": "ok"', '"status": "failed"'))
    elif harm == "a broken record":
        path.write_text(path.read_text()[:100])
    elif harm == "an edited record":
        path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    else:
        record = json.loads(path.read_text())
        record["data"]["revision"] = "other"
        path.write_text(json.dumps(record))
    assert other(whole, methods=("scratch",)) == 0
    assert trained == ["scratch"]
