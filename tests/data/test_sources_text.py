"""Official layouts with text lists: labels, names, order and the dialects in circulation."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fgkd.data.sources import SOURCES, Listing, Request
from fgkd.data.sources.text import foodx_classes, foodx_rows
from fgkd.data.split import Split
from fgkd.errors import UserError
from tests.data.layouts import text


def read(source: str, folder: Path, **options) -> Listing:
    assert not SOURCES.get(source).missing(folder)
    return SOURCES.get(source).read(Request(folder, folder / "cache", options))


def pairs(split: Split) -> list[tuple[str, int]]:
    return [(path.name, label) for path, label in zip(split.paths, split.targets.tolist(), strict=True)]


@pytest.fixture
def cub(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    text(tmp_path / "classes.txt", "1 001.Black_footed_Albatross", "2 002.Laysan_Albatross", "3 003.Sooty_Albatross")
    text(tmp_path / "images.txt", "1 001.B/a.jpg", "2 002.L/b.jpg", "3 001.B/c.jpg", "4 003.S/d.jpg", "5 002.L/e.jpg")
    text(tmp_path / "image_class_labels.txt", "1 1", "2 2", "3 1", "4 3", "5 2")
    text(tmp_path / "train_test_split.txt", "1 1", "2 0", "3 0", "4 1", "5 1")
    return tmp_path


def test_cub(cub):
    listing = read("cub", cub)
    assert listing.class_names == ("001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross")
    assert pairs(listing.train) == [("a.jpg", 0), ("d.jpg", 2), ("e.jpg", 1)]
    assert pairs(listing.test) == [("b.jpg", 1), ("c.jpg", 0)]
    assert listing.train.paths[0] == cub / "images/001.B/a.jpg"


def test_cub_first_classes(cub):
    listing = read("cub", cub, classes=2)
    assert len(listing.class_names) == 2
    assert pairs(listing.train) == [("a.jpg", 0), ("e.jpg", 1)]


def test_cub_with_lists_that_disagree(cub):
    text(cub / "image_class_labels.txt", "1 1", "2 2")
    with pytest.raises(UserError, match=r"image 3 of images\.txt has no row"):
        read("cub", cub)


def test_a_short_line_is_named(cub):
    text(cub / "train_test_split.txt", "1 1", "2")
    with pytest.raises(UserError, match=r"train_test_split\.txt:2: expected 2 fields, found '2'"):
        read("cub", cub)


@pytest.mark.shared
def test_cub_official_files(shared_data, tmp_path):
    folder = shutil.copytree(shared_data / "annotations/CUB_200_2011", tmp_path / "cub")
    (folder / "images").mkdir()
    listing, first = read("cub", folder), read("cub", folder, classes=50)
    assert (len(listing.train), len(listing.test), len(listing.class_names)) == (5994, 5794, 200)
    for split in (listing.train, listing.test):
        for path, label in zip(split.paths, split.targets.tolist(), strict=True):
            assert path.parent.name == listing.class_names[label]
    cut = read("cub", shared_data / "CUB_200_2011", classes=50)
    assert cut.class_names == first.class_names == listing.class_names[:50]
    assert pairs(cut.train) == pairs(first.train)
    assert pairs(cut.test) == pairs(first.test)


@pytest.fixture
def foodx(tmp_path: Path) -> Path:
    text(tmp_path / "annot/class_list.txt", "0 macaron", "1 beignet", "2 cruller")
    text(tmp_path / "annot/train_info.csv", "train_000001.jpg,2", "train_000000.jpg,0", "train_000002.jpg,1")
    text(tmp_path / "annot/val_info.csv", "val_000000.jpg,1")
    for name in ("train_set", "val_set"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_foodx(foodx):
    listing = read("foodx251", foodx)
    assert listing.class_names == ("macaron", "beignet", "cruller")
    assert pairs(listing.train) == [("train_000000.jpg", 0), ("train_000001.jpg", 2), ("train_000002.jpg", 1)]
    assert listing.test.paths == (foodx / "val_set/val_000000.jpg",)


@pytest.mark.parametrize("header", ["ImageID,ClassID", "img_name,label"])
def test_foodx_with_headers_reads_the_same(foodx, header):
    plain = read("foodx251", foodx)
    text(foodx / "annot/class_list.txt", "ClassID ClassName", "0 macaron", "1 beignet", "2 cruller")
    text(
        foodx / "annot/train_info.csv",
        header,
        "train_000002.jpg,1",
        "train_000000.jpg,0",
        "train_000001.jpg,2",
    )
    text(foodx / "annot/val_info.csv", header, "val_000000.jpg,1")
    headed = read("foodx251", foodx)
    assert headed.class_names == plain.class_names
    assert pairs(headed.train) == pairs(plain.train)
    assert pairs(headed.test) == pairs(plain.test)


def test_foodx_unlabelled_list_is_refused(foodx):
    text(foodx / "annot/train_info.csv", "test_024088.jpg")
    with pytest.raises(UserError, match="expected 2 fields"):
        read("foodx251", foodx)
    text(foodx / "annot/train_info.csv", "a.jpg,many")
    with pytest.raises(UserError, match=r"train_info\.csv: expected an integer, found 'many'"):
        read("foodx251", foodx)


@pytest.mark.shared
def test_foodx_official_files(shared_data):
    annotations = shared_data / "annotations/foodx251"
    plain, headed = (foodx_classes(annotations / f"{name}/class_list.txt") for name in ("annot", "annot_with_header"))
    assert plain == headed
    assert len(plain) == 251
    assert plain[0] == "macaron"
    rows = [foodx_rows(annotations / f"{name}/val_info.csv", Path()) for name in ("annot", "annot_with_header")]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 11994
    train = foodx_rows(annotations / "annot_with_header/train_info.csv", Path())
    assert len(train) == 118475
    assert {label for _, label in train} == set(range(251))


@pytest.mark.shared
def test_grocery_store(shared_data):
    listing = read("grocery_store", shared_data / "grocery_store")
    assert listing.val is not None
    assert [len(split) for split in (listing.train, listing.val, listing.test)] == [2640, 296, 2485]
    assert len(listing.class_names) == 81
    for path, label in zip(listing.test.paths, listing.test.targets.tolist(), strict=True):
        assert listing.class_names[label] in path.parts  # the fine class is a folder


def test_aircraft(tmp_path):
    text(tmp_path / "data/variants.txt", "707-320", "737-200", "F/A-18", "Cessna 172")
    text(tmp_path / "data/images_variant_train.txt", "1025794 707-320", "0056978 F/A-18")
    text(tmp_path / "data/images_variant_val.txt", "2024144 Cessna 172", "9 737-200")
    text(
        tmp_path / "data/images_variant_trainval.txt",
        "1025794 707-320",
        "0056978 F/A-18",
        "2024144 Cessna 172",
        "9 737-200",
    )
    text(tmp_path / "data/images_variant_test.txt", "1514522 Cessna 172")
    (tmp_path / "data/images").mkdir()
    listing = read("aircraft", tmp_path)
    assert listing.class_names[3] == "Cessna 172"
    assert pairs(listing.train) == [("1025794.jpg", 0), ("0056978.jpg", 2), ("2024144.jpg", 3), ("9.jpg", 1)]
    assert pairs(listing.test) == [("1514522.jpg", 3)]
    assert listing.val is None
    official = read("aircraft", tmp_path, val=True)
    assert official.val is not None
    assert (len(official.train), len(official.val)) == (2, 2)


def test_pets(tmp_path):
    text(
        tmp_path / "annotations/trainval.txt",
        "# a comment",
        "Abyssinian_100 1 1 1",
        "yorkshire_terrier_1 3 2 25",
        "Bengal_2 2 1 2",
    )
    text(tmp_path / "annotations/test.txt", "Abyssinian_201 1 1 1")
    (tmp_path / "images").mkdir()
    listing = read("pets", tmp_path)
    assert listing.class_names == ("Abyssinian", "Bengal", "yorkshire terrier")
    assert pairs(listing.train) == [("Abyssinian_100.jpg", 0), ("yorkshire_terrier_1.jpg", 2), ("Bengal_2.jpg", 1)]
    assert pairs(listing.test) == [("Abyssinian_201.jpg", 0)]


def test_food101(tmp_path):
    text(tmp_path / "meta/classes.txt", "apple_pie", "baby_back_ribs")
    text(tmp_path / "meta/train.txt", "baby_back_ribs/7", "apple_pie/1005649")
    text(tmp_path / "meta/test.txt", "apple_pie/3")
    (tmp_path / "images").mkdir()
    listing = read("food101", tmp_path)
    assert pairs(listing.train) == [("7.jpg", 1), ("1005649.jpg", 0)]
    assert Counter(np.asarray(listing.test.targets).tolist()) == {0: 1}
