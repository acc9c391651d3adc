"""Ask the teacher once for every fixed view, into a folder that is a bank only when it is whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fgkd.data import ViewLoader
from fgkd.errors import UserError
from fgkd.files import alone, draft_folder
from fgkd.models.eyes import Eyes
from fgkd.signals import Batch, Needs
from fgkd.teacher.bank.draft import Draft
from fgkd.teacher.bank.key import BankKey
from fgkd.teacher.bank.steady import SteadyTeacher, rows_of
from fgkd.teacher.bank.store import ARRAYS, Bank, Manifest, bank_folder, open_bank

SAVE_EVERY = 20.0  # seconds between two notes of how far a build is
SAMPLE = 32  # rows that are asked for anew, to see whether a bank still tells the truth
KEPT = Needs(logits=True, pooled=True)

Advance = Callable[[int], object]
Say = Callable[[str], object]
Hooks = tuple[Advance, Say]


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
    with alone(folder, lambda line: say(f"bank: {line}")):
        try:
            bank = open_bank(cache, key)
            if bank is not None:
                prove(bank, teacher, loader)
                say(f"bank: {_about(key)} are replayed from {folder}")
                return bank
            return _written(Draft(draft_folder(folder), key), folder, teacher, loader, (advance, say))
        except OSError as error:
            raise UserError(f"bank {folder}: cannot be written ({error.strerror or error})") from error


def _about(key: BankKey) -> str:
    return f"{key.views} views of {key.images:,} images ({key.stored}, {key.size / 1e6:,.1f} MB)"


def _written(draft: Draft, folder: Path, teacher: SteadyTeacher, loader: ViewLoader, hooks: Hooks) -> Bank:
    (advance, say), key = hooks, draft.key
    begun = f", {draft.rows:,} of {key.rows:,} are there already" if draft.rows else ""
    say(f"bank: the teacher is asked for {_about(key)}, once for all cohorts with this feed{begun}: {folder}")
    advance(draft.rows)
    fill(draft, teacher, loader, advance)
    if draft.clamped:
        say(f"bank: {draft.clamped:,} numbers beyond {key.stored} became its largest; bank_precision: fp32 holds them")
    manifest = Manifest(key=key, seconds=draft.seconds, clamped=draft.clamped)
    draft.finish(manifest)
    shutil.rmtree(folder, ignore_errors=True)  # what is there has no manifest
    draft.folder.rename(folder)
    say(f"bank: written in {draft.seconds:.0f} s: {folder}")
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
