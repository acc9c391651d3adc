"""What every registered method, and a few sums of them, must keep to."""

from __future__ import annotations

import copy
import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from toy import NETS, Pupil, World

from fgkd.methods import METHODS, logit
from fgkd.methods.base import Lesson, Method
from fgkd.methods.compose import build_method, method_spec
from fgkd.signals import Batch, Needs
from fgkd.spec import MethodSpec

SUMS = ["kd+crd", "th_kd+crd", "label_smoothing+kd+rkd", "copy_head+kd", "simkd+kd", "letkd+th_kd"]
ALL = [*METHODS.names(), *SUMS]
TEACHERS = [name for name in NETS if name != "student"] + ["student"]


def make(name: str) -> Method:
    return build_method(method_spec(name))


def world_for(method: Method, teacher: str = "wide", **options: float) -> World:
    """A world that the method admits; the test is skipped where it refuses this pair of networks."""
    world = World(teacher=teacher, **options)
    if problems := method.problems(world.setting):
        pytest.skip("; ".join(problems))
    return world


def learn(pupil: Pupil, lesson: Lesson) -> dict[str, Tensor]:
    """One batch, forward and backward."""
    terms = dict(pupil.terms(lesson))
    torch.stack([*terms.values()]).sum().backward()
    return terms


def check_finite(terms: dict[str, Tensor], pupil: Pupil) -> None:
    for name, term in terms.items():
        assert term.ndim == 0, name
        assert torch.isfinite(term), name
    for name, parameter in pupil.modules().named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


def tensors_of(lesson: Lesson) -> list[Tensor]:
    teacher, batch = lesson.teacher, lesson.batch
    found = [batch.image, batch.target, batch.index, teacher.logits, teacher.pooled, teacher.final]
    found += [*teacher.stages.values(), *teacher.extras.values()]
    if teacher.head is not None:
        found += [teacher.head.weight, teacher.head.bias]
    return [x for x in found if x is not None]


@pytest.mark.parametrize("name", METHODS.names())
def test_is_a_frozen_value_with_defaults(name: str) -> None:
    method = METHODS.get(name)()
    assert method.name == name
    for field in type(method).model_fields:
        with pytest.raises(ValidationError):
            setattr(method, field, getattr(method, field))
    with pytest.raises(ValidationError):
        METHODS.get(name)(no_such_parameter=1)


@pytest.mark.parametrize("name", ALL)
def test_survives_json(name: str) -> None:
    spec = method_spec(name)
    again = MethodSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert build_method(again) == build_method(spec) == make(name)


