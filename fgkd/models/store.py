"""Trained weights on disk, by run id: what a teacher, a frozen head or an export is read from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fgkd.files import write_text
from fgkd.models.weights import read_weights, save_weights


class WeightStore:
    """A folder of ``<run_id>/model.safetensors`` with ``manifest.json`` beside it, written last.

    A folder without a manifest is a broken write and counts as absent.

    Args:
        folder: created when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, run_id: str) -> bool:
        """Whether whole weights of this run are here."""
        return (self.folder / run_id / "manifest.json").exists()

    def __contains__(self, run_id: object) -> bool:
        return isinstance(run_id, str) and self.has(run_id)

    def facts(self, run_id: str) -> dict[str, Any]:
        """What was written beside the weights."""
        return json.loads((self.folder / run_id / "manifest.json").read_text(encoding="utf-8"))

    def state(self, run_id: str) -> dict[str, Tensor]:
        """The state dict, on the CPU."""
        return read_weights(self.folder / run_id / "model.safetensors")

    def save(self, run_id: str, network: nn.Module, facts: Mapping[str, Any]) -> None:
        """Write the network's state dict and the facts; each file beside its place and renamed, the manifest last."""
        place = self.folder / run_id
        # a manifest of other weights must not stand beside these, not even for a moment
        (place / "manifest.json").unlink(missing_ok=True)
        save_weights(network, place / "model.safetensors")
        write_text(place / "manifest.json", json.dumps(dict(facts), indent=2, sort_keys=True) + "\n")
