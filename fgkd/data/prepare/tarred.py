"""Tar archives, plain or compressed, read from front to back."""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fgkd.data.prepare.checksums import Digest
from fgkd.data.prepare.holder import CHUNK, Budget, Member, Wanted, put
from fgkd.data.prepare.links import resolve
from fgkd.data.prepare.names import inside, outside, spell
from fgkd.data.prepare.progress import Advance, Progress
from fgkd.errors import UserError

OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)
MAX_HEADER = CHUNK  # bytes of one extended header


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
        with stage as advance, _told(self.path), _Meter(self.path, advance, digest) as meter:
            with _decompressed(meter) as data:
                watch = _Watch(data, self.path)
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
        with _told(self.path), _Meter(self.path, lambda amount: None) as meter, _decompressed(meter) as data:
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


@contextmanager
def _decompressed(raw: _Meter) -> Iterator[IO[bytes]]:
    start = raw.read(6)
    raw.rewind()
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
    if opener is None:
        yield raw  # type: ignore[misc]
    else:
        with opener(raw, "rb") as data:
            yield data


class _Meter:
    """A file whose bytes are counted, and hashed, as they are read."""

    def __init__(self, path: Path, advance: Advance, digest: Digest | None = None) -> None:
        self._file, self._advance, self._digest, self._seen = path.open("rb"), advance, digest, 0

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, count: int = -1) -> bytes:
        data, end = self._file.read(count), self._file.tell()
        if fresh := max(0, min(len(data), end - self._seen)):
            if self._digest is not None:
                self._digest.update(data[-fresh:])
            self._advance(fresh)
            self._seen = end
        return data

    def rewind(self) -> None:
        self._file.seek(0)

    def seek(self, position: int, whence: int = 0) -> int:
        """Forwards, by reading what is passed over."""
        while whence == 0 and self._file.tell() < position and self.read(min(CHUNK, position - self._file.tell())):
            pass
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    @property
    def closed(self) -> bool:
        return self._file.closed


class _Watch:
    """Between `tarfile` and the data: `tarfile` takes a damaged header for the end, and reads any header to memory."""

    def __init__(self, data: IO[bytes], path: Path) -> None:
        self._data, self._path, self._last = data, path, b""

    def read(self, count: int) -> bytes:
        if count > MAX_HEADER:
            raise UserError(f"{spell(self._path)}: has a header of {count:,} bytes; it is not unpacked")
        self._last = self._data.read(count)
        return self._last

    def seek(self, position: int) -> int:
        return self._data.seek(position)

    def tell(self) -> int:
        return self._data.tell()

    def finish(self) -> None:
        """Read to the end, which checks the compressor's own sums; EOFError where no end of archive was there."""
        if len(self._last) != tarfile.BLOCKSIZE or any(self._last):
            raise EOFError("it lacks the blocks that end an archive")
        while self._data.read(CHUNK):
            pass
