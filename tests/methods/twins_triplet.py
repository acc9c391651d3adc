"""Twins of the triplet losses."""

from __future__ import annotations

import math

import torch
from twins import Exam, Rows, ce, dot, mean, rows, twin, unit, weighted
from twins_head import projected, through_teacher_head
from twins_logit import kd_of


def random_rows(target: list[int]) -> list[int | None]:
    """For each row the one of another class that draws the highest lot; the stream is left where it was."""
    state = torch.get_rng_state()
    lots = torch.rand(len(target), len(target)).tolist()
    torch.set_rng_state(state)
    found: list[int | None] = []
    for label, row in zip(target, lots, strict=True):
        others = [i for i, other in enumerate(target) if other != label]
        found.append(max(others, key=lambda i: row[i]) if others else None)
    return found


def hinge(positive: float, negative: float, margin: float | str) -> float:
    if margin == "soft":
        return math.log(1 + math.exp(positive - negative))
    assert not isinstance(margin, str)
    return max(0.0, positive - negative + margin)


def euclidean(a: list[float], b: list[float]) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


@twin("triplet_logit", {}, {"margin": "soft", "kd_weight": 0.5, "temperature": 2.0}, {"margin": 0.1}, zero=("kd",))
def triplet_logit(exam: Exam) -> dict[str, float]:
    m, student, teacher = exam.method, rows(exam.student.logits), rows(exam.teacher.logits)
    kd = mean(kd_of(s, t, m.temperature) for s, t in zip(student, teacher, strict=True))
    losses = [
        hinge(euclidean(teacher[i], student[i]), euclidean(teacher[i], student[j]), m.margin)
        for i, j in enumerate(random_rows(exam.target))
        if j is not None
    ]
    return weighted(m, ce=ce(exam), kd=m.kd_weight * kd, triplet_logit=m.triplet_weight * mean(losses))


def mined(exam: Exam, anchors: Rows, candidates: Rows) -> float:
    m, target = exam.method, exam.target

    def distance(i: int, j: int) -> float:
        cosine = dot(unit(anchors[i]), unit(candidates[j]))
        return 1 - cosine if m.distance == "cosine" else math.sqrt(max(2 - 2 * cosine, 1e-8))

    losses, random = [], random_rows(target)
    for i, label in enumerate(target):
        others = [distance(i, j) for j, other in enumerate(target) if other != label]
        if not others:
            continue
        positive, chosen = distance(i, i), random[i]
        if m.mining == "batch_hard":
            positive = max(distance(i, j) for j, other in enumerate(target) if other == label)
            negative = min(others)
        elif m.mining == "semi_hard":
            farther = [d for d in others if d > positive]
            negative = min(farther) if farther else max(others)
        else:
            assert chosen is not None
            negative = distance(i, chosen)
        losses.append(hinge(positive, negative, m.margin))
    return m.triplet_weight * mean(losses)


MINING = (
    {},
    {"mining": "random", "margin": 0.5},
    {"mining": "batch_hard", "distance": "euclidean"},
    {"mining": "semi_hard", "distance": "euclidean", "margin": "soft", "triplet_weight": 3.0},
)


@twin("triplet_embedding", *MINING)
def triplet_embedding(exam: Exam) -> dict[str, float]:
    found = mined(exam, rows(exam.teacher.pooled), projected(exam, ""))
    return weighted(exam.method, ce=ce(exam), triplet_embedding=found)


@twin("triplet_head", *MINING)
def triplet_head(exam: Exam) -> dict[str, float]:
    candidates = through_teacher_head(exam, projected(exam, "teacher_head."))
    found = mined(exam, rows(exam.teacher.logits), candidates)
    return weighted(exam.method, ce=ce(exam), triplet_head=found)
