"""Calibration against plain loops and other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fgkd.metrics.calibration import brier, ece, fit_temperature, nll
from tests.metrics.test_accuracy import some


def looped_ece(confidence, right, bins):
    """Over bins ((i-1)/bins, i/bins]."""
    total = 0.0
    for i in range(1, bins + 1):
        inside = [j for j, c in enumerate(confidence) if (i - 1) / bins < c <= i / bins]
        if inside:
            gap = np.mean([right[j] for j in inside]) - np.mean([confidence[j] for j in inside])
            total += len(inside) / len(confidence) * abs(gap)
    return total


def sure(logits, targets):
    """Confidence and correctness as NumPy arrays."""
    confidence, predicted = logits.double().softmax(1).max(1)
    return confidence.numpy(), (predicted == targets).double().numpy()


@pytest.mark.parametrize(("n", "classes"), [(1, 2), (200, 2), (500, 30)])
def test_width_bins_are_the_loop(n, classes):
    logits, targets = some(n, classes)
    logits = 3 * logits
    for bins in (1, 10, 15):
        assert ece(logits, targets, bins=bins).item() == pytest.approx(looped_ece(*sure(logits, targets), bins))


def test_a_confidence_on_an_edge_belongs_below():
    logits = torch.zeros(4, 2)  # confidence 1/2: the edge of two bins of halves
    targets = torch.zeros(4, dtype=torch.long)
    assert ece(logits, targets, bins=2).item() == pytest.approx(0.5)
    mixed = torch.cat([logits, torch.tensor([[0.1, 0.0]]).repeat(4, 1)])
    wrong_then_right = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0])
    split = ece(mixed, wrong_then_right, bins=2).item()  # in one bin the two gaps would nearly cancel
    assert split == pytest.approx(looped_ece(*sure(mixed, wrong_then_right), 2))
    assert split > 0.4


@pytest.mark.parametrize("n", [1, 14, 15, 16, 100])
def test_mass_bins_are_equal_parts_of_the_sorted(n):
    logits, targets = some(n, 6)
    confidence, right = sure(logits, targets)
    order = np.argsort(confidence)
    # the parts as the definition puts them: sample i of the sorted stands in bin floor(i * 15 / n)
    parts = [[j for i, j in enumerate(order) if i * 15 // n == b] for b in range(15)]
    gaps = [abs(sum(right[j] - confidence[j] for j in part)) for part in parts]
    assert {len(part) for part in parts} <= {n // 15, n // 15 + 1}
    assert ece(logits, targets, binning="mass").item() == pytest.approx(sum(gaps) / n)


def test_equal_confidences_do_not_depend_on_their_order():
    logits, targets = some(101, 4, levels=2)
    shuffled = torch.randperm(101, generator=torch.Generator().manual_seed(1))
    for binning in ("mass", "width"):
        once, again = (ece(logits[i], targets[i], binning=binning).item() for i in (torch.arange(101), shuffled))
        assert once == pytest.approx(again, abs=1e-12)


def test_a_calibrated_network_has_little_error_and_a_boastful_one_much():
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 5, generator=draw)
    targets = torch.multinomial(logits.softmax(1), 1, generator=draw).squeeze(1)
    for binning in ("width", "mass"):
        assert ece(logits, targets, binning=binning) < 0.015
        assert ece(4 * logits, targets, binning=binning) > 0.1
    assert fit_temperature(logits, targets) == pytest.approx(1, abs=0.05)
    assert fit_temperature(4 * logits, targets) == pytest.approx(4, abs=0.2)


def test_nll_and_brier_by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]))
    targets = torch.tensor([0, 2])
    assert nll(logits, targets).item() == pytest.approx((math.log(2) + math.log(10)) / 2)
    assert brier(logits, targets).item() == pytest.approx(((0.25 + 2 * 0.0625) + (0.01 + 0.64 + 0.81)) / 2)


def test_large_logits_stay_finite():
    logits, targets = torch.tensor([[1e4, -1e4], [1e4, -1e4]]), torch.tensor([0, 1])
    assert nll(logits, targets).item() == pytest.approx(1e4)
    assert brier(logits, targets).item() == pytest.approx(1)
    assert ece(logits, targets).item() == pytest.approx(0.5)


def test_the_fitted_temperature_is_the_best_of_a_fine_grid():
    logits, targets = some(300, 7, seed=3)
    logits = logits + 2 * torch.eye(7)[targets]
    found = fit_temperature(logits, targets)
    best = nll(logits / found, targets)
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert nll(logits / (found * factor), targets) > best


def test_a_perfect_network_wants_the_coldest_temperature_allowed():
    assert fit_temperature(torch.eye(4), torch.arange(4), low=0.1) == pytest.approx(0.1, rel=1e-4)


def test_torchmetrics_agrees():
    functional = pytest.importorskip("torchmetrics.functional.classification")
    logits, targets = some(1000, 10)
    theirs = functional.multiclass_calibration_error(2 * logits, targets, num_classes=10, n_bins=15)
    assert ece(2 * logits, targets).item() == pytest.approx(theirs.item(), abs=1e-6)


def test_sklearn_agrees():
    metrics = pytest.importorskip("sklearn.metrics")
    logits, targets = some(400, 6)
    probabilities = logits.double().softmax(1).numpy()
    assert nll(logits, targets).item() == pytest.approx(metrics.log_loss(targets, probabilities, labels=range(6)))
    one_hot = np.eye(6)[targets]
    assert brier(logits, targets).item() == pytest.approx(6 * metrics.mean_squared_error(one_hot, probabilities))
