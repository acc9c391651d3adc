"""Those who follow a training: the file for `fgkd watch` and trackers. They see everything and change nothing."""

from __future__ import annotations

import io
import math
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers
from rich.console import Console

from fgkd.cli.main import main
from fgkd.models import weights_hash
from fgkd.plan import Plan, PlannedCohort
from fgkd.report.live.status import ProcessStatus, progress_file, seen_in
from fgkd.runner.observers import beacon as beacon_module
from fgkd.runner.observers.beacon import Beacon
from fgkd.runner.observers.onlookers import Onlooker
from fgkd.runner.observers.progress import SuiteProgress
from fgkd.runner.observers.tracking import Place, Trackers, figures, tracker_problems
from fgkd.train.cohort import Cohort
from tests.train.room import EPOCHS, Room, run

SPECS = [run("scratch"), run("kd"), run("kd", seed=1)]


class Spy(Onlooker):
    """Reads the status file at every epoch's end."""

    def __init__(self, path: Path) -> None:
        self.path, self.seen = path, []

    def epoch(self, cohort: Cohort, epoch: int) -> None:
        self.seen.append(ProcessStatus.model_validate_json(self.path.read_bytes()))


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("weights"))


def follow(room: Room, *onlookers: Onlooker, cohort: Cohort | None = None) -> Cohort:
    """Train `SPECS` before these onlookers."""
    cohort = cohort or room.cohort(SPECS)
    planned = PlannedCohort(cohort.feed, tuple(SPECS))
    with SuiteProgress(Plan((planned,)), Console(file=io.StringIO()), enabled=True, onlookers=onlookers) as progress:
        progress.start_cohort(1, planned, room.lessons.steps_per_epoch)
        cohort.watch = progress
        cohort.run()
    return cohort


# the file


def test_the_file_says_how_far_it_is_and_is_gone_at_the_end(room: Room, tmp_path: Path) -> None:
    suite = tmp_path / "tiny"
    spy = Spy(progress_file(suite, socket.gethostname(), os.getpid()))
    cohort = follow(room, Beacon(suite, pytest.fail), spy)
    assert [status.cohort.epoch for status in spy.seen if status.cohort] == [1, 2]
    last = spy.seen[-1]
    assert (last.suite, last.pid, last.runs) == ("tiny", os.getpid(), 3)
    told = last.cohort
    assert told is not None
    assert (told.number, told.of, told.dataset, told.teacher) == (1, 1, "synthetic_birds", "test_vit2")
    assert (told.epochs, told.steps, told.step, told.phase) == (EPOCHS, room.lessons.steps_per_epoch, 0, "test")
    assert told.seconds_left == 0
    assert told.images_per_second is not None
    assert told.images_per_second > 0
    assert told.waiting is not None
    assert 0 <= told.waiting <= 1
    assert [(x.run_id, x.loss, x.holdout_top1) for x in told.learners] == [
        (x.run_id, x.curve[-1]["loss"], x.curve[-1]["holdout_top1"]) for x in cohort.learners
    ]
    assert list(suite.iterdir()) == []


def test_looking_on_changes_no_bit(room: Room, tmp_path: Path) -> None:
    plain = room.train(SPECS)
    cohort = follow(room, Beacon(tmp_path, pytest.fail), Trackers(["tensorboard"], Place("t", tmp_path / "t"), print))
    watched = {x.run_id: weights_hash(x.network) + weights_hash(x.objective) for x in cohort.learners}
    assert watched == plain


@pytest.mark.parametrize(("seconds", "writes"), [(0.01, 0), (0.5, 2), (2.0, 4)])
def test_it_is_written_at_most_once_a_second(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, writes: int
) -> None:
    written: list[object] = []
    moment = [0.0]
    beacon = Beacon(tmp_path, pytest.fail, clock=lambda: moment[0])
    replace = os.replace
    monkeypatch.setattr(beacon_module.os, "replace", lambda *names: (written.append(names), replace(*names)))
    cohort = room.cohort(SPECS)
    planned = PlannedCohort(cohort.feed, tuple(SPECS))
    beacon.begin(Plan((planned,)))
    beacon.start_cohort(1, planned, 100)
    written.clear()
    for _ in range(4):
        moment[0] += seconds
        beacon.batch(cohort, 0, 8)
    assert len(written) == writes
    (seen,) = seen_in(tmp_path, moment[0])[0]
    assert seen.status.cohort is not None
    assert seen.status.cohort.step == (4 if writes else 0)


