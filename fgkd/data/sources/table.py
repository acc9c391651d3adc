"""A user's own images, listed in a CSV or parquet file."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgkd.data.sources.address import SPLITTING, column
from fgkd.data.sources.base import Listing, Request, source
from fgkd.data.sources.own import SPLIT_WORDS, as_listing
from fgkd.data.split import as_split
from fgkd.errors import UserError, unknown_name
from fgkd.text import count

if TYPE_CHECKING:
    import pandas as pd

PARQUET = (".parquet", ".pq")
USUAL = {
    "path": ("image", "image_path", "img_path", "filepath", "file_path", "file", "filename", "file_name", "img_name",
             "image_name", "imageid", "image_id"),
    "label": ("class", "class_name", "label_name", "category", "target", "classid", "class_id", "label_id", "species"),
    "split": ("set", "subset", "partition"),
    "name": (),
}  # fmt: skip
OPTIONS = ("path_column", "label_column", "split_column", "name_column", "images", *SPLITTING)


@source("table", options=OPTIONS)
def read_table(request: Request) -> Listing:
    """A CSV or parquet file with columns path, label and, if it likes, split.

    Paths are absolute, or relative to the file (to the folder of option `images`). Labels are names or numbers; option
    `name_column` tells the column with the names of numbered labels. Options `path_column`, `label_column` and
    `split_column` name the columns where they have other than the usual names. A row that is repeated counts once, so
    that no hold-out holds what is trained on. Rows are taken in the order of their paths: the file's own is nobody's
    choice, and a table written anew would have another hold-out.
    """
    frame = _columns(_read(request.folder), request).sort_values("path", kind="stable", ignore_index=True)
    names, labels = _classes(frame, request.folder)
    words = frame["split"] if "split" in frame else ["train"] * len(frame)
    home = request.folder.parent / str(request.options.get("images", ""))
    rows: dict[str, list[tuple[Path, int]]] = {}
    for path, label, word in zip(frame["path"], labels, words, strict=True):
        if str(word).strip().lower() not in SPLIT_WORDS:
            raise UserError(f"{request.folder}: {unknown_name('split', str(word), SPLIT_WORDS)}")
        rows.setdefault(SPLIT_WORDS[str(word).strip().lower()], []).append((home / path, label))
    _refuse_contradictions(rows, request.folder)
    return as_listing(request, names, {name: as_split(name, list(dict.fromkeys(part))) for name, part in rows.items()})


def _read(table: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        if table.suffix.lower() in PARQUET:
            return pd.read_parquet(table)
        with table.open(encoding="utf-8-sig") as file:
            header = file.readline()
        separator = max(",;\t", key=header.count)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # of rows that are longer than the header
            # A class may be called None or NA, so only what is empty is missing.
            return pd.read_csv(
                table, sep=separator, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8-sig",
                skipinitialspace=True, index_col=False,
            )  # fmt: skip
    except (pd.errors.ParserWarning, pd.errors.ParserError) as error:
        raise UserError(
            f"{table}: rows are longer than the first, that of names; put texts with commas in quotes ({error})"
        ) from error
    except (ValueError, OSError) as error:
        raise UserError(f"{table}: is neither CSV (in UTF-8) nor parquet ({error})") from error


def _columns(frame: pd.DataFrame, request: Request) -> pd.DataFrame:
    """The columns wanted, under our names, as text."""
    where, present = str(request.folder), [str(name) for name in frame.columns]
    frame = frame.set_axis(present, axis=1)
    found = {part: column(part, request.options, present, usual, where) for part, usual in USUAL.items()}
    if lacking := [part for part in ("path", "label") if found[part] is None]:
        hint = "&".join(f"{part}_column=NAME" for part in lacking)
        raise UserError(
            f"{where}: lacks the column {' and '.join(lacking)}; found {', '.join(present)} (the first line names the "
            f"columns; say which one to take with table:FILE?{hint})"
        )
    frame = frame[[name for name in found.values() if name]].set_axis([part for part in found if found[part]], axis=1)
    for name in frame.columns:
        if empty := int(frame[name].isna().sum()):
            raise UserError(f"{where}: {count(empty, 'row has', 'rows have')} an empty {name}")
    return frame.apply(lambda cells: cells.map(_text))


def _text(cell: Any) -> str:
    """Whole numbers as such, also where a column with gaps made floats of them."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _classes(frame: pd.DataFrame, where: Path) -> tuple[tuple[str, ...], list[int]]:
    """Class names, and each row's label."""
    order = sorted_labels(frame["label"])
    if any(label.startswith("-") and label[1:].isdecimal() for label in order):
        raise UserError(f"{where}: a label is negative, which usually means unknown; drop such rows")
    positions = {label: k for k, label in enumerate(order)}
    labels = [positions[label] for label in frame["label"]]
    if "name" not in frame:
        return order, labels
    pairs = sorted(set(zip(labels, frame["name"], strict=True)))
    if len(pairs) != len(order):
        raise UserError(f"{where}: expected one name for each of {len(order)} labels, found {len(pairs)} pairs")
    return tuple(name for _, name in pairs), labels


def sorted_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels: numbers by value, words by letter.

    Example:
        >>> sorted_labels(["10", "9", "9"]), sorted_labels(["wren", "9"])
        (('9', '10'), ('9', 'wren'))
    """
    distinct = sorted(set(labels))
    return tuple(sorted(distinct, key=int) if all(label.isdecimal() for label in distinct) else distinct)


def _refuse_contradictions(rows: dict[str, list[tuple[Path, int]]], where: Path) -> None:
    seen: dict[Path, tuple[str, int]] = {}
    for split, part in rows.items():
        for path, label in part:
            if seen.setdefault(path, (split, label)) != (split, label):
                raise UserError(f"{where}: {path.name} is listed twice, with two labels or in two splits")
