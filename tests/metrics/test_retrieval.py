"""Retrieval against a loop over queries."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import fgkd.metrics.retrieval as module
from fgkd.metrics.retrieval import retrieval, unit_rows


def looped(embeddings, labels, ks):
    """Sort the gallery of each query, the wrong ones first among equals, and count."""
    rows = torch.nn.functional.normalize(embeddings).tolist()
    labels = labels.tolist()
    found = []
    for q, query in enumerate(rows):
        total = labels.count(labels[q]) - 1
        if not total:
            continue
        others = [g for g in range(len(rows)) if g != q]
        near = {g: round(sum(a * b for a, b in zip(query, rows[g], strict=True)), 5) for g in others}
        others.sort(key=lambda g: (-near[g], labels[g] == labels[q]))
        hits = [labels[g] == labels[q] for g in others]
        precision = [sum(hits[: i + 1]) / (i + 1) * hits[i] for i in range(total)]
        found.append([*(any(hits[:k]) for k in ks), sum(hits[:total]) / total, sum(precision) / total])
    names = [*(f"recall_at_{k}" for k in ks), "r_precision", "map_at_r"]
    return {name: sum(column) / len(found) for name, column in zip(names, zip(*found, strict=True), strict=True)}


def floats(found):
    return {name: value.item() for name, value in found.items()}


def points(n, classes, seed=0, width=6):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=draw)
    return torch.randn(n, width, generator=draw) + 1.5 * torch.eye(max(width, classes))[labels, :width], labels


@pytest.mark.parametrize("chunk", [1, 7, 50, None])
@pytest.mark.parametrize("classes", [1, 3, 30])  # 30 classes of 50 samples leave some samples alone
def test_blocks_of_any_size_give_the_loop(chunk, classes):
    embeddings, labels = points(50, classes)
    assert floats(retrieval(embeddings, labels, ks=(1, 4), chunk=chunk)) == pytest.approx(
        looped(embeddings, labels, (1, 4))
    )


@given(st.integers(2, 25), st.integers(1, 8), st.integers(0, 999))
def test_ties_count_against_the_embedding(n, classes, seed):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=draw)
    axes = torch.eye(3)[torch.randint(3, (n,), generator=draw)]  # similarities of 0 and 1 only: exact, and many ties
    if len(labels.unique()) == n:
        assert math.isnan(retrieval(axes, labels)["map_at_r"])
        return
    assert floats(retrieval(axes, labels, ks=(1, 2))) == pytest.approx(looped(axes, labels, (1, 2)))


def test_a_collapsed_embedding_earns_nothing():
    labels = torch.arange(10).repeat_interleave(4)  # sorted by class, as folders are read
    for embeddings in (torch.ones(40, 8), torch.zeros(40, 8), torch.full((40, 8), torch.nan)):
        assert set(floats(retrieval(embeddings, labels)).values()) == {0.0}


def test_a_perfect_embedding_earns_all():
    labels = torch.arange(10).repeat_interleave(4)
    assert set(floats(retrieval(torch.eye(10)[labels], labels, ks=(1, 5))).values()) == {1.0}


def test_length_is_of_no_consequence():
    embeddings, labels = points(60, 5)
    stretched = embeddings * torch.linspace(0.1, 100, 60)[:, None]
    assert floats(retrieval(stretched, labels)) == pytest.approx(floats(retrieval(embeddings, labels)))


def test_single_samples_ask_nothing_but_distract():
    embeddings = torch.tensor([[1.0, 0], [0.9, 0.1], [0.99, 0.01]])
    labels = torch.tensor([0, 0, 1])  # the nearest of both zeros is the one alone in its class
    found = floats(retrieval(embeddings, labels, ks=(1, 2)))
    assert found == {"recall_at_1": 0, "recall_at_2": 1, "r_precision": 0, "map_at_r": 0}


def test_one_sample_cannot_ask():
    assert math.isnan(retrieval(torch.ones(1, 3), torch.tensor([0]))["recall_at_1"])


def test_labels_need_not_be_dense():
    embeddings, labels = points(40, 4)
    assert floats(retrieval(embeddings, 7 * labels + 3)) == floats(retrieval(embeddings, labels))


def test_bad_rows_become_zero_and_spare_the_rest():
    rows = unit_rows(torch.tensor([[3.0, 4], [torch.inf, 0], [0, 0], [torch.nan, 1]]))
    assert torch.allclose(rows, torch.tensor([[0.6, 0.8], [0, 0], [0, 0], [0, 0]]))


def test_blocks_bound_the_memory(monkeypatch):
    widths = []
    hits = module._precisions
    monkeypatch.setattr(module, "CHUNK_BYTES", 4 * 50 * 8)
    monkeypatch.setattr(module, "_precisions", lambda h, w: (widths.append(len(h)), hits(h, w))[1])
    retrieval(*points(50, 3))
    assert widths == [8, 8, 8, 8, 8, 8, 2]


def test_pytorch_metric_learning_agrees():
    calculators = pytest.importorskip("pytorch_metric_learning.utils.accuracy_calculator")
    inference = pytest.importorskip("pytorch_metric_learning.utils.inference")
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    embeddings, labels = points(200, 40)
    theirs = calculators.AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=inference.CustomKNN(distances.CosineSimilarity()),
    ).get_accuracy(embeddings, labels)
    ours = floats(retrieval(embeddings, labels))
    assert ours["recall_at_1"] == pytest.approx(theirs["precision_at_1"])
    assert ours["r_precision"] == pytest.approx(theirs["r_precision"])
    assert ours["map_at_r"] == pytest.approx(theirs["mean_average_precision_at_r"])