def test_time_left_is_counted_from_where_it_was_resumed(room: Room, tmp_path: Path) -> None:
    moment = [100.0]
    beacon = Beacon(tmp_path, pytest.fail, clock=lambda: moment[0])
    cohort = room.cohort(SPECS)
    planned = PlannedCohort(cohort.feed, tuple(SPECS))
    beacon.begin(Plan((planned,)))
    beacon.start_cohort(1, planned, 5)
    cohort.position = (1, 2)
    beacon.resume_cohort(cohort)
    moment[0] += 10
    beacon.batch(cohort, 1, 8)
    (seen,) = seen_in(tmp_path, moment[0])[0]
    told = seen.status.cohort
    assert told is not None
    assert (told.epoch, told.step) == (1, 3)
    assert (told.images_per_second, told.seconds_left) == (0.8, 20)  # one lesson in ten seconds, two more to go


def test_a_folder_that_cannot_be_written_is_told_once(room: Room, tmp_path: Path) -> None:
    (tmp_path / "tiny").write_text("a file where the folder should be")
    told: list[str] = []
    cohort = follow(room, Beacon(tmp_path / "tiny", told.append))
    assert all(learner.status == "ok" for learner in cohort.learners)
    assert len(told) == 1
    assert "fgkd watch will not know" in told[0]


def test_a_new_launch_sweeps_up_after_the_killed(tmp_path: Path) -> None:
    def left_by(host: str, pid: int) -> Path:
        path = progress_file(tmp_path, host, pid)
        path.parent.mkdir(exist_ok=True)
        path.write_text(ProcessStatus(host=host, pid=pid, suite="t", begun=0, updated=0).model_dump_json())
        return path

    dead, elsewhere = left_by(socket.gethostname(), 2**22 + 1), left_by("another", 2**22 + 1)
    beacon = Beacon(tmp_path, pytest.fail)
    beacon.begin(Plan(()))
    assert not dead.exists()
    assert elsewhere.exists()
    beacon.end()
    assert list((tmp_path / ".progress").iterdir()) == [elsewhere]


# trackers


class Notebook(GeneralTracker):
    """A tracker that remembers; its `broken` may be set to an epoch at which it fails."""

    name, requires_logging_directory = "notebook", False
    pages: list[tuple[int, dict[str, float]]] = []
    broken: int | None = None
    finished = 0

    def __init__(self, run_name: str, **options: Any) -> None:
        super().__init__()
        self.run_name = run_name

    @property
    def tracker(self) -> object:
        return self

    def log(self, values: dict, step: int | None = None, **options: Any) -> None:
        assert step is not None
        if Notebook.broken is not None and step >= Notebook.broken:
            raise RuntimeError("no more\npaper")
        Notebook.pages.append((step, values))

    def finish(self) -> None:
        Notebook.finished += 1


@pytest.fixture
def notebook() -> Iterator[type[Notebook]]:
    Notebook.pages, Notebook.broken, Notebook.finished = [], None, 0
    LOGGER_TYPE_TO_CLASS["notebook"] = Notebook
    yield Notebook
    del LOGGER_TYPE_TO_CLASS["notebook"]


