"""Sets that are written to the cache first: CIFAR-100, exports of `datasets`, drawn birds."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fgkd.data.cache import read_store, write_store, written_once
from fgkd.data.images import read_image
from fgkd.data.sources import SOURCES, Listing, Request
from fgkd.data.sources.cifar import read_pickle
from fgkd.data.sources.hub import export
from fgkd.errors import UserError
from tests.data import layouts


def read(source: str, folder: Path, cache: Path, reference: str = "", **options) -> Listing:
    request = Request(folder, cache, options, reference)
    entry = SOURCES.get(source)
    if entry.check is not None:
        entry.check(request)
    return entry.read(request)


def test_cifar_pixels_and_labels(tmp_path):
    archive, pixels = layouts.cifar(tmp_path / "cifar", ["apple", "aquarium_fish", "baby"])
    listing = read("cifar100", archive, tmp_path / "cache")
    assert listing.class_names == ("apple", "aquarium_fish", "baby")
    assert listing.train.targets.tolist() == [0, 1, 2] * 3
    for path, row in zip(listing.train.paths, pixels, strict=True):
        assert np.array_equal(read_image(path), row.transpose(1, 2, 0))


class Trap:
    def __reduce__(self):
        return os.system, ("touch trapped",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train").write_bytes(pickle.dumps({b"data": Trap()}))
    with pytest.raises(UserError, match=r"train: is not a file of the CIFAR-100 archive \(it asks for .*system"):
        read_pickle(tmp_path / "train")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("table", [[1, 2], {b"data": np.zeros((2, 5), np.uint8), b"fine_labels": [0, 1]}])
def test_a_pickle_of_something_else_is_refused(tmp_path, table):
    archive, _ = layouts.cifar(tmp_path / "cifar", ["a", "b"])
    (archive / "train").write_bytes(pickle.dumps(table))
    with pytest.raises(UserError, match=r"train: expected"):
        read("cifar100", archive, tmp_path / "cache")


def test_written_once(tmp_path):
    calls = []

    def write(folder: Path) -> None:
        calls.append(folder)
        write_store(folder, ["a", "b"], {"train": [(b"1", ".jpg", 1), (b"0", ".png", 0)]})

    for _ in range(2):
        names, splits = read_store(written_once(tmp_path / "cache/set", write))
    assert len(calls) == 1
    assert names == ("a", "b")
    assert splits["train"].targets.tolist() == [1, 0], "the order of writing is kept"


def test_an_interrupted_writing_starts_again(tmp_path):
    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written_once(tmp_path / "set", fail)
    assert not (tmp_path / "set").exists()
    assert [path.name for path in tmp_path.iterdir()] in ([], ["set.lock"]), "no draft is left"
    folder = written_once(tmp_path / "set", lambda draft: write_store(draft, ["a"], {}))
    assert not (folder / "half").exists()


def hub_table(count: int = 8, seed: int = 0) -> datasets.Dataset:
    rng = np.random.default_rng(seed)
    pictures = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(count)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["wren", "robin"])})
    return datasets.Dataset.from_dict({"image": pictures, "label": [i % 2 for i in range(count)]}, features=features)


def test_saved_dataset(tmp_path):
    tables = datasets.DatasetDict({"train": hub_table(6), "validation": hub_table(2, 1), "test": hub_table(4, 2)})
    tables.save_to_disk(tmp_path / "saved")
    listing = read("hub", tmp_path / "saved", tmp_path / "cache")
    assert listing.class_names == ("wren", "robin")
    assert listing.val is not None
    assert [len(split) for split in (listing.train, listing.val, listing.test)] == [6, 2, 4]
    assert listing.train.targets.tolist() == [0, 1] * 3
    for path, picture in zip(listing.test.paths, tables["test"]["image"], strict=True):
        assert np.array_equal(read_image(path), np.asarray(picture))


def test_changed_content_is_exported_anew(tmp_path):
    for seed in (0, 1):
        datasets.DatasetDict({"train": hub_table(8, seed)}).save_to_disk(tmp_path / f"saved{seed}")
    first, second, again = (read("hub", tmp_path / f"saved{seed}", tmp_path / "cache") for seed in (0, 1, 0))
    assert first.train.paths == again.train.paths
    assert not set(first.train.paths) & set(second.train.paths)
    assert (len(first.train), len(first.test)) == (6, 2), "without a test split a quarter is carved"


def test_streaming_is_refused_with_the_reason(tmp_path):
    stream = datasets.IterableDatasetDict({"train": hub_table().to_iterable_dataset()})
    with pytest.raises(UserError, match="functions of an image's position"):
        export(Request(tmp_path, tmp_path, {}, "a/b"), stream)
    with pytest.raises(UserError, match="functions of an image's position"):
        read("hub", tmp_path / "none", tmp_path, "a/b", streaming="true")


def test_a_folder_may_be_called_streaming(tmp_path):
    datasets.DatasetDict({"train": hub_table()}).save_to_disk(tmp_path / "streaming_birds")
    assert len(read("hub", tmp_path / "streaming_birds", tmp_path / "cache", "streaming_birds").train) == 6


@pytest.mark.parametrize("reference", ["owner/name", "owner/name@main", "name@" + "0" * 40])
def test_moving_references_are_refused(tmp_path, reference):
    with pytest.raises(UserError, match="expected OWNER/NAME@REVISION with the 40 hex digits"):
        read("hub", tmp_path / "none", tmp_path, reference)


def test_tables_without_what_is_needed(tmp_path):
    request = Request(tmp_path, tmp_path, {}, "a/b")
    with pytest.raises(UserError, match="no column of type ClassLabel"):
        export(request, hub_table().cast_column("label", datasets.Value("float32")))
    with pytest.raises(UserError, match="expected a split train, found everything"):
        export(request, datasets.DatasetDict({"everything": hub_table()}))
    unlabelled = hub_table().map(lambda row: {"label": -1}, features=hub_table().features)
    with pytest.raises(UserError, match="a/b: the test split has images without a label"):
        export(request, datasets.DatasetDict({"train": hub_table(), "test": unlabelled}))
    assert not list(tmp_path.iterdir()), "told before anything is written"
    lacking = hub_table().map(lambda row, k: {"image": None} if k == 2 else row, with_indices=True)
    with pytest.raises(UserError, match="row 2 has no image in column image"):
        export(request, datasets.DatasetDict({"train": lacking}))


def test_labels_without_names_and_words_for_labels(tmp_path):
    numbers = hub_table().cast_column("label", datasets.Value("int64"))
    assert export(Request(tmp_path, tmp_path / "a"), numbers).class_names == ("0", "1")
    words = numbers.map(lambda row: {"species": ["wren", "robin"][row["label"]]}).remove_columns("label")
    listing = export(Request(tmp_path, tmp_path / "b"), words)
    assert listing.class_names == ("robin", "wren")
    assert sorted([*listing.train.targets.tolist(), *listing.test.targets.tolist()]) == [0] * 4 + [1] * 4
    (first,) = [path for path in (*listing.train.paths, *listing.test.paths) if path.name == "000000.png"]
    assert first.parent.name == "0001", "the first picture is a wren"


def test_splits_that_number_their_classes_differently_agree(tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["robin", "wren"])})
    test = hub_table(4, 1).map(lambda row: {"label": 1 - row["label"]}, features=features)
    listing = export(Request(tmp_path, tmp_path), datasets.DatasetDict({"train": hub_table(), "test": test}))
    assert listing.class_names == ("wren", "robin")
    assert listing.test.targets.tolist() == [0, 1, 0, 1]
    features["label"] = datasets.ClassLabel(names=["robin", "crow"])
    with pytest.raises(UserError, match="the test split has the class 'crow', which train lacks"):
        export(Request(tmp_path, tmp_path), {"train": hub_table(), "test": test.cast(features)})


def test_two_label_columns_are_not_guessed(tmp_path):
    two = hub_table().rename_column("label", "fine_label")
    two = two.add_column("coarse_label", [0] * 8, feature=datasets.ClassLabel(names=["bird"]))
    with pytest.raises(UserError, match=r"fine_label and coarse_label may each be the label.*\?label_column="):
        export(Request(tmp_path, tmp_path), two)
    listing = export(Request(tmp_path, tmp_path, {"label_column": "fine_label"}), two)
    assert listing.class_names == ("wren", "robin")


@pytest.mark.parametrize("metadata", [True, False])
def test_parquet_files(tmp_path, metadata):
    folder = tmp_path / "repo/data"
    folder.mkdir(parents=True)
    for name, seed in (("train-00000-of-00002", 0), ("train-00001-of-00002", 1), ("test-00000-of-00001", 2)):
        table = hub_table(6, seed)
        table.to_parquet(folder / f"{name}.parquet")
        if not metadata:
            plain = pq.read_table(folder / f"{name}.parquet").replace_schema_metadata(None)
            pq.write_table(plain, folder / f"{name}.parquet")
    listing = read("hub", tmp_path / "repo", tmp_path / "cache")
    assert listing.class_names == (("wren", "robin") if metadata else ("0", "1"))
    assert (len(listing.train), listing.test.targets.tolist()) == (12, [0, 1, 0, 1, 0, 1])
    assert np.array_equal(read_image(listing.test.paths[3]), np.asarray(hub_table(6, 2)[3]["image"]))
    alone = read("hub", folder / "train-00000-of-00002.parquet", tmp_path / "cache")
    assert (len(alone.train), len(alone.test)) == (4, 2)
    (folder / "more.parquet").write_bytes((folder / "test-00000-of-00001.parquet").read_bytes())
    with pytest.raises(UserError, match=r"more\.parquet does not say which split"):
        read("hub", tmp_path / "repo", tmp_path / "cache")


def test_every_word_of_a_parquet_name_may_tell_its_split(tmp_path):
    folder = tmp_path / "test"  # what it lies in tells nothing
    folder.mkdir()
    hub_table(6, 0).to_parquet(folder / "birds_train.parquet")
    hub_table(4, 1).to_parquet(folder / "birds_test.parquet")
    listing = read("hub", folder, tmp_path / "cache")
    assert (len(listing.train), len(listing.test)) == (6, 4)
    (folder / "birds_test.parquet").rename(folder / "train_test.parquet")
    with pytest.raises(UserError, match=r"train_test\.parquet: tells of test and train"):
        read("hub", folder, tmp_path / "cache")


def test_parquet_files_that_tell_no_split_are_parts_of_one_table(tmp_path):
    for number in range(2):
        hub_table(6, number).to_parquet(tmp_path / f"part-{number}.parquet")
    listing = read("hub", tmp_path, tmp_path / "cache")
    assert len(listing.train) + len(listing.test) == 12
    (tmp_path / "part-1.parquet").rename(tmp_path / "eval.parquet")
    with pytest.raises(UserError, match=r"eval\.parquet does not say which split"):
        read("hub", tmp_path, tmp_path / "cache")


def test_not_a_saved_dataset(tmp_path):
    with pytest.raises(UserError, match="expected a folder written by save_to_disk"):
        read("hub", tmp_path, tmp_path / "cache")


def test_drawn_birds(tmp_path):
    options = {"seed": 0, "train_per_class": 2, "test_per_class": 1, "size": 32}
    listing = read("synthetic_birds", tmp_path, tmp_path / "cache", **options)
    assert len(listing.class_names) == 25
    assert np.bincount(listing.train.targets).tolist() == [2] * 25
    assert read_image(listing.test.paths[0]).shape == (32, 32, 3)
    other = read("synthetic_birds", tmp_path, tmp_path / "cache", **{**options, "seed": 1})
    assert other.train.paths[0].parents[2] != listing.train.paths[0].parents[2]
