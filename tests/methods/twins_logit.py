"""Twins of the methods without a teacher and of those on class scores."""

from __future__ import annotations

import math
from typing import Any

from twins import Exam, Rows, ce, kl, linear, log_softmax, mean, rows, softmax, twin, weighted


def standardized(row: list[float]) -> list[float]:
    centre = mean(row)
    spread = math.sqrt(sum((x - centre) ** 2 for x in row) / (len(row) - 1))
    return [(x - centre) / (spread + 1e-7) for x in row]


def logits(exam: Exam) -> tuple[Rows, Rows]:
    pair = rows(exam.student.logits), rows(exam.teacher.logits)
    return tuple([standardized(r) for r in x] for x in pair) if exam.method.standardize else pair  # type: ignore[return-value]


def kd_of(student: list[float], teacher: list[float], temperature: float) -> float:
    return temperature**2 * kl(softmax(teacher, temperature), log_softmax(student, temperature))


def without(row: list[float], y: int) -> list[float]:
    return [x for k, x in enumerate(row) if k != y]


def dkd_of(student: list[float], teacher: list[float], y: int, m: Any) -> float:
    p, q = softmax(teacher, m.temperature), softmax(student, m.temperature)
    binary = kl([p[y], 1 - p[y]], [math.log(q[y]), math.log(1 - q[y])])
    rest = kl(softmax(without(teacher, y), m.temperature), log_softmax(without(student, y), m.temperature))
    return m.temperature**2 * (m.alpha * binary + m.beta * rest)


def nkd_of(student: list[float], teacher: list[float], y: int, m: Any) -> float:
    t, s = softmax(without(teacher, y), m.temperature), log_softmax(without(student, y), m.temperature)
    rest = sum(a * b for a, b in zip(t, s, strict=True))
    return -softmax(teacher)[y] * log_softmax(student)[y] - m.gamma * m.temperature**2 * rest


def warmup(exam: Exam, epochs: float) -> float:
    progress = exam.lesson.progress
    length = min(epochs, epochs * progress.epochs / 240)
    return min(1.0, progress.step / progress.steps_per_epoch / length)


def per_sample(exam: Exam, loss: Any) -> float:
    return mean(loss(s, t, y) for s, t, y in zip(*logits(exam), exam.target, strict=True))


@twin("scratch")
def scratch(exam: Exam) -> dict[str, float]:
    return {"ce": ce(exam)}


@twin("label_smoothing", {}, {"smoothing": 0.4})
def label_smoothing(exam: Exam) -> dict[str, float]:
    def loss(row: list[float], y: int) -> float:
        smooth = exam.method.smoothing
        targets = [smooth / len(row) + (1 - smooth) * (k == y) for k in range(len(row))]
        return -sum(t * x for t, x in zip(targets, log_softmax(row), strict=True))

    return {"ce": mean(loss(r, y) for r, y in zip(rows(exam.student.logits), exam.target, strict=True))}


@twin("tf_kd", {}, {"alpha": 0.95, "temperature": 2.0, "confidence": 0.9})
def tf_kd(exam: Exam) -> dict[str, float]:
    m = exam.method

    def loss(row: list[float], y: int) -> float:
        virtual = [m.confidence if k == y else (1 - m.confidence) / (len(row) - 1) for k in range(len(row))]
        return kl(softmax(virtual, m.temperature), log_softmax(row))

    found = mean(loss(r, y) for r, y in zip(rows(exam.student.logits), exam.target, strict=True))
    return {"ce": (1 - m.alpha) * ce(exam), "tf_kd": m.alpha * found}


@twin("kd", {}, {"temperature": 2.0, "kd_weight": 9.0, "standardize": True}, zero=("kd",))
def kd(exam: Exam) -> dict[str, float]:
    found = per_sample(exam, lambda s, t, y: kd_of(s, t, exam.method.temperature))
    return weighted(exam.method, ce=ce(exam), kd=exam.method.kd_weight * found)


@twin("kd_mse", {}, {"temperature": 3.0, "standardize": True}, zero=("kd_mse",))
def kd_mse(exam: Exam) -> dict[str, float]:
    def loss(s: list[float], t: list[float], y: int) -> float:
        p, q = (softmax(x, exam.method.temperature) for x in (s, t))
        return mean((a - b) ** 2 for a, b in zip(p, q, strict=True))

    return weighted(exam.method, ce=ce(exam), kd_mse=exam.method.kd_weight * per_sample(exam, loss))


