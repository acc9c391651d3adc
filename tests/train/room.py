"""A small classroom for the trainer's tests: random images, real timm networks, a teacher that knows nothing much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from fgkd.methods.compose import method_spec
from fgkd.models import weights_hash
from fgkd.models.reshaped import head_of
from fgkd.models.store import WeightStore
from fgkd.signals import Batch
from fgkd.spec import BackboneSpec, DatasetSpec, Feed, Recipe, RunSpec, TeacherSpec, ViewSpec
from fgkd.teacher.live import Credentials, Teacher
from fgkd.train.assemble import Workshop, assemble
from fgkd.train.cohort import Cohort, Loaders
from fgkd.train.engine import Engine
from fgkd.train.learner import Learner

CLASSES, SIZE, TRAIN, BATCH, EPOCHS = 5, 32, 40, 8, 2


class Lessons:
    """A training loader over random images that counts how often it is asked for a batch."""

    def __init__(self, seed: int = 0) -> None:
        draw = np.random.default_rng(seed)
        self.images = torch.from_numpy(draw.integers(0, 256, (TRAIN, 3, SIZE, SIZE), dtype=np.uint8))
        self.targets = torch.arange(TRAIN) % CLASSES
        self.steps_per_epoch, self.loads = TRAIN // BATCH, 0

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        order = torch.from_numpy(np.random.default_rng(epoch).permutation(TRAIN))
        for step in range(start, self.steps_per_epoch):
            rows = order[step * BATCH : (step + 1) * BATCH]
            self.loads += 1
            yield Batch(self.images[rows], self.targets[rows], rows, epoch, 0, BATCH)


def exam(lessons: Lessons) -> list[Batch]:
    """All images in order, in batches that do not divide them."""
    rows = torch.arange(TRAIN).split(12)
    return [Batch(lessons.images[r], lessons.targets[r], r) for r in rows]


def feed(teacher: str | None = "test_vit2") -> Feed:
    return Feed(
        dataset=DatasetSpec(name="synthetic_birds"),
        view=ViewSpec(size=SIZE),
        teacher=TeacherSpec(backbone=BackboneSpec(name=teacher)) if teacher else None,
        batch_size=BATCH,
        epochs=EPOCHS,
    )


def run(method: str | dict = "kd", student: str = "test_efficientnet", seed: int = 0, **recipe: object) -> RunSpec:
    settings = {"lr": 0.05, "warmup_epochs": 0.5} | recipe
    spec = method_spec(method)
    alone = all(part.name in ("scratch", "label_smoothing") for part in spec.parts)
    return RunSpec(
        feed=feed(None) if alone else feed(), student=student, method=spec, recipe=Recipe(**settings), seed=seed
    )


class Room:
    """Runs cohorts of given runs."""

    def __init__(self, folder: Path, precision: str = "no", *, replays: bool = False) -> None:
        self.engine = Engine(precision, replays=replays)  # type: ignore[arg-type]
        self.lessons = Lessons()
        self.workshop = Workshop(CLASSES, self.lessons.targets, self.engine, WeightStore(folder))
        torch.manual_seed(7)
        network = self.workshop.backbone(BackboneSpec(name="test_vit2"), SIZE)
        self.teacher = Teacher(
            network,
            sight=network.input,
            shapes=network.shapes,
            head=head_of(network),
            credentials=Credentials("test_vit2", None, weights_hash(network), 0.5, 0.5),
            device=self.engine.device,
            autocast=self.engine.autocast,
        )

    def learner(self, spec: RunSpec) -> Learner:
        own = self.teacher if spec.feed.teacher else None
        return Learner(
            spec,
            lambda: assemble(spec, self.workshop, own),
            prepare=self.engine.prepare,
            replay=self.engine.replay if self.engine.replays else None,
            device=self.engine.device,
            epochs=EPOCHS,
            steps_per_epoch=self.lessons.steps_per_epoch,
        )

    def cohort(self, specs: Sequence[RunSpec], learners: Sequence[Learner] | None = None) -> Cohort:
        shared = next((spec.feed for spec in specs if spec.feed.teacher), specs[0].feed)
        loaders = Loaders(self.lessons, exam(self.lessons), exam(self.lessons))
        learners = [self.learner(spec) for spec in specs] if learners is None else learners
        return Cohort(shared, learners, self.teacher if shared.teacher else None, loaders, self.engine)

    def train(self, specs: Sequence[RunSpec]) -> dict[str, str]:
        """Train the runs in one cohort; run id -> hash of all that was learnt (student and objective)."""
        cohort = self.cohort(specs)
        cohort.run()
        return {x.run_id: weights_hash(x.network) + weights_hash(x.objective) for x in cohort.learners}
