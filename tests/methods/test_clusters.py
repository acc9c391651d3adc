"""What letKD fits: k-means, discriminants, sub-classes, decisions; and where the sample comes from."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor
from toy import NUM_IMAGES, World

from fgkd.methods import METHODS
from fgkd.methods.clusters import (
    decision_matrix,
    kmeans,
    kmeans_by_class,
    lda,
    list_cells,
    nearest,
    own_sub_class,
    sample_cells,
)


def blobs(centres: Tensor, each: int, spread: float = 0.1) -> tuple[Tensor, Tensor]:
    """Points around `centres`, and which centre each is of."""
    torch.manual_seed(0)
    label = torch.arange(len(centres)).repeat_interleave(each)
    return centres[label] + spread * torch.randn(len(label), centres.shape[1]), label


def spread_within(points: Tensor, centres: Tensor) -> float:
    return nearest(points, centres)[0].mean().item()


def test_nearest_is_the_nearest() -> None:
    torch.manual_seed(0)
    points, centres = torch.randn(50, 3) + 100, torch.randn(7, 3) + 100
    distance, index = nearest(points, centres)
    for i, point in enumerate(points.tolist()):
        gaps = [sum((a - b) ** 2 for a, b in zip(point, centre, strict=True)) for centre in centres.tolist()]
        assert gaps[index[i]] == pytest.approx(min(gaps), abs=1e-2)  # far from 0, so float32 is coarse
        assert distance[i].item() == pytest.approx(min(gaps), abs=2e-2)


def test_kmeans_finds_blobs_and_is_a_fixed_point() -> None:
    truth = torch.tensor([[0.0, 0.0], [5.0, 5.0], [0.0, 9.0]])
    points, _ = blobs(truth, 40)
    centres = kmeans(points, 3, seed=0)  # a seed that starts with one point of each blob
    assert nearest(truth, centres)[0].max() < 0.01
    assert torch.equal(kmeans(points, 3, seed=0), centres)
    _, index = nearest(points, centres)
    for k, centre in enumerate(centres):
        assert torch.allclose(points[index == k].mean(0), centre, atol=1e-5)


def test_kmeans_improves_with_iterations() -> None:
    torch.manual_seed(1)
    points = torch.randn(300, 4)
    found = [spread_within(points, kmeans(points, 20, seed=3, iterations=n)) for n in (0, 1, 5, 20)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.8 * found[0]


def test_kmeans_moves_a_lost_centre_to_the_farthest_point() -> None:
    points = torch.tensor([[0.0]] * 9 + [[100.0]])
    assert kmeans(points, 2, seed=0).flatten().sort().values.tolist() == [0.0, 100.0]


def test_more_centres_than_points_repeat() -> None:
    points = torch.tensor([[1.0], [2.0]])
    assert set(kmeans(points, 5, seed=0).flatten().tolist()) == {1.0, 2.0}


def test_discriminants_solve_the_eigenproblem() -> None:
    """Against scipy's generalised solver: same space, unit variance within classes."""
    torch.manual_seed(0)
    scales = torch.tensor([1.0, 5.0, 0.5, 2.0, 1.0])
    points, label = blobs(torch.randn(4, 5) * 2, 200, spread=1.0)
    points = points * scales
    mean, directions = lda(points, label, 3)
    assert torch.allclose(mean, points.mean(0))
    x, y = points.double().numpy(), label.numpy()
    means = np.stack([x[y == k].mean(0) for k in range(4)])
    within = sum((x[y == k] - means[k]).T @ (x[y == k] - means[k]) for k in range(4)) / len(x)
    between = (means - x.mean(0)).T @ (means - x.mean(0)) / 4
    _, vectors = scipy.linalg.eigh(between, within)
    for ours, theirs in zip(directions.double().numpy().T, vectors[:, ::-1].T[:3], strict=True):
        assert abs(ours @ within @ theirs) == pytest.approx(1, abs=1e-3)  # equal up to sign; both are unit within


def test_discriminants_survive_fewer_points_than_dimensions() -> None:
    torch.manual_seed(0)
    _, directions = lda(torch.randn(6, 20), torch.tensor([0, 0, 1, 1, 2, 2]), 2)
    assert directions.shape == (20, 2)
    assert directions.isfinite().all()


def test_sub_classes_lie_in_their_class() -> None:
    points, label = blobs(torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]]), 30)
    label = label // 2  # two classes of two blobs
    centres = kmeans_by_class(points, label, 3, 2, seed=0)
    assert centres.shape == (6, 2)
    assert centres[:2, 1].abs().max() < 0.2
    assert (centres[2:4, 1] - 10).abs().max() < 0.2
    assert torch.allclose(centres[4:], points.mean(0).expand(2, 2))  # the third class has no points


def test_decisions_by_hand() -> None:
    """Two classes of one centre each at 0 and 10; one of four points of class 0 lies beyond the middle."""
    points = torch.tensor([[0.0], [1.0], [2.0], [9.0], [10.0], [11.0]])
    label, centres = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([[0.0], [10.0]])
    assert decision_matrix(points, label, centres, 1).tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert own_sub_class(points, label, centres, 1).tolist() == label.tolist()


def test_decisions_without_points_are_their_own() -> None:
    found = decision_matrix(torch.tensor([[0.0]]), torch.tensor([0]), torch.tensor([[0.0], [9.0], [20.0]]), 1)
    assert found.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_sample_is_a_share_of_all_cells_with_the_labels_of_their_images() -> None:
    world = World()
    survey, sides = world.setting.survey, world.teacher_net.shapes.stages[-2][1:]
    cells, labels = sample_cells(survey, -2, sides, share=1.0, seed=0)
    assert len(cells) == len(labels) == NUM_IMAGES * sides[0] * sides[1]
    signals = [signals for signals, _ in survey.passes(METHODS.get("fitnet")().teacher_needs)]
    image, row, column = 11, 1, 0
    expected = signals[image // 8].stages[-2][image % 8, :, row, column]
    place = (image * sides[0] + row) * sides[1] + column
    assert torch.equal(cells[place], expected)
    assert labels[place] == world.targets[image]

    some, _ = sample_cells(survey, -2, sides, share=0.5, seed=0)
    assert 0.3 * len(cells) < len(some) < 0.7 * len(cells)
    assert torch.equal(some, sample_cells(survey, -2, sides, share=0.5, seed=0)[0])
    assert all((cells == point).all(1).any() for point in some[:5])


def test_cells_of_a_pooled_map() -> None:
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert list_cells(maps, (2, 2)).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
