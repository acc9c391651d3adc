"""A decoded cache while it is written: in chunks, each journalled once it is there, so that a build can go on."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fgkd.files import write_text

CHUNK = 16 * 2**20  # bytes, and at least one picture
PIXELS, PLAN = "pixels.bin", "plan.txt"


@dataclass(frozen=True)
class Chunk:
    """Pictures `first` to `stop` - 1, which lie together: `size` bytes from `offset` on."""

    first: int
    stop: int
    offset: int
    size: int


def chunks_of(sizes: np.ndarray) -> list[Chunk]:
    """Pictures of `sizes` bytes (n,) int64, parted into chunks of about `CHUNK` bytes."""
    ends = np.cumsum(sizes)
    offsets = ends - sizes
    firsts = np.flatnonzero(np.diff(offsets // CHUNK, prepend=-1))
    stops = [*firsts[1:].tolist(), len(sizes)]
    return [
        Chunk(first, stop, int(offsets[first]), int(ends[stop - 1] - offsets[first]))
        for first, stop in zip(firsts.tolist(), stops, strict=True)
    ]


class Draft:
    """The folder of an unfinished cache; what another plan has left there is thrown away.

    Args:
        folder: where it lies.
        plan: names everything that decides the bytes.
        size: of all pictures, in bytes.
    """

    def __init__(self, folder: Path, plan: str, size: int) -> None:
        self.folder, self.pixels = folder, folder / PIXELS
        known = (folder / PLAN).read_text(encoding="utf-8") if (folder / PLAN).is_file() else None
        if known != plan:
            self.discard()
            folder.mkdir(parents=True)
            with self.pixels.open("wb") as file:
                file.truncate(size)
            write_text(folder / PLAN, plan)

    @property
    def held(self) -> int:
        """Bytes that it takes on the disk already; 0 where the system does not say."""
        return 512 * getattr(self.pixels.stat(), "st_blocks", 0)

    def put(self, chunk: Chunk, pixels: np.ndarray, shapes: Sequence[tuple[int, int]]) -> None:
        """Write a chunk's pixels, (size,) uint8, then the journal: heights and widths, and a checksum of the pixels."""
        with self.pixels.open("r+b") as file:
            file.seek(chunk.offset)
            file.write(pixels.data)
        journal = self._journal(chunk)
        draft = journal.with_suffix(".tmp")
        with draft.open("wb") as file:
            np.save(file, np.array([*shapes, (zlib.crc32(pixels.data), 0)], dtype=np.int64))
        os.replace(draft, journal)

    def get(self, chunk: Chunk) -> np.ndarray | None:
        """(k, 2) int64 heights and widths of a chunk's pictures; None unless it was written whole."""
        if not self._journal(chunk).is_file():
            return None
        try:
            *shapes, (crc, _) = np.load(self._journal(chunk), allow_pickle=False)
        except (ValueError, EOFError):
            return None
        with self.pixels.open("rb") as file:
            file.seek(chunk.offset)
            intact = zlib.crc32(file.read(chunk.size)) == crc
        return np.array(shapes) if intact else None

    def settle(self) -> None:
        """Bring the pixels to the disk, and forget the journal."""
        with self.pixels.open("rb") as file:
            os.fsync(file.fileno())
        for path in [self.folder / PLAN, *self.folder.glob("chunk-*")]:
            path.unlink()

    def discard(self) -> None:
        """Remove it all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _journal(self, chunk: Chunk) -> Path:
        return self.folder / f"chunk-{chunk.first:09d}.npy"
