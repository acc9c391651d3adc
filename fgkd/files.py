"""Files and folders that are either whole or absent, whenever the power goes, and made by one process at a time."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

HOUR = 3600.0


def write_text(path: Path, text: str, *, overwrite: bool = True) -> None:
    r"""Write `text` as UTF-8 with ``\n`` line ends, atomically: a reader sees the old file or the new one, never half.

    Args:
        path: the folder is made where it is missing.
        overwrite: where false, a file that is there already is left alone, also when two processes race for it.

    Raises:
        FileExistsError: the file is there and `overwrite` is false.
    """
    write_bytes(path, text.encode("utf-8"), overwrite=overwrite)


def write_bytes(path: Path, content: bytes, *, overwrite: bool = True) -> None:
    """Write `content` as `write_text` writes text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(temporary, path)
        else:
            _move_to_free_name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def move_into_place(part: Path, path: Path) -> None:
    """Give a file that was written beside its place its name; what was there before is replaced in one step.

    The content reaches the disk before the name does: otherwise a power cut could leave the name on an empty file.
    """
    sync_file(part)
    os.replace(part, path)
    sync_folder(path.parent)


def sweep(folder: Path, older_than: float = HOUR) -> None:
    """Remove what killed processes left half written in `folder`: hidden ``.tmp`` files.

    Args:
        older_than: seconds since they were last written to; younger ones may be in somebody's hands.
    """
    for path in folder.glob(".*.tmp"):
        try:
            if time.time() - path.stat().st_mtime > older_than:
                path.unlink()
        except OSError:  # gone already, or not ours
            continue


@contextmanager
def alone(path: Path, say: Callable[[str], object] = lambda _: None) -> Iterator[None]:
    """Keep all other processes from making or removing `path`; where one is at it already, wait until it is done.

    Args:
        path: a file or folder, there or not; its lock is ``PATH.lock`` beside it, in a folder made where it is missing.
        say: called with a line worth telling before the waiting begins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"another process is at work on {path}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def draft_folder(folder: Path) -> Path:
    """Where `folder` lies while it is built: hidden, and beside it, so that one rename makes it appear."""
    return folder.with_name(f".{folder.name}.part")


def sync_file(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _move_to_free_name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # unlike a rename, it fails where the name is taken
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the check and the rename are two steps there
        if path.exists():
            raise FileExistsError(str(path)) from None
        os.replace(temporary, path)


def sync_folder(folder: Path) -> None:
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
