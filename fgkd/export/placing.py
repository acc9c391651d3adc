"""Bring an export to its place: written beside it, whole, then moved, without harm to the folder that is there."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from fgkd.errors import UserError
from fgkd.export.manifest import NAME


@contextmanager
def placed(to: Path, own: Collection[str]) -> Iterator[Path]:
    """An empty folder whose files become those of `to` when all went well; it goes when not.

    Args:
        to: a link stays one, and the folder that it leads to is written.
        own: the names that an export may have; such files of an earlier one are replaced.

    Raises:
        UserError: something cannot be written.
    """
    to = to.resolve()
    stage = staging_folder(to) / f".{to.name}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        stage.mkdir(parents=True)
        yield stage
        if stage.parent == to:
            _fill(to, stage, own)
        else:
            _swap(to, stage)
    except OSError as error:
        raise UserError(f"cannot write {to}: {error}; choose another folder with --to") from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def staging_folder(to: Path) -> Path:
    """Where an export to `to` is written first: beside it, or inside where `to` itself has to stay.

    A mount point cannot be renamed, and a folder in which a shell stands must not go from under it.
    """
    to = to.resolve()
    stays = to.exists() and (os.path.ismount(to) or to.samefile("."))
    return to if stays else to.parent


def _swap(to: Path, stage: Path) -> None:
    """Give `stage` the name of `to`; what was there comes back where that fails."""
    old = stage.with_suffix(".old")
    try:
        if to.exists():
            os.replace(to, old)
        os.replace(stage, to)
    finally:
        if old.exists() and not to.exists():
            os.replace(old, to)
        shutil.rmtree(old, ignore_errors=True)


def _fill(to: Path, stage: Path, own: Collection[str]) -> None:
    """Move the files of `stage` into `to`, less what is left of an earlier export.

    The manifest goes first and comes last: what it lies in is taken for whole.
    """
    staged = {path.name for path in stage.iterdir()}
    for name in (NAME, *sorted(set(own) - staged)):
        (to / name).unlink(missing_ok=True)
    for name in (*sorted(staged - {NAME}), NAME):
        os.replace(stage / name, to / name)
