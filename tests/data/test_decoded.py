"""The decoded cache holds what the files show, is built once, and is used only when it is whole and true."""

from __future__ import annotations

import json
import os
import pickle
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgkd.data import ImageData, open_dataset
from fgkd.data.decoded import (
    build,
    building,
    decoded_folder,
    draft,
    find,
    layout,
    open_decoded,
    remove,
    store,
    stores,
    survey,
)
from fgkd.data.images import read_image
from fgkd.errors import UserError, UserErrors
from fgkd.files import alone, draft_folder
from fgkd.spec import DatasetSpec, ViewSpec
from tests.data.odd_files import SIDE, odd_data

VIEW = ViewSpec(size=32, shorter_side=SIDE)


@pytest.fixture
def odd(tmp_path: Path) -> ImageData:
    return odd_data(tmp_path / "odd")


@pytest.fixture
def built(odd: ImageData, tmp_path: Path) -> Path:
    """The folder of a finished cache of `odd`."""
    return build(survey(odd, SIDE, tmp_path)).folder


def splits(data: ImageData):
    return data.train, data.holdout, data.test


def assert_true(decoded, data: ImageData, view: ViewSpec = VIEW) -> None:
    """Every picture is, byte for byte, what its file shows."""
    for split in splits(data):
        pictures = decoded.pictures(split.paths, view)
        for number, path in enumerate(split.paths):
            assert np.array_equal(pictures[number], read_image(path, view.shorter_side)), path


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("chunk", [1, 9000, 2**30])
def test_pixels_are_those_of_the_files(odd, tmp_path, monkeypatch, threads, chunk):
    monkeypatch.setattr(draft, "CHUNK", chunk)
    done: list[int] = []
    plan = survey(odd, SIDE, tmp_path, threads=threads)
    decoded = build(plan, threads=threads, advance=done.append)
    assert sum(done) == len(plan.names) == 17
    assert (decoded.folder / "pixels.bin").stat().st_size == plan.size
    assert sorted(path.name for path in decoded.folder.iterdir()) == sorted(
        [layout.PIXELS, layout.INDEX, layout.NAMES, layout.MANIFEST]
    )
    assert_true(decoded, odd)


@pytest.mark.shared
def test_pixels_of_real_photographs(shared_data, tmp_path):
    data = open_dataset(DatasetSpec(name="cub50"), shared_data, cache=tmp_path)
    few = replace(data, train=data.train.take(range(0, 1275, 25)), holdout=data.holdout.take([1, 2]), revision="few")
    few = replace(few, test=data.test.take(range(0, 1389, 50)))
    assert_true(build(survey(few, 96, tmp_path)), few, ViewSpec(size=64, shorter_side=96))


def test_pictures_travel_to_spawned_workers(odd, built):
    pictures = open_decoded(odd, SIDE, built.parents[1]).pictures(odd.test.paths, VIEW)
    before = pictures[0]
    assert np.array_equal(pickle.loads(pickle.dumps(pictures))[0], before)
    assert len(pickle.dumps(pictures)) < 1000 + pictures.index.nbytes
    with pytest.raises(ValueError, match="read-only"):
        before[0] = 0


def test_it_is_built_once(odd, built, tmp_path, monkeypatch):
    before = (built / "pixels.bin").stat().st_mtime_ns
    monkeypatch.setattr(building, "read_image", None)  # decoding would fail
    assert build(survey(odd, SIDE, tmp_path)).folder == built
    assert (built / "pixels.bin").stat().st_mtime_ns == before


def test_a_copy_of_the_data_elsewhere_is_served_too(odd, built, tmp_path):
    (tmp_path / "odd").rename(tmp_path / "moved")

    def moved(split):
        return replace(split, paths=tuple(Path(str(path).replace("/odd/", "/moved/")) for path in split.paths))

    elsewhere = replace(odd, train=moved(odd.train), holdout=moved(odd.holdout), test=moved(odd.test))
    assert_true(open_decoded(elsewhere, SIDE, tmp_path), elsewhere)


