"""A bank while it is written: its rows in order, and a note of how many are on the disk, so that a build can go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from fgkd.errors import UserError
from fgkd.files import sync_file, write_text
from fgkd.teacher.bank.key import BankKey
from fgkd.teacher.bank.store import ARRAYS, MANIFEST, Manifest, dtype_of, shape_of

NOTE = "progress.json"


class NoRoom(UserError):
    """The disk cannot hold a bank."""


class Draft:
    """The folder of an unfinished bank.

    Attributes:
        rows: done so far, from the first on.
        seconds: that they took.
        clamped: numbers among them that are as large as the precision allows.

    Raises:
        NoRoom: the disk cannot hold the rest of it.
    """

    def __init__(self, folder: Path, key: BankKey) -> None:
        self.folder, self.key = folder, key
        self.rows, self.seconds, self.clamped = self._noted()
        if not self.rows:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._ask_for_room()
        mode = "r+" if self.rows else "w+"
        self._arrays = {
            name: np.lib.format.open_memmap(
                self._file(name), mode=mode, dtype=dtype_of(key), shape=None if self.rows else shape_of(key, name)
            )
            for name in ARRAYS
        }

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _noted(self) -> tuple[int, float, int]:
        """How far an earlier build came; nothing where its note cannot be read or is of another key."""
        try:
            note = json.loads((self.folder / NOTE).read_text(encoding="utf-8"))
            if note["key"] == self.key.digest() and all(self._file(name).is_file() for name in ARRAYS):
                return int(note["rows"]), float(note["seconds"]), int(note["clamped"])
        except (OSError, ValueError, KeyError):
            pass
        return 0, 0.0, 0

    def _ask_for_room(self) -> None:
        held = sum(512 * getattr(self._file(n).stat(), "st_blocks", 0) for n in ARRAYS if self._file(n).is_file())
        free = shutil.disk_usage(self.folder).free
        if (missing := self.key.size - held - free) > 0:
            if not self.rows:
                shutil.rmtree(self.folder, ignore_errors=True)
            raise NoRoom(
                f"it takes {self.key.size / 1e9:.2f} GB, {missing / 1e9:.2f} GB more than are free below "
                f"{self.folder.parent}"
            )

    def put(self, name: str, values: np.ndarray) -> None:
        """Write the rows that come next, (B, width) float32."""
        largest = np.finfo(dtype_of(self.key)).max
        self.clamped += int((np.abs(values) >= largest).sum())
        self._arrays[name][self.rows : self.rows + len(values)] = values

    def note(self) -> None:
        """Bring all rows to the disk, then say how many there are."""
        for array in self._arrays.values():
            array.flush()
        told = {"key": self.key.digest(), "rows": self.rows, "seconds": self.seconds, "clamped": self.clamped}
        write_text(self.folder / NOTE, json.dumps(told))

    def finish(self, manifest: Manifest) -> None:
        """Close the arrays, forget the note, and write the manifest last."""
        self._arrays.clear()
        for name in ARRAYS:
            sync_file(self._file(name))
        (self.folder / NOTE).unlink()
        write_text(self.folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
