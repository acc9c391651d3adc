"""Students that torch compiles: nearly the same numbers, the same names of weights, evaluated as written."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from fgkd.train.assemble import Workshop
from fgkd.train.engine import Engine
from tests.train.room import CLASSES, Room, run


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A room whose compiler only traces: what it makes of a graph is torch's business."""
    monkeypatch.setattr(Engine, "compile", lambda self, net: net.compile(backend="eager", dynamic=False))
    room = Room(tmp_path)
    room.engine.compiles = True
    room.workshop = Workshop(CLASSES, room.lessons.targets, room.engine, room.workshop.store)
    return room


def test_a_compiled_student_learns_as_another_and_is_evaluated_as_written(room: Room, tmp_path: Path) -> None:
    spec = run("kd", "test_resnet", ema=0.9)
    cohort = room.cohort([spec])
    learner = cohort.learners[0]
    assert learner.network._compiled_call_impl is not None
    assert learner.evaluated._compiled_call_impl is None  # the average is a copy
    result = cohort.run()[spec.run_id]
    plain = Room(tmp_path / "plain").cohort([spec])
    expected = plain.run()[spec.run_id]
    assert learner.status == "ok", learner.reason
    theirs = plain.learners[0].network.state_dict()
    assert theirs.keys() == learner.network.state_dict().keys()
    for name, value in learner.network.state_dict().items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=1e-4)
    assert result.metrics["test_last"]["top1"] == pytest.approx(expected.metrics["test_last"]["top1"], abs=0.1)


def test_evaluation_compiles_nothing(room: Room) -> None:
    cohort = room.cohort([run("kd", "test_resnet")])
    torch._dynamo.utils.counters.clear()
    cohort.answers(cohort.loaders.test, [cohort.learners[0].examinee()])
    assert not torch._dynamo.utils.counters["stats"].get("unique_graphs")


def test_the_compilers_seconds_are_no_learners(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the first learner of a kind would pay for all of it."""
    specs = [run("kd", "test_resnet"), run("scratch", "test_resnet")]
    cohort, accounts = room.cohort(specs), Counter[str]()
    span = cohort.clock.span

    def counted(name: str, *, host: bool = False) -> AbstractContextManager[None]:
        accounts[name] += 1
        return span(name, host=host)

    monkeypatch.setattr(cohort.clock, "span", counted)
    cohort.run()
    steps = cohort.feed.epochs * cohort.loaders.train.steps_per_epoch
    assert accounts["compile"] == 2
    assert [accounts[spec.run_id] for spec in specs] == [steps - 1, steps - 1]
