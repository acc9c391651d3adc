"""Data sets that are written before they can be read: drawn, unpacked or exported, once, whoever asks first."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from fgkd.data.split import Split, as_split
from fgkd.files import alone

MANIFEST = "manifest.json"


def written_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """`folder`, after `write` has filled it, now or in an earlier call by any process.

    `write` fills a neighbouring folder, which is renamed when complete: a folder that exists is complete.
    """
    with alone(folder):
        if not (folder / MANIFEST).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
                draft = Path(scratch) / folder.name
                draft.mkdir()
                write(draft)
                draft.rename(folder)
    return folder


Encoded = tuple[bytes, str, int]  # a file's bytes, its extension, its label


def write_store(folder: Path, class_names: Sequence[str], splits: Mapping[str, Iterable[Encoded]]) -> None:
    """Write ``SPLIT/LABEL/NUMBER.EXT`` for every image, and last the manifest."""
    for split, images in splits.items():
        for number, (data, extension, label) in enumerate(images):
            path = folder / split / f"{label:04d}" / f"{number:06d}{extension}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (folder / MANIFEST).write_text(json.dumps({"class_names": list(class_names)}))


def read_store(folder: Path) -> tuple[tuple[str, ...], dict[str, Split]]:
    """The class names and the splits of what `write_store` wrote, in the order written."""
    class_names = tuple(json.loads((folder / MANIFEST).read_text())["class_names"])
    splits = {}
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(part.glob("*/*"), key=lambda path: path.name)
        splits[part.name] = as_split(part.name, [(path, int(path.parent.name)) for path in files])
    return class_names, splits
