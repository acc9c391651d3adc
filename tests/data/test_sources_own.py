"""A user's own folders and tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fgkd.data.sources import SOURCES, Listing, Request
from fgkd.errors import UserError
from tests.data.layouts import text


def read(source: str, place: Path, **options) -> Listing:
    return SOURCES.get(source).read(Request(place, place.parent / "cache", options))


def names(listing: Listing, split: str) -> list[str]:
    return [path.name for path in getattr(listing, split).paths]


def test_folder_with_splits(tmp_path, write_picture):
    for place in ("train/b/2.JPG", "train/b/deep/1.png", "train/a/3.jpg", "validation/a/4.jpg", "test/b/5.jpg"):
        write_picture(tmp_path / place)
    text(tmp_path / "train/a/notes.txt", "not a picture")
    text(tmp_path / "train/a/._3.jpg", "left by a Mac")
    text(tmp_path / "train/.ipynb_checkpoints/x.jpg", "left by a notebook")
    listing = read("imagefolder", tmp_path)
    assert listing.class_names == ("a", "b")
    assert listing.val is not None
    assert names(listing, "train") == ["3.jpg", "2.JPG", "1.png"]
    assert listing.train.targets.tolist() == [0, 1, 1]
    assert (names(listing, "val"), names(listing, "test")) == (["4.jpg"], ["5.jpg"])
    assert listing.test.targets.tolist() == [1], "a class that test lacks keeps its label"


def test_validation_alone_is_the_test_split(tmp_path, write_picture):
    for place in ("train/a/1.jpg", "train/b/2.jpg", "val/a/3.jpg"):
        write_picture(tmp_path / place)
    listing = read("imagefolder", tmp_path)
    assert listing.val is None
    assert names(listing, "test") == ["3.jpg"]


def test_flat_folder_is_split_class_by_class(tmp_path, write_picture):
    for kind in ("bus", "car", "train"):  # a class may be called train
        for i in range(8):
            write_picture(tmp_path / kind / f"{i}.jpg", i)
    listing = read("imagefolder", tmp_path)
    assert listing.class_names == ("bus", "car", "train")
    assert np.bincount(listing.train.targets).tolist() == [6, 6, 6]
    assert np.bincount(listing.test.targets).tolist() == [2, 2, 2]
    again = read("imagefolder", tmp_path)
    assert again.test.paths == listing.test.paths


def test_folder_without_train(tmp_path, write_picture):
    write_picture(tmp_path / "test/a/1.jpg")
    with pytest.raises(UserError, match="has test, but no folder train"):
        read("imagefolder", tmp_path)


def test_class_unknown_to_train(tmp_path, write_picture):
    for place in ("train/robin/1.jpg", "train/wren/2.jpg", "test/robins/3.jpg"):
        write_picture(tmp_path / place)
    with pytest.raises(UserError, match=r"unknown class 'robins'; did you mean robin\?"):
        read("imagefolder", tmp_path)


def test_folder_without_classes(tmp_path, write_picture):
    write_picture(tmp_path / "1.jpg")
    with pytest.raises(UserError, match="at least two folders, one per class, found 0"):
        read("imagefolder", tmp_path)


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "path": [f"pictures/{i}.jpg" for i in range(6)],
            "label": ["wren", "robin"] * 3,
            "split": ["train", "train", "train", "val", "test", "test"],
        }
    )


def table(folder: Path, frame: pd.DataFrame, kind: str = "csv") -> Path:
    path = folder / f"table.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_table(tmp_path, frame, kind):
    listing = read("table", table(tmp_path, frame, kind))
    assert listing.class_names == ("robin", "wren")
    assert listing.val is not None
    assert listing.train.paths[0] == tmp_path / "pictures/0.jpg"
    assert listing.train.targets.tolist() == [1, 0, 1]
    assert (listing.val.targets.tolist(), listing.test.targets.tolist()) == ([0], [1, 0])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_table_with_numbers_for_labels(tmp_path, frame, kind):
    frame["label"] = [10, 9, 2, 10, 9, 2]
    listing = read("table", table(tmp_path, frame, kind))
    assert listing.class_names == ("2", "9", "10"), "by value, not by letter"
    assert listing.train.targets.tolist() == [2, 1, 0]


def test_table_without_splits(tmp_path, frame):
    listing = read("table", table(tmp_path, frame.drop(columns="split")))
    assert (len(listing.train), len(listing.test)) == (4, 2)
    assert sorted(listing.test.targets.tolist()) == [0, 1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.rename(columns={"label": "class"}), "lacks the column label; found path, class, split"),
        (lambda f: f.assign(split="training set"), r"unknown split 'training set'; did you mean training"),
        (lambda f: f.assign(label=["a", None] * 3), "a path or a label is empty"),
        (lambda f: f.assign(split="test"), "has no training split"),
    ],
)
def test_tables_that_are_wrong(tmp_path, frame, change, said):
    with pytest.raises(UserError, match=said):
        read("table", table(tmp_path, change(frame)))


def test_not_a_table(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(UserError, match="neither CSV nor parquet"):
        read("table", path)
