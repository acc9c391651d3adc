"""Ask the teacher once for every fixed view, into a folder that is a bank only when it is whole."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from filelock import Timeout

from fgkd.data import ViewLoader
from fgkd.data.decoded.layout import draft_folder, lock
from fgkd.errors import UserError
from fgkd.files import sync_file, write_text
from fgkd.models.eyes import Eyes
from fgkd.signals import Batch, Needs
from fgkd.teacher.bank.key import BankKey
from fgkd.teacher.bank.steady import SteadyTeacher, rows_of
from fgkd.teacher.bank.store import ARRAYS, MANIFEST, Bank, Manifest, bank_folder, dtype_of, open_bank, shape_of

SAVE_EVERY = 20.0  # seconds between two notes of how far a build is
SAMPLE = 32  # rows that are asked for anew, to see whether a bank still tells the truth
NOTE = "progress.json"
KEPT = Needs(logits=True, pooled=True)

Advance = Callable[[int], object]
Say = Callable[[str], object]


class NoRoom(UserError):
    """The disk cannot hold a bank."""


def build(
    key: BankKey,
    teacher: SteadyTeacher,
    loader: ViewLoader,
    cache: Path,
    *,
    advance: Advance = lambda _: None,
    say: Say = lambda _: None,
) -> Bank:
    """The bank of a key: opened where it is there, else written, or gone on with where that was interrupted.

    Whoever comes first builds; others wait, and find it.

    Args:
        key: of the feed whose views `loader` yields and whose teacher `teacher` is.
        cache: the folder of all caches.
        advance: called with the number of rows done since the last call.
        say: called with a line worth telling.

    Raises:
        UserError: a bank that is there is damaged or no longer what the teacher says, or nothing can be written.
        NoRoom: too little space on the disk.
    """
    folder = bank_folder(cache, key)
    lone = lock(folder)
    try:
        lone.acquire(timeout=0)
    except Timeout:
        say(f"bank: another process is at work on {folder}; waiting for it")
        lone.acquire()
    try:
        bank = open_bank(cache, key)
        if bank is not None:
            prove(bank, teacher, loader)
            say(f"bank: {_about(key)} are replayed from {folder}")
            return bank
        return _written(key, teacher, loader, folder, advance, say)
    except OSError as error:
        raise UserError(f"bank {folder}: cannot be written ({error.strerror or error})") from error
    finally:
        lone.release()


def _about(key: BankKey) -> str:
    return f"{key.views} views of {key.images:,} images ({key.stored}, {key.size / 1e6:,.1f} MB)"


def _written(
    key: BankKey, teacher: SteadyTeacher, loader: ViewLoader, folder: Path, advance: Advance, say: Say
) -> Bank:
    draft = Draft(draft_folder(folder), key)
    start, say_where = draft.rows, "goes on" if draft.rows else "is asked"
    say(f"bank: the teacher {say_where} for {_about(key)}, once for all cohorts with this feed: {folder}")
    advance(start)
    fill(draft, teacher, loader, advance)
    manifest = Manifest(key=key, seconds=draft.seconds, clamped=draft.clamped)
    if draft.clamped:
        say(
            f"bank: {draft.clamped:,} numbers are beyond {key.stored} and were brought to its largest; bank_precision: fp32 holds them"
        )
    draft.finish(manifest)
    shutil.rmtree(folder, ignore_errors=True)  # what is there has no manifest
    draft.folder.rename(folder)
    return Bank(folder, manifest)


def fill(draft: Draft, teacher: SteadyTeacher, loader: ViewLoader, advance: Advance) -> None:
    """Ask for all rows that the draft lacks."""
    noted = time.perf_counter()
    for batch in loader.rows(range(draft.rows, draft.key.rows), rows_of(teacher.device)):
        for name, values in told(teacher, batch).items():
            draft.put(name, values)
        draft.rows += len(batch.index)
        advance(len(batch.index))
        if (now := time.perf_counter()) - noted > SAVE_EVERY or draft.rows == draft.key.rows:
            draft.seconds += now - noted
            noted = now
            draft.note()


def told(teacher: SteadyTeacher, batch: Batch) -> dict[str, np.ndarray]:
    """The teacher's word on a batch by the name of the signal, float32."""
    signals = teacher.signals(Eyes(batch.image.to(teacher.device)), KEPT)
    return {name: getattr(signals, name).cpu().numpy() for name in ARRAYS}


def prove(bank: Bank, teacher: SteadyTeacher, loader: ViewLoader) -> None:
    """Ask the teacher for a few rows anew and compare.

    Raises:
        UserError: the bank says something else.
    """
    rows = np.unique(np.linspace(0, bank.key.rows - 1, SAMPLE).astype(int)).tolist()
    tolerance = 0.005 if bank.key.autocast == "no" else 0.05  # of the length of a row: rounding, and no more
    for batch in loader.rows(rows, rows_of(teacher.device)):
        assert batch.views is not None
        stored = bank.signals(batch.index, batch.views, KEPT)
        for name, now in told(teacher, batch).items():
            then = getattr(stored, name).numpy()
            if not np.linalg.norm(now - then) <= tolerance * np.linalg.norm(now):
                raise UserError(
                    f"bank {bank.folder}: it does not hold what the teacher says now ({name} of {len(now)} views); "
                    "have the images changed? Remove that folder, and it is built anew"
                )


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