@pytest.mark.parametrize("teacher", TEACHERS)
@pytest.mark.parametrize("name", ALL)
def test_lives_on_what_it_declares(name: str, teacher: str) -> None:
    method = make(name)
    world = world_for(method, teacher)
    pupil, lesson = world.pupil(method), world.lesson(method, 6)
    terms = learn(pupil, lesson)
    assert tuple(terms) == (method.term_names or ("ce", method.name))
    check_finite(terms, pupil)
    moved = [p for p in pupil.network.parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert moved, "no gradient reached the student"


@pytest.mark.parametrize("name", ALL)
def test_admits_some_pair(name: str) -> None:
    method = make(name)
    assert any(not method.problems(World(teacher=teacher).setting) for teacher in TEACHERS)


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("name", ALL)
def test_small_batches(name: str, batch_size: int) -> None:
    method = make(name)
    world = world_for(method)
    pupil = world.pupil(method)
    check_finite(learn(pupil, world.lesson(method, batch_size)), pupil)


@pytest.mark.parametrize("name", ALL)
def test_large_logits(name: str) -> None:
    method = make(name)
    world = world_for(method, sharpness=1e5)
    pupil = world.pupil(method)
    logits = World(sharpness=1e5).student_net.classify(torch.rand(4, 10, 2, 2))[1]
    assert logits.abs().max() > 1e4
    check_finite(learn(pupil, world.lesson(method, 4)), pupil)


SCALED = [
    {"method": "kd", "standardize": True},
    {"method": "ctkd", "standardize": True},
    {"method": "dkd", "standardize": True, "warmup_epochs": 0},
    {"method": "sdd", "standardize": True, "warmup_epochs": 0},
]


@pytest.mark.parametrize("value", [*ALL, *SCALED], ids=str)
@pytest.mark.parametrize("spread", [0.0, 2e-5])
def test_logits_that_say_nothing_yet(value: str | dict[str, object], spread: float) -> None:
    """Some networks begin with a head of zeros, or nearly; a gradient of 1 / 0 would ruin it in one step."""
    method = build_method(method_spec(value))
    world = world_for(method, teacher="large_maps", sharpness=3.0)
    head = world.student_net.classifier
    with torch.no_grad():
        head.weight.mul_(spread)
        head.bias.zero_()
    pupil = world.pupil(method)
    check_finite(learn(pupil, world.lesson(method, 6)), pupil)
    assert head.weight.grad is None or head.weight.grad.norm() < 100
    assert head.bias.grad is None or head.bias.grad.norm() < 100


@pytest.mark.parametrize("name", ALL)
def test_half_precision(name: str) -> None:
    method = make(name)
    world = world_for(method)
    pupil, lesson = world.pupil(method), world.lesson(method, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = dict(pupil.terms(lesson))
    torch.stack([*terms.values()]).sum().backward()
    check_finite(terms, pupil)
    exact = world_for(method).pupil(method).terms(lesson)
    for key, term in terms.items():
        assert term.dtype == torch.float32, key
        assert term.item() == pytest.approx(exact[key].item(), rel=0.1, abs=0.1), key


@pytest.mark.parametrize("name", ALL)
def test_leaves_teacher_and_lesson_alone(name: str) -> None:
    method = make(name)
    world = world_for(method)
    teacher_before = copy.deepcopy(world.teacher_net.state_dict())
    pupil, lesson = world.pupil(method), world.lesson(method, 6)
    before = [x.clone() for x in tensors_of(lesson)]
    optimizer = torch.optim.SGD(pupil.parameters(), lr=0.1, weight_decay=0.1)
    learn(pupil, lesson)
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, tensors_of(lesson), strict=True))
    assert all(x.grad is None for x in tensors_of(lesson))
    assert all(p.grad is None for p in world.teacher_net.parameters())
    for key, value in world.teacher_net.state_dict().items():
        assert torch.equal(value, teacher_before[key]), key


@pytest.mark.parametrize("name", ALL)
def test_same_stream_same_value(name: str) -> None:
    method = make(name)
    values = []
    for _ in range(2):
        world = world_for(method)
        pupil = world.pupil(method)
        values.append([{k: v.item() for k, v in learn(pupil, world.lesson(method, 6, s)).items()} for s in range(2)])
    assert values[0] == values[1]


@pytest.mark.parametrize("name", ALL)
def test_continues_from_its_state(name: str) -> None:
    """Two steps, a save, two steps; the same from the save with a pupil that was built with another seed."""
    method = make(name)
    world = world_for(method)
    first = world.pupil(method)
    optimizer = torch.optim.SGD(first.parameters(), lr=0.01, momentum=0.9)
    for step in range(2):
        train_step(first, optimizer, world.lesson(method, 6, step))
    file = io.BytesIO()
    torch.save([first.modules().state_dict(), optimizer.state_dict(), torch.get_rng_state()], file)
    straight = [train_step(first, optimizer, world.lesson(method, 6, step)) for step in (2, 3)]

    world = world_for(method)
    second = world.pupil(method, seed=99)
    optimizer = torch.optim.SGD(second.parameters(), lr=0.01, momentum=0.9)
    file.seek(0)
    modules, optimizer_state, stream = torch.load(file, weights_only=True)
    second.modules().load_state_dict(modules)
    optimizer.load_state_dict(optimizer_state)
    torch.set_rng_state(stream)
    resumed = [train_step(second, optimizer, world.lesson(method, 6, step)) for step in (2, 3)]
    assert straight == resumed
    for key, value in first.modules().state_dict().items():
        assert torch.equal(value, second.modules().state_dict()[key]), key


def train_step(pupil: Pupil, optimizer: torch.optim.Optimizer, lesson: Lesson) -> dict[str, float]:
    terms = learn(pupil, lesson)
    optimizer.step()
    optimizer.zero_grad()
    return {name: term.item() for name, term in terms.items()}


@pytest.mark.parametrize("name", METHODS.names())
def test_refuses_a_setting_without_teacher(name: str) -> None:
    method = METHODS.get(name)()
    setting = World().setting
    alone = type(setting)(setting.student, setting.num_classes, setting.train_targets)
    asks = bool(method.teacher_needs) or name in ("copy_head", "frozen_head")
    assert bool(method.problems(alone)) == asks


