"""From specs to the things that learn and teach: the one place where models, methods and data meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from fgkd.errors import UserErrors
from fgkd.methods.base import Method, Setting
from fgkd.methods.compose import build_method
from fgkd.models import Backbone, create_backbone
from fgkd.models.store import WeightStore
from fgkd.signals import Head, SignalShapes
from fgkd.spec import BackboneSpec, RunSpec, teacher_run
from fgkd.teacher.live import Credentials, Teacher
from fgkd.teacher.survey import TeacherSurvey
from fgkd.train.engine import Engine
from fgkd.train.learner import Belongings


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
            spec, num_classes=self.num_classes, view_size=view_size, weights_folder=self.weights_folder
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


def shapes_of(network: nn.Module, backbone: Backbone) -> SignalShapes:
    """Shapes of the signals of a network that a method may have reshaped."""
    shapes = getattr(network, "shapes", None)
    return shapes if isinstance(shapes, SignalShapes) else backbone.shapes


def head_of(network: nn.Module) -> Head | None:
    """The linear classifier of a network, None where it has none."""
    head = getattr(network, "head", None)
    return head() if callable(head) else None


def given_head(run: RunSpec, workshop: Workshop) -> Head | None:
    """SH-KD: the classifier of the run that `run` takes its head from."""
    if run.head_from is None:
        return None
    source = workshop.backbone(run.head_from.student.model_copy(update={"weights": "none"}), run.feed.view.size)
    source.load_state_dict(workshop.store.state(run.head_from.run_id))
    return source.head().detached()


def assemble(run: RunSpec, workshop: Workshop, teacher: Teacher | None, survey: TeacherSurvey | None = None) -> Belongings:
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
    network = method.reshape_student(backbone, setting).to(device)
    if backbone.prefers_channels_last:
        network = network.to(memory_format=torch.channels_last)
    objective = method.build(replace(setting, student=shapes_of(network, backbone))).to(device)
    return Belongings(network, objective, method.student_needs, backbone.input)


def open_teacher(
    run: RunSpec, workshop: Workshop, credentials: Callable[[Teacher], Credentials]
) -> Teacher:
    """The teacher of `run`'s feed, with the weights that its own run left, or those that its spec names.

    Args:
        credentials: called with the teacher where no run of ours has measured it.
    """
    spec = run.feed.teacher
    assert spec is not None
    trained = teacher_run(run.feed)
    method: Method | None = build_method(trained.method) if trained else None
    backbone_spec = spec.backbone.model_copy(update={"weights": "none"}) if trained else spec.backbone
    backbone = workshop.backbone(backbone_spec, run.feed.view.size)
    network: nn.Module = backbone
    if trained and method:
        network = method.reshape_student(backbone, workshop.setting(backbone.shapes, None, given_head(trained, workshop)))
        network.load_state_dict(workshop.store.state(trained.run_id))
    teacher = Teacher(
        network,
        sight=backbone.input,
        shapes=shapes_of(network, backbone),
        head=head_of(network),
        credentials=Credentials(spec.name, trained.run_id if trained else None, "", 0.0),
        device=workshop.engine.device,
        autocast=workshop.engine.autocast,
    )
    facts = workshop.store.facts(trained.run_id) if trained else None
    teacher.credentials = credentials(teacher) if facts is None else _remembered(spec.name, facts)
    return teacher


def _remembered(name: str, facts: dict) -> Credentials:
    return Credentials(name, facts["run_id"], facts["weights_hash"], facts["holdout_top1"], facts["test_top1"])
