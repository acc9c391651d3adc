"""Text files that are either whole or absent, whenever the power goes."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_text(path: Path, text: str, *, overwrite: bool = True) -> None:
    r"""Write `text` as UTF-8 with ``\n`` line ends, atomically: a reader sees the old file or the new one, never half.

    Args:
        path: the folder is made where it is missing.
        overwrite: where false, a file that is there already is left alone, also when two processes race for it.

    Raises:
        FileExistsError: the file is there and `overwrite` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(temporary, path)
        else:
            _move_to_free_name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _move_to_free_name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # unlike a rename, it fails where the name is taken
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the check and the rename are two steps there
        if path.exists():
            raise FileExistsError(str(path)) from None
        os.replace(temporary, path)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable, where the system lets a folder be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
