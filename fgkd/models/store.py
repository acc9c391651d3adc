"""Trained weights on disk, by run id: what a teacher, a frozen head or an export is read from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fgkd.errors import UserError, near_names
from fgkd.files import write_text
from fgkd.models.origin import MANIFEST, origin_metadata
from fgkd.models.weights import read_weights, save_weights
from fgkd.spec import BackboneSpec

WEIGHTS = "model.safetensors"
RUN = "run:"  # how a spec names weights in the store


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
        return (self.folder / run_id / MANIFEST).exists()

    def __contains__(self, run_id: object) -> bool:
        return isinstance(run_id, str) and self.has(run_id)

    def facts(self, run_id: str) -> dict[str, Any]:
        """What was written beside the weights."""
        return json.loads((self.folder / run_id / MANIFEST).read_text(encoding="utf-8"))

    def state(self, run_id: str) -> dict[str, Tensor]:
        """The state dict, on the CPU."""
        return read_weights(self.folder / run_id / WEIGHTS)

    def ids(self) -> list[str]:
        """The runs whose whole weights are here."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{MANIFEST}"))

    def size(self, run_id: str) -> int:
        """Bytes of a run's weights."""
        return (self.folder / run_id / WEIGHTS).stat().st_size

    def saved_at(self, run_id: str) -> float:
        """When they were written, in seconds since 1970."""
        return (self.folder / run_id / MANIFEST).stat().st_mtime

    def resolved(self, spec: BackboneSpec) -> BackboneSpec:
        """`spec` with weights of ``run:RUN_ID`` as the path of that run's file; any other spec as it is.

        Raises:
            UserError: no weights of that run are here.
        """
        if spec.weights is None or not spec.weights.startswith(RUN):
            return spec
        run_id = spec.weights.removeprefix(RUN)
        if run_id not in self:
            near = near_names(run_id, self.ids())
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UserError(
                f"weights {spec.weights}: no weights of that run in {self.folder}{hint}; train it here, or name the "
                "cache in which it lies by --cache"
            )
        return spec.model_copy(update={"weights": str((self.folder / run_id / WEIGHTS).resolve())})

    def save(self, run_id: str, network: nn.Module, facts: Mapping[str, Any]) -> None:
        """Write the network's state dict and the facts; each file beside its place and renamed, the manifest last."""
        place = self.folder / run_id
        # a manifest of other weights must not stand beside these, not even for a moment
        (place / MANIFEST).unlink(missing_ok=True)
        save_weights(network, place / WEIGHTS, origin_metadata(facts))
        write_text(place / MANIFEST, json.dumps(dict(facts), indent=2, sort_keys=True) + "\n")
