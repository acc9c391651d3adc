"""Recipes that a method cannot follow, told before training."""

from __future__ import annotations

import pytest

from fgkd.runner.check.qualms import batch_problems, long_warmups, recipe_problems
from fgkd.runner.sizes import Size
from tests.train.room import run


@pytest.mark.parametrize("method", ["at", "sp", "crd", "srrl", "label_smoothing+rkd"])
def test_a_linear_probe_that_would_learn_of_labels_alone_is_refused(method: str) -> None:
    (problem,) = recipe_problems([run(method, "test_resnet", learns="classifier")])
    assert f"which no term of {method} but the cross-entropy reaches" in problem
    assert recipe_problems([run(method, "test_resnet")]) == []


@pytest.mark.parametrize("method", ["scratch", "label_smoothing", "kd", "th_kd", "kd+at"])
def test_a_linear_probe_may_learn_of_labels_and_of_logits(method: str) -> None:
    assert recipe_problems([run(method, "test_resnet", learns="classifier")]) == []


def test_batches_that_processes_cannot_share_are_told_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run("scratch", "test_resnet")]
    known = {runs[0].feed.dataset: Size(5, 10_000)}
    monkeypatch.setenv("WORLD_SIZE", "7")
    (problem,) = batch_problems(runs, known)
    assert (
        problem == f"batch_size: expected a number that 7 processes can share evenly, found {runs[0].feed.batch_size}"
    )
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert batch_problems(runs, known) == []


@pytest.mark.parametrize(("milestones", "found"), [((), "none"), ((3, 1), "3, 1"), ((2, 2), "2, 2")])
def test_milestones_that_do_not_rise_are_refused(milestones: tuple[float, ...], found: str) -> None:
    (problem,) = recipe_problems([run("scratch", "test_resnet", schedule="step", milestones=milestones)])
    assert problem.endswith(f"each later than the one before, found {found}")
    assert recipe_problems([run("scratch", "test_resnet", schedule="step", milestones=(1, 2.5))]) == []


def test_a_warm_up_that_takes_the_whole_training_is_told() -> None:
    epochs = run("scratch", "test_resnet").feed.epochs
    (told,) = long_warmups([run(m, "test_resnet", warmup_epochs=epochs) for m in ("scratch", "kd")])
    assert f"recipe.warmup_epochs is {epochs} of {epochs} epochs" in told
    assert long_warmups([run("scratch", "test_resnet", warmup_epochs=epochs - 0.5)]) == []
