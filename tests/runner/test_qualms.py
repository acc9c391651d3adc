"""Recipes that a method cannot follow, told before training."""

from __future__ import annotations

import pytest

from fgkd.runner.check.qualms import recipe_problems
from tests.train.room import run


@pytest.mark.parametrize("method", ["at", "sp", "crd", "srrl", "label_smoothing+rkd"])
def test_a_linear_probe_that_would_learn_of_labels_alone_is_refused(method: str) -> None:
    (problem,) = recipe_problems([run(method, "test_resnet", learns="classifier")])
    assert f"which no term of {method} but the cross-entropy reaches" in problem
    assert recipe_problems([run(method, "test_resnet")]) == []


@pytest.mark.parametrize("method", ["scratch", "label_smoothing", "kd", "th_kd", "kd+at"])
def test_a_linear_probe_may_learn_of_labels_and_of_logits(method: str) -> None:
    assert recipe_problems([run(method, "test_resnet", learns="classifier")]) == []
