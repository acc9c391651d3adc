"""Twins of the methods that use the teacher's head, or compare embeddings with the teacher's."""

from __future__ import annotations

from typing import Any

from twins import Exam, Rows, ce, dot, linear, mean, rows, twin, unit, weighted
from twins_logit import kd_of


def projected(exam: Exam, prefix: str) -> Rows:
    """The student's embeddings behind the linear projector at `prefix` of the objective, if there is one."""
    pooled = rows(exam.student.pooled)
    if f"{prefix}projector.weight" not in exam.objective.state_dict():
        return pooled
    weight, bias = exam.state(f"{prefix}projector.weight"), exam.state(f"{prefix}projector.bias")
    return [linear(z, weight, bias) for z in pooled]


def through_teacher_head(exam: Exam, embeddings: Rows) -> Rows:
    head = exam.setting.teacher_head
    assert head is not None
    return [linear(z, rows(head.weight.double()), rows(head.bias.double())) for z in embeddings]


def th_terms(exam: Exam, embeddings: Rows) -> dict[str, float]:
    m = exam.method
    other, own, teacher = through_teacher_head(exam, embeddings), rows(exam.student.logits), rows(exam.teacher.logits)
    own_kd, other_kd = (mean(kd_of(s, t, m.temperature) for s, t in zip(x, teacher, strict=True)) for x in (own, other))
    if m.form == "released":
        return weighted(m, ce=ce(exam), kd=m.kd_weight * own_kd, th_kd=m.head_weight * other_kd)
    a = m.head_weight
    return {
        "ce": m.ce_weight * (1 - a) * ce(exam),
        "kd": m.kd_weight * (1 - a) * own_kd,
        "th_ce": m.ce_weight * a * ce(exam, other),
        "th_kd": m.kd_weight * a * other_kd,
    }


FORMS: tuple[dict[str, Any], ...] = ({}, {"form": "paper"}, {"form": "paper", "head_weight": 0.3, "temperature": 2.0})


@twin("th_kd", *FORMS, zero=("kd", "th_kd"))
def th_kd(exam: Exam) -> dict[str, float]:
    return th_terms(exam, projected(exam, "teacher_head."))


def squared_gap(a: list[float], b: list[float]) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def kde_of(exam: Exam, embeddings: Rows) -> float:
    teacher = rows(exam.teacher.pooled)
    return mean(squared_gap(unit(s), unit(t)) for s, t in zip(embeddings, teacher, strict=True))


@twin("kde", {}, {"kde_weight": 3.0}, zero=("kde",))
def kde(exam: Exam) -> dict[str, float]:
    found = kde_of(exam, projected(exam, "embedder."))
    return weighted(exam.method, ce=ce(exam), kde=exam.method.kde_weight * found)


@twin("th_kde", *FORMS, {"kde_weight": 2.0}, zero=("kd", "th_kd", "kde"))
def th_kde(exam: Exam) -> dict[str, float]:
    embeddings = projected(exam, "teacher_head.")
    return {**th_terms(exam, embeddings), "kde": exam.method.kde_weight * kde_of(exam, embeddings)}


@twin("srrl", {"projector": "linear"}, {"projector": "linear", "feature_weight": 2.0, "head_weight": 0.5})
def srrl(exam: Exam) -> dict[str, float]:
    m, embeddings = exam.method, projected(exam, "teacher_head.")
    logits = through_teacher_head(exam, embeddings)
    gap, error = (
        mean(squared_gap(a, b) / len(a) for a, b in zip(x, rows(y), strict=True))
        for x, y in ((embeddings, exam.teacher.pooled), (logits, exam.teacher.logits))
    )
    return weighted(m, ce=ce(exam), srrl_feature=m.feature_weight * gap, srrl_head=m.head_weight * error)


@twin("copy_head", {}, {"ce_weight": 0.5})
@twin("frozen_head")
def classification(exam: Exam) -> dict[str, float]:
    return weighted(exam.method, ce=ce(exam))


@twin("simkd", {}, {"weight": 2.0}, zero=("simkd",))
def simkd(exam: Exam) -> dict[str, float]:
    """The teacher's map is pooled where it is the larger; cells of a k times larger map are means of k x k."""
    ours, theirs = rows(exam.student.final), rows(exam.teacher.final)
    factor = len(theirs[0][0]) // len(ours[0][0])
    gaps = []
    for s, t in zip(ours, theirs, strict=True):
        for ours_c, theirs_c in zip(s, t, strict=True):
            for i, line in enumerate(ours_c):
                for j, value in enumerate(line):
                    cell = [theirs_c[factor * i + y][factor * j + x] for y in range(factor) for x in range(factor)]
                    gaps.append((value - mean(cell)) ** 2)
    return {"simkd": exam.method.weight * mean(gaps)}


def cosine(a: list[float], b: list[float]) -> float:
    return dot(unit(a), unit(b))
