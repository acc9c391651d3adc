"""Cards of small sets, and archives of them."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fgkd.data import opening
from fgkd.data.card import read_card
from fgkd.data.prepare import Job, Progress, classes, prepare, preparing
from fgkd.data.split import ImageData

MODES = {".tar": "w", ".tgz": "w:gz", ".tar.gz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


class Notes(Progress):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: list[tuple[str, int, int]] = []

    @contextmanager
    def stage(self, text: str, total: int, unit: str = "bytes") -> Iterator[Callable[[int], None]]:
        done = [0]

        def advance(amount: int) -> None:
            done[0] += amount

        yield advance
        self.stages.append((text, total, done[0]))

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sync", lambda: None, raising=False)


@pytest.fixture
def shrink(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the card NAME describe a set of so many classes, without counts or checksums."""

    def change(name: str, num_classes: int, **fields: Any) -> None:
        def small(asked: str) -> Any:
            card = read_card(asked)
            if asked != name:
                return card
            rules = {key: r.model_copy(update={"counts": {}}) for key, r in card.fgkd.protocols.items()}
            new = {"num_classes": num_classes, "protocols": rules, "checksums": (), **fields}
            return card.model_copy(update={"fgkd": card.fgkd.model_copy(update=new)})

        for module in (opening, preparing, classes):
            monkeypatch.setattr(module, "read_card", small)

    return change


@pytest.fixture
def ready(tmp_path: Path) -> Callable[..., ImageData]:
    """Prepare a set in tmp_path/root and give it opened."""

    def run(name: str, *sources: Path | str, **changes: Any) -> ImageData:
        return prepare(job(tmp_path, name, *sources, **changes))[0]

    return run


def job(tmp_path: Path, name: str, *sources: Path | str, **changes: Any) -> Job:
    places = {"root": tmp_path / "root", "cache": tmp_path / "cache", **changes}
    return Job(name, [str(source) for source in sources], **places)


def pack(archive: Path, layout: Path, parts: Sequence[str] = (), prefix: str = "") -> Path:
    """An archive of the kind that its name says, of `parts` of a folder (all by default)."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    chosen = [layout / part for part in parts] or sorted(layout.iterdir())
    files = sorted(file for part in chosen for file in ([part] if part.is_file() else part.rglob("*")))
    names = {file: prefix + file.relative_to(layout).as_posix() for file in files if file.is_file()}
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
            for file, name in names.items():
                made.write(file, name)
    else:
        mode = next(mode for ending, mode in MODES.items() if archive.name.endswith(ending))
        with tarfile.open(archive, mode) as made:  # type: ignore[call-overload]
            for file, name in names.items():
                made.add(file, name)
    return archive


def add_to_tar(made: tarfile.TarFile, name: str, data: bytes = b"x", **fields: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    made.addfile(info, io.BytesIO(data) if info.isreg() else None)


def left_behind(root: Path) -> list[str]:
    """What lies in a data root, locks apart."""
    return sorted(path.name for path in root.iterdir() if path.suffix != ".lock") if root.exists() else []
