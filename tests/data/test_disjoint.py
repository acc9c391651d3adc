"""Retrieval protocols: the classes of training and of testing share nothing, and no image is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fgkd.data import open_dataset, opening, problems
from fgkd.data.card import parse_card
from fgkd.data.disjoint import class_disjoint
from fgkd.data.sources import SOURCES, Listing, Request
from fgkd.data.split import as_split
from fgkd.errors import UserError
from fgkd.spec import DatasetSpec
from tests.data.layouts import cars_halves, cars_whole, cub

CARD = """---
pretty_name: Mine
license: mit
language: [en]
task_categories: [image-classification]
task_ids: [multi-class-image-classification]
size_categories: [n<1K]
fgkd:
  source: SOURCE
  folder: mine
  num_classes: 6
  layout: as published
  origin: me
  download: none
  protocols:
    official: {description: as published}
    retrieval: {description: by halves, task: retrieval, counts: {train: TRAIN, test: TEST}}
---
# Mine
"""
NAMES = [f"class {k}" for k in range(6)]


def listing(*, val: bool = False) -> Listing:
    """Five classes with two images in each official split."""
    parts = {
        name: as_split(name, [(Path(f"{name}/{k}/{i}.jpg"), k) for k in range(5) for i in range(2)])
        for name in ("train", "test", "val")[: 2 + val]
    }
    return Listing(tuple("abcde"), parts["train"], parts["test"], parts.get("val"))


@pytest.mark.parametrize("val", [False, True])
def test_all_official_splits_are_joined_and_parted_by_class(val):
    whole = listing(val=val)
    parted = class_disjoint(whole, Path("mine"))
    assert (parted.class_names, parted.unseen, parted.val) == (("a", "b"), ("c", "d", "e"), None)
    official = [split for split in (whole.train, whole.val, whole.test) if split is not None]
    assert sorted(parted.train.paths + parted.test.paths) == sorted(p for split in official for p in split.paths)
    for split, labels in ((parted.train, {0, 1}), (parted.test, {2, 3, 4})):
        assert set(split.targets.tolist()) == labels
        assert [int(path.parent.name) for path in split.paths] == split.targets.tolist()


def test_three_classes_are_too_few():
    part = as_split("train", [(Path(f"{k}.jpg"), k) for k in range(3)])
    with pytest.raises(UserError, match="mine: retrieval needs at least 4 classes"):
        class_disjoint(Listing(("a", "b", "c"), part, part), Path("mine"))


@pytest.fixture(params=["cub", "cars_halves", "cars_whole"])
def miniature(request, tmp_path, write_picture, monkeypatch):
    """A data set of six classes in an official layout, with a card; its root and images per class."""
    folder = tmp_path / "root/mine"
    source = "cub" if request.param == "cub" else "stanford_cars"
    per_class = {"cub": 5, "cars_halves": 8, "cars_whole": 2}[request.param]
    {"cub": cub, "cars_halves": cars_halves, "cars_whole": cars_whole}[request.param](folder, write_picture, NAMES)
    counts = str(3 * per_class)
    card = CARD.replace("SOURCE", source).replace("TRAIN", counts).replace("TEST", counts)
    monkeypatch.setattr(opening, "read_card", lambda name: parse_card(card, name, "mine.md"))
    return tmp_path / "root", per_class


def test_an_official_layout_by_halves(miniature, tmp_path):
    root, per_class = miniature
    spec = DatasetSpec(name="mine", protocol="retrieval")
    assert problems(spec, root) == []
    data = open_dataset(spec, root, cache=tmp_path)
    assert (data.protocol, data.task, data.num_classes) == ("retrieval", "retrieval", 3)
    assert (data.class_names, data.unseen) == (tuple(NAMES[:3]), tuple(NAMES[3:]))
    assert np.bincount(data.test.targets).tolist() == [0, 0, 0, *[per_class] * 3]
    in_training = np.bincount(data.train.targets) + np.bincount(data.holdout.targets)
    assert in_training.tolist() == [per_class] * 3
    assert set(data.holdout.targets.tolist()) == {0, 1, 2}, "the hold-out is of classes that the classifier knows"
    if per_class > 2:  # else one for training, which leaves nothing to select by
        official = open_dataset(DatasetSpec(name="mine"), root, cache=tmp_path)
        assert (official.task, official.unseen, official.num_classes) == ("classification", (), 6)
        assert official.revision != data.revision


def test_counts_are_those_of_the_protocol(miniature):
    root, _ = miniature
    image = next(path for path in (root / "mine").rglob("*.jpg"))
    image.unlink()
    assert "images listed are not there" in problems(DatasetSpec(name="mine", protocol="retrieval"), root)[0]


def test_other_counts_than_the_cards_are_refused(miniature, monkeypatch):
    root, per_class = miniature
    read = opening.read_card

    def other(name):
        rules = read(name).protocol("retrieval")[1].model_copy(update={"counts": {"train": 1, "test": 3 * per_class}})
        protocols = {"retrieval": rules}
        return read(name).model_copy(update={"fgkd": read(name).fgkd.model_copy(update={"protocols": protocols})})

    monkeypatch.setattr(opening, "read_card", other)
    assert "expected train 1, test" in problems(DatasetSpec(name="mine", protocol="retrieval"), root)[0]


def test_own_folders_have_the_protocol_too(tmp_path, write_picture):
    for k in range(4):
        for i in range(5):
            write_picture(tmp_path / f"mine/{'test' if i > 3 else 'train'}/{k}/{i}.jpg", 5 * k + i)
    spec = DatasetSpec(name="folder:mine", protocol="retrieval")
    data = open_dataset(spec, tmp_path, cache=tmp_path)
    assert (data.task, data.class_names, data.unseen) == ("retrieval", ("0", "1"), ("2", "3"))
    assert data.counts == {"train": 8, "holdout": 2, "test": 10}


def test_a_class_of_the_second_half_needs_no_official_training_image(tmp_path, write_picture):
    for k in range(4):
        for i in range(4):
            write_picture(tmp_path / f"mine/{'test' if k == 3 or i > 2 else 'train'}/{k}/{i}.jpg", 5 * k + i)
    (tmp_path / "mine/train/3").mkdir()
    assert "1 classes have no training image" in problems(DatasetSpec(name="folder:mine"), tmp_path)[0]
    assert problems(DatasetSpec(name="folder:mine", protocol="retrieval"), tmp_path) == []


@pytest.mark.shared
def test_halves_of_the_published_sets(shared_data, tmp_path):
    data = open_dataset(DatasetSpec(name="cub50", protocol="retrieval"), shared_data, cache=tmp_path)
    assert (data.num_classes, len(data.unseen)) == (25, 25)
    assert data.counts == {"train": 1192, "holdout": 210, "test": 1487}
    folder = shutil.copytree(shared_data / "annotations/stanford_cars", tmp_path / "set")
    for part in ("cars_train", "cars_test"):
        (folder / part).mkdir()
    cars = class_disjoint(SOURCES.get("stanford_cars").read(Request(folder, tmp_path, {})), folder)
    assert (len(cars.class_names), len(cars.train), len(cars.test)) == (98, 8054, 8131)
