"""Every specimen gets its kind, and whatever training refuses is an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fgkd.data import images, read_image
from fgkd.data.check.endings import ends_early
from fgkd.data.check.fingerprint import BITS, fingerprint
from fgkd.data.check.kinds import KINDS
from fgkd.data.check.look import glance, look
from fgkd.errors import UserError
from tests.data.check.specimens import JPEG, PNG, SPECIMENS, encoded, photo, raw, with_thumbnail

HEADER_KINDS = set(KINDS) - {"blank"}


def kinds(seen) -> set[str]:
    return {kind for kind, _ in seen.marks}


def errors(found: set[str]) -> set[str]:
    return {kind for kind in found if KINDS[kind].severity == "error"}


@pytest.fixture(params=SPECIMENS)
def specimen(request, tmp_path: Path) -> tuple[Path, set[str]]:
    write, wanted = SPECIMENS[request.param]
    path = tmp_path / request.param
    write(path)
    return path, wanted


def test_every_specimen_is_named(specimen):
    path, wanted = specimen
    seen = look(path)
    assert kinds(seen) == wanted
    assert bool(seen.digest) == (not errors(wanted))
    assert kinds(seen) <= set(KINDS)


def test_a_glance_finds_all_errors(specimen):
    path, wanted = specimen
    assert errors(kinds(glance(path))) == errors(wanted)


def test_errors_are_what_training_refuses(specimen):
    path, wanted = specimen
    if path.name == "pipe.jpg":
        pytest.skip("training would wait at a pipe for ever: that is why it is an error")
    if errors(wanted):
        with pytest.raises(UserError):
            read_image(path)
    else:
        read_image(path)


def test_a_bomb_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(JPEG)
    monkeypatch.setattr(images, "MAX_PIXELS", 96 * 80 - 1)
    monkeypatch.setattr(images, "decode", lambda *_: pytest.fail("was decoded"))
    for seen in (look(path), glance(path)):
        assert seen.marks == (("huge", "96 x 80 pixels are more than the 7,679 that are read"),)
        assert not seen.digest


def test_a_glance_reads_little(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "decode", lambda *_: pytest.fail("was decoded"))
    for name, data in (("a.jpg", JPEG), ("b.png", PNG)):
        (tmp_path / name).write_bytes(data)
        assert glance(tmp_path / name).marks == ()


def test_a_lost_end_mark_is_damage_when_the_picture_is_there(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG[:-12])
    assert kinds(look(path)) == {"damaged"}
    assert kinds(glance(path)) == {"damaged"}


def test_unforeseen_errors_of_a_decoder_are_findings(tmp_path, monkeypatch):
    def explode(*_):
        raise KeyError("no such chunk")

    path = tmp_path / "a.jpg"
    path.write_bytes(JPEG)
    monkeypatch.setattr(images, "decode", explode)
    assert kinds(look(path)) == {"unreadable"}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_files_end_early_or_not(form):
    data = encoded(photo().quantize(8) if form == "GIF" else photo(), form)
    assert not ends_early(data)
    assert ends_early(data[:-40])


def test_the_end_of_a_thumbnail_is_not_the_files():
    assert not ends_early(with_thumbnail(cut=False))
    assert ends_early(with_thumbnail(cut=True))


def test_progressive_jpegs_end():
    data = encoded(photo(400, 300), "JPEG", progressive=True, quality=95)
    assert not ends_early(data)
    assert ends_early(data[: len(data) // 2])


def test_a_fingerprint_survives_size_and_compression_only(tmp_path):
    original = np.asarray(photo(600, 500, seed=1))

    def apart(other) -> int:
        bits = [np.unpackbits(np.frombuffer(fingerprint(np.asarray(p)), np.uint8)) for p in (original, other)]
        return int((bits[0] != bits[1]).sum())

    raw(encoded(photo(600, 500, seed=1).resize((120, 100)), "JPEG", quality=40))(tmp_path / "small.jpg")
    assert apart(original) == 0
    assert apart(read_image(tmp_path / "small.jpg")) <= 12
    assert apart(photo(600, 500, seed=2)) > BITS // 4
    assert fingerprint(np.full((40, 40, 3), 9, np.uint8)) == b""
