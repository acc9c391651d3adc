"""Every method equals its slow twin in float64, for equal and unequal widths, sides and numbers of stages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from toy import NETS, World
from twins import Exam, Reference, collect

from fgkd.methods import METHODS
from fgkd.methods.base import Method
from fgkd.signals import Needs

TWINS = collect()
CASES = [(name, params) for name, twin in TWINS.items() for params in twin.params]


def test_every_method_has_a_twin() -> None:
    assert sorted(set(METHODS.names()) - set(TWINS)) == []
    assert sorted(set(TWINS) - set(METHODS.names())) == []


def admitted(method: Method, teacher: str) -> World:
    world = World(teacher=teacher, dtype=torch.float64)
    if problems := method.problems(world.setting):
        pytest.skip("; ".join(problems))
    return world


def compare(method: Method, reference: Reference, world: World, batch_size: int = 6) -> None:
    """Fast and slow from the same state and the same stream."""
    lesson = world.lesson(method, batch_size, step=3)
    pupil = world.pupil(method)
    student = pupil.see(lesson)
    setting = replace(world.setting, student=getattr(pupil.network, "shapes", world.setting.student))
    expected = reference.run(Exam(method, pupil.objective, setting, student, lesson))
    stream = torch.get_rng_state()
    found = pupil.objective(student, lesson)
    assert set(found) == set(expected)
    for name, value in expected.items():
        # the labels' cross-entropy is computed in float32 by design
        assert found[name].item() == pytest.approx(value, rel=2e-6, abs=1e-9), name
    torch.set_rng_state(stream)


@pytest.mark.parametrize("teacher", NETS)
@pytest.mark.parametrize(("name", "params"), CASES, ids=str)
def test_equals_its_twin(name: str, params: dict[str, Any], teacher: str) -> None:
    method = METHODS.get(name)(**params)
    compare(method, TWINS[name], admitted(method, teacher))


@pytest.mark.parametrize(("name", "params"), CASES, ids=str)
def test_is_compared_somewhere(name: str, params: dict[str, Any]) -> None:
    method = METHODS.get(name)(**params)
    assert any(not method.problems(World(teacher=teacher).setting) for teacher in NETS)


@pytest.mark.parametrize("name", [name for name, twin in TWINS.items() if twin.zero])
def test_vanishes_for_a_perfect_student(name: str) -> None:
    """Where the student shows exactly what the teacher shows, nothing is left to learn."""
    method = METHODS.get(name)()
    world = admitted(method, "student")
    world.student_net.load_state_dict(world.teacher_net.state_dict())
    lesson = world.lesson(method, 6, step=3)
    objective = world.pupil(method).objective
    everything = Needs(True, True, True, frozenset(world.student_net.shapes.stages), True)
    with torch.no_grad():
        perfect = world.teacher_net(lesson.batch.image, everything)
    terms = objective(perfect, replace(lesson, teacher=perfect))
    for term in TWINS[name].zero:
        assert terms[term].item() == pytest.approx(0, abs=2e-5), term  # denominators are guarded by 1e-8
