"""The hidden folder beside the target in which a data set is put together, and from which it appears by one rename."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fgkd.data.prepare.progress import Progress
from fgkd.errors import UserError
from fgkd.files import alone, write_text

PLAN = "plan.json"


class Draft:
    """A data root of its own, holding one unfinished data set.

    It outlives an interruption: files in it are whole, so the same preparation continues where it stopped, and another
    one starts with an empty draft.
    """

    def __init__(self, root: Path, folder: str) -> None:
        """For the data set that will lie at `folder` below `root`."""
        self.root = root / f".{folder.replace('/', '_')}.preparing"
        self.tree, self.target = self.root / folder, root / folder

    @contextmanager
    def locked(self, progress: Progress) -> Iterator[None]:
        """One process at a time."""
        wait = lambda _: progress.note(f"another process prepares {self.target}; waiting for it")
        with ExitStack() as held:
            try:
                self.target.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(alone(self.root, wait))
            except OSError as error:
                raise UserError(
                    f"cannot write to {self.target.parent}: {error.strerror}; choose another folder with --data-root"
                ) from error
            yield

    def begin(self, plan: object) -> None:
        """Keep what an earlier attempt at the same `plan` (JSON) left, drop anything else."""
        text, note = json.dumps(plan, sort_keys=True), self.root / PLAN
        if not note.is_file() or note.read_text() != text:
            self.drop()
            write_text(note, text)
        self.tree.mkdir(parents=True, exist_ok=True)

    def drop_empty_target(self) -> None:
        """A folder made by hand and not filled is no data set."""
        if self.target.is_dir() and not any(self.target.iterdir()):
            self.target.rmdir()

    def finish(self) -> None:
        """Make the data set appear."""
        if hasattr(os, "sync"):  # the files before their name
            os.sync()
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.tree.rename(self.target)
        self.drop()

    def drop(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.root, ignore_errors=True)
