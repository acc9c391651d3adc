"""What a decoded cache of a data set would hold and take, told by the headers of its files."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from fgkd.data.decoded import layout
from fgkd.data.images import FAULTS, bounded, fingerprint, read_size
from fgkd.data.split import ImageData
from fgkd.errors import UserError
from fgkd.processes import usable_cpus

Advance = Callable[[int], object]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Survey:
    """What a cache would hold, as the headers of the files tell.

    Attributes:
        data: the data set.
        side: shorter side in px that no picture will exceed.
        cache: the folder of all caches.
        names: n image files, as names.json will list them; `files`: the same as absolute paths.
        sizes: (n,) int64 bytes of every decoded picture; 0 where the header cannot be read.
        taken: when the survey began, in seconds since 1970.
    """

    data: ImageData
    side: int
    cache: Path
    names: tuple[str, ...]
    files: tuple[Path, ...]
    sizes: np.ndarray
    taken: float

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return int(self.sizes.sum())

    @property
    def folder(self) -> Path:
        """Where the cache will lie."""
        return layout.decoded_folder(self.cache, self.data.revision, self.side)

    @property
    def free(self) -> int:
        """Bytes free on the disk of the cache."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder.parent).free

    def digest(self) -> str:
        """Of all that decides the bytes of pixels.bin: a draft is continued by its like only."""
        changed = [file.stat().st_mtime_ns if file.exists() else 0 for file in self.files]
        told = json.dumps([layout.FORMAT, fingerprint(), self.side, self.names, self.sizes.tolist(), changed])
        return hashlib.sha256(told.encode()).hexdigest()


def survey(
    data: ImageData, side: int, cache: Path, *, threads: int | None = None, advance: Advance = lambda _: None
) -> Survey:
    """Read the header of every image of `data`.

    Args:
        data: a data set, opened.
        side: in px, at least 1.
        cache: the folder of all caches.
        threads: how many; None: one for each core.
        advance: called with the number of files done since the last call.
    """
    taken = time.time()
    rows = sorted((name, Path(file)) for file, name in layout.relative_names(data).items())
    names, files = zip(*rows, strict=True)
    parts = [files[first : first + 256] for first in range(0, len(files), 256)]
    sizes: list[int] = []
    for part in each(lambda part: [_decoded_size(path, side) for path in part], parts, threads):
        sizes += part
        advance(len(part))
    return Survey(data, side, cache, names, files, np.array(sizes, dtype=np.int64), taken)


def _decoded_size(path: Path, side: int) -> int:
    try:
        width, height = bounded(*read_size(path), side)
    except (UserError, *FAULTS):
        return 0  # decoding will say why
    return 3 * width * height


def each(function: Callable[[Item], Result], items: Sequence[Item], threads: int | None) -> Iterator[Result]:
    """Results in order, from threads: reading, decoding and writing let go of Python's lock."""
    pool = ThreadPoolExecutor(threads or usable_cpus())
    with _opencv_alone():
        try:
            yield from pool.map(function, items)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _opencv_alone() -> Iterator[None]:
    """OpenCV without threads of its own: ours are the parallelism."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
