"""Can a method work with its student and its teacher? Tried on networks with random weights, before training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch

from fgkd.errors import UserError, UserErrors
from fgkd.methods.base import Setting
from fgkd.methods.compose import build_method
from fgkd.models import Backbone, create_backbone
from fgkd.models.reshaped import head_of, shapes_of
from fgkd.signals import Head, SignalShapes
from fgkd.spec import BackboneSpec, DatasetSpec, Feed, RunSpec, TeacherSpec, teacher_run
from fgkd.train.assemble import own_classifier_problem

Anatomy = tuple[SignalShapes, Head]  # what a network shows, and its classifier


def pair_problems(runs: Iterable[RunSpec], classes: Mapping[DatasetSpec, int]) -> list[str]:
    """Why a method cannot work with a student and a teacher, for each distinct triple.

    Args:
        classes: of each data set.
    """
    bench = _Bench()
    problems = []
    for run in {
        (r.student, r.method, r.feed.teacher, r.feed.view.size): r for r in runs if r.role == "student"
    }.values():
        who = f"{run.method.label} on {run.student.name}"
        if run.feed.teacher is not None:
            who += f" from {run.feed.teacher.name}"
        try:
            found = bench.problems(run, classes[run.feed.dataset])
        except UserError as error:
            found = error.problems if isinstance(error, UserErrors) else [str(error)]
        problems += [f"{who}: {problem}" for problem in found]
    return problems


@dataclass
class _Bench:
    """Networks that were built once for all pairs that they are in."""

    plain: dict[tuple[BackboneSpec, int, int], Anatomy] = field(default_factory=dict)
    teachers: dict[tuple[TeacherSpec, int, int], Anatomy] = field(default_factory=dict)

    def problems(self, run: RunSpec, num_classes: int) -> list[str]:
        """What is wrong with one pair; where the method reshapes its student, that is tried too."""
        size, method = run.feed.view.size, build_method(run.method)
        shapes, _ = self.anatomy(run.student, size, num_classes)
        setting = Setting(shapes, num_classes, _targets(num_classes))
        if run.feed.teacher is not None:
            teacher, head = self.teacher(run.feed, num_classes)
            setting = replace(setting, teacher=teacher, teacher_head=head)
        found = method.problems(setting)
        if not found and method.deploys_more:
            method.reshape_student(_random_network(run.student, size, num_classes), setting)
        return found

    def anatomy(self, spec: BackboneSpec, size: int, num_classes: int) -> Anatomy:
        """Of a timm network."""
        key = (spec, size, num_classes)
        if key not in self.plain:
            network = _random_network(spec, size, num_classes)
            self.plain[key] = network.shapes, network.head().detached()
        return self.plain[key]

    def teacher(self, feed: Feed, num_classes: int) -> Anatomy:
        """Of a feed's teacher; SH-KD's wears the head of another run.

        Raises:
            UserError: that run has no head to give, or the teacher cannot wear it.
        """
        spec, size, own = feed.teacher, feed.view.size, teacher_run(feed)
        assert spec is not None
        assert own is not None
        if spec.head_from is None:
            return self.anatomy(spec.backbone, size, num_classes)
        key = (spec, size, num_classes)
        if key not in self.teachers:
            if problem := own_classifier_problem(spec.head_from):
                raise UserError(problem)
            _, head = self.anatomy(spec.head_from.student, spec.head_from.feed.view.size, num_classes)
            backbone, method = _random_network(spec.backbone, size, num_classes), build_method(own.method)
            setting = Setting(backbone.shapes, num_classes, _targets(num_classes), teacher_head=head)
            if problems := method.problems(setting):
                raise UserErrors(f"the teacher under that student's head: {problem}" for problem in problems)
            network = method.reshape_student(backbone, setting)
            worn = head_of(network)
            assert worn is not None
            self.teachers[key] = shapes_of(network, backbone), worn.detached()
        return self.teachers[key]


def _targets(num_classes: int) -> torch.Tensor:
    """Labels of a training split with two images of every class."""
    return torch.arange(num_classes).repeat_interleave(2)


def _random_network(spec: BackboneSpec, size: int, num_classes: int) -> Backbone:
    return create_backbone(spec.bare(), num_classes=num_classes, view_size=size)
