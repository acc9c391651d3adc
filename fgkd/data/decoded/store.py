"""Decoded pictures: how a cache is found, proven and read."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fgkd.data.decoded.layout import (
    INDEX,
    MANIFEST,
    NAMES,
    PIXELS,
    Manifest,
    decoded_folder,
    index_digest,
    read_manifest,
    relative_names,
    sides_of,
)
from fgkd.data.images import fingerprint, read_image
from fgkd.data.split import ImageData
from fgkd.errors import UserError
from fgkd.spec import ViewSpec

SAMPLE = 8  # pictures decoded anew, to see whether the cache still tells the truth
SAMPLE_NEWER = 32  # and at most so many of the files that were changed after it was built


class StoredPictures:
    """The pictures of a split, by position, as read-only views of the mapped file.

    Args:
        file: pixels.bin.
        index: (n, 3) int64, one row for each image of the split.
    """

    def __init__(self, file: Path, index: np.ndarray) -> None:
        self.file, self.index = file, index
        self._mapped: mmap.mmap | None = None

    def __getitem__(self, position: int) -> np.ndarray:
        """(H, W, 3) uint8, not writable."""
        if self._mapped is None:
            with self.file.open("rb") as file:
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        offset, height, width = self.index[position].tolist()
        return np.ndarray((height, width, 3), np.uint8, self._mapped, offset)

    def __getstate__(self) -> dict[str, object]:  # a spawned worker maps the file itself
        return {**self.__dict__, "_mapped": None}


class Decoded:
    """An opened cache of one data set at one side.

    Args:
        folder: where it lies.
        manifest: of it.
        data: the data set, opened as it is now.

    Raises:
        UserError: the folder is damaged.
    """

    def __init__(self, folder: Path, manifest: Manifest, data: ImageData) -> None:
        self.folder, self.manifest = folder, manifest
        size = (folder / PIXELS).stat().st_size if (folder / PIXELS).is_file() else 0
        if size != manifest.size:
            raise UserError(f"{PIXELS} should have {manifest.size:,} bytes, and has {size:,}")
        try:
            if index_digest(folder) != manifest.index:
                raise UserError(f"{INDEX} and {NAMES} are not those that were written")
            self._index = np.load(folder / INDEX, allow_pickle=False)
            names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{error.filename} cannot be read ({error.strerror})") from None
        files = relative_names(data)
        if sorted(files.values()) != names:
            raise UserError("it holds other image files than the data set")
        rows = {name: row for row, name in enumerate(names)}
        self._rows = {file: rows[name] for file, name in files.items()}

    def pictures(self, paths: Sequence[Path], view: ViewSpec) -> StoredPictures:
        """The pictures of these image files of the data set, in this order, as `view` asks for them.

        Raises:
            UserError: the view wants them at another size.
        """
        if view.shorter_side != self.manifest.side:
            wants = "whole pictures" if view.shorter_side is None else f"shorter_side {view.shorter_side}"
            raise UserError(
                f"decoded cache: expected a view with shorter_side {self.manifest.side}, as the cache holds them; this "
                f"view wants {wants}, so its pixels would differ"
            )
        return self._stored(paths)

    def _stored(self, paths: Sequence[Path]) -> StoredPictures:
        rows = np.fromiter((self._rows[os.path.abspath(path)] for path in paths), np.int64, len(paths))
        return StoredPictures(self.folder / PIXELS, self._index[rows])

    def prove(self) -> None:
        """Decode a few files anew and compare; some of them are among those changed since the cache was built.

        Raises:
            UserError: a picture is not what its file shows now, or the file cannot be read.
        """
        files = sorted(self._rows)
        newer = [file for file in files if _changed(file) > self.manifest.built]
        sample = [Path(file) for file in {*_spread(files, SAMPLE), *_spread(newer, SAMPLE_NEWER)}]
        stored = self._stored(sample)
        for number, path in enumerate(sample):
            if not np.array_equal(stored[number], read_image(path, self.manifest.side)):
                raise UserError(f"it does not hold what {path} shows now")


def _changed(file: str) -> float:
    """When a file was written or put there: a copy may keep its old time of writing."""
    found = os.stat(file)
    return max(found.st_mtime, found.st_ctime)


def _spread(files: Sequence[str], most: int) -> list[str]:
    """At most so many of `files`, evenly spaced."""
    return [files[i * len(files) // most] for i in range(most)] if len(files) > most else list(files)


def open_decoded(data: ImageData, side: int, cache: Path) -> Decoded | None:
    """The cache of `data` at `side`, checked; None where there is none.

    Raises:
        UserError: it is there and cannot be used; the text says why.
    """
    folder = decoded_folder(cache, data.revision, side)
    if not (folder / MANIFEST).is_file():
        return None
    try:
        manifest = read_manifest(folder)
        if manifest.decoder != fingerprint():
            raise UserError(f"it was decoded by {manifest.decoder}, and this process has {fingerprint()}")
        decoded = Decoded(folder, manifest, data)
        decoded.prove()
    except (UserError, OSError, ValueError) as error:
        raise UserError(f"decoded cache {folder}: {error}") from error
    return decoded


def find(data: ImageData, view: ViewSpec, cache: Path) -> tuple[Decoded | None, str]:
    """The cache that serves `view` of `data`, or None; and one line that says what will be read."""
    command = f"fgkd data cache {data.name} --size {view.shorter_side}"
    if data.protocol != "default":
        command += f" --protocol {data.protocol}"
    if view.shorter_side is None:
        sides = " or ".join(map(str, sides_of(cache, data.revision)))
        unused = f"; the decoded cache at {sides} px is for views with that shorter_side" if sides else ""
        return None, f"{data.name}: whole image files are decoded{unused}"
    try:
        decoded = open_decoded(data, view.shorter_side, cache)
    except UserError as error:
        return (
            None,
            f"{data.name}: image files are decoded, for a cache is not usable; {command} makes it anew. {error}",
        )
    if decoded is None:
        return None, f"{data.name}: image files are decoded; {command} would spare that"
    return decoded, f"{data.name}: pictures come from the decoded cache {decoded.folder}"
