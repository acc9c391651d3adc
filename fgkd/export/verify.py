"""Load an export as a stranger would, and measure it on the test split as the record did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fgkd.data import EvalLoader, ImageData, open_dataset
from fgkd.errors import UserError
from fgkd.export.manifest import Manifest, read_manifest
from fgkd.export.onnx_file import NAME as ONNX_NAME
from fgkd.export.onnx_file import OnnxNetwork
from fgkd.export.student import load_student, timm_network
from fgkd.metrics import summarise
from fgkd.models import InputSpec
from fgkd.models.eyes import Eyes
from fgkd.record import RunRecord
from fgkd.train.engine import Engine

Answer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Check:
    """One loading of an export and its top-1 (in [0, 1]), beside the record's."""

    loader: str
    top1: float
    recorded: float

    @property
    def passed(self) -> bool:
        """Equal to the last digit."""
        return self.top1 == self.recorded


def open_test(record: RunRecord, data_root: Path, cache: Path) -> ImageData:
    """The data of a record; UserError where it is not here, or not the same."""
    data = open_dataset(record.spec.feed.dataset, data_root, cache=cache)
    if record.data and data.revision != record.data.revision:
        raise UserError(
            f"data set {data.name}: expected revision {record.data.revision}, on which the run was recorded, found "
            f"{data.revision}: the images here are others"
        )
    return data


def squares(record: RunRecord, data: ImageData) -> Iterator[tuple[Tensor, Tensor]]:
    """(uint8 (B, 3, V, V), targets (B,)) of the test split, batch by batch as the run was tested."""
    feed = record.spec.feed
    for batch in EvalLoader(data.test, feed.view, batch_size=max(feed.batch_size, 64)):
        yield batch.image, batch.target


def verify(folder: Path, record: RunRecord, data: ImageData) -> list[Check]:
    """Measure every file of an export that gives answers.

    Plain timm's network (or fgkd's, where timm cannot) runs on the device and in the precision at hand for that
    record; the ONNX file, if there is one, in onnxruntime on the CPU.
    """
    manifest, engine = read_manifest(folder), Engine(record.spec.feed.precision)
    recorded = record.metric("top1")
    if recorded is None:
        raise UserError(f"run {record.run_id}: its record has no top-1 to compare with")
    answers = {("timm" if manifest.kind == "timm" else "fgkd"): _on_device(folder, manifest, engine)}
    if (folder / ONNX_NAME).is_file():
        answers["onnxruntime"] = OnnxNetwork(folder / ONNX_NAME)
    logits: dict[str, list[Tensor]] = {name: [] for name in answers}
    sight, targets = _stated_input(folder, manifest), []
    for square, target in squares(record, data):
        image = Eyes(square.to(engine.device), manifest.spec.feed.view.crop_pct).seen_by(sight)
        targets.append(target)
        for name, answer in answers.items():
            logits[name].append(answer(image).float().cpu())
    top1 = {name: summarise(torch.cat(parts), torch.cat(targets))["top1"] for name, parts in logits.items()}
    return [Check(name, value, recorded) for name, value in top1.items()]


def _on_device(folder: Path, manifest: Manifest, engine: Engine) -> Answer:
    network = timm_network(folder) if manifest.kind == "timm" else load_student(folder)
    network = network.to(engine.device)

    @torch.no_grad()
    def answer(image: Tensor) -> Tensor:
        with engine.autocast():
            return network(image)

    return answer


def _other_crop(stated: Mapping[str, Any], manifest: Manifest) -> str:
    """How timm would cut pictures otherwise than was measured; empty where it would not."""
    view = manifest.spec.feed.view
    crop_pct = min(view.crop_pct, manifest.input.crop_pct or view.crop_pct)
    measured = {"crop_mode": "center", "crop_pct": crop_pct, "interpolation": view.interpolation}
    wrong = [f"{key} {value}, found {stated.get(key)}" for key, value in measured.items() if stated.get(key) != value]
    return f"expected {'; '.join(wrong)}" if wrong else ""


def _stated_input(folder: Path, manifest: Manifest) -> InputSpec:
    """What the export itself says of its input, ``config.json`` where there is one."""
    if manifest.kind != "timm":
        return manifest.input
    stated: Any = timm_network(folder).pretrained_cfg
    if strange := _other_crop(stated, manifest):
        raise UserError(f"{folder / 'config.json'}: {strange}; export the run again")
    return replace(manifest.input, size=stated["input_size"][-1], mean=tuple(stated["mean"]), std=tuple(stated["std"]))
