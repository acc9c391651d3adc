"""A small suite, trained once: every way in which a method deploys more than the student, and two that do not."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from fgkd.cli.main import main
from fgkd.data import ImageData
from fgkd.export.choice import Chosen
from fgkd.export.deployed import Deployed, open_deployed
from fgkd.export.onnx_file import LIBRARIES
from fgkd.export.verify import open_test, squares
from fgkd.models.store import WeightStore
from fgkd.record import read_record

NOTE = "the pictures | are <b>drawn</b>"
# by the method's name; what folds into plain timm, and what does not
FOLDED = {
    "copy_head": {"method": "copy_head"},
    "frozen_head": {"method": "frozen_head", "projector": "orthogonal"},
    "copy_head/conv_bn": {"method": "copy_head+kd", "copy_head": {"projector": "conv_bn"}, "name": "copy_bn"},
}
KEPT = {
    "simkd": {"method": "simkd"},
    "letkd": {"method": "letkd", "clusters": 8, "sub_classes": 2, "discriminants": 4},
    "th_kd": {"method": "th_kd", "inference_weight": 0.5},
    "copy_head/relu": {"method": "copy_head", "projector": "conv_bn_relu", "name": "copy_relu"},
}
LABELS = {"copy_head/conv_bn": "copy_bn", "copy_head/relu": "copy_relu"}
SUITE = {
    "name": "small",
    "version": 1,
    "notes": [NOTE],
    "datasets": [{"name": "synthetic_birds", "protocol": "tiny"}],
    "teachers": [
        {
            "backbone": "test_resnet",
            "size": 32,
            "gate": 0.0,
            "train": {"epochs": 1, "batch_size": 30, "recipe": {"lr": 0.01}},
        }
    ],
    "students": [{"backbone": "test_efficientnet", "size": 32}],
    "methods": ["scratch", "kd", *FOLDED.values(), *KEPT.values()],
    "view": {"size": 48, "augment": "light"},
    "recipe": {"lr": 0.05},
    "epochs": 1,
    "batch_size": 85,
    "seeds": [0, 1],
}


@dataclass(frozen=True)
class Study:
    """The suite's results and cache."""

    results: Path
    cache: Path

    @property
    def store(self) -> WeightStore:
        return WeightStore(self.cache / "weights")

    @property
    def records(self) -> Path:
        return self.results / "small" / "records"

    def chosen(self, label: str) -> Chosen:
        """The run of that method, or of the teacher."""
        (path, *_) = sorted(self.records.glob(f"{label}-*.json"))
        return Chosen(read_record(path), self.records)

    def deployed(self, label: str) -> Deployed:
        return open_deployed(self.chosen(label), self.store)

    def data(self, label: str) -> ImageData:
        return open_test(self.chosen(label).record, Path("data"), self.cache)

    def images(self, label: str) -> tuple[Tensor, Tensor]:
        """The test split's squares, uint8 (N, 3, 48, 48), and targets (N,)."""
        pixels, targets = zip(*squares(self.chosen(label).record, self.data(label)), strict=True)
        return torch.cat(pixels), torch.cat(targets)

    def export(self, label: str, *flags: str) -> int:
        """``fgkd export`` of the run of that method."""
        places = ["--results", str(self.results), "--cache", str(self.cache)]
        return main(["export", self.chosen(label).record.run_id, *places, *flags])


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Trained once for all tests of exports, which must not change it."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "small.yaml").write_text(yaml.safe_dump(SUITE))
    made = Study(folder / "results", folder / "cache")
    flags = ["--suite", str(folder / "small.yaml"), "--results", str(made.results), "--cache", str(made.cache)]
    assert main(["bench", *flags, "--seeds", "0"]) == 0
    assert main(["bench", *flags, "--seeds", "1", "--methods", "kd"]) == 0
    return made


@pytest.fixture(scope="session")
def kept(study: Study, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """By label: the export of every run that timm cannot load, verified, and what was printed."""
    for name in LIBRARIES:
        pytest.importorskip(name)
    found, parent = {}, tmp_path_factory.mktemp("kept")
    for name in KEPT:
        label, told = LABELS.get(name, name), io.StringIO()
        with redirect_stdout(told):
            assert study.export(label, "--to", str(parent / label), "--verify") == 0
        found[label] = (parent / label, told.getvalue())
    return found


@pytest.fixture
def noise() -> Callable[[int], Tensor]:
    """Normalised images (B, 3, 32, 32) of noise."""
    return lambda number: torch.from_numpy(np.random.default_rng(0).normal(size=(number, 3, 32, 32)).astype(np.float32))
