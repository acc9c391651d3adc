"""Hugging Face `datasets`: a pinned revision of the hub or local tables, exported to files once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fgkd.data.cache import Encoded, read_store, write_store, written_once
from fgkd.data.seeds import mix
from fgkd.data.sources.address import SPLITTING, column
from fgkd.data.sources.base import Listing, Request, source
from fgkd.data.sources.hub_tables import by_split, check_reference, load_tables
from fgkd.data.sources.own import as_listing
from fgkd.data.sources.table import USUAL, sorted_labels
from fgkd.errors import UserError

OPTIONS = ("image_column", "label_column", "streaming", *SPLITTING)


@source("hub", slow=True, check=check_reference, options=OPTIONS)
def read_hub(request: Request) -> Listing:
    """``OWNER/NAME@REVISION[#CONFIG]``, a folder of `save_to_disk`, or parquet files.

    Options `image_column` and `label_column`.
    """
    return export(request, load_tables(request))


def export(request: Request, tables: Any) -> Listing:
    """A `DatasetDict` (or a mapping of split name to `Dataset`) as a listing, its images written to the cache once.

    Raises:
        UserError: it streams, has no image or class column, or labels are missing.
    """
    splits = by_split(request, tables)
    image, label = find_columns(request, splits["train"].features)
    class_names = names_of(request, splits, label)
    prints = ",".join(f"{name}={table._fingerprint}" for name, table in sorted(splits.items()))
    folder = request.cache / f"hub-{mix('hub', prints, image, label):016x}"
    parts = {name: images_of(table, image, label, class_names) for name, table in splits.items()}
    names, stored = read_store(written_once(folder, lambda draft: write_store(draft, class_names, parts)))
    return as_listing(request, names, stored)


def find_columns(request: Request, features: Any) -> tuple[str, str]:
    """The columns of images and labels: those of the options, else by type, else by their usual names."""
    import datasets

    image = _column("image", datasets.Image, ("img", "picture", "bytes"), request, features)
    return image, _column("label", datasets.ClassLabel, USUAL["label"], request, features)


def _column(wanted: str, kind: type, usual: tuple[str, ...], request: Request, features: Any) -> str:
    where, named = str(request.reference or request.folder), f"{wanted}_column" in request.options
    typed = [name for name, feature in features.items() if isinstance(feature, kind)]
    if len(typed) == 1 and not named:
        return typed[0]
    plain = [name for name, feature in features.items() if _may_be(feature, wanted)]
    if found := column(wanted, request.options, list(features) if named else typed or plain, usual, where):
        return found
    if typed:
        raise UserError(f"{where}: {' and '.join(typed)} may each be the {wanted}; choose with ?{wanted}_column=NAME")
    raise UserError(
        f"{where}: has no column of type {kind.__name__}, found {', '.join(features)}; if one of them holds the "
        f"{wanted}s, name it with ?{wanted}_column=NAME"
    )


def _may_be(feature: Any, wanted: str) -> bool:
    """Whether a column without a type of its own can hold encoded images, or labels."""
    if wanted == "image":
        return isinstance(feature, dict) and set(feature) == {"bytes", "path"}
    kind = str(getattr(feature, "dtype", ""))
    return kind in ("string", "large_string") or kind.startswith(("int", "uint"))


def names_of(request: Request, splits: Mapping[str, Any], label: str) -> tuple[str, ...]:
    """The class names of the training split, by label.

    Raises:
        UserError: a split has rows without a label, or classes that training lacks.
    """
    where = request.reference or request.folder
    for name, table in splits.items():
        if not all(_is_label(cell) for cell in table.unique(label)):
            raise UserError(
                f"{where}: the {name} split has images without a label (-1 or empty); save it without them, or with "
                "labelled splits alone"
            )
    every = {name: _names(table, label) for name, table in splits.items()}
    for name, names in every.items():
        if strange := sorted(set(names) - set(every["train"])):
            raise UserError(f"{where}: the {name} split has the class {strange[0]!r}, which train lacks")
    return every["train"]


def _names(table: Any, label: str) -> tuple[str, ...]:
    feature = table.features[label]
    if getattr(feature, "names", None):
        return tuple(feature.names)
    return sorted_labels(str(cell) for cell in table.unique(label) if _is_label(cell))


def _is_label(cell: Any) -> bool:
    return cell not in (None, "", -1)


def images_of(table: Any, image: str, label: str, names: tuple[str, ...]) -> Iterator[Encoded]:
    """Every row's encoded image, its extension, and its label as a position in `names`."""
    import datasets

    positions = {name: k for k, name in enumerate(names)}
    own = getattr(table.features[label], "names", None)
    rows = table.select_columns([image, label]).cast_column(image, datasets.Image(decode=False))
    for number, row in enumerate(rows):
        cell, value = row[image], row[label]
        if cell is None:
            raise UserError(f"row {number} has no image in column {image}; save the data set without such rows")
        data = cell["bytes"] if cell["bytes"] is not None else Path(cell["path"]).read_bytes()
        name = own[value] if own else str(value)
        yield data, Path(cell["path"] or "").suffix or _ending(data), positions[name]


def _ending(data: bytes) -> str:
    starts = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp", b"GIF8": ".gif", b"BM": ".bmp"}
    return next((ending for start, ending in starts.items() if data.startswith(start)), ".img")
