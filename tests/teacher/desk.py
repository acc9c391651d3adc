"""A small desk to try teachers on: coloured pictures, a suite, and the command line before it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from fgkd.cli.main import main
from fgkd.record import RunRecord, read_records
from fgkd.train.learner import Learner

SUITE = """
name: small
version: 1
datasets: [DATA]
teachers: [TEACHER]
students: [{backbone: test_efficientnet, size: 32}, {backbone: test_vit, size: 32}]
methods: [scratch, kd]
view: {size: 32, augment: light}
recipe: {lr: 0.01}
epochs: 1
batch_size: 10
"""
TRAINED = "{backbone: test_resnet, train: {epochs: 6, batch_size: 10, recipe: {lr: 0.02}}}"


class Desk:
    """A suite, its results and its cache, and the command line before them; counts the steps of training."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, output: pytest.CaptureFixture[str]) -> None:
        self.folder, self.results, self.cache = folder, folder / "results", folder / "cache"
        self.suite, self.output, self.steps = folder / "small.yaml", output, 0
        step = Learner.step

        def counted(learner: Learner, *args: object) -> None:
            self.steps += 1
            step(learner, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(Learner, "step", counted)

    def bench(self, teacher: str, *flags: str, data: Path, more: str = "") -> tuple[int, str]:
        """Exit code and all that was printed, on one line."""
        self.write(teacher, data, more)
        places = ["--results", str(self.results), "--cache", str(self.cache)]
        only = [] if "--methods" in flags else ["--methods", "kd", "--students", "test_efficientnet"]
        code = main(["bench", "--suite", str(self.suite), *places, *only, *flags])
        told = self.output.readouterr()
        return code, " ".join((told.out + told.err).split())

    def write(self, teacher: str, data: Path, more: str = "") -> None:
        """The suite's file."""
        self.suite.write_text(SUITE.replace("DATA", f"folder:{data}").replace("TEACHER", teacher) + more)

    @property
    def records(self) -> list[RunRecord]:
        return read_records(self.results / "small" / "records")[0]


def pictures(folder: Path, names: tuple[str, ...]) -> Path:
    """Each class in a colour of its own, with some noise."""
    draw = np.random.default_rng(0)
    for split, number in (("train", 24), ("test", 4)):
        for label, name in enumerate(names):
            (folder / split / name).mkdir(parents=True)
            colour = np.array([(0, 0, 255), (0, 255, 0), (255, 0, 0)][label])
            for i in range(number):
                image = np.clip(0.5 * colour + draw.integers(0, 128, (32, 32, 3)), 0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / split / name / f"{i}.png"), image)
    return folder


def weights(path: Path, classes: int) -> Path:
    """Weights of other making, with a classifier that was never trained."""
    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet", num_classes=classes).state_dict(), path)
    return path
