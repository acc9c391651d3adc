"""What the head-sharing methods deploy, freeze and report."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from toy import NETS, ToyNet, World

from fgkd.methods import METHODS, Setting
from fgkd.methods.head import THKD, TwoHeads, compare_heads, mixed_log_probs
from fgkd.methods.reuse import BorrowedHead, CopyHead, FrozenHeadTraining, SimKD, SimKDStudent
from fgkd.models import create_backbone
from fgkd.signals import Head, Needs
from fgkd.spec import BackboneSpec

ALL = Needs(True, True, True, frozenset({-1}), True)


def trained(world: World, name: str, **params: Any) -> Any:
    """A pupil after one step with weight decay."""
    method = METHODS.get(name)(**params)
    pupil = world.pupil(method)
    optimizer = torch.optim.SGD(pupil.parameters(), lr=0.1, weight_decay=0.5)
    torch.stack([*pupil.terms(world.lesson(method, 6)).values()]).sum().backward()
    optimizer.step()
    return pupil


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("th_kd", {}),
        ("th_kd", {"inference_weight": 0.3}),
        ("th_kde", {"form": "paper"}),
        ("srrl", {}),
        ("copy_head", {}),
        ("frozen_head", {}),
        ("simkd", {}),
    ],
)
@pytest.mark.parametrize("teacher", ["student", "wide"])
def test_the_teachers_head_never_learns(name: str, params: dict[str, Any], teacher: str) -> None:
    world = World(teacher=teacher)
    head = copy.deepcopy(world.teacher_net.head().detached())
    pupil = trained(world, name, **params)
    held = [
        (value, state[key.removesuffix("weight") + "bias"])
        for module in (pupil.network, pupil.objective)
        for state in [module.state_dict()]
        for key, value in state.items()
        if key.endswith("weight") and torch.equal(value, head.weight)
    ]
    assert len(held) == 1
    assert torch.equal(held[0][1], head.bias)
    assert not any(torch.equal(p, head.weight) for p in pupil.parameters())


def test_th_kd_leaves_the_student_as_it_is_unless_it_mixes() -> None:
    world = World()
    assert THKD().reshape_student(world.student_net, world.setting) is world.student_net
    assert not THKD().deploys_more
    assert THKD(inference_weight=0.5).deploys_more


def test_two_heads_mix_probabilities_in_evaluation_alone() -> None:
    world, method = World(), THKD(form="paper", inference_weight=0.3)
    pupil, lesson = world.pupil(method), world.lesson(method, 6)
    assert isinstance(pupil.network, TwoHeads)
    own = world.student_net(lesson.batch.image, ALL)
    other = pupil.network.teacher_head(own).softmax(1)
    assert torch.equal(pupil.see(lesson).logits, own.logits)
    pupil.network.eval()
    deployed = pupil.network(lesson.batch.image, Needs(logits=True))
    assert deployed.pooled is None
    assert torch.allclose(deployed.logits.softmax(1), 0.7 * own.logits.softmax(1) + 0.3 * other, atol=1e-6)
    readouts = pupil.objective.readouts(pupil.network(lesson.batch.image, method.student_needs))
    assert torch.allclose(readouts["teacher_head"].softmax(1), other)
    assert torch.allclose(readouts["mixed"].softmax(1), deployed.logits.softmax(1), atol=1e-6)
    assert torch.equal(readouts["own_head"], own.logits)


def test_mixing_teaches_the_same_as_not_mixing() -> None:
    plain, mixing = World(), World()
    terms = [
        world.pupil(method).terms(world.lesson(method, 6))
        for world, method in ((plain, THKD()), (mixing, THKD(inference_weight=0.5)))
    ]
    assert {k: v.item() for k, v in terms[0].items()} == {k: v.item() for k, v in terms[1].items()}


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_mixed_log_probs(weight: float) -> None:
    own, other = torch.randn(4, 5), 1e4 * torch.randn(4, 5)
    found = mixed_log_probs(own, other, weight=weight)
    assert torch.isfinite(found[found > -1e3]).all()
    assert torch.allclose(found.exp(), (1 - weight) * own.softmax(1) + weight * other.softmax(1), atol=1e-6)


def test_readouts_of_th_kd_without_mixing() -> None:
    world, method = World(), THKD(form="paper", head_weight=0.4)
    pupil, lesson = world.pupil(method), world.lesson(method, 6)
    student = pupil.see(lesson)
    readouts = pupil.objective.readouts(student)
    mixture = 0.6 * student.logits.softmax(1) + 0.4 * readouts["teacher_head"].softmax(1)
    assert torch.allclose(readouts["mixed"].softmax(1), mixture, atol=1e-6)
    assert set(readouts) == {"teacher_head", "mixed"}


def test_heads_are_compared_only_at_equal_widths() -> None:
    same, unlike = World(teacher="student"), World()
    found = same.pupil(THKD()).objective.diagnostics(same.student_net.head())
    assert found == compare_heads(same.student_net.head().detached(), same.teacher_net.head().detached())
    assert unlike.pupil(THKD()).objective.diagnostics(unlike.student_net.head()) == {}


class Exchangeable(ToyNet):
    """A network that can take a head as its own, as `Backbone` can."""

    def replace_head(self, head: Any, frozen: bool) -> None:
        """Copy the values."""
        with torch.no_grad():
            self.classifier.weight.copy_(head.weight)
            self.classifier.bias.copy_(head.bias)
        self.classifier.requires_grad_(not frozen)


def test_a_copied_head_of_equal_width_stays_in_a_plain_network() -> None:
    world = World(teacher="student")
    network = Exchangeable()
    assert CopyHead().reshape_student(network, world.setting) is network
    assert torch.equal(network.classifier.weight, world.teacher_net.classifier.weight)
    assert not network.classifier.weight.requires_grad


@pytest.mark.parametrize("projector", ["auto", "linear", "orthogonal", "conv_bn", "conv_bn_relu"])
@pytest.mark.parametrize("student", ["student", "normed"])
def test_a_borrowed_head_behind_every_projector(projector: Any, student: str) -> None:
    world, method = World(student=student, teacher="large_maps"), CopyHead(projector=projector)
    network = world.pupil(method).network
    assert isinstance(network, BorrowedHead)
    signals = network(world.images[:4], ALL)
    head = world.teacher_net.head()
    assert signals.pooled.shape == (4, network.shapes.pooled) == (4, 16)
    assert torch.allclose(signals.logits, head(signals.pooled))
    assert torch.equal(signals.head.weight, head.weight)
    assert network(world.images[:4], Needs(stages={-1})).logits is None
    assert not any(
        p is q for p in network.parameters() if p.requires_grad for q in world.student_net.classifier.parameters()
    )


def test_a_teacher_is_trained_under_a_students_head() -> None:
    """SH-KD: no teacher, a head of another width; then a wide network with it."""
    world = World(student="wide", teacher="student")
    setting = type(world.setting)(
        student=world.student_net.shapes,
        num_classes=5,
        train_targets=world.targets,
        teacher_head=world.teacher_net.head().detached(),
    )
    method = FrozenHeadTraining(projector="linear")
    assert method.problems(setting) == []
    assert not method.teacher_needs
    network = method.reshape_student(world.student_net, setting)
    assert network.shapes.pooled == 10
    assert torch.equal(network.head().weight, world.teacher_net.classifier.weight)


@pytest.mark.parametrize("teacher", ["wide", "large_maps", "small_maps", "student"])
def test_simkd_deploys_the_teachers_classifier(teacher: str) -> None:
    world, method = World(teacher=teacher), SimKD()
    network = world.pupil(method).network
    assert isinstance(network, SimKDStudent)
    signals = network(world.images[:4], ALL)
    assert tuple(signals.final.shape[1:]) == network.shapes.final
    assert network.shapes.final[0] == world.teacher_net.shapes.final[0]
    assert torch.allclose(signals.pooled, signals.final.mean((2, 3)), atol=1e-6)
    assert torch.allclose(signals.logits, world.teacher_net.head()(signals.pooled), atol=1e-6)
    assert network(world.images[:4], Needs(final=True)).logits is None


def test_simkd_says_why_it_refuses_a_map_below_zero() -> None:
    setting = World().setting
    signed = replace(setting, teacher=replace(setting.teacher, final_is_signed=True))
    (problem,) = METHODS.get("simkd")().problems(signed)
    assert "cannot follow the teacher's final map" in problem


def test_simkd_and_sdd_say_why_they_refuse_a_normed_teacher() -> None:
    for name in ("simkd", "sdd"):
        problems = METHODS.get(name)().problems(World(teacher="normed").setting)
        assert len(problems) == 1
        assert "plain mean" in problems[0]


def test_identity_between_unequal_widths_is_a_problem() -> None:
    for name in ("th_kd", "kde", "copy_head", "srrl"):
        problems = METHODS.get(name)(projector="identity").problems(World().setting)
        assert problems == [p for p in problems if "projector: identity" in p] != []


def test_all_toy_nets_answer_exactly_what_is_asked() -> None:
    for build in NETS.values():
        net = build()
        signals = net(torch.zeros(2, 3, 16, 16), Needs(pooled=True, stages={-2}))
        assert (signals.logits, signals.final, signals.head) == (None, None, None)
        assert set(signals.stages) == {-2}


def test_a_projector_for_maps_is_averaged_behind() -> None:
    world, method = World(), CopyHead(projector="conv_bn_relu")
    foreign = world.pupil(method).network.foreign.eval()
    signals = world.student_net(world.images[:4], ALL)
    assert foreign.spatial
    assert torch.allclose(foreign.embed(signals), foreign.projector(signals.final).mean((2, 3)))


@pytest.mark.parametrize(
    ("name", "params", "is_mean"),
    [
        ("th_kd", {"inference_weight": 0.5}, True),
        ("copy_head", {}, False),
        ("copy_head", {"projector": "conv_bn"}, False),
        ("simkd", {}, True),
        ("letkd", {}, True),
    ],
)
@pytest.mark.parametrize("teacher", ["large_maps", "small_maps"])
def test_reshaped_students_tell_their_shapes(name: str, params: dict[str, Any], is_mean: bool, teacher: str) -> None:
    world = World(teacher=teacher)
    network = world.pupil(METHODS.get(name)(**params)).network.eval()
    signals, shapes = network(world.images[:4], ALL), network.shapes
    assert signals.logits.shape == (4, shapes.num_classes)
    assert signals.pooled.shape == (4, shapes.pooled)
    assert tuple(signals.final.shape[1:]) == shapes.final
    assert all(tuple(x.shape[1:]) == shapes.stages[stage] for stage, x in signals.stages.items())
    assert shapes.pooled_is_mean == is_mean
    averages = signals.final.mean((2, 3))
    assert (averages.shape == signals.pooled.shape and torch.allclose(averages, signals.pooled, atol=1e-6)) == is_mean


def test_a_classifier_that_nobody_reads_is_not_deployed() -> None:
    spec = BackboneSpec(name="test_resnet")
    student = create_backbone(spec, num_classes=7, view_size=32)
    shapes, before = student.shapes, sum(p.numel() for p in student.parameters())
    teacher = Head(torch.randn(7, 24), torch.randn(7))
    network = CopyHead().reshape_student(student, Setting(shapes, 7, torch.arange(14) % 7, shapes, teacher))
    signals = network(torch.randn(2, 3, 32, 32), Needs(logits=True, pooled=True))
    assert signals.logits.shape == (2, 7)
    assert torch.equal(signals.logits, teacher(signals.pooled))
    projector = shapes.pooled * 24 + 24
    assert sum(p.numel() for p in network.parameters()) == before - 6 * (shapes.pooled + 1) + projector
