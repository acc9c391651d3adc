"""Likeness of two networks."""

from __future__ import annotations

import math

import pytest
import torch

from fgkd.metrics.fidelity import agreement, churn, kl_to_teacher
from tests.metrics.test_accuracy import some


def test_agreement_counts_equal_predictions():
    student = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    teacher = torch.tensor([[9.0, 8, 7], [1, 0, 0], [0, 0, 5], [0, 1, 0]])
    assert agreement(student, teacher).item() == 0.5
    assert churn(student, teacher).item() == 0.5
    assert agreement(student, student).item() == 1


def test_a_diverged_network_agrees_with_nothing():
    nan = torch.full((3, 2), torch.nan)
    assert agreement(nan, nan).item() == 0
    assert agreement(nan, torch.zeros(3, 2)).item() == 0


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_is_the_sum_of_its_definition(temperature):
    student, teacher = some(20, 5, 0)[0], some(20, 5, 1)[0]
    total = 0.0
    for s, t in zip((student / temperature).tolist(), (teacher / temperature).tolist(), strict=True):
        q, p = ([math.exp(v) / sum(map(math.exp, row)) for v in row] for row in (s, t))
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert kl_to_teacher(student, teacher, temperature=temperature).item() == pytest.approx(total / 20)


def test_kl_is_zero_for_the_teacher_itself_and_has_a_direction():
    one, other = some(20, 5, 0)[0], 3 * some(20, 5, 1)[0]
    assert kl_to_teacher(one, one).item() == pytest.approx(0, abs=1e-12)
    assert kl_to_teacher(one, other).item() != pytest.approx(kl_to_teacher(other, one).item(), rel=0.01)


def test_a_class_that_the_teacher_excludes_costs_nothing():
    teacher = torch.tensor([[0.0, 0.0, -torch.inf]])
    assert kl_to_teacher(torch.zeros(1, 3), teacher).item() == pytest.approx(math.log(1.5))
