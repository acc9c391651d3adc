"""A classroom with fixed views: real pictures in files, a real loader, tiny networks, a teacher that knows nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from fgkd.data import ImageData, TrainLoader, ViewLoader
from fgkd.data.split import as_split
from fgkd.methods.compose import method_spec
from fgkd.models import weights_hash
from fgkd.models.reshaped import head_of
from fgkd.models.store import WeightStore
from fgkd.signals import Needs
from fgkd.spec import BackboneSpec, DatasetSpec, Feed, Recipe, RunSpec, TeacherSpec, ViewSpec
from fgkd.teacher.bank import Bank, BankKey, Replay, SteadyTeacher, build
from fgkd.teacher.live import Credentials, Teacher
from fgkd.train.assemble import Workshop, assemble
from fgkd.train.cohort import Cohort, Loaders
from fgkd.train.engine import Engine
from fgkd.train.learner import Learner

CLASSES, IMAGES, SIZE = 3, 41, 32


def draw(path: Path, seed: int) -> Path:
    """A soft random picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(coarse, (52, 40), interpolation=cv2.INTER_CUBIC))
    return path


def image_data(folder: Path, images: int = IMAGES) -> ImageData:
    """Pictures in three classes, of which a few are the hold-out and the test split too."""
    rows = [(draw(folder / f"{i:02d}.png", i), i % CLASSES) for i in range(images)]
    train, rest = as_split("train", rows), as_split("holdout", rows[:6])
    counts = {"train": images, "holdout": 6, "test": 6}
    names = tuple("abc")
    return ImageData("drawn", "default", names, train, rest, replace(rest, name="test"), "0" * 12, counts)


def feed(**changes: object) -> Feed:
    """A feed with two fixed views, whose teacher looks at smaller squares than the loader makes."""
    told = {
        "dataset": DatasetSpec(name="synthetic_birds"),
        "view": ViewSpec(size=SIZE),
        "teacher": TeacherSpec(backbone=BackboneSpec(name="test_resnet", size=24)),
        "batch_size": 12,
        "epochs": 3,
        "bank": 2,
        "bank_precision": "fp32",
    }
    return Feed.model_validate(told | changes)


class Room:
    """Trains runs of one feed, served by a bank or live.

    Args:
        folder: of pictures and caches.
        feed: with a bank.
        data: other pictures than those that are drawn.
    """

    def __init__(self, folder: Path, feed: Feed, data: ImageData | None = None) -> None:
        self.cache, self.feed, self.engine = folder / "cache", feed, Engine()
        self.data = data or image_data(folder / "pictures")
        assert feed.teacher is not None
        targets = torch.as_tensor(self.data.train.targets)
        self.workshop = Workshop(CLASSES, targets, self.engine, WeightStore(folder / "weights"))
        torch.manual_seed(7)
        network = self.workshop.backbone(feed.teacher.backbone, SIZE)
        self.plain = Teacher(
            network,
            sight=network.input,
            shapes=network.shapes,
            head=head_of(network),
            credentials=Credentials("teacher", None, weights_hash(network), 0.5),
            device=self.engine.device,
        )
        self.steady = SteadyTeacher(self.plain, feed.bank_precision)

    @property
    def key(self) -> BankKey:
        return BankKey.of(self.feed, self.data, self.plain)

    def views(self) -> ViewLoader:
        return ViewLoader(self.data.train, self.feed.view, data_seed=self.feed.data_seed)

    def bank(self) -> Bank:
        """Opened or built."""
        return build(self.key, self.steady, self.views(), self.cache)

    def lessons(self) -> TrainLoader:
        return TrainLoader(
            self.data.train,
            self.feed.view,
            batch_size=self.feed.batch_size,
            data_seed=self.feed.data_seed,
            bank=self.feed.bank,
            sampler=self.feed.sampler,
        )

    def run(self, method: object, student: str = "test_efficientnet") -> RunSpec:
        return RunSpec(feed=self.feed, student=student, method=method_spec(method), recipe=Recipe(lr=0.05))  # type: ignore[arg-type]

    def train(self, specs: list[RunSpec], teacher: Teacher, bank: Bank | None = None) -> dict[str, str]:
        """Method -> hash of all that was learnt; from `bank`, else from `teacher` live."""
        lessons = self.lessons()
        learners = [
            Learner(
                spec,
                lambda spec=spec: assemble(spec, self.workshop, teacher),  # type: ignore[misc]
                prepare=self.engine.prepare,
                device=self.engine.device,
                epochs=self.feed.epochs,
                steps_per_epoch=lessons.steps_per_epoch,
            )
            for spec in specs
        ]
        needs = Needs(logits=True, pooled=True, head=True)
        served = lessons if bank is None else Replay(lessons, bank, needs, head=teacher.head)
        cohort = Cohort(self.feed, learners, teacher, Loaders(served, [], []), self.engine)
        for epoch in range(self.feed.epochs):
            cohort.train_epoch(epoch)
        assert [learner.status for learner in learners] == ["ok"] * len(learners)
        return {x.spec.method.label: weights_hash(x.network) + weights_hash(x.objective) for x in learners}
