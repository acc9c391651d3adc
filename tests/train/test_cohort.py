"""The invariant of the cohort: a learner's result depends on its RunSpec alone, bit for bit, whoever sits beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest
import torch
from accelerate.state import AcceleratorState

from fgkd.models import weights_hash
from fgkd.signals import Progress
from fgkd.train import learner as learner_module
from fgkd.train.cohort import Watch
from fgkd.train.learner import Learner
from tests.train.room import BATCH, CLASSES, EPOCHS, TRAIN, Room, run

FIVE = [
    run("scratch", "test_resnet"),
    run("kd", "test_efficientnet", ema=0.9),
    run("th_kd", "test_vit2"),
    run({"method": "crd", "num_negatives": 8}, "test_convnext", optimizer="adamw", lr=1e-3, clip_grad=1.0),
    run("kd", "test_efficientnet", seed=1),
]
DROPOUT = run("kd", {"name": "test_vit2", "kwargs": {"proj_drop_rate": 0.3, "drop_path_rate": 0.3}})


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every run in a cohort of its own."""
    found: dict[str, str] = {}
    for spec in [*FIVE, DROPOUT]:
        found |= Room(tmp_path_factory.mktemp("room")).train([spec])
    return found


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1]])
def test_alone_equals_together_in_any_order(room: Room, alone: dict[str, str], order: list[int]) -> None:
    together = room.train([FIVE[i] for i in order])
    assert together == {run_id: alone[run_id] for run_id in together}
    assert len(together) == 5


def test_random_layers_draw_from_their_own_stream(room: Room, alone: dict[str, str]) -> None:
    together = room.train([FIVE[1], DROPOUT, FIVE[3]])
    assert together[DROPOUT.run_id] == alone[DROPOUT.run_id]


def test_a_shared_stream_would_break_it(room: Room, alone: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Shared(learner_module.RandomStream):
        def __enter__(self) -> Shared:
            return self

        def __exit__(self, *args: object) -> None:
            return None

    monkeypatch.setattr(learner_module, "RandomStream", Shared)
    together = room.train([FIVE[1], DROPOUT, FIVE[3]])
    assert together[DROPOUT.run_id] != alone[DROPOUT.run_id]


def test_loads_and_teacher_forwards_are_paid_once(room: Room) -> None:
    room.cohort(FIVE).run()
    steps = TRAIN // BATCH * EPOCHS
    assert room.lessons.loads == steps
    assert room.teacher.forwards == steps


def test_nobody_asks_the_teacher_for_what_nobody_needs(room: Room) -> None:
    needs = room.cohort([FIVE[0], FIVE[1]]).needs(Progress(0, 5, EPOCHS))
    assert needs.logits
    assert not needs.pooled
    assert not needs.stages
    assert not room.cohort([FIVE[0]]).needs(Progress(0, 5, EPOCHS))


def test_a_diverging_learner_is_marked_and_its_neighbours_unchanged(room: Room, alone: dict[str, str]) -> None:
    wild = run("kd", "test_resnet", lr=1e30)
    cohort = room.cohort([FIVE[0], wild, FIVE[1]])
    cohort.run()
    learners = {x.run_id: x for x in cohort.learners}
    assert learners[wild.run_id].status == "diverged"
    assert "not finite at step" in learners[wild.run_id].reason
    assert not cohort.results[wild.run_id].metrics
    for spec in (FIVE[0], FIVE[1]):
        x = learners[spec.run_id]
        assert x.status == "ok"
        assert weights_hash(x.network) + weights_hash(x.objective) == alone[spec.run_id]


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("boom"), "failed"), (torch.OutOfMemoryError("full"), "oom")]
)
def test_a_raising_learner_is_marked_and_its_neighbours_unchanged(
    room: Room, alone: dict[str, str], error: Exception, status: str
) -> None:
    class Raising(Learner):
        def step(self, eyes: object, lesson: object) -> None:
            raise error

    bad = run("kd", "test_resnet", seed=3)
    specs = [bad, FIVE[1]]
    broken = room.learner(bad)
    broken.__class__ = Raising
    cohort = room.cohort(specs, [broken, room.learner(FIVE[1])])
    cohort.run()
    assert broken.status == status
    assert str(error) in broken.reason
    good = cohort.learners[1]
    assert weights_hash(good.network) + weights_hash(good.objective) == alone[FIVE[1].run_id]


def test_results_hold_last_and_best_on_both_splits(room: Room) -> None:
    cohort = room.cohort(FIVE[:2])
    results = cohort.run()
    for result in results.values():
        assert set(result.metrics) == {"test_last", "test_best", "holdout_last", "holdout_best"}
        # here hold-out and test are the same images, so the best epoch's figure must be the largest of the curve
        assert 0 <= result.metrics["test_last"]["top1"] <= 1
        assert result.predictions is not None
        assert result.predictions.shape == (TRAIN,)
        assert int(result.predictions.max()) < CLASSES
    for learner in cohort.learners:
        curve = [point["holdout_top1"] for point in learner.curve]
        assert learner.best.top1 == max(curve)
        assert learner.best.epoch == curve.index(max(curve))
        best = results[learner.run_id].metrics["holdout_best"]["top1"]
        assert best == pytest.approx(max(curve))
        last = results[learner.run_id].metrics["holdout_last"]["top1"]
        assert last == pytest.approx(curve[-1])


def test_a_run_without_a_teacher_does_not_know_whose_cohort_it_sat_in(room: Room) -> None:
    results = room.cohort([FIVE[0], FIVE[1]]).run()
    assert results[FIVE[0].run_id].metrics["test_last"].get("agreement") is None
    assert results[FIVE[1].run_id].metrics["test_last"]["agreement"] is not None


def test_the_learning_rate_follows_the_recipe(room: Room) -> None:
    cohort = room.cohort([run("scratch", lr=0.1, warmup_epochs=1)])
    (learner,) = cohort.learners
    rates = []
    for step, batch in enumerate(room.lessons.epoch(0)):
        cohort.teach(batch, Progress(step, room.lessons.steps_per_epoch, EPOCHS))
        rates.append(learner.optimizer.param_groups[0]["lr"])
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(1e-4)
    assert rates[-1] < 0.1


@pytest.fixture
def fresh_accelerate() -> Iterator[None]:
    """accelerate keeps one precision per process; forget it before and after."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("fresh_accelerate")
def test_bf16_autocast_on_the_cpu_trains_and_changes_the_result(tmp_path: Path, alone: dict[str, str]) -> None:
    room = Room(tmp_path, "bf16")
    cohort = room.cohort(FIVE[:4])
    cohort.run()
    assert [learner.status for learner in cohort.learners] == ["ok"] * 4
    assert {p.dtype for learner in cohort.learners for p in learner.network.parameters()} == {torch.float32}
    for learner in cohort.learners:
        assert weights_hash(learner.network) + weights_hash(learner.objective) != alone[learner.run_id]


def test_nobody_is_examined_where_nobody_learns_any_more(room: Room) -> None:
    wild = run("kd", "test_resnet", lr=1e30)
    cohort = room.cohort([wild])
    cohort.watch = looker = create_autospec(Watch)
    cohort.run()
    assert cohort.learners[0].status == "diverged"
    assert looker.batch.called
    assert not looker.epoch.called
