"""Write an export: all that a run left, as files that others can use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from timm.models import save_for_hf
from torch import Tensor, nn

from fgkd.errors import UserError
from fgkd.export import onnx_file
from fgkd.export.card import model_card
from fgkd.export.choice import Chosen
from fgkd.export.deployed import Deployed, open_deployed
from fgkd.export.manifest import NAME, is_export, public_name
from fgkd.export.placing import placed
from fgkd.export.rebuild import Logits
from fgkd.export.student import WEIGHTS
from fgkd.files import write_text
from fgkd.models import save_weights
from fgkd.models.eyes import Eyes
from fgkd.models.origin import origin_metadata
from fgkd.models.store import WeightStore
from fgkd.report.sheet import one_line

OURS = {NAME, "README.md", "labels.txt", "config.json", *WEIGHTS.values(), onnx_file.NAME, f"{onnx_file.NAME}.data"}


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        deployed: what it holds.
        difference: between torch and ONNX as a share of the largest logit; None without an ONNX file.
        onnx_problem: why there is none though it was tried; empty otherwise.
    """

    folder: Path
    deployed: Deployed
    difference: float | None
    onnx_problem: str = ""


def export_run(
    chosen: Chosen, to: Path, store: WeightStore, *, onnx: bool = False, images: Sequence[Tensor] = ()
) -> Exported:
    """Write the folder of one recorded run; what the method deploys beyond timm is folded, or goes out as ONNX.

    Args:
        chosen: the run.
        to: the folder; it must not exist, be empty, or be an earlier export.
        store: where the weights are.
        onnx: whether to write ``model.onnx`` too; where timm cannot load the network it is also written unasked, if
            the libraries for it are here.
        images: uint8 (B, 3, V, V) squares of the test split on which torch and ONNX are compared too.

    Raises:
        UserError: the folder is somebody's, the weights are not the record's, or something cannot be written.
    """
    check_target(to)
    if onnx:
        onnx_file.require_onnx()
    deployed = open_deployed(chosen, store)
    unasked = not onnx and deployed.plain is None and not onnx_file.missing_libraries()
    difference, problem = None, ""
    with placed(to, OURS) as stage:
        write_network(deployed, stage)
        if onnx or unasked:
            try:
                difference = write_onnx(deployed, stage, images)
            except UserError as error:
                if not unasked:
                    raise
                (stage / onnx_file.NAME).unlink(missing_ok=True)
                problem = str(error)
        write_text(stage / "labels.txt", "".join(f"{one_line(name)}\n" for name in deployed.class_names))
        card = model_card(deployed, chosen.companions(), onnx=difference is not None, difference=difference)
        write_text(stage / "README.md", card)
        write_text(stage / NAME, deployed.manifest().model_dump_json(indent=2) + "\n")
    return Exported(to, deployed, difference, problem)


def check_target(to: Path) -> None:
    """UserError where `to` holds anything that this package did not write."""
    if not to.exists():
        return
    if not to.is_dir():
        raise UserError(f"{to}: expected a folder to export to, found a file")
    there = {path.name for path in to.iterdir()}
    foreign = sorted(there - OURS) if is_export(to) else sorted(there)
    if foreign:
        raise UserError(
            f"{to}: holds {', '.join(foreign[:3])}{' and more' if len(foreign) > 3 else ''}, which no export wrote; "
            "choose an empty or a new folder"
        )


def write_network(deployed: Deployed, folder: Path) -> None:
    """``config.json`` and ``model.safetensors`` by timm's hand, or the weights of a network that only fgkd builds.

    The header of the weights tells what they were trained on, so that they are not taken for a teacher of other data.
    """
    if deployed.plain is None:
        save_weights(deployed.network, folder / WEIGHTS["network"], origin_of(deployed))
        return
    save_for_hf(deployed.plain, str(folder), safe_serialization=True, **timm_description(deployed))
    save_weights(deployed.plain, folder / WEIGHTS["timm"], {"format": "pt", **origin_of(deployed)})


def origin_of(deployed: Deployed) -> dict[str, str]:
    """The header's facts, without paths of this machine; see `fgkd.models.origin`."""
    record = deployed.record
    data = record.data
    return origin_metadata(
        {
            "run_id": record.run_id,
            "dataset": public_name(record.spec.feed.dataset.name),
            "protocol": data.protocol if data else None,
            "revision": data.revision if data else None,
            "class_names": deployed.class_names,
        }
    )


def timm_description(deployed: Deployed) -> dict[str, Any]:
    """What timm is told about the network: ``model_config`` and ``data_config`` of `timm.models.save_for_hf`."""
    sight, view, record = deployed.sight, deployed.record.spec.feed.view, deployed.record
    dataset = public_name(record.spec.feed.dataset.name)
    about = {
        "tag": record.run_id,
        "description": f"{record.spec.method.label} on {dataset}, fgkd run {record.run_id}",
        # the origin's, which are not those of what was made of it
        **dict.fromkeys(("license", "origin_url", "paper_name", "paper_ids", "notes", "label_descriptions")),
    }
    data = {
        "input_size": (3, sight.size, sight.size),
        "mean": sight.mean,
        "std": sight.std,
        "interpolation": view.interpolation,
        "crop_pct": deployed.crop_pct,
        "crop_mode": "center",  # whatever the weights that it started from were shown
    }
    return {"model_config": {"label_names": list(deployed.class_names), "pretrained_cfg": about}, "data_config": data}


def write_onnx(deployed: Deployed, folder: Path, squares: Sequence[Tensor] = ()) -> float:
    """Write ``model.onnx`` and compare it with the evaluated network on noise and on real squares; the difference."""
    path, size = folder / onnx_file.NAME, deployed.sight.size
    onnx_file.write_onnx(deployed.callable, size, path)
    draw = torch.Generator().manual_seed(0)
    noise = [torch.randn(number, 3, size, size, generator=draw) for number in (1, 2, 5)]
    real = [Eyes(square, deployed.record.spec.feed.view.crop_pct).seen_by(deployed.sight) for square in squares]
    evaluated: nn.Module = Logits(deployed.network).eval()
    return onnx_file.compare(evaluated, onnx_file.OnnxNetwork(path), [*noise, *real])
