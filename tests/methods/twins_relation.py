"""Twins of the methods on relations within the batch, and of the contrastive ones."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from twins import Exam, Rows, ce, dot, linear, mean, rows, twin, unit, weighted


def pair(exam: Exam) -> tuple[Rows, Rows]:
    return rows(exam.student.pooled), rows(exam.teacher.pooled)


def flat(x: Any) -> list[float]:
    return [value for item in x for value in (flat(item) if isinstance(item, list) else [item])]


def smooth_l1(a: float, b: float) -> float:
    gap = abs(a - b)
    return gap**2 / 2 if gap < 1 else gap - 0.5


@twin("sp", {}, {"weight": 2.0}, zero=("sp",))
def sp(exam: Exam) -> dict[str, float]:
    grams = []
    for x in (exam.student.stages[-1], exam.teacher.stages[-1]):
        images = [flat(image) for image in rows(x)]
        grams.append([unit([dot(a, b) for b in images]) for a in images])
    found = mean((a - b) ** 2 for a, b in zip(flat(grams[0]), flat(grams[1]), strict=True))
    return weighted(exam.method, ce=ce(exam), sp=exam.method.weight * found)


@twin("cc", {}, {"weight": 1.0, "dim": 3})
def cc(exam: Exam) -> dict[str, float]:
    student, teacher = (
        [linear(z, exam.state(f"embed_{net}.weight"), exam.state(f"embed_{net}.bias")) for z in x]
        for net, x in zip(("student", "teacher"), pair(exam), strict=True)
    )
    gaps = [[abs(a - b) for a, b in zip(s, t, strict=True)] for s, t in zip(student, teacher, strict=True)]
    found = mean(dot(a, b) for a, b in pairwise(gaps))
    return weighted(exam.method, ce=ce(exam), cc=exam.method.weight * found)


def distances(x: Rows) -> list[float]:
    found = [math.dist(a, b) for a in x for b in x]
    average = mean(d for d in found if d > 0)
    return [d / average for d in found]


def cosines(x: Rows) -> list[float]:
    def angle(i: int, j: int, k: int) -> float:
        if i in (j, k):
            return 0.0
        a, b = ([p - q for p, q in zip(x[n], x[i], strict=True)] for n in (j, k))
        return dot(unit(a), unit(b))

    n = range(len(x))
    return [angle(i, j, k) for i in n for j in n for k in n]


@twin("rkd", {}, {"distance_weight": 1.0, "angle_weight": 0.0}, {"angle_weight": 1.0, "weight": 2.0}, zero=("rkd",))
def rkd(exam: Exam) -> dict[str, float]:
    m = exam.method
    far, turned = (
        mean(smooth_l1(a, b) for a, b in zip(*(relation(x) for x in pair(exam)), strict=True))
        for relation in (distances, cosines)
    )
    found = m.distance_weight * far + m.angle_weight * turned
    return weighted(m, ce=ce(exam), rkd=m.weight * found)


@twin("pkt", {}, {"weight": 1.0}, zero=("pkt",))
def pkt(exam: Exam) -> dict[str, float]:
    def neighbours(x: Rows) -> Rows:
        kernel = [[(dot(unit(a), unit(b)) + 1) / 2 for b in x] for a in x]
        return [[k / sum(row) for k in row] for row in kernel]

    p, q = (flat(neighbours(x)) for x in pair(exam))
    found = mean(b * math.log((b + 1e-7) / (a + 1e-7)) for a, b in zip(p, q, strict=True))
    return weighted(exam.method, ce=ce(exam), pkt=exam.method.weight * found)


def embedded(exam: Exam) -> tuple[Rows, Rows]:
    return tuple(  # type: ignore[return-value]
        [unit(linear(z, exam.state(f"embed_{net}.weight"), exam.state(f"embed_{net}.bias"))) for z in x]
        for net, x in zip(("student", "teacher"), pair(exam), strict=True)
    )


@twin("crd", {}, {"num_negatives": 7, "positive": "relax", "dim": 6, "max_gather_mb": 1}, {"temperature": 0.5})
def crd(exam: Exam) -> dict[str, float]:
    """The draw is the method's own, from the stream as it stands; its fairness is tested elsewhere."""
    m = exam.method
    stream = torch.get_rng_state()
    drawn = rows(exam.objective.draw(exam.lesson))  # type: ignore[operator]
    torch.set_rng_state(stream)
    student, teacher = embedded(exam)
    num_data, num_negatives = len(exam.setting.train_targets), len(drawn[0]) - 1
    noise = num_negatives / num_data
    total = 0.0
    for anchors, bank in ((student, exam.state("bank_teacher")), (teacher, exam.state("bank_student"))):
        scores = [[math.exp(dot(a, bank[i]) / m.temperature) for i in d] for a, d in zip(anchors, drawn, strict=True)]
        z = mean(flat(scores)) * num_data
        for row in scores:
            p = [s / z for s in row]
            total -= math.log(p[0] / (p[0] + noise + 1e-7))
            total -= sum(math.log(noise / (x + noise + 1e-7)) for x in p[1:])
    return weighted(m, ce=ce(exam), crd=m.crd_weight * total / len(drawn))


@twin("crd_batch", {}, {"temperature": 0.5, "dim": 4, "crd_weight": 1.0})
def crd_batch(exam: Exam) -> dict[str, float]:
    m, y = exam.method, exam.target
    student, teacher = embedded(exam)

    def side(anchors: Rows, others: Rows) -> float:
        losses = []
        for i, a in enumerate(anchors):
            scores = [math.exp(dot(a, b) / m.temperature) for b in others]
            rivals = sum(s for j, s in enumerate(scores) if y[j] != y[i])
            losses.append(-math.log(scores[i] / (scores[i] + rivals)))
        return mean(losses)

    return weighted(m, ce=ce(exam), crd_batch=m.crd_weight * (side(student, teacher) + side(teacher, student)))
