"""From specs to the things that learn and teach: the one place where models, methods and data meet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from fgkd.errors import UserError, UserErrors
from fgkd.methods.base import Setting
from fgkd.methods.compose import build_method
from fgkd.models import Backbone, create_backbone
from fgkd.models.reshaped import head_of, shapes_of
from fgkd.models.store import WeightStore
from fgkd.signals import Head, Needs, SignalShapes
from fgkd.spec import BackboneSpec, RunSpec, teacher_run
from fgkd.teacher.live import Credentials, Teacher
from fgkd.teacher.survey import TeacherSurvey
from fgkd.train.engine import Engine
from fgkd.train.learner import Belongings
from fgkd.train.mixing import make_mixing


@dataclass(frozen=True)
class Workshop:
    """What assembling needs beside a spec.

    Attributes:
        num_classes: K of the data set.
        train_targets: (N,) int64, labels of the training split.
        engine: the machine.
        store: weights of earlier runs.
        weights_folder: where weights files named in specs lie.
    """

    num_classes: int
    train_targets: Tensor
    engine: Engine
    store: WeightStore
    weights_folder: Path | None = None

    def backbone(self, spec: BackboneSpec, view_size: int) -> Backbone:
        """The timm network of a spec."""
        return create_backbone(
            self.store.resolved(spec),
            num_classes=self.num_classes,
            view_size=view_size,
            weights_folder=self.weights_folder,
        )

    def setting(self, student: SignalShapes, teacher: Teacher | None, given_head: Head | None) -> Setting:
        """All that a method may know."""
        return Setting(
            student=student,
            num_classes=self.num_classes,
            train_targets=self.train_targets,
            teacher=None if teacher is None else teacher.shapes,
            teacher_head=given_head if teacher is None else teacher.head,
        )


def given_head(run: RunSpec, workshop: Workshop) -> Head | None:
    """SH-KD: the classifier of the run that `run` takes its head from.

    Raises:
        UserError: that run's method deploys more than a backbone, so that its classifier is not the student's own.
    """
    source = run.head_from
    if source is None:
        return None
    if problem := own_classifier_problem(source):
        raise UserError(problem)
    network = workshop.backbone(source.student.bare(), source.feed.view.size)
    network.load_state_dict(workshop.store.state(source.run_id))
    return network.head().detached()


def own_classifier_problem(source: RunSpec) -> str:
    """SH-KD: why no head can be taken from `source`; empty where one can."""
    if build_method(source.method).deploys_more:
        return f"sh_kd: expected a head student with a classifier of its own, {source.method.label} deploys another"
    return ""


def assemble(
    run: RunSpec, workshop: Workshop, teacher: Teacher | None, survey: TeacherSurvey | None = None
) -> Belongings:
    """Student, objective and needs of one run; call it inside the run's random stream.

    Raises:
        UserErrors: where the method cannot work with this pair of networks.
    """
    backbone = workshop.backbone(run.student, run.feed.view.size)
    method = build_method(run.method)
    setting = replace(workshop.setting(backbone.shapes, teacher, given_head(run, workshop)), survey=survey)
    if problems := method.problems(setting):
        raise UserErrors(problems, f"{run.method.label} cannot teach {run.student.name}")
    device = workshop.engine.device
    if run.recipe.learns == "classifier":
        backbone.freeze_trunk()
    network = method.reshape_student(backbone, setting).to(device)
    if backbone.prefers_channels_last:
        network = network.to(memory_format=torch.channels_last)
    workshop.engine.compile(network)
    shapes = shapes_of(network, backbone)
    objective = method.objective(replace(setting, student=shapes)).to(device)
    asked = Needs() if teacher is None else within(method.teacher_needs, teacher.shapes)
    return Belongings(
        network,
        objective,
        within(method.student_needs, shapes),
        asked,
        backbone.input,
        reshaped=method.deploys_more,
        head_is_fresh=backbone.head_is_fresh,
        start_digest=backbone.start_digest,
        mixing=make_mixing(run.recipe, workshop.num_classes),
    )


def open_teacher(run: RunSpec, workshop: Workshop) -> Teacher:
    """The teacher of `run`'s feed, with the weights that its own run left in the store."""
    own, spec = teacher_run(run.feed), run.feed.teacher
    assert own is not None
    assert spec is not None
    backbone = workshop.backbone(spec.backbone.bare(), run.feed.view.size)
    setting = workshop.setting(backbone.shapes, None, given_head(own, workshop))
    network = build_method(own.method).reshape_student(backbone, setting)
    network.load_state_dict(workshop.store.state(own.run_id))
    facts = workshop.store.facts(own.run_id)
    return Teacher(
        network,
        sight=backbone.input,
        shapes=shapes_of(network, backbone),
        head=head_of(network),
        credentials=Credentials(
            spec.name, **{k: facts[k] for k in ("run_id", "weights_hash", "holdout_top1", "test_top1")}
        ),
        device=workshop.engine.device,
        autocast=workshop.engine.autocast,
    )


def within(needs: Needs, shapes: SignalShapes) -> Needs:
    """`needs` less the maps that the network does not have."""
    return replace(needs, stages=needs.stages & set(shapes.stages), final=needs.final and shapes.final is not None)
