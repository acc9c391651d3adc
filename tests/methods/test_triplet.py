"""Triplets: who is chosen, what happens where nobody can be, and what the margin does."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from toy import World

from fgkd.methods import METHODS
from fgkd.methods.triplet import Mining, mine, pairwise_distance, random_negatives, triplet_loss
from fgkd.signals import Batch, Lesson

TRIPLETS = ["triplet_logit", "triplet_embedding", "triplet_head"]


def one_class(lesson: Lesson) -> Lesson:
    """The same lesson with all images of one class."""
    batch = lesson.batch
    return Lesson(Batch(batch.image, torch.zeros_like(batch.target), batch.index), lesson.teacher, lesson.progress)


@pytest.mark.parametrize("mining", ["random", "semi_hard", "batch_hard"])
@pytest.mark.parametrize("margin", [0.2, "soft"])
@pytest.mark.parametrize("name", TRIPLETS)
def test_without_a_negative_there_is_nothing_to_learn(name: str, margin: float | str, mining: str) -> None:
    params = {"margin": margin} | ({} if name == "triplet_logit" else {"mining": mining})
    method, world = METHODS.get(name)(**params), World()
    pupil = world.pupil(method)
    term = pupil.terms(one_class(world.lesson(method, 4)))[name]
    term.backward()
    assert term == 0
    for parameter in pupil.parameters():
        assert parameter.grad is None or not parameter.grad.any()


def test_a_row_without_negative_does_not_count() -> None:
    near, far = torch.tensor([1.0, 5.0]), torch.tensor([0.0, 0.0])
    assert triplet_loss(near, far, margin=1.0, valid=torch.tensor([True, False])).item() == 2.0


def test_random_negatives_are_of_other_classes_and_all_occur() -> None:
    target = torch.tensor([0, 0, 1, 2, 2])
    torch.manual_seed(0)
    seen = torch.stack([random_negatives(target)[0] for _ in range(200)])
    for row, label in enumerate(target):
        assert set(seen[:, row].tolist()) == {i for i, other in enumerate(target) if other != label}
    assert random_negatives(target)[1].all()
    assert not random_negatives(torch.tensor([3, 3]))[1].any()


@pytest.mark.parametrize(
    ("mining", "positive", "negative"),
    [("semi_hard", [1.0, 4.0, 2.0], [3.0, 0.5, 9.0]), ("batch_hard", [1.5, 4.0, 2.0], [3.0, 0.5, 2.5])],
)
def test_mining_by_hand(mining: Mining, positive: list[float], negative: list[float]) -> None:
    """Three anchors, the first two of one class; the second has no negative farther than its positive."""
    distance = torch.tensor([[1.0, 1.5, 3.0], [0.1, 4.0, 0.5], [2.5, 9.0, 2.0]])
    target = torch.tensor([0, 0, 1])
    if mining == "semi_hard":
        distance[2, 0] = 1.5  # nearer than the positive: too hard
    found = mine(distance, target, mining)
    assert found[0].tolist() == pytest.approx(positive)
    assert found[1].tolist() == pytest.approx(negative)
    assert found[2].all()


def test_distance_of_equal_vectors_has_a_slope() -> None:
    anchor = torch.tensor([[1.0, 0.0], [0.0, -2.0]])  # a cosine of exactly 1
    for kind in ("cosine", "euclidean"):
        other = anchor.clone().requires_grad_()
        distance = pairwise_distance(anchor, other, kind)
        distance.sum().backward()
        assert torch.allclose(distance.diagonal(), torch.zeros(2), atol=1e-3)
        assert other.grad.isfinite().all()


@pytest.mark.parametrize("margin", [-0.1, "hard"])
@pytest.mark.parametrize("name", TRIPLETS)
def test_refuses_strange_margins(name: str, margin: float | str) -> None:
    with pytest.raises(ValidationError):
        METHODS.get(name)(margin=margin)


def gap(student: Tensor, teacher: Tensor) -> float:
    """Mean distance of matching pairs less that of all others."""
    distance = pairwise_distance(teacher, student, "cosine")
    return (distance.diagonal().mean() - distance.mean()).item()


@pytest.mark.parametrize("mining", ["random", "semi_hard"])  # batch_hard draws whole classes, which mean nothing here
def test_embeddings_move_towards_their_anchors(mining: Mining) -> None:
    method, world = METHODS.get("triplet_embedding")(ce_weight=0, mining=mining), World(teacher="student")
    pupil, lesson = world.pupil(method), world.lesson(method, 20)
    before = gap(pupil.see(lesson).pooled, lesson.teacher.pooled)
    optimizer = torch.optim.Adam(pupil.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        torch.stack(list(pupil.terms(lesson).values())).sum().backward()
        optimizer.step()
    assert gap(pupil.see(lesson).pooled, lesson.teacher.pooled) < before - 0.05


def test_head_triplet_reads_out_the_frozen_teacher_head() -> None:
    method, world = METHODS.get("triplet_head")(), World()
    pupil = world.pupil(method)
    signals = pupil.see(world.lesson(method, 4))
    head = world.teacher_net.head()
    expected = head(pupil.objective.teacher_head.projector(signals.pooled))
    assert torch.allclose(pupil.objective.readouts(signals)["teacher_head"], expected)
    assert not {id(p) for p in pupil.objective.parameters()} & {id(head.weight), id(head.bias)}
    assert all("classifier" not in name for name, _ in pupil.objective.named_parameters())
