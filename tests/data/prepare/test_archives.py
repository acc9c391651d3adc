"""Archives that are hostile, damaged, or not archives: refused by name, and nothing is left that looks whole."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from fgkd.data.prepare import gather, holder
from fgkd.data.prepare.names import spell
from fgkd.errors import UserError
from tests.data.prepare.conftest import Notes, add_to_tar, left_behind, pack
from tests.data.prepare.sets import MINIS


@pytest.fixture
def layout(tmp_path, write_picture, shrink) -> Path:
    shrink("oxford_pets", 2)
    MINIS["oxford_pets"].write(tmp_path / "pets", write_picture)
    return tmp_path / "pets"


def refused(ready, tmp_path: Path, archive: Path, said: str) -> None:
    elsewhere = lambda: {path for path in tmp_path.rglob("*") if path.relative_to(tmp_path).parts[0] != "root"}
    before = elsewhere()
    assert archive in before
    with pytest.raises(UserError, match=said) as raised:
        ready("oxford_pets", archive)
    assert "\x1b" not in str(raised.value)
    assert left_behind(tmp_path / "root") == []
    assert elsewhere() == before


def test_archives_in_an_archive_are_told_before_they_are_unpacked(ready, tmp_path, write_picture) -> None:
    """ImageNet's training half is published so; its layout names no folder that could be missed."""
    parts = []
    for kind in ("n01440764", "n01443537"):
        write_picture(tmp_path / f"images/{kind}/1.jpg")
        parts.append(pack(tmp_path / f"parts/{kind}.tar", tmp_path / "images", [kind]))
    whole = pack(tmp_path / "train.tar", tmp_path / "parts", [path.name for path in parts])
    with pytest.raises(
        UserError, match=r"lacks folders of images, one per class(.|\n)*inside; .*: n01440764\.tar, n01"
    ):
        ready("imagenet", whole)
    assert left_behind(tmp_path / "root") == []


NAMES = [
    "/etc/cron.d/x",
    "../x.jpg",
    "images/../../x.jpg",
    "C:/x.jpg",
    "C:x.jpg",
    "..\\x.jpg",
    "\\\\host\\x.jpg",
    "images/a\\..\\..\\x",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ending", [".tar", ".tgz", ".zip"])
def test_names_that_lead_out(layout, tmp_path, ready, name, ending):
    archive = pack(tmp_path / f"evil{ending}", layout)
    if ending == ".zip":
        with zipfile.ZipFile(archive, "a") as made:
            made.writestr(zipfile.ZipInfo(name), b"x")
    else:
        with tarfile.open(tmp_path / "evil.tar", "w") as made:
            made.add(layout, "pets")
            add_to_tar(made, name)
        archive = tmp_path / "evil.tar"
    refused(ready, tmp_path, archive, r"the member '.*' leads out of the folder it is unpacked in")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
            "is a link that leads out of the archive, to '/etc/passwd'",
        ),
        ({"type": tarfile.SYMTYPE, "linkname": "../../secret"}, "is a link that leads out"),
        ({"type": tarfile.LNKTYPE, "linkname": "../secret"}, "is a link that leads out"),
        ({"type": tarfile.SYMTYPE, "linkname": "nothing"}, "is a link to 'images/nothing', which is no file"),
        ({"type": tarfile.SYMTYPE, "linkname": "x"}, "is a link to 'images/x', which is no file"),  # to itself
        ({"type": tarfile.CHRTYPE}, "is a device, a pipe or another special file"),
        ({"type": tarfile.BLKTYPE}, "is a device, a pipe or another special file"),
        ({"type": tarfile.FIFOTYPE}, "is a device, a pipe or another special file"),
    ],
)
def test_links_and_devices(layout, tmp_path, ready, fields, said):
    with tarfile.open(tmp_path / "evil.tar", "w") as made:
        made.add(layout, ".")
        add_to_tar(made, "images/x", b"", **fields)
    refused(ready, tmp_path, tmp_path / "evil.tar", said)


