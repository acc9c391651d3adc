"""The summary of one network: names, what is left out, what is refused."""

from __future__ import annotations

import pytest
import torch

from fgkd.metrics import summarise, summarise_embeddings
from fgkd.metrics.calibration import brier, ece, nll
from fgkd.metrics.fidelity import agreement, kl_to_teacher
from fgkd.metrics.retrieval import retrieval
from fgkd.record import FRACTIONS
from tests.metrics.test_accuracy import some
from tests.metrics.test_retrieval import points

ALWAYS = {"top1", "top5", "mean_class_accuracy", "nll", "ece", "ece_mass", "brier"}
TAUGHT = {"agreement", "kl_to_teacher"}
RECALLS = {"recall_at_1", "recall_at_2", "recall_at_4", "recall_at_8"}
POOLED = {
    *RECALLS,
    "r_precision",
    "map_at_r",
    "tar_at_far_1e-1",
    "tar_at_far_1e-2",
    "tar_at_far_1e-3",
    "tar_at_far_1e-4",
    "eer",
}


def test_names_follow_what_is_given_and_are_the_records():
    logits, targets = some(200, 4)
    pooled = points(200, 4)[0]
    assert set(summarise(logits, targets)) == ALWAYS
    assert set(summarise(logits, targets, teacher_logits=logits)) == ALWAYS | TAUGHT
    assert set(summarise(logits, targets, temperature=2.0)) == ALWAYS | {"ece_calibrated"}
    everything = summarise(logits, targets, teacher_logits=logits, pooled=pooled, temperature=2.0)
    assert set(everything) == ALWAYS | TAUGHT | POOLED | {"ece_calibrated"}
    assert set(FRACTIONS) <= set(everything)
    assert all(0 <= everything[name] <= 1 for name in FRACTIONS)
    assert all(type(value) is float for value in everything.values())


def test_embeddings_of_unknown_classes_are_judged_without_a_classifier():
    pooled, targets = points(60, 4)[0], some(60, 4)[1] + 100
    found = summarise_embeddings(pooled, targets)
    assert set(found) == POOLED - {"tar_at_far_1e-4"}, "1326 pairs at most tell no rarer rate"
    assert found["recall_at_8"] > found["recall_at_1"]
    exact = retrieval(pooled, targets, ks=(1, 2, 4, 8))
    assert all(found[name] == value.item() for name, value in exact.items())
    known = summarise(torch.zeros(60, 4), targets - 100, pooled=pooled)
    assert {name: known[name] for name in found} == found
    assert set(summarise_embeddings(torch.eye(3), torch.arange(3))) == set(), "every sample is alone"


@pytest.mark.parametrize(("pooled", "targets"), [((3,), (3,)), ((3, 2), (4,)), ((1, 2), (1,)), ((3, 2), (3, 1))])
def test_embeddings_that_do_not_fit_are_refused(pooled, targets):
    with pytest.raises(ValueError, match=r"expected \(N, D\)"):
        summarise_embeddings(torch.zeros(pooled), torch.zeros(targets, dtype=torch.long))


def test_values_are_those_of_the_parts():
    logits, targets = some(60, 4)
    teacher, pooled = some(60, 4, seed=9)[0], points(60, 4)[0]
    found = summarise(logits, targets, teacher_logits=teacher, pooled=pooled, temperature=1.7)
    assert found["nll"] == nll(logits, targets).item()
    assert found["brier"] == brier(logits, targets).item()
    assert found["kl_to_teacher"] == kl_to_teacher(logits, teacher).item()
    assert found["ece_mass"] == ece(logits, targets, binning="mass").item() != found["ece"]
    assert found["ece_calibrated"] == ece(logits.double() / 1.7, targets).item() != found["ece"]
    assert found["top1"] == pytest.approx((logits.argmax(1) == targets).double().mean().item())
    assert found["ece"] == ece(logits, targets).item()
    assert found["agreement"] == agreement(logits, teacher).item()
    assert found["map_at_r"] == retrieval(pooled, targets)["map_at_r"].item()


def test_what_cannot_be_told_is_left_out():
    few = summarise(*some(12, 3), pooled=points(12, 3)[0])
    assert "tar_at_far_1e-3" not in few  # at most 66 pairs
    assert "eer" in few
    alone = summarise(torch.eye(3), torch.arange(3), pooled=torch.eye(3))
    assert not POOLED & set(alone)
    assert set(summarise(torch.eye(3)[:1], torch.tensor([0]), pooled=torch.ones(1, 2))) == ALWAYS


def test_a_diverged_network_has_an_accuracy_of_zero_and_no_likelihood():
    found = summarise(torch.full((5, 3), torch.nan), torch.zeros(5, dtype=torch.long))
    assert found == {"top1": 0, "top5": 0, "mean_class_accuracy": 0}


def test_half_precision_logits_are_judged_in_full():
    logits, targets = some(50, 6)
    half = summarise(logits.half(), targets)
    full = summarise(logits.half().float(), targets)
    assert half == full


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": torch.zeros(3, dtype=torch.long)}, "expected"),
        ({"logits": torch.zeros(4)}, "expected"),
        ({"logits": torch.zeros(0, 2), "targets": torch.zeros(0, dtype=torch.long)}, "N >= 1"),
        ({"teacher_logits": torch.zeros(4, 3)}, "teacher_logits: expected"),
        ({"pooled": torch.zeros(3, 2)}, "pooled: expected"),
        ({"pooled": torch.zeros(4)}, "pooled: expected"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, words):
    given = {"logits": torch.zeros(4, 2), "targets": torch.zeros(4, dtype=torch.long)} | change
    with pytest.raises(ValueError, match=words):
        summarise(**given)
