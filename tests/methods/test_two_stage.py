"""ab, fsp and ft: who learns in which stage."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from toy import Pupil, World

from fgkd.methods import METHODS
from fgkd.methods.two_stage import boundary_loss

SWITCH = 5  # 10 epochs of 2 steps: 60 published epochs of 240 are 2.5 epochs, 5 steps


def learn(name: str, step: int) -> tuple[Pupil, Mapping[str, Tensor]]:
    """Gradients of one batch at `step`."""
    method, world = METHODS.get(name)(init_epochs=60), World()
    pupil = world.pupil(method)
    terms = pupil.terms(world.lesson(method, 6, step))
    torch.stack(list(terms.values())).sum().backward()
    return pupil, terms


def moved(parameters: object) -> list[bool]:
    return [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in parameters]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["ab", "fsp"])
def test_features_first_then_labels(name: str) -> None:
    pupil, terms = learn(name, SWITCH - 1)
    assert terms["ce"] == 0
    assert terms[name] > 0
    assert not any(moved(pupil.network.classifier.parameters()))
    assert all(moved(pupil.network.convs.parameters()))
    assert any(moved(pupil.objective.parameters()))

    pupil, terms = learn(name, SWITCH)
    assert terms["ce"] > 0
    assert terms[name] == 0
    assert all(moved(pupil.network.parameters()))
    assert all(p.grad is None for p in pupil.objective.parameters())  # not even weight decay touches the connectors


def test_a_large_teacher_is_on_where_most_of_its_cells_are() -> None:
    """One cell of four that fires leaves the others' neuron off, whatever its height."""
    teacher = torch.tensor([[9.0, 0.0, 9.0, 9.0], [0.0, 0.0, 9.0, 0.0]]).reshape(1, 1, 2, 4)
    student = torch.tensor([-1.0, 1.0]).reshape(1, 1, 1, 2)
    assert boundary_loss(student, teacher) == 0
    assert boundary_loss(-student, teacher) == 8


def test_ft_fits_the_paraphraser_then_freezes_it() -> None:
    pupil, terms = learn("ft", SWITCH - 1)
    assert terms["ce"] > 0
    assert terms["ft"] == 0
    assert all(moved(pupil.objective.paraphraser.parameters()))
    assert not any(moved(pupil.objective.translator.parameters()))

    pupil, terms = learn("ft", SWITCH)
    assert terms["ft"] > 0
    assert terms["ft_paraphraser"] == 0
    assert all(p.grad is None for p in pupil.objective.paraphraser.parameters())
    assert any(moved(pupil.objective.translator.parameters()))


def test_paraphraser_learns_to_reconstruct() -> None:
    method, world = METHODS.get("ft")(init_epochs=230), World()
    pupil = world.pupil(method)
    optimizer = torch.optim.Adam(pupil.parameters(), lr=0.01)
    errors = []
    for _ in range(40):
        terms = pupil.terms(world.lesson(method, 8))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        errors.append(terms["ft_paraphraser"].item())
    assert errors[-1] < 0.5 * errors[0]
