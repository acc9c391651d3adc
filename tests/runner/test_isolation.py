"""A run that fails leaves a record that says why, its neighbours' records are what they would have been."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from fgkd.errors import UserError
from fgkd.runner.session import _Session
from fgkd.teacher.live import Teacher
from fgkd.train.learner import Learner
from tests.faulty import FULL, Device, Faulty
from tests.runner.bench_desk import STEPS, Desk
from tests.runner.conftest import METHODS

FAULTS = ("build", "reshape", "forward", "backward", "nan", "evaluation", "diagnostics")


def broken(where: str, memory: bool = False) -> str:
    name = f"{where}_{'oom' if memory else 'bug'}"
    return f"{{method: faulty, where: {where}, at: 5, memory: {str(memory).lower()}, name: {name}}}"


def good(desk: Desk) -> dict[str, dict]:
    return {name: record for name, record in desk.records().items() if not name.endswith(("_bug 0", "_oom 0"))}


def flat(text: str) -> str:
    return " ".join(text.split())


def test_every_way_to_fail_beside_good_neighbours(
    done: Desk, tmp_path: Path, faulty: type[Faulty], capsys: pytest.CaptureFixture[str]
) -> None:
    desk = done.copied(tmp_path, (*METHODS, *map(broken, FAULTS)))
    assert desk.bench() == 1
    assert good(desk) == done.records()
    said = flat(capsys.readouterr().out)
    records = desk.records()
    for where in FAULTS:
        record = records[f"{where}_bug 0"]
        assert record["status"] == ("diverged" if where == "nan" else "failed")
        assert record["metrics"] == {}
        assert (
            record["reason"] == "the loss was not finite at step 5" if where == "nan" else "a bug" in record["reason"]
        )
        assert f"{record['run_id']} {record['status']}: {record['reason']}" in said
        assert not (desk.cache / "weights" / record["run_id"]).exists()
    assert "6 failed; mend what the reason names" in said
    assert "1 diverged; a smaller recipe.lr" in said
    rows = (desk.results / "small" / "leaderboard.csv").read_text()
    assert rows.count(",failed,") == 6

    before = {path: path.stat().st_mtime_ns for path in desk.records_folder.iterdir()}
    assert desk.bench() == 1  # they are not tried again, and told again
    assert {path: path.stat().st_mtime_ns for path in desk.records_folder.iterdir()} == before
    assert "--retry-failed" in capsys.readouterr().out

    faulty.mended = True
    assert desk.bench("--retry-failed") == 0
    assert set(desk.statuses().values()) == {"ok"}
    untouched = {p for p, when in before.items() if p.stat().st_mtime_ns == when}
    assert {json.loads(p.read_text())["spec"]["method"]["label"] for p in untouched} == {"teacher", *METHODS}
    assert good(desk) == done.records()
    assert desk.bench("--retry-failed") == 0  # nothing is left to retry


def test_a_failed_teacher_is_not_trained_again_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(tmp_path, ("scratch", "kd"))
    step, counted = Learner.step, []

    def unlucky(learner: Learner, *args: object) -> None:
        counted.append(learner.run_id)
        if learner.spec.role == "teacher" and len(counted) < 3:
            raise ValueError("no luck")
        step(learner, *args)

    monkeypatch.setattr(Learner, "step", unlucky)
    assert desk.bench() == 2
    assert desk.statuses() == {"teacher 0": "failed", "scratch 0": "ok"}  # scratch waits for nobody
    counted.clear()
    assert desk.bench() == 2
    assert not counted
    said = flat(capsys.readouterr().out)
    assert "1 run waits for teacher" in said
    assert "--retry-failed" in said
    counted += ["", "", ""]
    assert desk.bench("--retry-failed") == 0
    assert set(desk.statuses().values()) == {"ok"}


def test_a_cohort_that_nobody_foresaw_to_fail_does_not_stop_the_others(
    done: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = done.copied(tmp_path, METHODS)
    monkeypatch.setattr(Teacher, "signals", lambda *args: 1 // 0)
    flags = ("--set", "data_seeds=[0,1]", "--methods", "scratch,kd")
    assert desk.bench(*flags) == 1
    said = flat(capsys.readouterr().out)
    assert "Traceback" in said
    assert (
        "are not recorded: ZeroDivisionError: integer division or modulo by zero; the same command tries them again"
        in said
    )
    monkeypatch.undo()
    assert desk.bench() == 0
    assert desk.records() == done.records()


@pytest.mark.parametrize("room", [1, 2])
def test_memory_short_in_steps_is_found_by_taking_learners_out(
    done: Desk, desk: Desk, device: Device, capsys: pytest.CaptureFixture[str], room: int
) -> None:
    device.where, device.room = "step", room
    assert desk.bench() == 0
    assert device.struck
    assert desk.records() == done.records()
    assert "out of memory: " in capsys.readouterr().out


@pytest.mark.parametrize(("where", "after"), [("build", 0), ("teacher", 0), ("teacher", STEPS + 1), ("evaluation", 1)])
def test_memory_short_for_all_splits_the_cohort(  # noqa: PLR0917
    done: Desk, desk: Desk, device: Device, capsys: pytest.CaptureFixture[str], where: str, after: int
) -> None:
    device.where, device.room, device.after = where, 2, after
    assert desk.bench("--checkpoint-every", "1h") == 0
    assert device.struck
    assert desk.records() == done.records()
    said = flat(capsys.readouterr().out)
    if where == "build":
        assert "2 of 4 learners are trained again, as 2" in said
    else:
        assert "4 of 4 learners are trained again, as 2 and 2" in said
    if after:  # what was done is not done again
        assert said.count("continues after 1 epochs") == 2
    assert not list((desk.cache / "checkpoints").iterdir())


@pytest.mark.parametrize("where", ["step", "teacher", "build"])
def test_who_does_not_fit_even_alone_is_recorded(
    done: Desk, desk: Desk, device: Device, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    device.where, device.room = where, 0
    assert desk.bench("--methods", "kd,th_kd", "--checkpoint-every", "off") == 1
    assert desk.statuses() == {"teacher 0": "ok", "kd 0": "oom", "th_kd 0": "oom"}
    assert all(FULL in r["reason"] for name, r in desk.records().items() if name != "teacher 0")
    assert "2 oom; not even alone did they fit" in flat(capsys.readouterr().out)
    if where == "step":
        device.room = 99
        assert desk.bench("--retry-failed") == 0
        assert desk.records() == done.records()


def test_a_killed_launch_forgets_nothing_of_who_was_taken_out(
    done: Desk, desk: Desk, device: Device, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device.where, device.room = "step", 3
    step, taken = Learner.step, []

    def killed(learner: Learner, *args: object) -> None:
        taken.append(learner.run_id)  # not the learner, which would stay on the device for ever
        if len(taken) == 20:
            raise KeyboardInterrupt
        step(learner, *args)

    monkeypatch.setattr(Learner, "step", killed)
    assert desk.bench("--checkpoint-every", "0.0001s") == 130
    assert desk.bench() == 0
    assert desk.records() == done.records()
    assert "continues after" in capsys.readouterr().out


@pytest.mark.parametrize("error", [torch.AcceleratorError("CUDA error: an illegal memory access", 700)])
def test_a_lost_device_is_no_run_s_fault(desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def lost(*args: object) -> None:
        raise error

    monkeypatch.setattr(Learner, "step", lost)
    with pytest.raises(torch.AcceleratorError):
        desk.bench()
    assert desk.statuses() == {"teacher 0": "ok"}


@pytest.mark.parametrize("world", [1, 2])
def test_a_cohort_that_cannot_begin_is_passed_over_where_nobody_waits_for_this_process(world: int) -> None:
    def refuse(*_: object) -> None:
        raise UserError("its data is gone")

    session: Any = object.__new__(_Session)
    session.engine = SimpleNamespace(world=world, release=lambda: None)
    session.refused, session.run_cohort = [], refuse
    turn: Any = SimpleNamespace(number=1, cohort=Mock())
    with nullcontext() if world == 1 else pytest.raises(UserError):
        session.attempt(turn, Mock())
    assert session.refused == (["its data is gone"] if world == 1 else [])
