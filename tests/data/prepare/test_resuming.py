"""Interrupted, continued, done twice, done by two at once; and archives that are not what was published."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from fgkd.data.card import Checksum
from fgkd.data.prepare import prepare
from fgkd.errors import UserError
from tests.data.prepare.conftest import Notes, job, left_behind, pack
from tests.data.prepare.sets import MINIS

TARGET, DRAFT = "oxford-iiit-pet", ".oxford-iiit-pet.preparing"


class Stopping(Notes):
    """Raises after so many chunks of unpacking."""

    def __init__(self, chunks: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = chunks, error

    @contextmanager
    def stage(self, text: str, total: int, unit: str = "bytes") -> Iterator:
        def advance(amount: int) -> None:
            if text.startswith(("unpacking", "writing")):
                self.left -= 1
                if self.left < 0:
                    raise self.error

        yield advance


@pytest.fixture
def layout(tmp_path, write_picture, shrink) -> Path:
    shrink("oxford_pets", 2)
    MINIS["oxford_pets"].write(tmp_path / "pets", write_picture)
    return tmp_path / "pets"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("ending", [".tgz", ".zip", ""])
def test_an_interruption_leaves_a_draft_from_which_the_next_call_continues(layout, tmp_path, ready, ending):
    source = pack(tmp_path / f"pets{ending}", layout) if ending else layout
    with pytest.raises(KeyboardInterrupt):
        ready("oxford_pets", source, progress=Stopping(4, KeyboardInterrupt()))
    assert left_behind(tmp_path / "root") == [DRAFT]
    done = [p for p in (tmp_path / "root" / DRAFT / TARGET).rglob("*") if p.is_file() and p.name != ".part"]
    assert len(done) == 4
    before = {path.name: path.stat().st_mtime_ns for path in done}
    notes = Notes()
    ready("oxford_pets", source, progress=notes)
    assert "continuing: 4 of 10 files are there from an earlier attempt" in notes.notes
    assert left_behind(tmp_path / "root") == [TARGET]
    assert files(tmp_path / "root" / TARGET) == files(layout)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "root" / TARGET).rglob("*")}
    assert {name: after[name] for name in before} == before, "they were not written again"


def test_another_source_starts_afresh(layout, tmp_path, ready):
    with pytest.raises(KeyboardInterrupt):
        ready("oxford_pets", pack(tmp_path / "a.zip", layout), progress=Stopping(4, KeyboardInterrupt()))
    (layout / "images/Abyssinian_1.jpg").write_bytes((layout / "images/Abyssinian_2.jpg").read_bytes())
    notes = Notes()
    ready("oxford_pets", pack(tmp_path / "b.zip", layout), progress=notes)
    assert not any("continuing" in note for note in notes.notes)
    assert files(tmp_path / "root" / TARGET) == files(layout)


def test_a_moving_that_stops_loses_nothing(layout, tmp_path, ready):
    expected = files(layout)
    with pytest.raises(KeyboardInterrupt):
        ready("oxford_pets", layout, mode="move", progress=Stopping(4, KeyboardInterrupt()))
    assert files(layout) == expected
    ready("oxford_pets", layout, mode="move")
    assert files(tmp_path / "root" / TARGET) == expected
    assert not layout.exists()


def test_what_may_not_be_removed_stays_and_is_told(layout, tmp_path, ready, monkeypatch):
    """Files of others, or below a mount that is read alone, are copied; the set is there all the same."""
    expected, real = files(layout), Path.unlink

    def held(path: Path, missing_ok: bool = False) -> None:
        if path.is_relative_to(layout / "images") and path.name == "Abyssinian_1.jpg":
            raise PermissionError(1, "Operation not permitted")
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", held)
    notes = Notes()
    ready("oxford_pets", layout, mode="move", progress=notes)
    assert files(tmp_path / "root" / TARGET) == expected
    assert list(files(layout)) == ["images/Abyssinian_1.jpg"]
    assert any("1 file stays in" in n and "not to be removed: Operation not permitted" in n for n in notes.notes)


def test_a_full_disk_is_told_and_can_be_continued(layout, tmp_path, ready):
    archive = pack(tmp_path / "pets.tgz", layout)
    with pytest.raises(UserError, match="No space left"):
        ready("oxford_pets", archive, progress=Stopping(4, OSError(28, "No space left on device")))
    assert left_behind(tmp_path / "root") == [DRAFT]
    assert ready("oxford_pets", archive).num_classes == 2


def test_a_source_that_changes_meanwhile(layout, tmp_path, ready):
    archive = pack(tmp_path / "pets.tar", layout)

    class Swapping(Notes):
        def note(self, text: str) -> None:
            pack(archive, layout, ["annotations"])

    with pytest.raises(UserError, match="changed while it was read"):
        ready("oxford_pets", archive, progress=Swapping())
    assert not (tmp_path / "root" / TARGET).exists()


def test_two_processes_do_not_collide(layout, tmp_path):
    archive, notes, done = pack(tmp_path / "pets.zip", layout), Notes(), []
    (tmp_path / "root").mkdir()
    other = FileLock(tmp_path / "root" / f"{DRAFT}.lock")
    with other:
        thread = threading.Thread(
            target=lambda: done.append(prepare(job(tmp_path, "oxford_pets", archive, progress=notes)))
        )
        thread.start()
        deadline = time.monotonic() + 10
        while not notes.notes and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "another process prepares" in notes.notes[0]
        assert left_behind(tmp_path / "root") == []
        for name, data in files(layout).items():
            path = tmp_path / "root" / TARGET / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    thread.join(20)
    assert done[0][1], "what the other made is taken as it is"


def test_a_data_root_that_cannot_be_written(layout, tmp_path, ready):
    (tmp_path / "root").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write to .*root.*--data-root"):
        ready("oxford_pets", layout)


@pytest.fixture
def published(tmp_path, write_picture, shrink) -> tuple[Path, Path, list[Checksum]]:
    """Two archives, and a card that states their checksums."""
    MINIS["oxford_pets"].write(tmp_path / "pets", write_picture)
    images = pack(tmp_path / "images.tar.gz", tmp_path / "pets", ["images"])
    annotations = pack(tmp_path / "annotations.zip", tmp_path / "pets", ["annotations"])
    sums = [
        Checksum(file="images.tar.gz", md5=hashlib.md5(images.read_bytes()).hexdigest(), note="as someone states it"),
        Checksum(file="annotations.zip", sha256=hashlib.sha256(annotations.read_bytes()).hexdigest(), size=12),
    ]
    shrink("oxford_pets", 2, checksums=tuple(sums))
    return images, annotations, sums


def test_checksums_are_verified_under_any_name(published, tmp_path, ready):
    images, annotations, sums = published
    notes = Notes()
    ready("oxford_pets", images.rename(tmp_path / "images (1).tar.gz"), annotations, progress=notes)
    assert f"images (1).tar.gz: md5 {sums[0].md5}, as published for images.tar.gz" in notes.notes
    assert f"annotations.zip: sha256 {sums[1].sha256}, as published for annotations.zip" in notes.notes


def test_a_wrong_checksum_is_refused_with_both(published, tmp_path, ready):
    images, annotations, sums = published
    pack(images, tmp_path / "pets", ["images"], prefix="other/")
    found = hashlib.md5(images.read_bytes()).hexdigest()
    with pytest.raises(UserError) as raised:
        ready("oxford_pets", images, annotations)
    text = str(raised.value)
    assert f"expected md5 {sums[0].md5} (as someone states it), found md5 {found}" in text
    assert f"add --accept-checksum {found}" in text
    assert left_behind(tmp_path / "root") == []
    notes = Notes()
    ready("oxford_pets", images, annotations, accepted=[found], progress=notes)
    assert f"images.tar.gz: {found}, accepted as asked" in notes.notes


def test_all_wrong_checksums_are_told_at_once(published, tmp_path, ready):
    images, annotations, _ = published
    for archive in (images, annotations):
        pack(archive, tmp_path / "pets", [archive.name.split(".")[0]], prefix="other/")
    with pytest.raises(
        UserError, match=r"(?s)images\.tar\.gz: expected md5.*annotations\.zip: expected sha256 .* file 12\."
    ):
        ready("oxford_pets", images, annotations)


def test_an_unknown_file_is_told(published, tmp_path, ready):
    notes = Notes()
    ready("oxford_pets", pack(tmp_path / "mine.zip", tmp_path / "pets"), progress=notes)
    assert any("mine.zip: md5 " in note and "no published checksum is known" in note for note in notes.notes)
