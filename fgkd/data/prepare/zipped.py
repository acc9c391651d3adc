"""Zip archives."""

from __future__ import annotations

import posixpath
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fgkd.data.prepare.checksums import digests_of
from fgkd.data.prepare.holder import Budget, Member, Wanted, put
from fgkd.data.prepare.links import resolve
from fgkd.data.prepare.names import inside, outside, spell
from fgkd.data.prepare.progress import Advance, Progress
from fgkd.data.prepare.tarred import inside_link
from fgkd.errors import UserError

LONGEST_LINK = 4096
ENCRYPTED = 0x1


class Zip:
    """A zip archive."""

    is_archive = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digests: dict[str, str] = {}

    def survey(self, progress: Progress, budget: Budget) -> list[Member]:
        """See `Holder.survey`."""
        files: list[Member] = []
        links: dict[str, str] = {}
        with _told(self.path), zipfile.ZipFile(self.path) as archive:
            for position, info in enumerate(archive.infolist()):
                self._enter(archive, info, position, files, links)
                budget.spend(info.file_size, self.path)
        self.digests = digests_of(self.path, progress)
        return resolve(files, links, self.path)

    def _enter(
        self,
        archive: zipfile.ZipFile,
        info: zipfile.ZipInfo,
        position: int,
        files: list[Member],
        links: dict[str, str],
    ) -> None:
        name, kind = inside(info.filename, self.path), stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & ENCRYPTED:
            raise UserError(f"{spell(self.path)}: the member {spell(name)!r} has a password; unpack it yourself first")
        if info.is_dir() or kind == stat.S_IFDIR:
            return
        if kind == stat.S_IFLNK and info.file_size <= LONGEST_LINK:
            target = archive.read(info).decode("utf-8", "surrogateescape")
            links[name] = inside_link(name, target, posixpath.dirname(name), self.path)
        elif kind in (0, stat.S_IFREG):
            files.append(Member(name, info.file_size, position))
        else:
            raise outside(info.filename, self.path, "is a device, a pipe or another special file")

    def deliver(self, wanted: Wanted, advance: Advance) -> None:
        """See `Holder.deliver`."""
        with _told(self.path), zipfile.ZipFile(self.path) as archive:
            members = archive.infolist()
            for position, targets in wanted.items():
                with archive.open(members[position]) as stream:
                    put(stream, targets, members[position].file_size, advance)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{spell(path)}: {error.strerror or spell(error)}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{spell(path)}: is truncated or damaged ({spell(error)}); download it again, nothing of it is used"
        ) from error