@pytest.mark.parametrize("name", METHODS.names())
def test_is_documented(name: str) -> None:
    """The class says defaults and departures; shapes may stand with the losses that it names."""
    kind = METHODS.get(name)
    assert kind.paper or name == "scratch"
    text = kind.__doc__ or ""
    for word in ("Default", "Departures"):
        assert word in text, f"expected a sentence on {word.lower()}"
    module = sys.modules[kind.__module__]
    losses = [getattr(module, named).__doc__ or "" for named in re.findall(r"`(\w+)`", text) if hasattr(module, named)]
    assert any(re.search(r"\(B[,)]", part) for part in (text, *losses)), "expected the shapes of what it compares"


@pytest.mark.parametrize("name", ALL)
def test_declares_whether_it_teaches_the_classifier(name: str) -> None:
    """A linear probe trains nothing else, and would learn of the labels alone."""
    method = make(name)
    if not method.teacher_needs or method.deploys_more:
        pytest.skip("no teacher, or no linear probe")
    world = world_for(method, teacher="large_maps")
    pupil = world.pupil(method)
    terms = pupil.terms(world.lesson(method, 6, step=4))
    total = torch.stack([value for term, value in terms.items() if term != "ce"]).sum()
    if total.requires_grad:  # a first stage may rest already
        total.backward()
    grad = world.student_net.classifier.weight.grad
    assert (grad is not None and bool(grad.abs().sum() > 0)) == method.teaches_classifier


def halves(lesson: Lesson, rows: int) -> list[Lesson]:
    """The lesson as two processes get it."""
    parts = []
    for own in (slice(0, rows // 2), slice(rows // 2, rows)):
        batch, teacher = lesson.batch, lesson.teacher
        cut = lambda x, own=own: None if x is None else x[own]
        signals = replace(
            teacher,
            logits=cut(teacher.logits),
            pooled=cut(teacher.pooled),
            final=cut(teacher.final),
            stages={stage: x[own] for stage, x in teacher.stages.items()},
        )
        share = Batch(batch.image[own], batch.target[own], batch.index[own], offset=own.start, global_size=rows)
        parts.append(replace(lesson, batch=share, teacher=signals))
    return parts


@pytest.mark.parametrize("name", ALL)
def test_declares_whether_it_relates_samples(name: str) -> None:
    """A loss that is no mean over samples would depend on the number of processes, were it not shown whole batches."""
    method, rows = make(name), 8
    world = world_for(method, sharpness=3.0)
    pupil = world.pupil(method)
    pupil.modules().eval()  # batch norm is told elsewhere; memories stay as they are

    def total(lesson: Lesson) -> Tensor:
        torch.manual_seed(5)
        return torch.stack([*pupil.terms(lesson).values()]).sum().detach()

    lesson = world.lesson(method, rows, step=3)
    whole = total(lesson)
    shares = torch.stack([total(half) for half in halves(lesson, rows)]).mean()
    assert torch.allclose(whole, shares, rtol=1e-4) != method.relates_samples


def test_only_what_it_declares_is_gathered_from_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour in the cohort asks for much more."""
    sent: list[Tensor] = []
    monkeypatch.setattr("fgkd.methods.base.world_size", lambda: 2)
    monkeypatch.setattr("fgkd.methods.whole_batch.gathered", lambda rows: sent.append(rows) or rows)
    world, stages = World(), frozenset({-2, -1})
    everything = Needs(logits=True, pooled=True, final=True, stages=stages, head=True)
    lesson = world.lesson(make("dist"), 4)
    student = world.student_net(lesson.batch.image, everything)
    student = replace(student, extras={"of a neighbour": student.logits})
    lesson = replace(lesson, teacher=world.teacher_net(lesson.batch.image, everything).detached())
    for name, expected in (("dist", 4), ("rkd", 5), ("sp", 5)):
        sent.clear()
        make(name).objective(world.setting)(student, lesson)
        assert len(sent) == expected, name


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_the_worked_example_of_a_method_keeps_to_it(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pasted into `fgkd/methods/logit.py`."""
    monkeypatch.setattr(METHODS, "_things", dict(METHODS._things))  # forgotten afterwards
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "class CosineKD" in block)
    exec(compile(example, page, "exec"), dict(vars(logit)))
    test_refuses_a_setting_without_teacher("cosine_kd")
    test_is_documented("cosine_kd")
    test_lives_on_what_it_declares("cosine_kd", "wide")
