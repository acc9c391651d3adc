"""The hold-out: stratified, seeded, complete; and the revision, which changes with the content alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgkd.data.split import Split, as_split, carve, content_hash
from fgkd.errors import UserError


def split_of(sizes: list[int]) -> Split:
    """A split with so many images per class, classes interleaved."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes)).tolist()
    return as_split("train", [(Path(f"{i:04d}.jpg"), label) for i, label in enumerate(labels)])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.floats(0.01, 0.5), st.integers(0, 5))
def test_carve_keeps_every_image_and_every_class(sizes, share, seed):
    split = split_of(sizes)
    stay, leave = carve(split, share, seed, ("train", "holdout"))
    assert sorted(stay.paths + leave.paths) == sorted(split.paths)
    assert list(stay.paths) == sorted(stay.paths), "order is kept"
    left = np.bincount(leave.targets, minlength=len(sizes))
    for size, count in zip(sizes, left, strict=True):
        assert (count == 0) if size == 1 else (1 <= count < size)
        assert abs(count - size * share) <= 1
    labels = dict(zip(split.paths, split.targets.tolist(), strict=True))
    assert [labels[path] for path in leave.paths] == leave.targets.tolist()


def test_share_of_the_whole_is_met_where_every_class_rounds_the_same_way():
    stay, leave = carve(split_of([30] * 50), 0.15, 0, ("train", "holdout"))  # 4.5 of each class
    assert (len(stay), len(leave)) == (1275, 225)


def test_what_is_lacking_comes_from_the_largest_remainder():
    _, leave = carve(split_of([19, 21]), 0.1, 0, ("train", "holdout"))  # 1.9 and 2.1
    assert np.bincount(leave.targets).tolist() == [2, 2]


@given(st.lists(st.integers(1, 3), min_size=2, max_size=60), st.floats(0.01, 0.5), st.integers(0, 3))
def test_classes_of_a_single_image_stay_in_train(sizes, share, seed):
    stay, leave = carve(split_of(sizes), share, seed, ("train", "holdout"))
    assert set(stay.targets.tolist()) == set(range(len(sizes)))
    assert set(leave.targets.tolist()) == {label for label, size in enumerate(sizes) if size > 1}


@given(st.integers(2, 30), st.integers(100, 400), st.floats(0.01, 0.5))
def test_a_long_tail_gives_its_share(rare, common, share):
    """One common class, one of middling size and many of a single image, as people's own data look."""
    split = split_of([common, *[1] * rare, 7])
    stay, leave = carve(split, share, 0, ("train", "holdout"))
    assert len(stay) + len(leave) == len(split)
    assert np.bincount(stay.targets).min() == 1
    assert abs(len(leave) - share * (common + rare + 7)) <= 1 + share * rare


def test_seed_decides_who_leaves():
    split = split_of([30] * 5)
    draws = [carve(split, 0.2, seed, ("train", "holdout"))[1].paths for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / name).write_text(name)
    return tmp_path / "set"


def rows(folder: Path) -> list[tuple[Path, int]]:
    return [(folder / name, label) for label, name in enumerate("abc")]


def test_revision_ignores_place_and_order(folder: Path, tmp_path: Path):
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    revision = content_hash([as_split("train", rows(folder))], folder)
    assert content_hash([as_split("train", rows(copy)[::-1])], copy) == revision
    assert len(revision) == 12


def test_revision_sees_size_label_and_split(folder: Path):
    revisions = {content_hash([as_split("train", rows(folder))], folder)}
    revisions.add(content_hash([as_split("test", rows(folder))], folder))
    revisions.add(content_hash([as_split("train", [*rows(folder)[:2], (folder / "c", 0)])], folder))
    (folder / "a").write_text("aa")
    revisions.add(content_hash([as_split("train", rows(folder))], folder))
    assert len(revisions) == 4


def test_revision_is_the_same_however_the_folder_is_spelled(folder: Path, monkeypatch: pytest.MonkeyPatch):
    revision = content_hash([as_split("train", rows(folder))], folder)
    detour = folder / ".." / folder.name
    assert content_hash([as_split("train", rows(detour))], folder) == revision
    assert content_hash([as_split("train", rows(folder))], detour) == revision
    monkeypatch.chdir(folder)
    assert content_hash([as_split("train", rows(Path()))], Path()) == revision
    outside = content_hash([as_split("train", rows(folder))], folder.parent)
    assert outside == content_hash([as_split("train", rows(folder))], Path("..")) != revision


def test_missing_files_are_counted_and_named(folder: Path):
    with pytest.raises(UserError, match=r"2 of 5 images .* the first is .*x\.jpg.*incomplete"):
        content_hash([as_split("train", [*rows(folder), (folder / "x.jpg", 0), (folder / "y.jpg", 0)])], folder)