@pytest.mark.parametrize(("kind", "said"), [(stat.S_IFLNK, "is a link that leads out"), (stat.S_IFIFO, "is a device")])
def test_links_and_devices_in_zips(layout, tmp_path, ready, kind, said):
    archive = pack(tmp_path / "evil.zip", layout)
    with zipfile.ZipFile(archive, "a") as made:
        info = zipfile.ZipInfo("images/x")
        info.external_attr = (kind | 0o777) << 16
        made.writestr(info, "../../etc/passwd")
    refused(ready, tmp_path, archive, said)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_that_stay_inside_become_copies(layout, tmp_path, ready, kind):
    image = (layout / "images/Abyssinian_1.jpg").read_bytes()
    (layout / "images/Abyssinian_1.jpg").unlink()
    target = {tarfile.SYMTYPE: "../kept/a.jpg", tarfile.LNKTYPE: "top/kept/a.jpg"}[kind]
    with tarfile.open(tmp_path / "links.tar", "w") as made:
        add_to_tar(made, "top/images/Abyssinian_1.jpg", b"", type=kind, linkname=target)
        made.add(layout, "top")
        add_to_tar(made, "top/kept/a.jpg", image)
    ready("oxford_pets", tmp_path / "links.tar")
    placed = tmp_path / "root/oxford-iiit-pet/images/Abyssinian_1.jpg"
    assert placed.read_bytes() == image
    assert not placed.is_symlink()


def test_names_are_shown_without_their_control_characters(layout, tmp_path, ready):
    with tarfile.open(tmp_path / "evil.tar", "w") as made:
        add_to_tar(made, "../\x1b[31mred\nfgkd: all is well\u202e")
    with pytest.raises(UserError) as raised:
        ready("oxford_pets", tmp_path / "evil.tar")
    assert r"\\x1b[31mred\\nfgkd: all is well\\u202e" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert spell("\udcff") == r"\udcff"
    assert len(spell("x" * 10_000)) < 130


@pytest.mark.parametrize("ending", [".tar", ".tgz", ".tar.bz2", ".tar.xz", ".zip"])
@pytest.mark.parametrize("keep", [0.3, 0.6])
def test_truncated(layout, tmp_path, ready, ending, keep):
    archive = pack(tmp_path / f"pets{ending}", layout)
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * keep)])
    refused(ready, tmp_path, archive, r"is truncated or damaged \(.+\); download it again")


def test_a_tar_cut_between_two_members(layout, tmp_path, ready):
    archive = pack(tmp_path / "pets.tar", layout)
    with tarfile.open(archive) as made:
        end = made.getmembers()[-1].offset
    archive.write_bytes(archive.read_bytes()[:end])
    refused(ready, tmp_path, archive, "lacks the blocks that end an archive")


@pytest.mark.parametrize("ending", [".tar", ".tgz", ".tar.bz2", ".tar.xz", ".zip"])
def test_one_byte_that_flipped(layout, tmp_path, ready, ending):
    archive = pack(tmp_path / f"pets{ending}", layout)
    data = bytearray(archive.read_bytes())
    with tarfile.open(archive) if ending == ".tar" else io.BytesIO() as made:
        place = made.getmembers()[5].offset + 100 if ending == ".tar" else len(data) // 2
    data[place] ^= 0x55
    archive.write_bytes(data)
    with pytest.raises(UserError, match=r"is truncated or damaged"):
        ready("oxford_pets", archive)
    assert not (tmp_path / "root/oxford-iiit-pet").exists()


@pytest.mark.parametrize("ending", [".tgz", ".tar.bz2", ".tar.xz"])
def test_a_wrong_sum_at_the_end(layout, tmp_path, ready, ending):
    archive = pack(tmp_path / f"pets{ending}", layout)
    data = bytearray(archive.read_bytes())
    data[-7] ^= 0x55
    archive.write_bytes(data)
    refused(ready, tmp_path, archive, "is truncated or damaged")


def test_a_password(layout, tmp_path, ready):
    archive = pack(tmp_path / "pets.zip", layout)
    data = bytearray(archive.read_bytes())
    place = data.index(b"PK\x01\x02") + 8  # the flags of the first member in the central directory
    data[place] |= 1
    archive.write_bytes(data)
    refused(ready, tmp_path, archive, "has a password; unpack it yourself first")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (
            "images.tgz",
            b"<!doctype html><html>404",
            r"is no archive, it starts with b'<!doctype html>.*download failed",
        ),
        ("images.rar", b"Rar!\x1a\x07", r"expected tar .* or zip; unpack it yourself"),
        ("images.tar.gz", b"\x1f\x8b\x08\x00", "is truncated or damaged"),
        ("images.zip", b"PK\x03\x04", "is truncated or damaged"),
    ],
)
def test_what_is_no_archive(tmp_path, ready, name, data, said):
    (tmp_path / name).write_bytes(data)
    refused(ready, tmp_path, tmp_path / name, said)


