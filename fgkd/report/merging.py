"""Records of several machines in one folder: merging is dropping files, and what that can go wrong with is named."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fgkd.record import record_bytes


def with_duplicates(folder: Path, problems: Iterable[str]) -> list[str]:
    """`problems` of a folder of records, where copies of a record are told as such, and folders within are named.

    Args:
        folder: of one suite's records.
        problems: one line per file that is not a record, beginning with the file's name and a colon.
    """
    told = [_duplicate(folder, line) or line for line in problems]
    strays = [
        path.name for path in sorted(folder.glob("*/")) if not path.name.startswith(".") and any(path.rglob("*.json"))
    ]
    return told + [f"{name}: a folder, which is not read; move its records up into {folder.name}" for name in strays]


def _duplicate(folder: Path, line: str) -> str | None:
    """What to say of a file that holds a run which is recorded under its own name too; None for any other."""
    name = line.split(":", maxsplit=1)[0]
    ours = _fields(folder / name)
    run_id = str(ours.get("run_id", ""))
    theirs = folder / f"{run_id}.json"
    if not ours or theirs.name == name or theirs not in folder.glob("*.json"):
        return None
    other = _fields(theirs)
    differing = sorted(key for key in {*ours, *other} if ours.get(key) != other.get(key))
    if not differing:
        return f"{name}: a copy of {theirs.name}; remove it"
    return f"{name}: run {run_id} once more, with other content than {theirs.name} ({', '.join(differing)}); keep one"


def _fields(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(record_bytes(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
