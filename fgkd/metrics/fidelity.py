"""How alike two networks answer, whatever the truth is."""

from __future__ import annotations

from torch import Tensor

from fgkd.metrics.accuracy import predictions


def agreement(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Share of samples on which both predict the same class, NaN agreeing with nothing; (N, K) each -> scalar."""
    return agree_by_sample(student_logits, teacher_logits).double().mean()


def agree_by_sample(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Whether both predict the same class; (N, K) each -> (N,) bool."""
    student, teacher = predictions(student_logits), predictions(teacher_logits)
    return (student == teacher) & (student >= 0)


def churn(before: Tensor, after: Tensor) -> Tensor:
    """Share of samples whose predicted class changed between two networks; (N, K) each -> scalar in [0, 1]."""
    return 1 - agreement(before, after)


def kl_to_teacher(student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Mean KL(teacher || student) in nats, not scaled by the squared temperature; (N, K) each -> scalar >= 0."""
    return kl_by_sample(student_logits, teacher_logits, temperature=temperature).mean()


def kl_by_sample(student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """KL(teacher || student) of each sample in nats; (N, K) each -> (N,) >= 0, float64."""
    student = (student_logits.double() / temperature).log_softmax(1)
    teacher = (teacher_logits.double() / temperature).log_softmax(1)
    gaps = teacher.exp() * (teacher - student)
    return gaps.where(teacher.exp() > 0, 0).sum(1)  # a class that the teacher excludes (-inf) costs nothing