def points(folder: Path, run_id: str) -> dict[str, list[tuple[int, float]]]:
    """What tensorboard shows of a run: tag -> (step, value)."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder / "tensorboard" / run_id))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_every_learner_has_its_curve_under_its_run_id(room: Room, tmp_path: Path) -> None:
    told: list[str] = []
    cohort = follow(room, Trackers(["tensorboard"], Place("tiny", tmp_path), told.append))
    assert told == [f"curves: tensorboard --logdir {tmp_path / 'tensorboard'}"]
    for learner in cohort.learners:
        found = points(tmp_path, learner.run_id)
        assert set(found) == set(figures(learner.curve[0]))
        for tag, name in (("train/loss", "loss"), ("holdout/top1", "holdout_top1"), ("lr", "lr")):
            assert [step for step, _ in found[tag]] == list(range(EPOCHS))
            assert [value for _, value in found[tag]] == pytest.approx([point[name] for point in learner.curve])
    assert "train/kd" in points(tmp_path, SPECS[1].run_id)
    assert "train/kd" not in points(tmp_path, SPECS[0].run_id)


@pytest.mark.parametrize("resumed_at", [0, 1])
def test_what_is_told_again_is_not_there_twice(room: Room, tmp_path: Path, resumed_at: int) -> None:
    """As after a kill: epochs were told, but the state that is continued is older; or the whole run is run again."""
    cohort = follow(room, Trackers(["tensorboard"], Place("tiny", tmp_path), print))
    learner = cohort.learners[1]
    whole, again = learner.curve, Trackers(["tensorboard"], Place("tiny", tmp_path), print)
    for epoch in range(resumed_at, EPOCHS):
        learner.curve = [*whole[:epoch], {**whole[epoch], "loss": 123.0}]
        again.epoch(cohort, epoch)
    again.end()
    losses = points(tmp_path, learner.run_id)["train/loss"]
    assert [step for step, _ in losses] == list(range(EPOCHS))
    assert [value == 123 for _, value in losses] == [epoch >= resumed_at for epoch in range(EPOCHS)]


def test_other_trackers_get_one_run_with_names_below_run_ids(
    room: Room, tmp_path: Path, notebook: type[Notebook]
) -> None:
    place = Place("tiny", tmp_path)
    cohort = follow(room, Trackers(["notebook"], place, pytest.fail))
    pages = notebook.pages
    assert [step for step, _ in pages] == [epoch for epoch in range(EPOCHS) for _ in SPECS]
    assert [next(iter(values)).split("/")[0] for _, values in pages] == EPOCHS * [spec.run_id for spec in SPECS]
    learner = cohort.learners[0]
    assert pages[0][1][f"{learner.run_id}/train/loss"] == learner.curve[0]["loss"]
    assert notebook.finished == 1
    for again, more in ((place, 0), (Place("tiny", tmp_path, rerun=lambda: "ab12"), len(SPECS))):
        before = len(pages)
        Trackers(["notebook"], again, pytest.fail).epoch(cohort, EPOCHS - 1)
        assert len(pages) - before == more  # told already, but not of the rerun
    assert f"{learner.run_id}-ab12/train/loss" in pages[-len(SPECS)][1]


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_some_trackers_open_a_run_for_each_learner(
    room: Room, tmp_path: Path, notebook: type[Notebook], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    opened: list[dict[str, Any]] = []

    class Opened(notebook):  # type: ignore[misc, valid-type]
        def __init__(self, run_name: str, **options: Any) -> None:
            super().__init__(run_name)
            opened.append({"project": run_name, **options})

    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, name, Opened)
    cohort = follow(room, Trackers([name], Place("tiny", tmp_path), pytest.fail))
    assert [one["name"] for one in opened] == [learner.run_id for learner in cohort.learners]
    assert {(one["project"], one["resume"]) for one in opened} == {("fgkd-tiny", "allow")}
    assert [(one["config"]["method"], one["config"]["seed"]) for one in opened] == [
        ("scratch", 0),
        ("kd", 0),
        ("kd", 1),
    ]
    assert notebook.finished == len(SPECS)
    assert "train/loss" in notebook.pages[0][1]
    Trackers([name], Place("tiny", tmp_path), pytest.fail).epoch(cohort, EPOCHS - 1)
    assert len(notebook.pages) == EPOCHS * len(SPECS)  # the earlier launch told it


def test_a_tracker_that_fails_is_told_once_and_stops_nothing(
    room: Room, tmp_path: Path, notebook: type[Notebook]
) -> None:
    notebook.broken, told = 1, []
    cohort = follow(room, Trackers(["notebook", "tensorboard"], Place("tiny", tmp_path), told.append))
    assert all(learner.status == "ok" and len(learner.curve) == EPOCHS for learner in cohort.learners)
    assert [line for line in told if "notebook" in line] == [
        "tracker notebook failed and gets nothing more; training goes on: RuntimeError: no more paper"
    ]
    assert len(notebook.pages) == len(SPECS)
    assert len(points(tmp_path, SPECS[2].run_id)["lr"]) == EPOCHS  # the other one has everything


def test_figures_leave_out_what_cannot_be_drawn() -> None:
    assert figures({"epoch": 1, "loss": math.inf, "ce": None, "holdout_top1": 0}) == {"holdout/top1": 0.0}


def test_unknown_and_missing_trackers_are_told_before_training() -> None:
    (unknown,) = tracker_problems(["tensorbord"])
    assert unknown == "--track: unknown tracker 'tensorbord'; did you mean tensorboard?"
    installed = {getattr(found, "value", found) for found in get_available_trackers()}
    absent = next(name for name in ("dvclive", "aim", "swanlab", "comet_ml") if name not in installed)
    (missing,) = tracker_problems([absent])
    assert f"{absent.replace('_', '-')} is not installed; pip install" in missing
    assert tracker_problems([]) == []


def test_the_command_refuses_them_before_it_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    assert main(["bench", "--suite", "smoke", *folders, "--track", "tensorboard,wandbb"]) == 2
    assert "--track: unknown tracker 'wandbb'; did you mean wandb?" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.rglob("*.safetensors"))
