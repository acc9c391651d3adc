"""What a ``--rerun`` has still to run again, so that the same command continues one that was stopped."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from fgkd.files import write_text


class Rerun:
    """A rerun of certain runs into a certain folder of records.

    Args:
        folder: where such notes are kept.
        records: where the records lie.
        asked: ids of the runs that the command names.
    """

    def __init__(self, folder: Path, records: Path, asked: Iterable[str]) -> None:
        text = "\n".join([str(records.resolve()), *sorted(asked)])
        self.path = folder / f"rerun-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        try:
            note = json.loads(self.path.read_text(encoding="utf-8"))
            self.begun, self.name, self.left = str(note["begun"]), str(note["name"]), set(map(str, note["left"]))
        except (OSError, ValueError, KeyError, TypeError):
            self.begun, self.name, self.left = "", "", set()

    @property
    def under_way(self) -> bool:
        """Whether an earlier launch began it and did not come to its end."""
        return bool(self.left)

    def done(self, recorded: Iterable[str]) -> set[str]:
        """Those of the recorded runs that were run again already."""
        return set(recorded) - self.left if self.name else set()

    def begin(self, todo: Iterable[str]) -> None:
        """Note what has to be run again, unless that is noted."""
        if not self.under_way:
            self.begun, self.name = datetime.now(UTC).isoformat(timespec="seconds"), uuid.uuid4().hex[:8]
            self.left = set(todo)
            self._write()

    def finish(self, run_id: str) -> None:
        """A run is recorded anew."""
        self.left.discard(run_id)
        self._write()

    def _write(self) -> None:
        if self.left:
            note = {"begun": self.begun, "name": self.name, "left": sorted(self.left)}
            write_text(self.path, json.dumps(note, indent=1) + "\n")
        else:
            self.path.unlink(missing_ok=True)
