"""Decode a data set once, on all cores, into a folder that is a cache only when it is whole."""

from __future__ import annotations

import hashlib
import json
import os
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
from filelock import Timeout

from fgkd.data.decoded import store
from fgkd.data.decoded.draft import Chunk, Draft, chunks_of
from fgkd.data.images import FAULTS, bounded, fingerprint, read_image, read_size
from fgkd.data.split import ImageData
from fgkd.errors import UserError, UserErrors
from fgkd.files import write_text

Advance = Callable[[int], object]
Say = Callable[[str], object]
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
    """

    data: ImageData
    side: int
    cache: Path
    names: tuple[str, ...]
    files: tuple[Path, ...]
    sizes: np.ndarray

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return int(self.sizes.sum())

    @property
    def folder(self) -> Path:
        """Where the cache will lie."""
        return store.decoded_folder(self.cache, self.data.revision, self.side)

    @property
    def free(self) -> int:
        """Bytes free on the disk of the cache."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder.parent).free

    def digest(self) -> str:
        """Of all that decides the bytes of pixels.bin: a draft is continued by its like only."""
        told = json.dumps([store.FORMAT, fingerprint(), self.side, self.names, self.sizes.tolist()])
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
    rows = sorted((name, Path(file)) for file, name in store.relative_names(data).items())
    names, files = zip(*rows, strict=True)
    parts = [files[first : first + 256] for first in range(0, len(files), 256)]
    sizes: list[int] = []
    for part in _each(lambda part: [_decoded_size(path, side) for path in part], parts, threads):
        sizes += part
        advance(len(part))
    return Survey(data, side, cache, names, files, np.array(sizes, dtype=np.int64))


def _decoded_size(path: Path, side: int) -> int:
    try:
        width, height = bounded(*read_size(path), side)
    except (UserError, *FAULTS):
        return 0  # decoding will say why
    return 3 * width * height


def build(
    plan: Survey, *, threads: int | None = None, advance: Advance = lambda _: None, say: Say = lambda _: None
) -> store.Decoded:
    """Write the cache that was surveyed, unless a good one is there; go on with one that was interrupted.

    Args:
        plan: what to build.
        threads: as for `survey`.
        advance: called with the number of pictures done since the last call.
        say: called with a line worth telling.

    Raises:
        UserErrors: every file that cannot be decoded; nothing is kept then.
        UserError: too little space on the disk, or it cannot be written.
    """
    with _alone(plan.folder, say):
        decoded = _usable(plan, say)
        if decoded is None:
            _write(plan, threads, advance)
            decoded = store.open_decoded(plan.data, plan.side, plan.cache)
        else:
            advance(len(plan.names))
    assert decoded is not None, "what was written is there"
    return decoded


@contextmanager
def _alone(folder: Path, say: Say) -> Iterator[None]:
    lock = store.lock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"another process is at work on {folder}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _usable(plan: Survey, say: Say) -> store.Decoded | None:
    try:
        return store.open_decoded(plan.data, plan.side, plan.cache)
    except UserError as error:
        say(f"{error}; it is built anew")
        return None


def _write(plan: Survey, threads: int | None, advance: Advance) -> None:
    folder = store.draft_folder(plan.folder)
    try:
        draft = Draft(folder, plan.digest(), plan.size)
        if (missing := plan.size - plan.free - draft.held) > 0:
            draft.discard()
            raise UserError(
                f"{plan.data.name} at {plan.side} px takes {plan.size / 1e9:.2f} GB, {missing / 1e9:.2f} GB more than "
                f"are free below {plan.cache}; free some space, choose another folder with --cache, or a smaller --size"
            )
        shapes = _decode_all(plan, draft, threads, advance)
        _finish(plan, draft, shapes)
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror}; mend it, and the same command goes on where it stopped"
        ) from error


def _decode_all(plan: Survey, draft: Draft, threads: int | None, advance: Advance) -> np.ndarray:
    """(n, 2) int64 heights and widths, once every chunk is in the draft."""
    shapes, faults = [], []
    for part, wrong in _each(lambda chunk: _decode_chunk(plan, draft, chunk), chunks_of(plan.sizes), threads):
        shapes.append(part)
        faults += wrong
        advance(len(part))
    if faults:
        draft.discard()
        title = f"{len(faults)} of {len(plan.names)} images of {plan.data.name} cannot be decoded"
        raise UserErrors(faults, title if len(faults) > 1 else "")
    return np.concatenate(shapes)


def _decode_chunk(plan: Survey, draft: Draft, chunk: Chunk) -> tuple[np.ndarray, list[str]]:
    """Heights and widths, and what is wrong with which files; a chunk with a broken file is not kept."""
    if (known := draft.get(chunk)) is not None:
        return known, []
    pixels, at = np.empty(chunk.size, np.uint8), 0
    shapes, faults = [], []
    for path, size in zip(plan.files[chunk.first : chunk.stop], plan.sizes[chunk.first : chunk.stop], strict=True):
        try:
            picture = read_image(path, plan.side)
            if picture.size != size:
                raise UserError(f"{path}: its picture is not of the size that its header states; replace the file")
            pixels[at : at + size] = picture.reshape(-1)
            shapes.append(picture.shape[:2])
        except UserError as error:
            shapes.append((0, 0))
            faults.append(str(error))
        at += size
    if not faults:
        draft.put(chunk, pixels, shapes)
    return np.array(shapes, dtype=np.int64), faults


def _finish(plan: Survey, draft: Draft, shapes: np.ndarray) -> None:
    """Index, then manifest, then the name under which it is looked for."""
    offsets = np.cumsum(plan.sizes) - plan.sizes
    np.save(draft.folder / store.INDEX, np.column_stack([offsets, shapes]))
    write_text(draft.folder / store.NAMES, json.dumps(plan.names))
    draft.settle()
    manifest = store.Manifest(
        name=plan.data.name,
        protocol=plan.data.protocol,
        revision=plan.data.revision,
        side=plan.side,
        decoder=fingerprint(),
        images=len(plan.names),
        size=plan.size,
        index=store.index_digest(draft.folder),
        built=time.time(),
    )
    write_text(draft.folder / store.MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    store.clear(plan.folder)
    draft.folder.rename(plan.folder)


def _each(function: Callable[[Item], Result], items: Sequence[Item], threads: int | None) -> Iterator[Result]:
    """Results in order, from threads: reading, decoding and writing let go of Python's lock."""
    pool = ThreadPoolExecutor(threads or os.cpu_count() or 1)
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
