"""A user's own folders and tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fgkd.data import open_dataset, problems
from fgkd.data.sources import SOURCES, Listing, Request
from fgkd.errors import UserError
from fgkd.spec import DatasetSpec
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


def test_two_names_of_one_split(tmp_path, write_picture):
    for place in ("train/a/1.jpg", "train/b/2.jpg", "val/a/3.jpg", "valid/a/3.jpg"):
        write_picture(tmp_path / place)
    with pytest.raises(UserError, match="val and valid are both the val split"):
        read("imagefolder", tmp_path)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("eval/a/3.jpg", r"eval: holds images and is no split that is known \(dev, test, .*rename it, or name .*train"),
        ("test/3.jpg", "test: expected folders named after classes, found images of no class; sort them, or name"),
    ],
)
def test_what_may_be_the_test_split_is_not_overlooked(tmp_path, write_picture, place, said):
    for kind in ("a", "b"):
        for i in range(8):
            write_picture(tmp_path / f"train/{kind}/{i}.jpg", i)
    write_picture(tmp_path / place)
    with pytest.raises(UserError, match=said):
        read("imagefolder", tmp_path)
    write_picture(tmp_path / "val/a/1.jpg", 9)
    if place.startswith("eval"):  # there is a split to examine on
        assert len(read("imagefolder", tmp_path).test) == 1
    assert len(read("imagefolder", tmp_path / "train").train) == 12


def test_links_that_lead_upwards_or_in_circles_show_no_image_twice(tmp_path, write_picture):
    for kind in ("a", "b"):
        for i in range(8):
            write_picture(tmp_path / f"set/{kind}/{i}.jpg", i)
    (tmp_path / "set/a/up").symlink_to("..", target_is_directory=True)
    (tmp_path / "set/b/self").symlink_to(".", target_is_directory=True)
    (tmp_path / "set/b/top").symlink_to(tmp_path, target_is_directory=True)
    listing = read("imagefolder", tmp_path / "set")
    assert (len(listing.train), len(listing.test)) == (12, 4)


def test_splits_inside_the_classes_are_not_joined(tmp_path, write_picture):
    for i, place in enumerate(("a/train/1.jpg", "a/test/2.jpg", "b/train/3.jpg", "b/Test/4.jpg")):
        write_picture(tmp_path / place, i)
    with pytest.raises(UserError, match="expected SPLIT/CLASS, found CLASS/SPLIT"):
        read("imagefolder", tmp_path)
    for i in range(8):
        write_picture(tmp_path / f"c/{i}.jpg", i)
    assert read("imagefolder", tmp_path).class_names == ("a", "b", "c")  # a class without splits: they are names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder:~nobody-of-this-name/birds", "no home folder is known for ~nobody-of-this-name"),
        ("folder:~nobody-of-this-name/birds?test_share=0.2", "no home folder is known for ~nobody-of-this-name"),
        (f"table:{'t' * 200}.csv?label_column={'x' * 100}", "does not exist"),
        (f"folder:{'f' * 300}", "does not exist"),
        ("folder:t.csv", r"t\.csv: expected a folder, found a file; a list of images is named table:FILE"),
    ],
)
def test_places_that_cannot_be(tmp_path, name, said):
    text(tmp_path / "t.csv", "path,label")
    with pytest.raises(UserError, match=said):
        open_dataset(DatasetSpec(name=name), tmp_path, cache=tmp_path)
    assert said.partition("\\")[0] in problems(DatasetSpec(name=name), tmp_path)[0]


def test_a_folder_one_too_high_is_told(tmp_path, write_picture):
    write_picture(tmp_path / "birds/train/a/1.jpg")
    with pytest.raises(UserError, match="found 1; if the data set lies in birds, name that folder"):
        read("imagefolder", tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder:birds?test_shaer=0.2", "unknown option 'test_shaer'; did you mean test_share"),
        ("folder:birds?test_share=2", "test_share: expected a share between 0 and 1, found '2'"),
        ("folder:birds?test_seed=x", "test_seed: expected an integer from 0"),
        ("folder:birds?test_seed", r"expected options as \?KEY=VALUE"),
        ("hub:birds?streaming=true", "functions of an image's position"),
    ],
)
def test_options_that_are_wrong(tmp_path, name, said):
    (tmp_path / "birds").mkdir()
    with pytest.raises(UserError, match=said):
        open_dataset(DatasetSpec(name=name), tmp_path, cache=tmp_path)


def test_options_of_an_address(tmp_path, write_picture):
    for kind in ("bus", "car"):
        for i in range(8):
            write_picture(tmp_path / f"what?/{kind}/{i}.jpg", i)
    assert open_dataset(DatasetSpec(name="folder:what?"), tmp_path, cache=tmp_path).counts["test"] == 4
    (tmp_path / "what?").rename(tmp_path / "mine")
    half, other = (
        open_dataset(DatasetSpec(name=f"folder:mine?test_share=0.5&test_seed={seed}"), tmp_path, cache=tmp_path)
        for seed in (0, 1)
    )
    assert half.counts["test"] == 8
    assert half.test.paths != other.test.paths


def test_folder_without_train(tmp_path, write_picture):
    write_picture(tmp_path / "test/a/1.jpg")
    with pytest.raises(UserError, match="has test, but no folder train"):
        read("imagefolder", tmp_path)


def test_class_unknown_to_train(tmp_path, write_picture):
    for place in ("train/robin/1.jpg", "train/wren/2.jpg", "test/robins/3.jpg"):
        write_picture(tmp_path / place)
    with pytest.raises(UserError, match=r"unknown class 'robins'; did you mean robin\?"):
        read("imagefolder", tmp_path)


def test_names_that_are_no_text_are_refused(tmp_path, write_picture):
    for split in ("train", "test"):
        for i in range(4):
            write_picture(tmp_path / "set" / split / "wren" / f"{i}.jpg")
    for split in ("train", "test"):
        folder = tmp_path / "set" / split / "wren"
        folder.rename(folder.with_name("caf\udce9"))  # what the system makes of the byte e9
        write_picture(folder / "a.jpg")
    with pytest.raises(UserError, match=r"UTF-8, found 'caf\\udce9'; rename"):
        open_dataset(DatasetSpec(name="folder:set"), tmp_path, cache=tmp_path / "cache")


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
def test_table_with_other_column_names(tmp_path, frame, kind):
    usual = frame.rename(columns={"path": "File Name", "label": "species", "split": "Set"})
    assert read("table", table(tmp_path, usual, kind)).train.targets.tolist() == [1, 0, 1]
    own = frame.rename(columns={"path": "where", "label": "what", "split": "when"}).assign(label="trap")
    options = {"path_column": "where", "label_column": "what", "split_column": "when"}
    listing = read("table", table(tmp_path, own, kind), **options)
    assert listing.class_names == ("robin", "wren")
    assert len(listing.test) == 2
    with pytest.raises(UserError, match="unknown column 'wheres'; did you mean where"):
        read("table", table(tmp_path, own, kind), path_column="wheres")
    with pytest.raises(UserError, match=r"category and class may each be the column label"):
        read("table", table(tmp_path, frame.rename(columns={"label": "category"}).assign(**{"class": "x"}), kind))


def test_tables_as_spreadsheets_write_them(tmp_path, frame):
    (tmp_path / "table.csv").write_bytes(
        b"\xef\xbb\xbfpath; label\r\n" + b"".join(b"%d.jpg; %s\r\n" % (i, b"NoneNA"[i % 2 * 4 :][:4]) for i in range(8))
    )
    listing = read("table", tmp_path / "table.csv")
    assert listing.class_names == ("NA", "None"), "words that pandas would take for missing cells"
    assert {path.name for path in (*listing.train.paths, *listing.test.paths)} == {f"{i}.jpg" for i in range(8)}


def test_absolute_paths_and_a_folder_of_images(tmp_path, frame):
    listing = read("table", table(tmp_path, frame.assign(path=[f"/photos/{i}.jpg" for i in range(6)])))
    assert listing.train.paths[0] == Path("/photos/0.jpg")
    listing = read("table", table(tmp_path, frame), images="elsewhere")
    assert listing.train.paths[0] == tmp_path / "elsewhere/pictures/0.jpg"


def test_numbered_labels_with_names(tmp_path, frame):
    numbered = frame.assign(name=frame["label"], label=[7, 3] * 3)
    listing = read("table", table(tmp_path, numbered, "parquet"), name_column="name")
    assert (listing.class_names, listing.train.targets.tolist()) == (("robin", "wren"), [1, 0, 1])
    with pytest.raises(UserError, match="expected one name for each of 2 labels, found 6"):
        read(
            "table",
            table(tmp_path, numbered.assign(name=["a", "b", "c"] * 2)).rename(tmp_path / "x.csv"),
            name_column="name",
        )


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


def test_a_repeated_row_counts_once(tmp_path, write_picture):
    """Else its copies are parted, and what is trained on is examined on."""
    for i in range(8):
        write_picture(tmp_path / f"{i}.jpg", i)
    lines = [f"{i}.jpg,{'robin' if i % 2 else 'wren'}" for i in range(8)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *lines, *lines]))
    listing = read("table", tmp_path / "list.csv")
    assert sorted(names(listing, "train") + names(listing, "test")) == [f"{i}.jpg" for i in range(8)]


def test_the_order_of_the_rows_decides_nothing(tmp_path, write_picture):
    """A table that is written anew, its rows in another order, has the same splits, and their images as before."""
    for i in range(20):
        write_picture(tmp_path / f"{i}.jpg", i)
    rows = [f"{i}.jpg,{'robin' if i % 2 else 'wren'},{'test' if i % 5 == 0 else 'train'}" for i in range(20)]
    found = []
    for name, order in (("one", rows), ("another", rows[::-1])):
        text(tmp_path / f"{name}.csv", "path,label,split", *order)
        data = open_dataset(DatasetSpec(name=f"table:{name}.csv"), tmp_path, cache=tmp_path)
        found.append([(split.paths, split.targets.tolist()) for split in (data.train, data.holdout, data.test)])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda f: f.rename(columns={"label": "kind"}),
            r"lacks the column label; found path, kind, split .*\?label_column=NAME",
        ),
        (lambda f: f.assign(split="training set"), r"unknown split 'training set'; did you mean training"),
        (lambda f: f.assign(label=["a", None] * 3), "3 rows have an empty label"),
        (lambda f: f.assign(split="test"), "has no training split"),
        (lambda f: f.assign(label=[-1, 2] * 3), "a label is negative"),
        (lambda f: f.assign(path="pictures/0.jpg"), r"0\.jpg is listed twice"),
    ],
)
def test_tables_that_are_wrong(tmp_path, frame, change, said):
    with pytest.raises(UserError, match=said):
        read("table", table(tmp_path, change(frame)))


@pytest.mark.parametrize("rows", [["b.jpg,x", "a.jpg,Smith, John"], ["a.jpg,x,y,z"]])
def test_unquoted_commas(tmp_path, rows):
    text(tmp_path / "table.csv", "path,label", *rows)
    with pytest.raises(
        UserError, match=r"rows are longer than the first, that of names; put texts with commas in quotes"
    ):
        read("table", tmp_path / "table.csv")


def test_not_a_table(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(UserError, match=r"neither CSV .in UTF-8. nor parquet"):
        read("table", path)
