"""Several launches run one suite over one folder of results; one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fgkd.leaderboard import check_boards
from fgkd.plan import asks_for_baselines, contest, is_baseline
from fgkd.runner.finish import Recorder
from fgkd.runner.planning import part_to_do, shard
from fgkd.suite import load_suite
from fgkd.train.cohort import Cohort
from tests.runner.bench_desk import Desk

METHODS = ("scratch", "kd")
FLAGS = ("--set", "data_seeds=[0,1,2,3]")  # four cohorts of students, and their teacher's
FEWER = ("--set", "data_seeds=[0,1]")


class Launches:
    """Forks that bench one desk."""

    def __init__(self) -> None:
        self.running: list[int] = []

    def start(self, desk: Desk, *flags: str, grid: tuple[str, ...] = FLAGS, slow: float = 0.0) -> int:
        """A launch; `slow` seconds are added to every lesson."""
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                self._redirect(desk.folder / f"log-{os.getpid()}.txt")
                _watched(desk.folder, slow)
                code = desk.bench(*grid, *flags)
            finally:
                os._exit(code)
        self.running.append(pid)
        return pid

    def _redirect(self, path: Path) -> None:
        sys.stdout = sys.stderr = path.open("w", buffering=1)

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.wait(pid)

    def wait(self, pid: int) -> int:
        self.running.remove(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _watched(folder: Path, slow: float) -> None:
    """Write down which runs are trained and which are recorded, by whom."""
    record, teach, trained = Recorder._write, Cohort.teach, set()

    def note(name: str, run_id: str) -> None:
        with (folder / name).open("a") as file:
            file.write(json.dumps([os.getpid(), run_id]) + "\n")

    def recorded(recorder: Recorder, found: Any) -> None:
        note("recorded", found.run_id)
        record(recorder, found)

    def taught(cohort: Cohort, *args: Any) -> None:
        for learner in cohort.learners:
            if learner.run_id not in trained:
                trained.add(learner.run_id)
                note("trained", learner.run_id)
        time.sleep(slow)
        teach(cohort, *args)

    Recorder._write, Cohort.teach = recorded, taught  # type: ignore[method-assign]


def noted(desk: Desk, name: str) -> list[tuple[int, str]]:
    path = desk.folder / name
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def until(condition: Any) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def numbered(desk: Desk) -> dict[str, dict[str, Any]]:
    return {record["run_id"]: record for record in _records(desk)}


def _records(desk: Desk) -> Iterator[dict[str, Any]]:
    for path in desk.records_folder.glob("*.json"):
        record = json.loads(path.read_text())
        for name in ("costs", "cohort", "environment"):
            del record[name]
        yield record


@pytest.fixture
def launches() -> Iterator[Launches]:
    launches = Launches()
    yield launches
    for pid in list(launches.running):
        launches.kill(pid)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, done: Desk) -> Desk:
    """One launch did it all."""
    desk = done.copied(tmp_path_factory.mktemp("alone"), METHODS, keep="nothing")
    assert desk.bench(*FLAGS) == 0
    assert len(numbered(desk)) == 9
    return desk


@pytest.fixture
def fresh(done: Desk, tmp_path: Path) -> Desk:
    """Nothing is recorded; the data is drawn."""
    return done.copied(tmp_path, METHODS, keep="nothing")


def test_three_launches_do_each_run_once(fresh: Desk, alone: Desk, launches: Launches) -> None:
    pids = [launches.start(fresh, slow=0.02) for _ in range(3)]
    assert [launches.wait(pid) for pid in pids] == [0, 0, 0]
    recorded = [run_id for _, run_id in noted(fresh, "recorded")]
    assert sorted(recorded) == sorted(numbered(alone))
    assert sorted(run_id for _, run_id in noted(fresh, "trained")) == sorted(recorded)
    assert len({pid for pid, _ in noted(fresh, "recorded")}) > 1, "one did it all"
    assert numbered(fresh) == numbered(alone)
    assert check_boards(fresh.results / "small") == []
    assert [path.name for path in (fresh.cache / "claims").iterdir()] == ["guard.lock"]
    said = "".join(path.read_text() for path in fresh.folder.glob("log-*"))
    assert " ".join(said.split()).count("runs wait for what process") >= 2  # for the teacher


def test_the_others_take_over_from_one_that_is_killed(fresh: Desk, alone: Desk, launches: Launches) -> None:
    first = launches.start(fresh, "--checkpoint-every", "0.0001s", slow=0.05)
    students = lambda: [run for pid, run in noted(fresh, "trained") if pid == first and run.startswith("kd")]
    until(students)
    others = [launches.start(fresh, slow=0.02) for _ in range(2)]
    until(lambda: len({pid for pid, _ in noted(fresh, "trained")}) > 1)
    held = students()[-1]
    launches.kill(first)
    assert [launches.wait(pid) for pid in others] == [0, 0]
    assert numbered(fresh) == numbered(alone)
    recorded = [run_id for _, run_id in noted(fresh, "recorded")]
    assert sorted(recorded) == sorted(numbered(alone))
    said = " ".join("".join(path.read_text() for path in fresh.folder.glob("log-*")).split())
    if held not in {run for pid, run in noted(fresh, "recorded") if pid == first}:
        assert f"process {first} on" in said
        assert "has died; the" in said


def test_one_that_finds_the_rest_taken_says_so_and_ends(fresh: Desk, launches: Launches) -> None:
    grid = ("--set", "data_seeds=[0]")
    first = launches.start(fresh, grid=grid, slow=0.2)
    until(lambda: any(run.startswith("kd") for _, run in noted(fresh, "trained")))
    second = launches.start(fresh, grid=grid)
    assert launches.wait(second) == 0
    assert not [run for pid, run in noted(fresh, "trained") if pid == second]
    told = " ".join((fresh.folder / f"log-{second}.txt").read_text().split())
    assert f"2 runs are still being trained by process {first} on" in told
    assert launches.wait(first) == 0


def test_two_shards_share_the_teacher(fresh: Desk, alone: Desk, launches: Launches) -> None:
    pids = [launches.start(fresh, "--shard", f"{number}/2", grid=FEWER, slow=0.02) for number in range(2)]
    assert [launches.wait(pid) for pid in pids] == [0, 0]
    found = numbered(fresh)
    assert sorted(run for _, run in noted(fresh, "trained")) == sorted(found)
    assert len(found) == 5
    assert found.items() <= numbered(alone).items()


def test_shards_are_a_partition(alone: Desk) -> None:
    runs = load_suite(str(alone.suite)).runs(sets=["data_seeds=[0,1,2,3]", "seeds=[0,1]"])
    for of in (1, 2, 3, 5):
        parts = [run.run_id for number in range(of) for run in shard(runs, (number, of))]
        assert sorted(parts) == sorted(run.run_id for run in runs)


def test_a_part_holds_the_runs_from_scratch_that_its_teachers_have_to_beat(alone: Desk) -> None:
    stated = "teachers=[{backbone: test_resnet, size: 32, train: {epochs: 1, batch_size: 60}}]"
    runs = load_suite(str(alone.suite)).runs(sets=[stated, "data_seeds=[0,1]", "seeds=[0,1]"])
    assert any(run.method.label == "scratch" for run in runs)
    for number in range(5):
        part = part_to_do(runs, (number, 5))
        assert set(shard(runs, (number, 5))) <= set(part) <= set(runs)
        contested = {contest(run) for run in part if asks_for_baselines(run)}
        assert {run for run in runs if is_baseline(run) and contest(run) in contested} <= set(part)
    assert part_to_do(runs, None) == runs


def test_two_launches_share_a_rerun(fresh: Desk, alone: Desk, launches: Launches) -> None:
    desk = alone.copied(fresh.folder / "again", METHODS, keep="")
    before = {path.stem: path.stat().st_mtime_ns for path in desk.records_folder.iterdir()}
    first = launches.start(desk, "--rerun", grid=FEWER, slow=0.05)
    until(lambda: noted(desk, "trained"))
    second = launches.start(desk, "--rerun", grid=FEWER)
    assert [launches.wait(first), launches.wait(second)] == [0, 0]
    assert numbered(desk) == numbered(alone)
    rewritten = {path.stem for path in desk.records_folder.iterdir() if path.stat().st_mtime_ns != before[path.stem]}
    assert sorted(run for _, run in noted(desk, "recorded")) == sorted(rewritten)
    assert len(rewritten) == 5
