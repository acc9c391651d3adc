"""Hugging Face `datasets`: a pinned revision of the hub or a folder made by `save_to_disk`, exported to files once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fgkd.data.cache import Encoded, read_store, write_store, written_once
from fgkd.data.seeds import mix
from fgkd.data.sources.base import Listing, Request, source
from fgkd.data.sources.own import SPLIT_WORDS, _listing
from fgkd.errors import UserError

REFERENCE = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})(#(?P<config>[\w.-]+))?")
STREAMING = (
    "a streamed data set has no positions, but the order of an epoch, the hold-out and each image's augmentation are "
    "functions of an image's position; open it without streaming"
)


def check_reference(request: Request) -> None:
    """Refuse a reference that is neither a folder nor pinned, and streaming."""
    if "streaming" in request.reference:
        raise UserError(f"hub:{request.reference}: {STREAMING}")
    if REFERENCE.fullmatch(request.reference) is None and not request.folder.is_dir():
        raise UserError(
            f"hub:{request.reference}: expected OWNER/NAME@REVISION with the 40 hex digits of a commit (names move, "
            "commits do not), or a folder written by save_to_disk"
        )


@source("hub", slow=True, check=check_reference)
def read_hub(request: Request) -> Listing:
    """``OWNER/NAME@REVISION[#CONFIG]`` or a folder. Options: `image_column`, `label_column`."""
    match = REFERENCE.fullmatch(request.reference)
    return export(request, _from_hub(match) if match else _from_disk(request.folder))


def export(request: Request, tables: Any) -> Listing:
    """A `DatasetDict` (or a mapping of split name to `Dataset`) as a listing, its images written to the cache once.

    Raises:
        UserError: it streams, has no image or class column, or labels are missing.
    """
    if not isinstance(tables, dict):
        tables = {"train": tables}
    if any(not hasattr(table, "__len__") for table in tables.values()):
        raise UserError(f"{request.reference or request.folder}: {STREAMING}")
    splits = {SPLIT_WORDS[word]: tables[word] for word in tables if word in SPLIT_WORDS}
    if "train" not in splits:
        raise UserError(f"{request.reference or request.folder}: expected a split train, found {', '.join(tables)}")
    image, label = _columns(request, splits["train"].features)
    class_names = splits["train"].features[label].names
    prints = ",".join(f"{name}={table._fingerprint}" for name, table in sorted(splits.items()))
    folder = request.cache / f"hub-{mix('hub', prints, image, label):016x}"
    parts = {name: _images(table, image, label) for name, table in splits.items()}
    names, stored = read_store(written_once(folder, lambda draft: write_store(draft, class_names, parts)))
    return _listing(request, names, stored)


def _from_disk(folder: Path) -> Any:
    import datasets

    try:
        return datasets.load_from_disk(str(folder))
    except (FileNotFoundError, ValueError) as error:
        raise UserError(
            f"{folder}: expected a folder written by save_to_disk of the datasets library ({error})"
        ) from error


def _from_hub(match: re.Match[str]) -> Any:
    import datasets

    try:
        return datasets.load_dataset(match["id"], match["config"], revision=match["revision"])
    except Exception as error:  # the library and the network fail in many ways
        raise UserError(
            f"hub:{match[0]}: cannot be loaded ({error}); check the name, the revision and the network"
        ) from error


def _columns(request: Request, features: Any) -> tuple[str, str]:
    import datasets

    def first(option: str, kind: type) -> str:
        found = [str(request.options[option])] if option in request.options else []
        found += [name for name, feature in features.items() if isinstance(feature, kind)]
        if not found:
            raise UserError(f"{request.reference or request.folder}: has no column of type {kind.__name__}")
        return found[0]

    return first("image_column", datasets.Image), first("label_column", datasets.ClassLabel)


def _images(table: Any, image: str, label: str) -> Iterator[Encoded]:
    import datasets

    for row in table.cast_column(image, datasets.Image(decode=False)):
        cell = row[image]
        data = cell["bytes"] if cell["bytes"] is not None else Path(cell["path"]).read_bytes()
        if row[label] is None or row[label] < 0:
            raise UserError("an image has no label (-1 or empty); drop such rows before saving the data set")
        yield data, Path(cell["path"] or "").suffix or ".img", row[label]
