"""Warm-ups and degenerate batches of the methods on class scores."""

from __future__ import annotations

import pytest
import torch
from toy import World

from fgkd.methods import METHODS
from fgkd.methods.logit import dist_loss, dkd_loss, nkd_loss, wttm_loss


@pytest.mark.parametrize(("name", "warmup"), [("dkd", 20), ("sdd", 30)])
@pytest.mark.parametrize("epochs", [240, 24])
def test_the_loss_warms_up_linearly(name: str, warmup: int, epochs: int) -> None:
    """Over the published epochs, or their share of a shorter training."""
    world, method = World(teacher="large_maps", epochs=epochs), METHODS.get(name)()
    length = warmup * epochs / 240
    lesson = world.lesson(method, 6)
    pupil = world.pupil(method)
    student = pupil.see(lesson)
    values = []
    for epoch in (0, length / 2, length, 2 * length):
        progress = type(lesson.progress)(step=int(2 * epoch), steps_per_epoch=2, epochs=epochs)
        terms = pupil.objective(student, type(lesson)(lesson.batch, lesson.teacher, progress))
        values.append(terms[name].item())
    full = values[-1]
    assert full > 0
    assert values == pytest.approx([0, full / 2, full, full])
    assert terms["ce"].item() > 0


def test_a_single_sample_has_no_columns_to_correlate() -> None:
    student, teacher = torch.randn(1, 5), torch.randn(1, 5)
    both = dist_loss(student, teacher, beta=1.0, gamma=7.0, temperature=2.0)
    assert both == dist_loss(student, teacher, beta=1.0, gamma=0.0, temperature=2.0)


def test_two_classes_leave_nothing_beyond_the_target() -> None:
    """With one other class its share among the others is 1 for everybody."""
    student, teacher, target = torch.randn(3, 2), torch.randn(3, 2), torch.tensor([0, 1, 0])
    assert (dkd_loss(student, teacher, target, alpha=0.0, beta=8.0, temperature=1.0) == 0).all()
    on_target = -(teacher.softmax(1) * student.log_softmax(1)).gather(1, target[:, None])[:, 0]
    assert torch.allclose(nkd_loss(student, teacher, target, gamma=3.0, temperature=1.0), on_target)


def test_a_sure_teacher_weighs_less_in_wttm() -> None:
    """U is 1 for a one-hot teacher and K^(1 - gamma) for a uniform one."""
    student = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    kl = wttm_loss(student, torch.zeros(1, 4), exponent=0.5) / 4**0.5
    expected = (torch.full((1, 4), 0.25) * (0.25 / student.softmax(1)).log()).sum(1)
    assert torch.allclose(kl, expected)
    assert torch.allclose(wttm_loss(student, 100 * student, exponent=0.5), -student.log_softmax(1)[:, 0])
