"""Top-k counts against a plain loop."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fgkd.metrics.accuracy import accuracies, predictions, target_ranks


def looped_rank(row, target):
    """The place of the target when classes are listed best first, the lower class first among equals."""
    listed = sorted(range(len(row)), key=lambda k: (-row[k], k))
    return listed.index(target)


def some(n, classes, seed=0, levels=None):
    """Random logits and targets; with few `levels` there are many ties."""
    draw = torch.Generator().manual_seed(seed)
    targets = torch.randint(classes, (n,), generator=draw)
    if levels:
        return torch.randint(levels, (n, classes), generator=draw).float(), targets
    return torch.randn(n, classes, generator=draw), targets


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 99), st.sampled_from([None, 1, 2, 3]))
def test_ranks_are_those_of_a_sorted_list(n, classes, seed, levels):
    logits, targets = some(n, classes, seed, levels)
    expected = [looped_rank(row, t) for row, t in zip(logits.tolist(), targets.tolist(), strict=True)]
    assert target_ranks(logits, targets).tolist() == expected


def judged(logits, targets):
    return accuracies(target_ranks(logits, targets), targets)


def test_shares_are_those_of_the_loop():
    logits, targets = some(50, 8, levels=4)
    right = [looped_rank(row, t) for row, t in zip(logits.tolist(), targets.tolist(), strict=True)]
    by_class = [[r == 0 for r, t in zip(right, targets.tolist(), strict=True) if t == k] for k in range(8)]
    assert judged(logits, targets) == pytest.approx(
        {
            "top1": sum(r < 1 for r in right) / 50,
            "top5": sum(r < 5 for r in right) / 50,
            "mean_class_accuracy": sum(sum(c) / len(c) for c in by_class if c) / sum(bool(c) for c in by_class),
        }
    )


def test_classes_weigh_alike_and_absent_ones_not_at_all():
    assert judged(torch.eye(5)[[0, 0, 0, 1]], torch.tensor([0, 0, 0, 2])) == pytest.approx(
        {"top1": 0.75, "top5": 1.0, "mean_class_accuracy": 0.5}
    )


def test_fewer_than_five_classes_make_top5_certain():
    logits, targets = some(20, 3)
    assert judged(logits, targets)["top5"] == 1


def test_a_diverged_network_is_never_right():
    logits, targets = torch.full((4, 3), torch.nan), torch.zeros(4, dtype=torch.long)
    logits[0] = torch.tensor([1.0, 0, 0])
    assert predictions(logits).tolist() == [0, -1, -1, -1]
    assert [judged(logits, targets)[name] for name in ("top1", "top5")] == [0.25, 0.25]


def test_a_split_without_samples_is_an_error():
    with pytest.raises(ValueError, match="at least one sample"):
        judged(*some(0, 3))


def test_torchmetrics_agrees():
    functional = pytest.importorskip("torchmetrics.functional")
    logits, targets = some(300, 20)
    ask = lambda **how: functional.accuracy(logits, targets, task="multiclass", num_classes=20, **how).item()
    expected = {"top1": ask(), "top5": ask(top_k=5), "mean_class_accuracy": ask(average="macro")}
    assert judged(logits, targets) == pytest.approx(expected, abs=1e-6)
