"""Stopping and continuing through the command line: what is said, kept, continued, refused and removed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from PIL import Image

from fgkd.cli.main import main
from fgkd.cli.values import parse_period
from fgkd.errors import UserError
from fgkd.runner import finish, resume
from fgkd.runner.rerun import open_reruns
from fgkd.train.cohort import Cohort
from tests.soak import TIMES

SUITE = """
name: short
version: 1
datasets: [{name: synthetic_birds, protocol: tiny}]
teachers:
  - {backbone: test_resnet, size: 32, gate: 0.0, train: {epochs: 1, batch_size: 60, recipe: {lr: 0.01}}}
students: [{backbone: test_efficientnet, size: 32}]
methods: [scratch, kd, th_kd]
view: {size: 32, augment: light}
recipe: {lr: 0.01}
epochs: 2
batch_size: 60
"""
STEPS = 4  # per epoch; the teacher's cohort takes the first four


class Desk:
    """A folder with a suite, results and a cache, and the command line before it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.records_folder = folder, folder / "results" / "short" / "records"
        self.kept = folder / "cache" / "checkpoints"

    def bench(self, *flags: str) -> int:
        suite = self.folder / "short.yaml"
        suite.write_text(SUITE)
        places = ["--results", str(self.folder / "results"), "--cache", str(self.folder / "cache")]
        return main(["bench", "--suite", str(suite), *places, *flags])

    def records(self) -> dict[str, dict[str, Any]]:
        """By method, without times."""
        found = {}
        for path in self.records_folder.glob("*.json"):
            record = json.loads(path.read_text())
            record["costs"] = {name: value for name, value in record["costs"].items() if name not in TIMES}
            for name in ("started", "finished", "code_commit"):
                del record["environment"][name]
            found[record["spec"]["method"]["label"]] = record
        return found

    def states(self) -> list[Path]:
        """The generations of the students' cohort, oldest first."""
        return sorted(path for path in self.kept.glob("*/*-r0") if len(list(path.iterdir())) > 2)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk on which the suite ran undisturbed; tests must not change it."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    assert desk.bench() == 0
    assert not list(desk.kept.iterdir())
    return desk


@pytest.fixture
def desk(tmp_path: Path, done: Desk) -> Desk:
    """A desk on which the teacher is recorded, and nothing else."""
    desk = Desk(tmp_path)
    shutil.copytree(done.folder, desk.folder, dirs_exist_ok=True)
    for path in desk.records_folder.glob("*.json"):
        if not path.name.startswith("teacher"):
            path.unlink()
            shutil.rmtree(desk.folder / "cache" / "weights" / path.stem)
    return desk


@pytest.fixture
def at_lesson(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, Callable[[], None]], None]]:
    """``at_lesson(n, act)``: act in the middle of the n-th lesson from now on, once."""
    teach, state = Cohort.teach, {"left": -1}

    def arrange(number: int, act: Callable[[], None]) -> None:
        def taught(cohort: Cohort, *args: Any) -> None:
            state["left"] -= 1
            if state["left"] == 0:
                act()
            teach(cohort, *args)

        state["left"] = number
        monkeypatch.setattr(Cohort, "teach", taught)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield arrange
    assert before == {number: signal.getsignal(number) for number in before}, "handlers were left behind"


def signals(*numbers: int) -> Callable[[], None]:
    return lambda: [os.kill(os.getpid(), number) for number in numbers] and None


