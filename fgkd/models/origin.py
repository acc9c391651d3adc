"""What a weights file says of where it comes from: facts in its header, or in the store's manifest beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

MANIFEST = "manifest.json"  # beside the weights in the store, see `fgkd.models.store`
KEY = "fgkd"  # in the metadata of a safetensors header, whose values are text
TOLD = ("run_id", "dataset", "protocol", "revision", "class_names")


@dataclass(frozen=True)
class Origin:
    """The data that weights were trained on.

    Attributes:
        dataset, protocol, revision: as in the record of the run.
        class_names: K names in the order of the classifier's rows.
        run_id: of the run that left the weights.
    """

    dataset: str
    class_names: tuple[str, ...]
    protocol: str | None = None
    revision: str | None = None
    run_id: str | None = None


def origin_metadata(facts: Mapping[str, Any]) -> dict[str, str]:
    """What goes into the header of weights with these facts, so that a copied file still tells; nothing where no data
    set is known."""
    told = {key: facts[key] for key in TOLD if facts.get(key) is not None}
    return {KEY: json.dumps(told, sort_keys=True)} if "dataset" in told and "class_names" in told else {}


def read_origin(path: Path) -> Origin | None:
    """What a .safetensors file, or the manifest beside it, says; None for weights of other making."""
    for facts in (_in_header(path), _beside(path)):
        if "dataset" in facts and "class_names" in facts:
            told = {key: facts.get(key) for key in TOLD}
            return Origin(**{**told, "class_names": tuple(map(str, facts["class_names"]))})  # type: ignore[arg-type]
    return None


def _in_header(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="pt") as file:
            return _mapping((file.metadata() or {}).get(KEY, "{}"))
    except (SafetensorError, OSError):
        return {}


def _beside(path: Path) -> dict[str, Any]:
    try:
        return _mapping(path.with_name(MANIFEST).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return {}


def _mapping(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