@pytest.mark.parametrize("ending", [".tgz", ".zip"])
def test_bombs(layout, tmp_path, ready, monkeypatch, ending):
    archive = pack(tmp_path / f"pets{ending}", layout)
    monkeypatch.setattr(holder, "MAX_MEMBERS", 6)
    refused(ready, tmp_path, archive, "has more than 6 members")
    monkeypatch.undo()


def test_a_bomb_is_left_at_the_header_that_claims_too_much(tmp_path, ready, shrink):
    shrink("oxford_pets", 2)
    info = tarfile.TarInfo("images/huge.jpg")
    info.size = 10**15
    (tmp_path / "bomb.tar").write_bytes(info.tobuf())
    refused(ready, tmp_path, tmp_path / "bomb.tar", r"unpacked, it needs more than the .* GB that are free")


def test_a_header_that_fills_the_memory(tmp_path, ready, shrink):
    shrink("oxford_pets", 2)
    info = tarfile.TarInfo("images/x.jpg")
    info.pax_headers = {"comment": "x" * 3_000_000}
    (tmp_path / "bomb.tar").write_bytes(info.tobuf(tarfile.PAX_FORMAT))
    refused(ready, tmp_path, tmp_path / "bomb.tar", r"has a header of 3,0\d\d,\d\d\d bytes")


def test_too_little_room_is_told_before_anything_is_written(layout, tmp_path, ready, monkeypatch):
    full = type("usage", (), {"free": 5000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    with pytest.raises(UserError, match=r"oxford_pets needs 0\.0 MB, but 0\.0 MB are free.*--link"):
        ready("oxford_pets", layout)
    with pytest.raises(UserError, match="unpacked, it needs more than"):
        ready("oxford_pets", pack(tmp_path / "pets.tar", layout))
    assert left_behind(tmp_path / "root") == []
    assert ready("oxford_pets", layout, mode="link").num_classes == 2


def test_what_is_moved_takes_room_on_another_disk_alone(layout, tmp_path, ready, monkeypatch):
    full = type("usage", (), {"free": 5000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    if not Path("/dev/shm").is_dir() or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("a single disk here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        elsewhere = shutil.copytree(layout, Path(folder) / "pets")
        with pytest.raises(UserError, match=r"oxford_pets needs 0\.0 MB, but 0\.0 MB are free"):
            ready("oxford_pets", elsewhere, mode="move")
        assert (elsewhere / "annotations/test.txt").is_file()
    assert ready("oxford_pets", layout, mode="move").num_classes == 2


def test_bars_reach_their_end(layout, tmp_path, ready):
    for ending in (".tar.xz", ".zip"):
        notes = Notes()
        ready("oxford_pets", pack(tmp_path / f"pets{ending}", layout), progress=notes, root=tmp_path / f"root{ending}")
        assert len(notes.stages) == 2
        assert all(total == done > 0 for _, total, done in notes.stages)
        assert any("files" in note and "free" in note for note in notes.notes)


@pytest.mark.parametrize("mode", ["link", "move"])
def test_archives_are_neither_linked_nor_moved(layout, tmp_path, ready, mode):
    with pytest.raises(UserError, match=f"--{mode} is for folders and files; archives are unpacked, and kept"):
        ready("oxford_pets", pack(tmp_path / "pets.tar", layout), mode=mode)


def test_a_file_that_is_a_folder_too(layout, tmp_path, ready):
    with tarfile.open(tmp_path / "evil.tar", "w") as made:
        made.add(layout, ".")
        add_to_tar(made, "images/Abyssinian_1.jpg/x")
    refused(ready, tmp_path, tmp_path / "evil.tar", r"images/Abyssinian_1\.jpg is both a file and a folder")


def test_what_systems_leave_behind_is_not_unpacked(layout, tmp_path, ready):
    for name in ("__MACOSX/images/._a.jpg", "images/.DS_Store", "images/._Abyssinian_1.jpg", ".git/config"):
        (layout / name).parent.mkdir(parents=True, exist_ok=True)
        (layout / name).write_bytes(b"junk")
    ready("oxford_pets", pack(tmp_path / "pets.zip", layout))
    found = {path.name for path in (tmp_path / "root/oxford-iiit-pet").rglob("*")}
    assert not found & {"._a.jpg", ".DS_Store", "._Abyssinian_1.jpg", "config"}


def test_known_endings_are_told_apart(tmp_path):
    with tarfile.open(tmp_path / "old.tar", "w", format=tarfile.USTAR_FORMAT) as made:
        add_to_tar(made, "a")
    assert [type(h).__name__ for h in gather.holders_of([str(tmp_path / "old.tar"), str(tmp_path)], "copy")] == [
        "Tar",
        "Loose",
    ]
