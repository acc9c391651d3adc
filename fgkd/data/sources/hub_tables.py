"""Tables of the `datasets` library: from the hub, a folder of `save_to_disk`, or parquet files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fgkd.data.sources.base import Request
from fgkd.data.sources.own import SPLIT_WORDS
from fgkd.errors import UserError

REFERENCE = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})(#(?P<config>[\w.-]+))?")
STREAMING = (
    "a streamed data set has no positions, but the order of an epoch, the hold-out and each image's augmentation are "
    "functions of an image's position; open it without streaming"
)


def check_reference(request: Request) -> None:
    """Refuse a reference that is neither a place nor pinned, and streaming."""
    if request.options.get("streaming", "false").lower() != "false":
        raise UserError(f"hub:{request.reference}: {STREAMING}")
    if REFERENCE.fullmatch(request.reference) is None and not request.folder.exists():
        raise UserError(
            f"hub:{request.reference}: expected OWNER/NAME@REVISION with the 40 hex digits of a commit (names move, "
            "commits do not), a folder written by save_to_disk, or parquet files"
        )


def load_tables(request: Request) -> dict[str, Any]:
    """The tables of a request by split: train, and val and test where there are such.

    Raises:
        UserError: nothing can be loaded, it streams, or has no training split.
    """
    match = REFERENCE.fullmatch(request.reference)
    return by_split(request, _from_hub(match) if match else _from_disk(request))


def by_split(request: Request, tables: Any) -> dict[str, Any]:
    """The splits of a `DatasetDict`, a mapping of split name to `Dataset`, or one `Dataset`; under our names."""
    where = request.reference or request.folder
    if not isinstance(tables, dict):
        tables = {"train": tables}
    if any(not hasattr(table, "__len__") for table in tables.values()):
        raise UserError(f"{where}: {STREAMING}")
    splits: dict[str, Any] = {}
    for word, table in tables.items():
        if word.lower() in SPLIT_WORDS and splits.setdefault(SPLIT_WORDS[word.lower()], table) is not table:
            raise UserError(f"{where}: has two splits {SPLIT_WORDS[word.lower()]}, found {', '.join(tables)}")
    if "train" not in splits:
        raise UserError(f"{where}: expected a split train, found {', '.join(tables)}")
    return splits


def _from_hub(match: re.Match[str]) -> Any:
    import datasets

    try:
        return datasets.load_dataset(match["id"], match["config"], revision=match["revision"])
    except Exception as error:  # the library and the network fail in many ways
        raise UserError(
            f"hub:{match[0]}: cannot be loaded ({error}); check the name, the revision and the network"
        ) from error


def _from_disk(request: Request) -> Any:
    import datasets

    folder = request.folder
    files = [folder] if folder.is_file() else sorted(folder.rglob("*.parquet"))
    try:
        if not files or (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
            return datasets.load_from_disk(str(folder))
        arrow = str(request.cache / "arrow")
        parts = _parquet_splits(files, folder).items()
        return {split: datasets.Dataset.from_parquet([str(f) for f in part], cache_dir=arrow) for split, part in parts}
    except (FileNotFoundError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise UserError(
            f"{folder}: expected a folder written by save_to_disk of the datasets library, or parquet files ({error})"
        ) from error


def _parquet_splits(files: list[Path], folder: Path) -> dict[str, list[Path]]:
    """Files by the split that a word of their name or a folder below `folder` tells, as in ``train-00000.parquet``.

    Where no file tells, all are train; they may then differ by their numbers alone.
    """
    parts: dict[str, list[Path]] = {}
    for file in files:
        parts.setdefault(_split_told(file, folder), []).append(file)
    untold = parts.get("", [])
    alike = len({re.sub(r"[0-9]+", "", file.stem) for file in untold}) < 2
    if untold and not (alike and len(parts) == 1):
        raise UserError(f"{folder}: {untold[0].name} does not say which split it is of (train-..., test-...)")
    return {split or "train": part for split, part in parts.items()}


def _split_told(file: Path, folder: Path) -> str:
    """The split of one file; empty where nothing tells."""
    words = [*re.split(r"[-._ ]", file.stem), *file.relative_to(folder).parent.parts]
    told = sorted({SPLIT_WORDS[word.lower()] for word in words if word.lower() in SPLIT_WORDS})
    if len(told) > 1:
        raise UserError(f"{file}: tells of {' and '.join(told)}; expected one split in its name and folders")
    return told[0] if told else ""