Arrange = Callable[[int, Callable[[], None]], None]
DAY = 86400.0  # seconds; no launch of a test takes so long


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_the_same_command_continues(  # noqa: PLR0917
    done: Desk, desk: Desk, at_lesson: Arrange, capfd: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    at_lesson(6, signals(number))
    assert desk.bench() == code
    said = capfd.readouterr().err
    assert "saving after this step" in said
    assert "the same command continues" in said
    assert desk.records().keys() == {"teacher"}
    (state,) = desk.states()
    manifest = json.loads((state / "manifest.json").read_text())
    assert manifest["position"] == [1, 2]  # the running lesson was finished
    for run_id in manifest["runs"]:
        manifest["cohort"]["seconds"][run_id] += DAY
    (state / "manifest.json").write_text(json.dumps(manifest))
    at_lesson(1, signals(number))
    assert desk.bench() == code
    assert "continues after 1 epochs and 2 steps" in capfd.readouterr().out.replace("\n", "")
    assert desk.bench() == 0
    assert desk.records() == done.records()
    assert not list(desk.kept.iterdir())
    for run_id in manifest["runs"]:
        record = json.loads((desk.records_folder / f"{run_id}.json").read_text())
        assert record["costs"]["train_seconds"] > DAY  # of three launches, not of the last alone
        assert record["environment"]["started"] == manifest["cohort"]["started"]


def test_a_second_signal_does_not_wait(desk: Desk, at_lesson: Arrange) -> None:
    at_lesson(2, signals(signal.SIGTERM, signal.SIGINT))
    assert desk.bench() == 130
    assert not desk.states()


def test_nothing_is_kept_where_that_is_switched_off(desk: Desk, at_lesson: Arrange) -> None:
    at_lesson(2, signals(signal.SIGTERM))
    assert desk.bench("--checkpoint-every", "off") == 143
    assert not desk.states()


@pytest.fixture
def stopped(desk: Desk, at_lesson: Arrange, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A desk on which the students were stopped in their second epoch, with two states kept."""
    at_lesson(6, signals(signal.SIGTERM))
    assert desk.bench("--checkpoint-every", "0.0001s") == 143
    assert len(desk.states()) == 2
    capsys.readouterr()
    return desk


def test_one_who_begins_anew_elsewhere_keeps_the_state_of_it(
    done: Desk, stopped: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """A launch that finds all recorded in its own folder takes no state from one that another folder waits for."""
    assert stopped.bench("--results", str(done.folder / "results")) == 0
    assert len(stopped.states()) == 2
    assert stopped.bench() == 0
    assert "continues after 1 epochs and 2 steps" in capsys.readouterr().out.replace("\n", "")
    assert stopped.records() == done.records()
    assert not list(stopped.kept.iterdir())


def test_states_for_a_folder_that_was_removed_go_with_their_runs(done: Desk, stopped: Desk) -> None:
    shutil.rmtree(stopped.folder / "results")
    assert stopped.bench("--results", str(done.folder / "results"), "--methods", "scratch") == 0
    assert not list(stopped.kept.iterdir())


@pytest.mark.parametrize("place", ["sub/birds", "absolute"])
def test_suites_on_images_by_their_path_continue(
    tmp_path: Path, at_lesson: Arrange, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """The name of such data holds slashes, and names no folder of the cache."""
    images = tmp_path / ("sub/birds" if place != "absolute" else "birds")
    for label in range(2):
        for number in range(60):
            path = images / f"kind{label}/{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (number, 99 * label, 7)).save(path)
    suite = tmp_path / "short.yaml"
    name = f"folder:{place if place != 'absolute' else images}"
    own = SUITE.replace("{name: synthetic_birds, protocol: tiny}", name).replace("scratch, kd, th_kd", "scratch")
    suite.write_text(own.replace("batch_size: 60", "batch_size: 20"))
    places = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache"), "--data-root", str(tmp_path)]
    at_lesson(5, signals(signal.SIGTERM))
    assert main(["bench", "--suite", str(suite), *places]) == 143
    assert main(["bench", "--suite", str(suite), *places]) == 0
    assert "continues after" in capsys.readouterr().out
    assert not list((tmp_path / "cache/checkpoints").iterdir())


def test_other_code_starts_over_and_says_so(
    done: Desk, stopped: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resume, "code_digest", lambda: "other")
    assert stopped.bench() == 0
    assert "starts over, an earlier state is of no use: code changed since" in capsys.readouterr().out
    assert stopped.records() == done.records()


def test_a_damaged_state_falls_back_to_the_one_before(
    done: Desk, stopped: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    (victim, *_) = stopped.states()[-1].glob("kd-*.pt")
    victim.write_bytes(victim.read_bytes()[:-100])
    assert stopped.bench() == 0
    said = capsys.readouterr().out.replace("\n", "")
    assert "is damaged" in said
    assert "continues after 1 epochs and 1 steps" in said
    assert stopped.records() == done.records()


def test_some_of_the_runs_may_continue_and_the_others_later(
    done: Desk, stopped: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stopped.bench("--methods", "scratch") == 0  # a cohort without a teacher now
    assert stopped.bench() == 0
    assert capsys.readouterr().out.replace("\n", "").count("continues after 1 epochs and 2 steps") == 2
    assert stopped.records() == done.records()  # in which cohort they began, too
    assert not list(stopped.kept.iterdir())


def test_a_state_in_other_hands_is_left_alone(done: Desk, stopped: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    folder = stopped.states()[0].parent
    with FileLock(f"{folder}.lock"):
        assert stopped.bench() == 0
    assert "another launch trains the same runs" in capsys.readouterr().out.replace("\n", " ")
    assert stopped.records() == done.records()
    assert len(stopped.states()) == 2


@pytest.mark.parametrize("place", ["store", "record"])
def test_a_launch_that_dies_while_it_records_is_completed(
    done: Desk, desk: Desk, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    calls = []

    def dying(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    owner, name = (finish.WeightStore, "save") if place == "store" else (finish, "write_record")
    real = getattr(owner, name)
    monkeypatch.setattr(owner, name, dying)
    assert desk.bench() == 130
    monkeypatch.setattr(owner, name, real)
    assert len(desk.records()) == 2
    before = {path: path.stat().st_mtime_ns for path in desk.records_folder.iterdir()}
    assert desk.bench() == 0
    assert desk.records() == done.records()  # the size of the cohort too
    assert before.items() <= {path: path.stat().st_mtime_ns for path in desk.records_folder.iterdir()}.items()


def test_a_rerun_is_continued_and_repeats_nothing(
    done: Desk, tmp_path: Path, at_lesson: Arrange, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(tmp_path)
    shutil.copytree(done.folder, desk.folder, dirs_exist_ok=True)
    times = lambda: {path.name: path.stat().st_mtime_ns for path in desk.records_folder.iterdir()}
    first = times()
    at_lesson(STEPS + 2, signals(signal.SIGTERM))
    assert desk.bench("--rerun") == 143
    second = times()
    assert {name for name in first if first[name] != second[name]} == {n for n in first if n.startswith("teacher")}
    assert desk.bench() == 0  # not asked to run anything again
    assert times() == second
    assert desk.bench("--rerun") == 0
    third = times()
    assert {name for name in first if second[name] != third[name]} == {n for n in first if not n.startswith("teacher")}
    said = capsys.readouterr().out.replace("\n", "")
    assert "continuing the rerun begun" in said
    assert "continues after 0 epochs and 2 steps" in said
    assert desk.records() == done.records()
    assert not list(desk.kept.iterdir())


def test_a_retry_of_nothing_keeps_the_states_of_what_is_missing(
    done: Desk, desk: Desk, at_lesson: Arrange, capsys: pytest.CaptureFixture[str]
) -> None:
    at_lesson(2, signals(signal.SIGTERM))
    assert desk.bench("--retry-failed") == 143
    assert desk.bench("--retry-failed") == 0
    said = capsys.readouterr().out.replace("\n", "")
    assert "continues after 0 epochs and" in said
    assert "starts over" not in said
    assert desk.records() == done.records()
    assert not list(desk.kept.iterdir())


def test_states_of_a_rerun_that_was_given_up_are_removed_when_its_note_is(
    done: Desk, tmp_path: Path, at_lesson: Arrange
) -> None:
    desk = Desk(tmp_path)
    shutil.copytree(done.folder, desk.folder, dirs_exist_ok=True)
    at_lesson(2, signals(signal.SIGTERM))
    assert desk.bench("--rerun") == 143
    assert open_reruns(desk.kept) != set()
    (note,) = desk.kept.glob("rerun-*.json")
    victim = next(desk.records_folder.glob("scratch-*.json"))
    victim.unlink()  # so that there is something to do, and states are looked through
    assert desk.bench("--methods", "scratch") == 0
    assert [path for path in desk.kept.iterdir() if path.is_dir()], "the rerun may still be continued"
    note.unlink()
    next(desk.records_folder.glob("scratch-*.json")).unlink()
    assert desk.bench("--methods", "scratch") == 0
    assert not [path for path in desk.kept.iterdir() if path.is_dir()]


@pytest.mark.parametrize(("text", "seconds"), [("5m", 300), ("90s", 90), ("1h", 3600), ("0", 0), ("off", 0)])
def test_periods(text: str, seconds: float) -> None:
    assert parse_period(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "1e3s", "soon"])
def test_other_periods_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--checkpoint-every"):
        parse_period(text)
