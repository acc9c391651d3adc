"""A user's own images: folders named after classes, or a table of paths and labels."""

from __future__ import annotations

import os
from pathlib import Path

from fgkd.data.sources.base import Listing, Request, source
from fgkd.data.split import Split, as_split, carve
from fgkd.errors import UserError, unknown_name

IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".gif", ".jfif"}
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
TEST_SHARE, TEST_SEED = 0.25, 0  # where the data set does not say what its test split is


@source("imagefolder")
def read_imagefolder(request: Request) -> Listing:
    """``[SPLIT/]CLASS/.../IMAGE``: splits train, [val,] test; or none, and a quarter of every class is the test.

    Classes are the folder names of the training split, sorted.
    """
    inner = [path for path in _folders(request.folder) if _folders(path)]  # a class, too, may be called train
    parts = {SPLIT_WORDS[p.name.lower()]: p for p in inner if p.name.lower() in SPLIT_WORDS}
    home = parts.get("train", request.folder)
    names = tuple(path.name for path in _folders(home))
    if "train" not in parts and parts:
        raise UserError(
            f"{request.folder}: has {', '.join(sorted(p.name for p in parts.values()))}, but no folder train"
        )
    if len(names) < 2:
        raise UserError(f"{home}: expected at least two folders, one per class, found {len(names)}")
    splits = {name: _folder_split(name, part, names) for name, part in (parts or {"train": home}).items()}
    return _listing(request, names, splits)


def _folder_split(name: str, folder: Path, names: tuple[str, ...]) -> Split:
    rows = []
    for part in _folders(folder):
        if part.name not in names:
            raise UserError(
                f"{folder}: {unknown_name('class', part.name, names)} (classes are those of the train folder)"
            )
        rows += [(path, names.index(part.name)) for path in _images(part)]
    return as_split(name, rows)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    found = []
    for home, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(home, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if path.suffix.lower() in IMAGE_ENDINGS)


@source("table")
def read_table(request: Request) -> Listing:
    """A CSV or parquet file with columns path (relative to the file), label and, if it likes, split."""
    import pandas as pd

    table = request.folder
    try:
        frame = pd.read_parquet(table) if table.suffix == ".parquet" else pd.read_csv(table, dtype=str)
    except (ValueError, OSError) as error:
        raise UserError(f"{table}: is neither CSV nor parquet ({error})") from error
    if lacking := {"path", "label"} - set(frame.columns):
        raise UserError(f"{table}: lacks the column {' and '.join(sorted(lacking))}; found {', '.join(frame.columns)}")
    if frame[["path", "label"]].isna().any(axis=None):
        raise UserError(f"{table}: a path or a label is empty")
    words = frame["split"] if "split" in frame else ["train"] * len(frame)
    names = _sorted_labels({str(label) for label in frame["label"]})
    rows: dict[str, list[tuple[Path, int]]] = {}
    for path, label, word in zip(frame["path"], frame["label"], words, strict=True):
        if str(word).lower() not in SPLIT_WORDS:
            raise UserError(f"{table}: {unknown_name('split', str(word), SPLIT_WORDS)}")
        split = SPLIT_WORDS[str(word).lower()]
        rows.setdefault(split, []).append((table.parent / str(path), names.index(str(label))))
    return _listing(request, names, {name: as_split(name, part) for name, part in rows.items()})


def _sorted_labels(labels: set[str]) -> tuple[str, ...]:
    """Numbers by value, words by letter."""
    return tuple(sorted(labels, key=int) if all(label.isdigit() for label in labels) else sorted(labels))


def _listing(request: Request, names: tuple[str, ...], splits: dict[str, Split]) -> Listing:
    """Fill in the test split: the validation split where that is all there is, else a quarter of every class."""
    if "train" not in splits:
        raise UserError(f"{request.folder}: has no training split")
    train, val, test = splits["train"], splits.get("val"), splits.get("test")
    if test is None and val is not None:
        test, val = val.take(range(len(val)), "test"), None
    if test is None:
        share, seed = request.options.get("test_share", TEST_SHARE), request.options.get("test_seed", TEST_SEED)
        train, test = carve(train, share, seed, ("train", "test"))
    return Listing(names, train, test, val)
