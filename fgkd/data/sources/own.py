"""A user's own images in folders named after classes."""

from __future__ import annotations

import os
from pathlib import Path

from fgkd.data.sources.address import SPLITTING
from fgkd.data.sources.base import Listing, Request, source
from fgkd.data.split import Split, as_split, carve
from fgkd.errors import UserError, unknown_name

IMAGE_ENDINGS = {  # of the formats that `fgkd.data.images` reads
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
    ".pbm", ".pnm", ".jp2", ".j2k", ".avif",
}  # fmt: skip
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


@source("imagefolder", options=SPLITTING)
def read_imagefolder(request: Request) -> Listing:
    """``[SPLIT/]CLASS/.../IMAGE``: splits train, [val,] test; or none, and a quarter of every class is the test.

    Classes are the folder names of the training split, sorted.
    """
    inner = [path for path in _folders(request.folder) if _folders(path)]  # a class, too, may be called train
    parts = _split_folders(inner)
    home = parts.get("train", request.folder)
    names = tuple(path.name for path in _folders(home))
    if "train" not in parts and parts:
        raise UserError(
            f"{request.folder}: has {', '.join(sorted(p.name for p in parts.values()))}, but no folder train"
        )
    if len(names) < 2:
        hint = f"; if the data set lies in {names[0]}, name that folder" if names else ""
        raise UserError(f"{home}: expected at least two folders, one per class, found {len(names)}{hint}")
    if parts:
        _refuse_overlooked(request.folder, parts)
    else:
        _refuse_splits_inside(home)
    splits = {name: _folder_split(name, part, names) for name, part in (parts or {"train": home}).items()}
    return as_listing(request, names, splits)


def _split_folders(folders: list[Path]) -> dict[str, Path]:
    parts: dict[str, Path] = {}
    for path in folders:
        split = SPLIT_WORDS.get(path.name.lower())
        if split is not None and parts.setdefault(split, path) != path:
            raise UserError(f"{path.parent}: {parts[split].name} and {path.name} are both the {split} split; keep one")
    return parts


def _refuse_overlooked(root: Path, parts: dict[str, Path]) -> None:
    """UserError where images beside the training split look like a split that would be left out."""
    hint = f"or name {parts['train']}, whose own images are parted then"
    for path in _folders(root):
        if path in parts.values() or not images_below(path):
            continue
        if path.name.lower() in SPLIT_WORDS:
            raise UserError(
                f"{path}: expected folders named after classes, found images of no class; sort them, {hint}"
            )
        if not parts.keys() & {"val", "test"}:
            words = ", ".join(sorted(SPLIT_WORDS))
            raise UserError(f"{path}: holds images and is no split that is known ({words}); rename it, {hint}")


def _refuse_splits_inside(root: Path) -> None:
    """UserError where every class holds its splits: joined, images that were published as test would be trained on."""
    inside = [{SPLIT_WORDS.get(path.name.lower()) for path in _folders(part)} for part in _folders(root)]
    if all("train" in found and found & {"val", "test"} for found in inside):
        raise UserError(
            f"{root}: expected SPLIT/CLASS, found CLASS/SPLIT: every class has folders train and test of its own; put "
            "the split's folder outside, or list the images with their splits in a table"
        )


def _folder_split(name: str, folder: Path, names: tuple[str, ...]) -> Split:
    rows = []
    for part in _folders(folder):
        if part.name not in names:
            raise UserError(
                f"{folder}: {unknown_name('class', part.name, names)} (classes are those of the train folder)"
            )
        rows += [(path, names.index(part.name)) for path in images_below(part)]
    return as_split(name, rows)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def images_below(folder: Path) -> list[Path]:
    """Every image below `folder`; a folder that several links lead to, or one that holds it, is looked into once."""
    found, seen = [], {os.path.realpath(above) for above in folder.absolute().parents}
    for home, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(home)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(home, name) for name in files if not name.startswith(".")]
    return sorted((path for path in found if path.suffix.lower() in IMAGE_ENDINGS), key=lambda path: path.parts)


def as_listing(request: Request, names: tuple[str, ...], splits: dict[str, Split]) -> Listing:
    """A listing of `splits`; a test split that lacks is the validation split, else a quarter of every class."""
    if "train" not in splits:
        raise UserError(f"{request.folder}: has no training split")
    train, val, test = splits["train"], splits.get("val"), splits.get("test")
    if test is None and val is not None:
        test, val = val.take(range(len(val)), "test"), None
    if test is None:
        share, seed = request.options.get("test_share", TEST_SHARE), request.options.get("test_seed", TEST_SEED)
        train, test = carve(train, share, seed, ("train", "test"))
    return Listing(names, train, test, val)
