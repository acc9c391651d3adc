"""Clipping, averaging, seeds and losses: what a step does, where a wrong figure would look like a right one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fgkd.models import weights_hash
from fgkd.signals import Progress
from fgkd.train import cohort as cohort_module
from fgkd.train import keeper as keeper_module
from fgkd.train.assemble import assemble
from fgkd.train.keeper import Keeper
from fgkd.train.learner import Learner
from tests.train.room import BATCH, EPOCHS, TRAIN, Room, run
from tests.train.test_checkpoint import shelf_for

STEPS = TRAIN // BATCH


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_gradients_are_clipped_to_the_norm_of_the_recipe(room: Room) -> None:
    """Of all that learns together, the method's own layers too."""
    learner = room.learner(run("th_kd", "test_resnet", clip_grad=0.01))
    trained = [p for group in learner.optimizer.param_groups for p in group["params"]]
    norms, step = [], learner.optimizer.step

    def noted(*args: object) -> None:
        norms.append(float(torch.cat([p.grad.flatten() for p in trained if p.grad is not None]).norm()))
        step(*args)

    learner.optimizer.step = noted  # type: ignore[method-assign,assignment]
    room.cohort([learner.spec], [learner]).train_epoch(0)
    assert norms == pytest.approx([0.01] * STEPS, rel=1e-3)


def test_scaled_gradients_are_clipped_and_applied_as_plain_ones(room: Room) -> None:
    """fp16's scaler multiplies by powers of two, which changes no bit of what is learnt."""
    spec = run("kd", "test_resnet", clip_grad=0.01)
    plain = room.train([spec])
    scaled = Learner(
        spec,
        lambda: assemble(spec, room.workshop, room.teacher),
        prepare=room.engine.prepare,
        device=room.engine.device,
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        fp16=True,
    )
    room.cohort([spec], [scaled]).run()
    assert scaled.scaler.get_scale() == 2**16
    assert {spec.run_id: weights_hash(scaled.network) + weights_hash(scaled.objective)} == plain


def test_the_average_keeps_the_share_that_the_recipe_says(room: Room) -> None:
    learner = room.learner(run("kd", "test_vit", ema=0.75))
    cohort = room.cohort([learner.spec], [learner])
    for step, batch in enumerate(room.lessons.epoch(0)):
        before = [p.clone() for p in learner.evaluated.parameters()]
        cohort.teach(batch, Progress(step, STEPS, EPOCHS))
    for old, mean, now in zip(before, learner.evaluated.parameters(), learner.network.parameters(), strict=True):
        torch.testing.assert_close(mean, 0.75 * old + 0.25 * now)
        assert not torch.equal(mean, now)


def test_the_loss_is_the_sum_of_the_terms(room: Room) -> None:
    learner = room.learner(run("kd+rkd", "test_resnet"))
    room.cohort([learner.spec], [learner]).train_epoch(0)
    learner.end_epoch(0, {"top1": 0.0}, lambda means: means)
    (point,) = learner.curve
    terms = [value for name, value in point.items() if name not in ("epoch", "lr", "loss", "holdout_top1")]
    assert len(terms) > 1
    assert point["loss"] == pytest.approx(sum(terms), rel=1e-5)


def test_a_run_is_drawn_from_its_seed(room: Room) -> None:
    first, again, other = (weights_hash(room.learner(run("scratch", seed=seed)).network) for seed in (0, 0, 1))
    assert first == again != other


def test_a_learner_that_diverges_stops_within_the_epoch(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort_module, "CHECK_EVERY", 2)
    wild = room.learner(run("kd", "test_resnet", lr=1e30, warmup_epochs=0))
    taken, step = [], wild.step
    wild.step = lambda eyes, lesson: taken.append(1) or step(eyes, lesson)  # type: ignore[method-assign,func-returns-value]
    cohort = room.cohort([wild.spec, run("scratch")], [wild, room.learner(run("scratch"))])
    cohort.train_epoch(0)
    assert wild.status == "diverged"
    assert len(taken) in (2, 4)


def test_images_of_all_processes_are_counted(room: Room) -> None:
    cohort = room.cohort([run("scratch")])
    batch = next(room.lessons.epoch(0))
    cohort.teach(replace(batch, global_size=2 * BATCH), Progress(0, STEPS, EPOCHS))
    assert cohort.images == 2 * BATCH


class Watch:
    """A clock that moves on by a second whenever somebody looks at it."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def test_after_a_saving_the_time_begins_anew(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "time", Watch())
    spec = run("scratch")
    shelf, positions = shelf_for(tmp_path / "kept", [spec]), []
    save = shelf.save
    shelf.save = lambda position, *rest: positions.append(position) or save(position, *rest)  # type: ignore[method-assign,func-returns-value]
    cohort = room.cohort([spec])
    cohort.keeper = Keeper(cohort.engine, shelf, every=3)
    cohort.train_epoch(0)
    assert positions == [(0, 3)]


@pytest.mark.usefixtures("_fresh")
def test_losses_are_computed_in_float32_whatever_the_networks_compute_in(tmp_path: Path) -> None:
    room = Room(tmp_path, "bf16")
    learner, seen = room.learner(run("kd", "test_resnet")), set()

    def note(objective: object, given: tuple) -> None:
        student, lesson = given
        seen.update(x.dtype for x in (student.logits, student.pooled, lesson.teacher.logits) if x is not None)

    learner.objective.register_forward_pre_hook(note)
    room.cohort([learner.spec], [learner]).train_epoch(0)
    assert seen == {torch.float32}


@pytest.fixture
def _fresh():
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
