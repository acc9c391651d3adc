"""Folders and single files, copied, linked or moved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from fgkd.data.prepare.checksums import digests_of
from fgkd.data.prepare.holder import Budget, Member, Wanted, put
from fgkd.data.prepare.names import spell
from fgkd.data.prepare.progress import Advance, Progress
from fgkd.errors import UserError

Mode = Literal["copy", "link", "move"]


class Loose:
    """A folder, or one file. Moving makes a second name here; the first is dropped by `forget`, when all is well."""

    is_archive = False

    def __init__(self, path: Path, mode: Mode) -> None:
        self.path, self._mode = path, mode
        self._files: list[Path] = []
        self.digests: dict[str, str] = {}

    def survey(self, progress: Progress, budget: Budget) -> list[Member]:
        """See `Holder.survey`; symbolic links are followed."""
        if self.path.is_file():
            self._files, home = [self.path], self.path.parent
            self.digests = digests_of(self.path, progress)
        else:
            self._files, home = sorted(_files(self.path)), self.path
        names = (file.relative_to(home).as_posix() for file in self._files)
        return [Member(name, self._files[i].stat().st_size, i) for i, name in enumerate(names)]

    def deliver(self, wanted: Wanted, advance: Advance) -> None:
        """See `Holder.deliver`."""
        for position, targets in wanted.items():
            file = self._files[position]
            size = file.stat().st_size
            if self._mode != "copy" and self._named(file, targets):
                advance(size)
                continue
            try:
                with file.open("rb") as stream:  # a copy was asked for, or the data root is on another disk
                    put(stream, targets, size, advance)
            except (OSError, EOFError) as error:
                raise UserError(f"{spell(file)}: cannot be copied ({spell(error)})") from error

    def _named(self, file: Path, targets: Sequence[Path]) -> bool:
        """Give the file further names, if the file system can."""
        try:
            for target in targets:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                if self._mode == "link":
                    target.symlink_to(file.resolve())
                else:
                    os.link(file.resolve(), target)
        except OSError as error:
            if self._mode == "link":
                raise UserError(f"{spell(file)}: cannot be linked ({error.strerror}); use --copy") from error
            return False
        return True

    def takes_room_in(self, home: Path) -> bool:
        """Whether its files are written below `home` anew: copied, or moved from another disk."""
        return self._mode == "copy" or (self._mode == "move" and self.path.stat().st_dev != home.stat().st_dev)

    def forget(self, used: set[int]) -> list[OSError]:
        """Remove the files that were moved, and the folders that this leaves empty; why some could not be removed."""
        stay = [error for position in sorted(used) if (error := _removed(self._files[position])) is not None]
        if self.path.is_dir():
            for folder in sorted({file.parent for file in self._files}, key=lambda path: -len(path.parts)):
                _prune(folder, self.path)
        return stay


def _removed(file: Path) -> OSError | None:
    """Remove a file; why it could not be."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        return error
    return None


def _prune(folder: Path, top: Path) -> None:
    while folder.is_relative_to(top):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _files(folder: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for home, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(home)) in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        yield from (path for name in files if (path := Path(home, name)).is_file())
