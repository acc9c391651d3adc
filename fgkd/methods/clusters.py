"""What letKD fits to the teacher's maps: k-means, a discriminant space, sub-classes and the decisions among them.

Shapes: P pixels (cells of maps), D their width, K centres, C classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fgkd.methods.base import Survey
from fgkd.methods.numerics import full_precision, raised
from fgkd.signals import Needs

CHUNK = 8192  # pixels compared with all centres at once


def list_cells(maps: Tensor, sides: tuple[int, int]) -> Tensor:
    """Average-pool maps (B, D, H, W) to `sides` (h, w) and list their cells, image by image: (B*h*w, D)."""
    if maps.shape[2:] != sides:
        maps = F.adaptive_avg_pool2d(raised(maps), sides)
    return raised(maps).movedim(1, -1).flatten(0, 2)


def sample_cells(
    survey: Survey, stage: int | None, sides: tuple[int, int], *, share: float, seed: int
) -> tuple[Tensor, Tensor]:
    """A random share of the cells of the teacher's maps over the training split.

    Args:
        survey: the teacher's signals.
        stage: which map; the final one where None.
        sides: (h, w) to which maps are pooled first.
        share: in (0, 1].
        seed: of the draw.

    Returns:
        Cells (P, D) and the labels of their images (P,).
    """
    draw = torch.Generator().manual_seed(seed)
    needs = Needs(final=True) if stage is None else Needs(stages=frozenset({stage}))
    points, labels = [], []
    for signals, target in survey.passes(needs):
        maps = signals.final if stage is None else signals.stages[stage]
        assert maps is not None
        found = list_cells(maps, sides)
        kept = (torch.rand(len(found), generator=draw) < share).to(found.device)
        points.append(found[kept])
        labels.append(target.to(found.device).repeat_interleave(sides[0] * sides[1])[kept])
    return torch.cat(points), torch.cat(labels)


@full_precision
def nearest(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance (P,) to the nearest of `centres` (K, D), and which it is (P,), for each of `points` (P, D)."""
    found = [_squared_distances(part, centres).min(1) for part in points.split(CHUNK)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def _squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    mixed = points @ centres.T
    return (points.square().sum(1, keepdim=True) - 2 * mixed + centres.square().sum(1)).clamp(min=0)


def kmeans(points: Tensor, count: int, *, seed: int, iterations: int = 20) -> Tensor:
    """Lloyd's algorithm from random points; a centre that loses all its points moves to the farthest point.

    Args:
        points: (P, D), at least one.
        count: K; where it exceeds P, centres repeat.
        seed: of the start.
        iterations: at most.

    Returns:
        (K, D).

    Example:
        >>> import torch
        >>> kmeans(torch.tensor([[0.0], [1.0], [10.0], [11.0]]), 2, seed=0).flatten().sort().values.tolist()
        [0.5, 10.5]
    """
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed)).to(points.device)
    centres = points[order.repeat(-(-count // len(points)))[:count]]
    for _ in range(iterations):
        distance, index = nearest(points, centres)
        sizes = torch.bincount(index, minlength=count)
        sums = torch.zeros_like(centres).index_add_(0, index, points)
        moved = torch.where(sizes[:, None] > 0, sums / sizes.clamp(min=1)[:, None], centres)
        empty = (sizes == 0).nonzero()[: len(points), 0]
        moved[empty] = points[distance.topk(len(empty)).indices]
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres


def lda(points: Tensor, labels: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Linear discriminant analysis: the directions in which classes differ most, for their spread within.

    Args:
        points: (P, D).
        labels: (P,).
        components: M, at most D and one less than the number of classes among `labels`.

    Returns:
        The mean (D,) and directions (D, M): ``(points - mean) @ directions`` has unit variance within classes.
    """
    mean = points.mean(0)
    x = (points - mean).double()
    present, index = labels.unique(return_inverse=True)
    sizes = torch.bincount(index).double()
    means = torch.zeros(len(present), x.shape[1], dtype=x.dtype, device=x.device).index_add_(0, index, x)
    means /= sizes[:, None]
    within = x - means[index]
    covariance = within.T @ within / len(x)
    scale, axes = torch.linalg.eigh(covariance)
    floor = 1e-4 * scale.mean().clamp(min=1e-12)  # directions in which a small sample does not vary
    whiten = axes / (scale.clamp(min=0) + floor).sqrt()
    between = (means @ whiten) * (sizes / len(x)).sqrt()[:, None]
    turned = torch.linalg.svd(between, full_matrices=False).Vh[:components].T
    return mean, (whiten @ turned).to(points.dtype)


def kmeans_by_class(points: Tensor, labels: Tensor, num_classes: int, count: int, *, seed: int) -> Tensor:
    """`count` centres within each class, by k-means: (P, M), (P,) -> (C * count, M), class by class.

    A class without points gets centres at the mean of all.
    """
    own = [points[labels == label] for label in range(num_classes)]
    overall = points.mean(0, keepdim=True)
    return torch.cat([kmeans(p if len(p) else overall, count, seed=seed + label) for label, p in enumerate(own)])


@full_precision
def own_sub_class(points: Tensor, labels: Tensor, centres: Tensor, count: int) -> Tensor:
    """Which of its class's centres is nearest to each point.

    Args:
        points: (P, M).
        labels: (P,).
        centres: (C * count, M), see `kmeans_by_class`.
        count: centres per class.

    Returns:
        (P,), rows of `centres`.
    """
    first = labels * count
    offset = torch.arange(count, device=points.device)
    own = (points[:, None] - centres[first[:, None] + offset]).square().sum(2)
    return first + own.argmin(1)


def decision_matrix(points: Tensor, labels: Tensor, centres: Tensor, count: int) -> Tensor:
    """S[u, v]: of the points of sub-class u of their own class, the share whose nearest centre of all is v.

    Args:
        points: (P, M).
        labels: (P,).
        centres: (C * count, M), see `kmeans_by_class`.
        count: centres per class.

    Returns:
        (C * count, C * count), rows sum to 1; a sub-class without points decides for itself.
    """
    parts = zip(points.split(CHUNK), labels.split(CHUNK), strict=True)
    own = torch.cat([own_sub_class(*part, centres, count) for part in parts])
    _, decided = nearest(points, centres)
    total = len(centres)
    counts = torch.bincount(own * total + decided, minlength=total**2).reshape(total, total).to(points.dtype)
    sizes = counts.sum(1, keepdim=True)
    return torch.where(sizes > 0, counts / sizes.clamp(min=1), torch.eye(total, device=points.device))