def test_an_interrupted_build_goes_on(odd, tmp_path, monkeypatch):
    monkeypatch.setattr(draft, "CHUNK", 9000)
    plan, read, seen = survey(odd, SIDE, tmp_path), read_image, []

    def interrupted(path, side):
        seen.append(path)
        if len(seen) == 9:
            raise KeyboardInterrupt
        return read(path, side)

    monkeypatch.setattr(building, "read_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(plan, threads=1)
    assert open_decoded(odd, SIDE, tmp_path) is None
    assert [manifest for _, manifest in stores(tmp_path)] == [None]
    seen.clear()
    monkeypatch.setattr(building, "read_image", lambda path, side: seen.append(path) or read(path, side))
    assert_true(build(survey(odd, SIDE, tmp_path), threads=1), odd)
    assert 0 < len(seen) < 17, "what was whole is not decoded again"


def test_a_draft_that_was_damaged_or_belongs_to_other_files_is_not_trusted(odd, tmp_path):
    plan = survey(odd, SIDE, tmp_path)
    folder = draft_folder(plan.folder)
    drafted = draft.Draft(folder, plan.digest(), plan.size)
    (chunk,) = draft.chunks_of(plan.sizes)
    drafted.put(chunk, np.zeros(chunk.size, np.uint8), [(1, 1)] * 17)
    assert drafted.get(chunk) is not None
    with drafted.pixels.open("r+b") as file:
        file.write(b"x")
    assert drafted.get(chunk) is None
    drafted.put(chunk, np.zeros(chunk.size, np.uint8), [(1, 1)] * 17)
    os.utime(odd.train.paths[0], (1, 1))
    assert_true(build(survey(odd, SIDE, tmp_path)), odd)


def test_all_broken_files_are_told_together_and_nothing_is_kept(odd, tmp_path):
    truncated, no_picture = odd.train.paths[9], odd.test.paths[-1]
    truncated.write_bytes(truncated.read_bytes()[:-30])
    no_picture.write_bytes(b"nothing")
    with pytest.raises(UserErrors, match="2 of 17 images of odd cannot be decoded") as caught:
        build(survey(odd, SIDE, tmp_path))
    assert str(truncated) in str(caught.value)
    assert str(no_picture) in str(caught.value)
    assert stores(tmp_path) == []


def test_a_full_disk_is_met_before_decoding(odd, tmp_path, monkeypatch):
    plan = survey(odd, SIDE, tmp_path)
    monkeypatch.setattr(type(plan), "free", property(lambda self: plan.size - 1))
    with pytest.raises(UserError, match=r"more than are free .* --cache, or a smaller --size"):
        build(plan)
    assert stores(tmp_path) == []


def damage_pixels(folder: Path) -> None:
    with (folder / layout.PIXELS).open("r+b") as file:
        file.write(bytes(range(256)) * 4)


def damage_manifest(folder: Path, **changes) -> None:
    manifest = json.loads((folder / layout.MANIFEST).read_text())
    (folder / layout.MANIFEST).write_text(json.dumps(manifest | changes))


DAMAGE = {
    "pixels.bin should have": lambda folder: os.truncate(folder / layout.PIXELS, 1000),
    "pixels.bin should have .* and has 0": lambda folder: (folder / layout.PIXELS).unlink(),
    "does not hold what .* shows now": damage_pixels,
    "index.npy and names.json are not those": lambda folder: (folder / layout.NAMES).write_text("[]"),
    r"index\.npy cannot be read": lambda folder: (folder / layout.INDEX).unlink(),
    "manifest.json cannot be read": lambda folder: (folder / layout.MANIFEST).write_text("{"),
    "its format is 99": lambda folder: damage_manifest(folder, format=99),
    "decoded by OpenCV 0.1, and this process has": lambda folder: damage_manifest(folder, decoder="OpenCV 0.1"),
}


@pytest.mark.parametrize("said", DAMAGE)
def test_a_damaged_cache_is_named_ignored_and_built_anew(odd, built, tmp_path, said):
    DAMAGE[said](built)
    with pytest.raises(UserError, match=said) as caught:
        open_decoded(odd, SIDE, tmp_path)
    assert str(built) in str(caught.value)
    decoded, note = find(odd, VIEW, tmp_path)
    assert decoded is None
    assert f"fgkd data cache odd --size {SIDE} makes it anew" in note
    said_too: list[str] = []
    assert_true(build(survey(odd, SIDE, tmp_path), say=said_too.append), odd)
    assert "built anew" in said_too[0]


@pytest.mark.parametrize("keeps_time", [False, True])
def test_a_file_that_changed_without_changing_its_size_is_noticed(odd, built, tmp_path, monkeypatch, keeps_time):
    monkeypatch.setattr(store, "SAMPLE", 0)  # luck is not what finds it
    path = next(path for path in odd.train.paths if path.name == "misnamed.jpg")
    times = (1, 1) if keeps_time else None  # as a copy may, that was written long ago
    write_same_size(path, read_image(path)[::-1], path.stat().st_size)
    os.utime(path, times)
    with pytest.raises(UserError, match=r"does not hold what .*misnamed\.jpg shows now"):
        open_decoded(odd, SIDE, tmp_path)


def write_same_size(path: Path, pixels: np.ndarray, size: int) -> None:
    """Other pixels in a file of the same length; what follows the end of a PNG is not read."""
    Image.fromarray(np.ascontiguousarray(pixels) // 16 * 16).save(path, "PNG")
    assert path.stat().st_size <= size
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))