@twin("dkd", {}, {"alpha": 0.5, "beta": 0.5, "temperature": 1.0, "standardize": True}, zero=("dkd",))
def dkd(exam: Exam) -> dict[str, float]:
    m = exam.method
    found = per_sample(exam, lambda s, t, y: dkd_of(s, t, y, m))
    return weighted(m, ce=ce(exam), dkd=m.kd_weight * warmup(exam, m.warmup_epochs) * found)


def pearson(x: list[float], y: list[float]) -> float:
    x, y = [a - mean(x) for a in x], [b - mean(y) for b in y]
    both = sum(a * b for a, b in zip(x, y, strict=True))
    return both / (math.sqrt(sum(a * a for a in x)) * math.sqrt(sum(b * b for b in y)) + 1e-8)


@twin("dist", {}, {"temperature": 4.0, "beta": 0.3, "gamma": 2.0, "standardize": True}, zero=("dist",))
def dist(exam: Exam) -> dict[str, float]:
    m = exam.method
    p, q = ([softmax(row, m.temperature) for row in x] for x in logits(exam))
    by_row = mean(pearson(a, b) for a, b in zip(p, q, strict=True))
    by_column = mean(pearson(list(a), list(b)) for a, b in zip(zip(*p, strict=True), zip(*q, strict=True), strict=True))
    found = m.temperature**2 * (m.beta * (1 - by_row) + m.gamma * (1 - by_column))
    return weighted(m, ce=ce(exam), dist=m.kd_weight * found)


@twin("nkd", {}, {"gamma": 0.5, "temperature": 3.0, "standardize": True})
def nkd(exam: Exam) -> dict[str, float]:
    m = exam.method
    return weighted(m, ce=ce(exam), nkd=m.kd_weight * per_sample(exam, lambda s, t, y: nkd_of(s, t, y, m)))


@twin("wttm", {}, {"exponent": 0.1, "kd_weight": 3.0, "standardize": True})
def wttm(exam: Exam) -> dict[str, float]:
    m = exam.method

    def loss(s: list[float], t: list[float], y: int) -> float:
        powers = [p**m.exponent for p in softmax(t)]
        total = sum(powers)
        return total * kl([p / total for p in powers], log_softmax(s))

    return weighted(m, ce=ce(exam), wttm=m.kd_weight * per_sample(exam, loss))


@twin("ctkd", {}, {"temperature_start": 2.0, "temperature_span": 3.0, "standardize": True}, zero=("ctkd",))
def ctkd(exam: Exam) -> dict[str, float]:
    m = exam.method
    temperature = m.temperature_start + m.temperature_span / (1 + math.exp(-exam.state("theta")))
    found = per_sample(exam, lambda s, t, y: kd_of(s, t, temperature))
    return weighted(m, ce=ce(exam), ctkd=m.kd_weight * found)


def cells(final: list[Any], m: int) -> Rows:
    """Means (m * m, C) of a map (C, H, W) over an m x m grid, whose cells overlap as adaptive pooling has it."""
    height, width = len(final[0]), len(final[0][0])
    edges = lambda i, size: range(i * size // m, -((-(i + 1) * size) // m))
    return [
        [mean(channel[y][x] for y in edges(i, height) for x in edges(j, width)) for channel in final]
        for i in range(m)
        for j in range(m)
    ]


@twin(
    "sdd",
    {},
    {"scales": (2,), "standardize": True, "base_params": {"temperature": 2.0}},
    {"base": "dkd", "base_params": {"beta": 3.0}},
    {"base": "nkd", "complementary_weight": 5.0},
)
def sdd(exam: Exam) -> dict[str, float]:
    m, base = exam.method, exam.method.base_method
    cell_loss = {
        "kd": lambda s, t, y: kd_of(s, t, base.temperature),
        "dkd": lambda s, t, y: dkd_of(s, t, y, base),
        "nkd": lambda s, t, y: nkd_of(s, t, y, base),
    }[m.base]
    losses: list[float] = []
    for b, y in enumerate(exam.target):
        whole = rows(exam.teacher.logits)[b]
        for scale in m.scales:
            pairs = (
                [linear(cell, rows(x.head.weight), rows(x.head.bias)) for cell in cells(rows(x.final[b]), scale)]
                for x in (exam.student, exam.teacher)
            )
            for s, t in zip(*pairs, strict=True):
                right = max(range(len(t)), key=t.__getitem__) == y
                right_whole = max(range(len(t)), key=whole.__getitem__) == y
                if m.standardize:
                    s, t = standardized(s), standardized(t)  # noqa: PLW2901
                losses.append(cell_loss(s, t, y) * (m.complementary_weight if right != right_whole else 1.0))
    total = sum(losses) / (len(exam.target) if m.cells == "sum" else len(losses))
    return weighted(m, ce=ce(exam), sdd=m.kd_weight * warmup(exam, m.warmup_epochs) * total)
