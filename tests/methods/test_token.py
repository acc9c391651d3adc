"""VkD's projector stays orthogonal; OFA-KD's branches fit CNN and token stages of any size."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy import NUM_CLASSES, World

from fgkd.methods import METHODS
from fgkd.methods.token import Branch, ofa_loss, standardised_loss


@pytest.mark.parametrize(("student", "teacher"), [("student", "wide"), ("wide", "student"), ("student", "student")])
def test_projector_stays_orthogonal_while_it_learns(student: str, teacher: str) -> None:
    method, world = METHODS.get("vkd")(), World(student=student, teacher=teacher)
    pupil = world.pupil(method)
    optimizer = torch.optim.SGD(pupil.parameters(), lr=0.1, weight_decay=0.1)
    first = pupil.objective.projector.weight.detach().clone()
    for step in range(5):
        optimizer.zero_grad()
        torch.stack(list(pupil.terms(world.lesson(method, 6, step)).values())).sum().backward()
        optimizer.step()
    weight = pupil.objective.projector.weight.detach()
    assert not torch.allclose(weight, first, atol=1e-3)
    gram = weight.T @ weight if len(weight) >= len(weight.T) else weight @ weight.T
    assert torch.allclose(gram, torch.eye(len(gram)), atol=1e-5)


def test_standardised_loss_ignores_scale_and_shift_of_the_teacher() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 64), torch.randn(4, 64)
    expected = standardised_loss(student, teacher)
    assert torch.allclose(standardised_loss(student, 5 * teacher + 3), expected, atol=1e-4)
    assert not torch.allclose(standardised_loss(2 * student, teacher), expected, atol=1e-2)


def test_ofa_loss_weighs_the_truth_more_with_eps() -> None:
    """Even teacher and student over four classes: truth (1 + 1/4)^2 - 1, the others (1/4)^2, each times log 4."""
    even = torch.zeros(1, 4)
    found = ofa_loss(even, even, torch.tensor([2]), eps=2.0).item()
    assert found == pytest.approx((1.25**2 - 1 + 3 / 16) * torch.tensor(4.0).log().item())


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize(
    ("shape", "last", "downs"),
    [
        ((4, 56, 56), (16, 7, 7), 3),
        ((8, 14, 14), (8, 14, 14), 0),
        ((6, 15, 9), (12, 8, 5), 1),
        ((6, 1, 1), (6, 1, 1), 0),
    ],
)
def test_branches_halve_down_to_the_last_stage(shape: tuple, last: tuple, downs: int, tokens: bool) -> None:
    branch = Branch(shape, last, 11, tokens=tokens)
    assert len(branch.downs) == max(downs, int(tokens))
    x = torch.randn(2, *shape)
    assert branch(x).shape == (2, 11)
    if downs:
        assert branch.downs(x).shape[1:] == last


def test_token_students_get_token_branches() -> None:
    method, world = METHODS.get("ofa_kd")(), World()
    shapes = replace(world.setting.student, tokens=True)
    objective = method.build(replace(world.setting, student=shapes))
    lesson = world.lesson(method, 4)
    terms = objective(world.pupil(method).see(lesson), lesson)
    torch.stack(list(terms.values())).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())
    assert sum(p.shape[0] == NUM_CLASSES for p in objective.parameters()) == 8  # weight and bias of four branches
    assert any(isinstance(m, torch.nn.LayerNorm) for m in objective.modules())


def test_ofa_needs_a_stage_of_the_student_alone() -> None:
    setting = World(student="two_stages", teacher="wide").setting
    assert METHODS.get("ofa_kd")().problems(setting) == []
    (problem,) = METHODS.get("ofa_kd")(stages=(-4,)).problems(setting)
    assert "[-2, -1]" in problem