def test_find_tells_what_is_read(odd, built, tmp_path):
    decoded, note = find(odd, VIEW, tmp_path)
    assert decoded is not None
    assert note == f"odd: pictures come from the decoded cache {built}"
    assert find(odd, ViewSpec(size=32, shorter_side=40), tmp_path)[1] == (
        "odd: image files are decoded; fgkd data cache odd --size 40 would spare that"
    )
    decoded, note = find(odd, ViewSpec(size=32), tmp_path)
    assert decoded is None
    assert (
        note
        == f"odd: whole image files are decoded; the decoded cache at {SIDE} px is for views with that shorter_side"
    )
    assert find(replace(odd, revision="0"), ViewSpec(size=32), tmp_path)[1] == "odd: whole image files are decoded"
    assert find(replace(odd, revision="0"), VIEW, tmp_path)[0] is None, "another revision is another cache"


@pytest.mark.parametrize(("side", "said"), [(None, "wants whole pictures"), (40, "wants shorter_side 40")])
def test_views_of_other_sizes_are_refused(odd, built, tmp_path, side, said):
    decoded = open_decoded(odd, SIDE, tmp_path)
    with pytest.raises(UserError, match=f"expected a view with shorter_side {SIDE}.*{said}"):
        decoded.pictures(odd.train.paths, ViewSpec(size=32, shorter_side=side))


def test_two_builders_do_the_work_once(odd, tmp_path):
    said: list[str] = []
    plan = survey(odd, SIDE, tmp_path)
    with alone(plan.folder):
        second = threading.Thread(target=lambda: build(plan, say=said.append))
        second.start()
        while not said:
            second.join(0.01)
        assert "another process is at work" in said[0]
        assert open_decoded(odd, SIDE, tmp_path) is None
    second.join(20)
    assert open_decoded(odd, SIDE, tmp_path) is not None


def test_removal_takes_the_finished_and_the_unfinished(odd, built, tmp_path):
    unfinished = draft_folder(built)
    unfinished.mkdir()
    (unfinished / "chunk").write_text("x")
    size = sum(file.stat().st_size for file in built.iterdir())
    assert remove(decoded_folder(tmp_path, odd.revision, SIDE)) == size + 1
    assert stores(tmp_path) == []
    assert remove(built) == 0
