"""An export comes to its place whole, and what was there is neither lost nor moved away under anybody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fgkd.errors import UserError
from fgkd.export.manifest import NAME
from fgkd.export.placing import placed, staging_folder

OWN = {NAME, "README.md", "model.onnx"}


def place(to: Path, **files: str) -> None:
    """Write an export that consists of a manifest and these files without endings."""
    with placed(to, OWN | set(files)) as stage:
        for name, text in {NAME: "{}", **files}.items():
            (stage / name).write_text(text)


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An earlier export, whose ONNX file the next will not have."""
    folder = tmp_path / "out"
    place(folder, card="old", **{"model.onnx": "old"})
    return folder


def test_a_new_folder_and_its_parents_are_made(tmp_path: Path) -> None:
    place(tmp_path / "a" / "b", card="new")
    assert held(tmp_path / "a" / "b") == {NAME: "{}", "card": "new"}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_the_folder_under_the_shell_stays(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(out)
    before = out.stat().st_ino
    place(Path("."), card="new")
    assert out.stat().st_ino == before
    assert held(Path(".")) == {NAME: "{}", "card": "new"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_mount_point_is_filled(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == out)
    before = out.stat().st_ino
    place(out, card="new")
    assert out.stat().st_ino == before
    assert held(out) == {NAME: "{}", "card": "new"}
    assert staging_folder(out) == out


def test_a_half_filled_folder_has_no_manifest(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == out)
    fail_at(monkeypatch, 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place(out, card="new", more="new")
    assert held(out) == {"card": "new"}


def test_a_link_stays_a_link(out: Path) -> None:
    link = out.parent / "link"
    link.symlink_to(out)
    place(link, card="new")
    assert link.is_symlink()
    assert held(out) == {NAME: "{}", "card": "new"}
    assert sorted(path.name for path in out.parent.iterdir()) == ["link", "out"]


@pytest.mark.parametrize("error", [OSError(16, "Device or resource busy"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", [1, 2])
def test_what_was_there_comes_back(out: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, step: int) -> None:
    before = held(out)
    fail_at(monkeypatch, step, error)
    told = UserError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(told, match="cannot write .*resource busy.*--to" if told is UserError else None):
        place(out, card="new")
    assert held(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_where_nothing_can_be_written_the_user_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*Not a directory"):
        place(tmp_path / "file" / "out")


def fail_at(monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException) -> None:
    """Let the renaming of that number, from 1, raise."""
    real, steps = os.replace, iter(range(1, 100))

    def replace(source: Path, target: Path) -> None:
        if next(steps) == step:
            raise error
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
