"""A teacher, data and learners as a suite would have them, without its files: for the speed benchmarks."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from measuring import Row, parser, screen, show
from torch import nn

from fgkd.data import EvalLoader, ImageData, TrainLoader, open_dataset, problems
from fgkd.methods.compose import method_spec
from fgkd.models import weights_hash
from fgkd.models.eyes import Eyes
from fgkd.models.reshaped import head_of
from fgkd.models.store import WeightStore
from fgkd.signals import Batch, Lesson, Needs, Progress
from fgkd.spec import BackboneSpec, DatasetSpec, Feed, Recipe, RunSpec, TeacherSpec, ViewSpec
from fgkd.teacher.live import Credentials, Teacher
from fgkd.train.assemble import Workshop, assemble
from fgkd.train.cohort import Cohort, Loaders
from fgkd.train.engine import Engine
from fgkd.train.learner import Learner
from fgkd.train.optim import make_optimizer

METHODS: list[object] = [
    "kd",
    "scratch",
    "th_kd",
    "dkd",
    "dist",
    "crd",
    "kd+crd",
    {"method": "th_kd", "form": "paper", "name": "th_kd_paper"},
]
DRAWN, REAL = "synthetic_birds", "cub50"
RECIPE = Recipe(lr=0.01)
START = Progress(0, 1000, 100)


def add_flags(made: argparse.ArgumentParser) -> None:
    """What is taught, to whom, on what."""
    made.add_argument("--data-root", type=Path, default=Path(os.environ.get("FGKD_DATA", "data")))
    made.add_argument("--dataset", help=f"default: {REAL} where it lies in the data root, else {DRAWN}")
    made.add_argument("--teacher", default="mobilenetv2_100")
    made.add_argument("--student", default="mobilenetv3_small_050")
    made.add_argument("--size", type=int, default=128)
    made.add_argument("--batch-size", type=int, default=32)
    made.add_argument("--steps", type=int, default=4, help="per measurement")
    made.add_argument("--workers", type=int, default=0)
    made.add_argument("--precision", choices=("no", "bf16"), default="no")


def make_small(args: argparse.Namespace) -> None:
    """Settings of ``--quick``."""
    args.teacher, args.student, args.size, args.batch_size, args.steps = "test_resnet", "test_efficientnet", 32, 8, 2


def per_student(about: str | None, row: Callable[[Classroom], Row], learners: int | None = None) -> None:
    """The whole of a benchmark that has one row for each student.

    Args:
        about: its docstring.
        row: measures one student.
        learners: of each side, unless ``--learners`` says otherwise; None: one that learns from labels alone.
    """
    made = parser(about)
    add_flags(made)
    made.add_argument("--students", type=lambda text: text.split(","), help="default: that of --student")
    if learners is not None:
        made.add_argument("--learners", type=int, default=learners, help="of each side (default: %(default)s)")
    args, console = made.parse_args(), screen()
    if args.quick:
        make_small(args)
    rows = []
    for student in args.students or [args.student]:
        with TemporaryDirectory() as cache:
            rows.append(row(Classroom(argparse.Namespace(**{**vars(args), "student": student}), Path(cache))))
    who = "one learner (scratch)" if learners is None else f"{args.learners} learners"
    show(f"{who}, {args.size} px, batch {args.batch_size}", rows, console, args.csv)


def opened(args: argparse.Namespace, cache: Path) -> ImageData:
    """The data set asked for; a real one where it is at hand."""
    name = args.dataset or (DRAWN if args.quick or problems(DatasetSpec(name=REAL), args.data_root) else REAL)
    return open_dataset(DatasetSpec(name=name), args.data_root, cache=cache)


class Classroom:
    """What all sides of a benchmark share.

    Args:
        args: see `add_flags`.
        cache: an empty folder.
    """

    def __init__(self, args: argparse.Namespace, cache: Path) -> None:
        self.args, self.engine = args, Engine(args.precision)
        self.data = opened(args, cache)
        self.feed = Feed(
            dataset=self.data.name,
            view=ViewSpec(size=args.size),
            teacher=TeacherSpec(backbone=BackboneSpec(name=args.teacher)),
            batch_size=args.batch_size,
            epochs=START.epochs,
            precision=args.precision,
        )
        targets = torch.as_tensor(self.data.train.targets, device=self.engine.device)
        self.workshop = Workshop(self.data.num_classes, targets, self.engine, WeightStore(cache / "weights"))
        network = self.workshop.backbone(BackboneSpec(name=args.teacher), args.size)
        self.teacher = Teacher(
            network,
            sight=network.input,
            shapes=network.shapes,
            head=head_of(network),
            credentials=Credentials(args.teacher, None, weights_hash(network), 1.0),
            device=self.engine.device,
            autocast=self.engine.autocast,
        )

    def specs(self, count: int) -> list[RunSpec]:
        """Runs of `METHODS` in turn; beyond the last method with another seed."""
        return [
            RunSpec(
                feed=self.feed,
                student=self.args.student,
                method=method_spec(METHODS[number % len(METHODS)]),  # type: ignore[arg-type]
                recipe=RECIPE,
                seed=number // len(METHODS),
            )
            for number in range(count)
        ]

    def alone(self) -> list[RunSpec]:
        """The run that learns from labels alone."""
        return [spec for spec in self.specs(len(METHODS)) if spec.method.label == "scratch"]

    def loader(self) -> TrainLoader:
        """The training split."""
        return TrainLoader(
            self.data.train,
            self.feed.view,
            batch_size=self.feed.batch_size,
            data_seed=0,
            workers=self.args.workers,
            pin_memory=self.engine.device.type == "cuda",
        )

    def batches(self) -> Iterator[Batch]:
        """Training batches without end."""
        loader, epoch = self.loader(), 0
        while True:
            yield from loader.epoch(epoch)
            epoch += 1

    def learner(self, spec: RunSpec) -> Learner:
        """A learner as the runner makes it."""
        return Learner(
            spec,
            lambda: assemble(spec, self.workshop, self.teacher),
            prepare=self.engine.prepare,
            replay=self.engine.replay if self.engine.replays else None,
            device=self.engine.device,
            epochs=START.epochs,
            steps_per_epoch=START.steps_per_epoch,
        )

    def cohort(self, specs: Sequence[RunSpec]) -> Cohort:
        """Learners that share their lessons."""
        holdout = EvalLoader(self.data.holdout, self.feed.view, batch_size=self.feed.batch_size)
        learners = [self.learner(spec) for spec in specs]
        return Cohort(self.feed, learners, self.teacher, Loaders(self.loader(), holdout, holdout), self.engine)

    def lesson(self, batch: Batch, needs: Needs) -> tuple[Eyes, Lesson]:
        """Tensors already there: the batch on the device, seen by the teacher, with its word on it."""
        batch = self.engine.to_device(batch)
        eyes = Eyes(batch.image)
        return eyes, Lesson(batch, self.teacher.signals(eyes, needs), START)


@dataclass
class Bare:
    """One student's step by hand: forward, its method's loss, backward, update; tensors already there."""

    room: Classroom
    spec: RunSpec

    def __post_init__(self) -> None:
        """Build it as a learner is built."""
        self.parts = assemble(self.spec, self.room.workshop, self.room.teacher)
        self.parts.network.train()
        self.optimizer = make_optimizer(self.parts.network, self.parts.objective, self.spec.recipe)

    def step(self, eyes: Eyes, lesson: Lesson) -> None:
        """Learn from a lesson."""
        parts = self.parts
        with self.room.engine.autocast():
            signals = parts.network(eyes.seen_by(parts.sight), parts.needs)
            terms = parts.objective(signals, lesson)
        torch.stack([*terms.values()]).sum().backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def timm_step(room: Classroom) -> Callable[[Batch], None]:
    """A step of `timm.task.LogitDistillationTask` as its documentation shows it, fed with normalised images."""
    from timm.task import LogitDistillationTask

    device = room.engine.device
    student = room.workshop.backbone(BackboneSpec(name=room.args.student), room.args.size)
    net = student.net.to(device, memory_format=torch.channels_last).train()
    task = LogitDistillationTask(
        student_model=net,
        teacher_model=room.teacher.network.net,  # type: ignore[arg-type, union-attr]
        criterion=nn.CrossEntropyLoss(),
        task_loss_weight=0.3,
        temperature=4.0,
        device=device,
        verbose=False,
    )
    task.train()
    optimizer = make_optimizer(net, nn.Identity(), RECIPE)

    def step(batch: Batch) -> None:
        batch = room.engine.to_device(batch)
        image = Eyes(batch.image).seen_by(student.input)
        with room.engine.autocast():
            output = task(image, batch.target)
        output["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
