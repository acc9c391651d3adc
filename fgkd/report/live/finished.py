"""The records of a suite as they come in, each file read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from fgkd.record import recorded_ids


@dataclass(frozen=True)
class Finished:
    """What is shown of a record: `score` is test top-1, or recall@1 where that is ranked by, in [0, 1]."""

    run_id: str
    status: str
    score: float | None
    written: float


class FinishedRuns:
    """Follows a folder of records.

    Args:
        folder: ``results/<suite>/records``; it may not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[int, Finished]] = {}

    def refresh(self) -> list[Finished]:
        """Every recorded run, the last written first; a record that was replaced is read again."""
        known = {}
        for run_id in recorded_ids(self.folder):
            path = self.folder / f"{run_id}.json"
            try:
                stamp = path.stat().st_mtime_ns
                before = self._known.get(run_id)
                fresh = before is None or before[0] != stamp
                known[run_id] = (stamp, _finished(path, stamp)) if fresh or before is None else before
            except (OSError, ValueError, OverflowError):  # removed, or not a record: the board names it
                continue
        self._known = known
        return sorted((run for _, run in known.values()), key=lambda run: (-run.written, run.run_id))


def _finished(path: Path, stamp: int) -> Finished:
    fields = from_json(path.read_bytes())
    if not isinstance(fields, dict):
        raise ValueError("not a record")
    tested = _mapping(_mapping(fields.get("metrics")).get("test_last"))
    score = tested.get("top1", tested.get("recall_at_1"))
    status = str(fields.get("status", "unknown"))
    return Finished(path.stem, status, float(score) if isinstance(score, int | float) else None, stamp / 1e9)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
