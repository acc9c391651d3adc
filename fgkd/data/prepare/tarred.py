"""Tar archives, plain or compressed, read from front to back."""

from __future__ import annotations

import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fgkd.data.prepare.checksums import Digest
from fgkd.data.prepare.holder import CHUNK, Budget, Member, Wanted, put
from fgkd.data.prepare.links import resolve
from fgkd.data.prepare.names import inside, outside, spell
from fgkd.data.prepare.progress import Advance, Progress
from fgkd.data.prepare.streams import Meter, Watch, decompressed
from fgkd.errors import UserError

DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)


class Tar:
    """A tar archive. Surveying it also takes its checksums, since both read every byte."""

    is_archive = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digests: dict[str, str] = {}

    def survey(self, progress: Progress, budget: Budget) -> list[Member]:
        """See `Holder.survey`."""
        files: list[Member] = []
        links: dict[str, str] = {}
        size, digest = self.path.stat().st_size, Digest()
        stage = progress.stage(f"looking through {spell(self.path.name)}", size)
        with stage as advance, _told(self.path), Meter(self.path, advance, digest) as meter:
            with decompressed(meter) as data:
                watch = Watch(data, self.path)
                for position, info in enumerate(_tar(watch)):
                    self._enter(info, position, files, links, budget)
                watch.finish()
            while meter.read(CHUNK):  # what follows the end, for the checksums
                pass
        self.digests = digest.values()
        return resolve(files, links, self.path)

    def _enter(
        self, info: tarfile.TarInfo, position: int, files: list[Member], links: dict[str, str], budget: Budget
    ) -> None:
        name = inside(info.name, self.path)
        if info.isdir():
            return
        if info.issym() or info.islnk():
            home = posixpath.dirname(name) if info.issym() else ""
            links[name] = inside_link(name, info.linkname, home, self.path)
        elif info.isreg() and not info.issparse():
            files.append(Member(name, info.size, position))
        else:
            raise outside(info.name, self.path, "is a device, a pipe or another special file")
        _filtered(info, self.path)
        budget.spend(info.size, self.path)

    def deliver(self, wanted: Wanted, advance: Advance) -> None:
        """See `Holder.deliver`."""
        left = set(wanted)
        with _told(self.path), Meter(self.path, lambda amount: None) as meter, decompressed(meter) as data:
            for position, info in enumerate(archive := _tar(data)):
                if position in left:
                    stream = archive.extractfile(info)
                    assert stream is not None, "the survey took ordinary files only"
                    put(stream, wanted[position], info.size, advance)
                    left.remove(position)
                if not left:
                    return
        raise UserError(f"{spell(self.path)}: changed while it was read; do not touch it and start again")


def _tar(data: Any) -> tarfile.TarFile:
    return tarfile.open(fileobj=data, mode="r:")


def inside_link(name: str, target: str, home: str, archive: Path) -> str:
    """What a link leads to, as the name of a member; UserError where it leads out of the archive."""
    joined = posixpath.normpath(posixpath.join(home, target.replace("\\", "/")))
    if joined.startswith(("/", "../")) or joined == ".." or ":" in joined.split("/")[0]:
        raise outside(name, archive, f"is a link that leads out of the archive, to {spell(target)!r}")
    return joined


def _filtered(info: tarfile.TarInfo, archive: Path) -> None:
    """Ask the standard library's own rules too, where this Python has them."""
    rules = getattr(tarfile, "data_filter", None)
    if rules is None:
        return
    try:
        rules(info, str(archive.parent.resolve()))
    except tarfile.TarError as error:
        raise outside(info.name, archive, f"is refused by Python's data filter ({spell(error)})") from None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in the user's words that an archive is damaged."""
    try:
        yield
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:  # a full disk is no fault of the archive
            raise UserError(f"{spell(path)}: {error.strerror}: {spell(error.filename or path)}") from error
        raise UserError(
            f"{spell(path)}: is truncated or damaged ({spell(error)}); download it again, nothing of it is used"
        ) from error
