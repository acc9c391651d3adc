"""Images in a data set's folder that no split lists."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

from PIL import Image

NEWER = {".heic", ".heif", ".avif", ".jxl"}  # images, whether or not the Pillow at hand reads them


def surplus_files(listed: Collection[Path], below: Path) -> Iterator[Path]:
    """Image files by their names, in the folder that all `listed` files share, without hidden ones.

    Nothing is searched where that folder is not `below` or inside it: a table may list files from anywhere.
    """
    if not listed:
        return
    home = Path(os.path.commonpath([path.parent for path in listed]))
    if not home.is_relative_to(below):
        return
    known = {os.fspath(path) for path in listed}
    for folder, inner, files in os.walk(home):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and _is_image(name) and os.path.join(folder, name) not in known:
                yield Path(folder, name)


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in _endings()


@lru_cache
def _endings() -> set[str]:
    formats = Image.registered_extensions()
    return {ending for ending, name in formats.items() if name not in ("PDF", "MPEG", "HDF5", "GRIB", "BUFR")} | NEWER
