"""What a ``--rerun`` or ``--retry-failed`` has still to run again, so that the same command continues a stopped one.

Launches of the same command share the note: each strikes out what it has done.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from fgkd.files import write_text
from fgkd.runner.sharing.ledger import locked


class _Note(NamedTuple):
    """What stands in the file of a rerun that has not ended."""

    begun: str
    name: str
    left: frozenset[str]


def _read(path: Path) -> _Note | None:
    """None where there is no note, or none that can be read."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return _Note(str(note["begun"]), str(note["name"]), frozenset(map(str, note["left"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_reruns(folder: Path) -> set[str]:
    """Names of those whose notes in `folder` say that something is left."""
    notes = [_read(path) for path in [*folder.glob("rerun-*.json"), *folder.glob("retry-*.json")]]
    return {note.name for note in notes if note is not None}


class Rerun:
    """A rerun of certain runs into a certain folder of records.

    Args:
        folder: where such notes are kept.
        guard: locked while one is read and written.
        records: where the records lie.
        asked: ids of the runs that the command names.
        kind: ``rerun`` or ``retry``.
    """

    def __init__(self, folder: Path, guard: Path, records: Path, asked: Iterable[str], kind: str = "rerun") -> None:
        text = "\n".join([str(records.resolve()), *sorted(asked)])
        self.kind, self.path = kind, folder / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        self.guard, self.begun, self.name, self.left = guard, "", "", set[str]()
        self.look()

    def look(self) -> None:
        """Read what is left now; where the note has gone, somebody has done the last of it."""
        note = _read(self.path)
        if note is None:
            self.left = set()
        else:
            self.begun, self.name, self.left = note.begun, note.name, set(note.left)

    @property
    def under_way(self) -> bool:
        """Whether an earlier launch began it and did not come to its end."""
        return bool(self.left)

    def done(self, recorded: Iterable[str]) -> set[str]:
        """Those of the recorded runs that were run again already."""
        return set(recorded) - self.left if self.name else set()

    def begin(self, todo: Iterable[str]) -> None:
        """Note what has to be run again, unless that is noted."""
        with locked(self.guard):
            self.look()
            if not self.under_way:
                self.begun, self.name = datetime.now(UTC).isoformat(timespec="seconds"), uuid.uuid4().hex[:8]
                self.left = set(todo)
                self._write()

    def finish(self, run_id: str) -> None:
        """A run is recorded anew."""
        with locked(self.guard):
            self.look()
            self.left.discard(run_id)
            self._write()

    def _write(self) -> None:
        if self.left:
            note = {"begun": self.begun, "name": self.name, "left": sorted(self.left)}
            write_text(self.path, json.dumps(note, indent=1) + "\n")
        else:
            self.path.unlink(missing_ok=True)
