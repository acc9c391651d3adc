"""The bytes of an archive on their way: counted, hashed, decompressed, and watched."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fgkd.data.prepare.checksums import Digest
from fgkd.data.prepare.names import spell
from fgkd.data.prepare.progress import Advance
from fgkd.errors import UserError

CHUNK = 1 << 20
OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
MAX_HEADER = CHUNK  # bytes of one extended header


@contextmanager
def decompressed(raw: Meter) -> Iterator[IO[bytes]]:
    start = raw.read(6)
    raw.rewind()
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
    if opener is None:
        yield raw  # type: ignore[misc]
    else:
        with opener(raw, "rb") as data:
            yield data


class Meter:
    """A file whose bytes are counted, and hashed, as they are read."""

    def __init__(self, path: Path, advance: Advance, digest: Digest | None = None) -> None:
        self._file, self._advance, self._digest, self._seen = path.open("rb"), advance, digest, 0

    def __enter__(self) -> Meter:
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


class Watch:
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
