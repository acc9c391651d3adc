"""A learner that goes wrong in a cohort is marked, and its neighbours do not notice."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fgkd.models import weights_hash
from fgkd.train.faults import Crowded, out_of_memory
from fgkd.train.learner import Learner
from tests.faulty import FULL, Device, Faulty
from tests.train.room import Room, run

GOOD = [run("kd"), run("scratch", seed=2)]
STEPS = [(where, at) for where in ("forward", "backward") for at in (0, 7)]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="module")
def alone(room: Room) -> dict[str, str]:
    return {spec.run_id: room.train([spec])[spec.run_id] for spec in GOOD}


def learnt(learner: Learner) -> str:
    return weights_hash(learner.network) + weights_hash(learner.objective)


def bad(where: str, at: int = 0, memory: bool = False) -> dict[str, object]:
    return {"method": "faulty", "where": where, "at": at, "memory": memory}


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize(("where", "at"), STEPS)
def test_a_learner_that_raises_in_a_step(  # noqa: PLR0917
    room: Room, alone: dict[str, str], faulty: type[Faulty], where: str, at: int, memory: bool
) -> None:
    cohort = room.cohort([GOOD[0], run(bad(where, at, memory)), GOOD[1]])
    cohort.run()
    first, culprit, last = cohort.learners
    assert culprit.status == ("oom" if memory else "failed")
    assert (FULL if memory else f"a bug in {where}") in culprit.reason
    assert len(culprit.curve) == at // 5
    assert {x.run_id: learnt(x) for x in (first, last)} == alone


def test_a_learner_that_runs_out_of_memory_in_its_optimiser(room: Room, alone: dict[str, str]) -> None:
    learners = [room.learner(spec) for spec in (GOOD[0], run("kd", seed=9), GOOD[1])]

    def full(*args: object) -> None:
        raise torch.OutOfMemoryError(FULL)

    learners[1].optimizer.step = full  # type: ignore[method-assign]
    cohort = room.cohort([x.spec for x in learners], learners)
    cohort.run()
    assert [x.status for x in learners] == ["ok", "oom", "ok"]
    assert {x.run_id: learnt(x) for x in (learners[0], learners[2])} == alone


@pytest.mark.parametrize("at", [0, 3, 7])
def test_a_loss_that_is_not_a_number(room: Room, alone: dict[str, str], faulty: type[Faulty], at: int) -> None:
    cohort = room.cohort([GOOD[0], run(bad("nan", at)), GOOD[1]])
    cohort.run()
    assert cohort.learners[1].status == "diverged"
    assert cohort.learners[1].reason == f"the loss was not finite at step {at}"
    assert {x.run_id: learnt(x) for x in cohort.learners if x.active} == alone


def test_weights_that_the_last_step_spoiled(room: Room, alone: dict[str, str]) -> None:
    learners = [room.learner(spec) for spec in (GOOD[0], run("kd", seed=9))]
    step, parameter = learners[1].optimizer.step, next(learners[1].network.parameters())
    taken = []

    def spoil() -> None:
        step()
        taken.append(1)
        if len(taken) == 10:
            parameter.data[0] = torch.inf

    learners[1].optimizer.step = spoil  # type: ignore[method-assign,assignment]
    cohort = room.cohort([x.spec for x in learners], learners)
    cohort.run()
    assert learners[1].status == "diverged"
    assert learners[1].reason == "the weights were not finite after the last step"
    assert not cohort.results[learners[1].run_id].metrics
    assert learnt(learners[0]) == alone[GOOD[0].run_id]


def test_statistics_that_are_not_finite_are_told_as_weights_are(room: Room) -> None:
    learner = room.learner(run("kd"))
    next(b for b in learner.network.buffers() if b.is_floating_point()).data[0] = torch.nan
    learner.check_weights()
    assert learner.reason == "the weights were not finite after the last step"


@pytest.mark.parametrize("at", [0, 5, 9])  # four batches in each pass: the first, the second, the last examination
def test_a_learner_that_raises_in_an_evaluation(
    room: Room, alone: dict[str, str], faulty: type[Faulty], at: int
) -> None:
    reference = room.cohort(GOOD)
    reference.run()
    cohort = room.cohort([GOOD[0], run(bad("evaluation", at)), GOOD[1]])
    cohort.run()
    assert cohort.learners[1].status == "failed"
    assert cohort.learners[1].reason == "in evaluation: ValueError: a bug in evaluation"
    assert {x.run_id: learnt(x) for x in cohort.learners if x.active} == alone
    for spec in GOOD:
        assert cohort.results[spec.run_id].metrics == reference.results[spec.run_id].metrics
        assert cohort.results[spec.run_id].predictions.equal(reference.results[spec.run_id].predictions)  # type: ignore[union-attr,arg-type]


@pytest.mark.parametrize("where", ["teacher", "evaluation"])
def test_memory_short_for_all_is_nobody_s_fault(room: Room, device: Device, where: str) -> None:
    cohort = room.cohort(GOOD)
    device.where, device.room, device.after = where, 1, 1
    with pytest.raises(Crowded, match="or so it says"):
        cohort.run()
    assert [x.status for x in cohort.learners] == ["ok", "ok"]


def test_a_teacher_that_raises_is_no_learner_s_fault(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = room.cohort(GOOD)
    monkeypatch.setattr(room.teacher, "signals", lambda *args: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        cohort.run()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) is expected


def test_the_allocator_s_own_error_counts() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert out_of_memory(caught.value)


def test_a_learner_out_of_memory_gives_its_own_back(room: Room, tmp_path: Path) -> None:
    learner = room.learner(GOOD[0])
    learner.optimizer.state[next(learner.network.parameters())] = {"momentum_buffer": torch.zeros(3)}
    moved = []
    learner.pupil.to = moved.append  # type: ignore[method-assign,assignment]
    learner.stop("oom", "full")
    assert moved == ["cpu"]
    assert not learner.optimizer.state
