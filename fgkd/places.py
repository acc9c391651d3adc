"""Where things lie, and in which precision networks train: what was asked for, else the environment, else a default.

Errors name the argument at fault as its caller spells it, ``--weights`` or ``weights=``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import get_args

from fgkd.errors import UserError
from fgkd.spec import Precision


def data_root(given: Path | None) -> Path:
    """What was asked for, else $FGKD_DATA, else ./data."""
    return given or Path(os.environ.get("FGKD_DATA") or "data")


def weights_folder(given: Path | None, argument: str) -> Path | None:
    """What was asked for, else $FGKD_WEIGHTS, else none; UserError where it is no folder."""
    from_environment = os.environ.get("FGKD_WEIGHTS")
    folder = given or (Path(from_environment) if from_environment else None)
    if folder is not None and not folder.is_dir():
        raise UserError(f"weights folder {folder}: expected an existing folder ({argument} or $FGKD_WEIGHTS)")
    return folder


def cache_folder(given: Path | None) -> Path:
    """What was asked for, else $FGKD_CACHE, else fgkd in the user's cache folder."""
    if given or os.environ.get("FGKD_CACHE"):
        return given or Path(os.environ["FGKD_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fgkd"


def writable(folder: Path, argument: str) -> Path:
    """`folder`, made where it was missing; UserError, naming `argument`, where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; choose another folder with {argument}") from None


def parse_precision(text: str | None, argument: str) -> Precision:
    """What was asked for, else what ``accelerate launch`` set, else ``no``; UserError where it is no precision."""
    asked = text or os.environ.get("ACCELERATE_MIXED_PRECISION") or "no"
    for precision in get_args(Precision):
        if asked == precision:
            return precision
    raise UserError(f"{argument}: expected one of {', '.join(get_args(Precision))}, found {asked!r}")
