"""Hub copies, from local tables: written out under the card's labels."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from fgkd.data import open_dataset
from fgkd.data.card import HubCopy, dataset_names, read_card
from fgkd.data.images import read_image
from fgkd.data.prepare import classes
from fgkd.data.prepare.classes import class_names, in_order
from fgkd.errors import UserError
from fgkd.spec import DatasetSpec
from tests.data.prepare.conftest import Notes, left_behind
from tests.data.prepare.test_resuming import Stopping

OFFICIAL = ("AM General Hummer SUV 2000", "Ram C/V Cargo Van Minivan 2012", "smart fortwo Convertible 2012")
COPY = ["smart fortwo convertible 2012", "AM General Hummer SUV 2000", "Ram C-V Cargo Van Minivan 2012"]
REVISION = "0123456789abcdef" * 2 + "01234567"


def split(count: int, names: list[str], seed: int = 0, label: str = "label") -> datasets.Dataset:
    rng = np.random.default_rng(seed)
    pictures = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(count)]
    features = datasets.Features({"image": datasets.Image(), label: datasets.ClassLabel(names=names)})
    columns = {"image": pictures, label: [i % len(names) for i in range(count)]}
    return datasets.Dataset.from_dict(columns, features=features)


@pytest.fixture
def tables() -> datasets.DatasetDict:
    return datasets.DatasetDict({"train": split(9, COPY), "test": split(6, COPY, 1)})


@pytest.fixture
def cars(shrink, monkeypatch) -> None:
    shrink("stanford_cars", 3)
    monkeypatch.setattr("fgkd.data.prepare.hub_copy.class_names", lambda card: OFFICIAL)


def test_labels_are_the_cards(cars, tables, tmp_path, ready):
    tables.save_to_disk(tmp_path / "copy")
    data = ready("stanford_cars", f"hub:{tmp_path / 'copy'}")
    assert data.class_names == OFFICIAL
    assert data.test.targets.tolist() == [2, 0, 1, 2, 0, 1]
    for path, picture in zip(data.test.paths, tables["test"]["image"], strict=True):
        assert np.array_equal(read_image(path), np.asarray(picture))
    assert len(data.train) + len(data.holdout) == 9
    assert left_behind(tmp_path / "root") == ["stanford_cars"]
    again = open_dataset(DatasetSpec(name="stanford_cars"), tmp_path / "root", cache=tmp_path / "other")
    assert again.revision == data.revision


@pytest.mark.usefixtures("cars")
def test_the_pinned_copy_is_asked_for(shrink, tables, tmp_path, ready, monkeypatch):
    copies = (HubCopy(id="a/b"), HubCopy(id="c/d", revision=REVISION, options={"label_column": "label"}))
    shrink("stanford_cars", 3, hub=copies)
    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *place, **how: asked.append((place, how)) or tables)
    ready("stanford_cars", "hub")
    assert asked == [(("c/d", None), {"revision": REVISION})]
    ready("stanford_cars", f"hub:e/f@{REVISION}#small?label_column=label", root=tmp_path / "second")
    assert asked[1] == (("e/f", "small"), {"revision": REVISION})


def test_a_failing_download_leaves_nothing(cars, tmp_path, ready, monkeypatch):
    def fail(*place: object, **how: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(UserError, match=r"cannot be loaded .no network.; check the name, the revision and the network"):
        ready("stanford_cars", "hub")
    assert not (tmp_path / "root/stanford_cars").exists()


def test_an_interrupted_writing_starts_again(cars, tables, tmp_path, ready):
    tables.save_to_disk(tmp_path / "copy")
    with pytest.raises(KeyboardInterrupt):
        ready("stanford_cars", f"hub:{tmp_path / 'copy'}", progress=Stopping(5, KeyboardInterrupt()))
    assert not (tmp_path / "root/stanford_cars").exists()
    notes = Notes()
    assert ready("stanford_cars", f"hub:{tmp_path / 'copy'}", progress=notes).counts["test"] == 6
    assert [(total, done) for _, total, done in notes.stages] == [(15, 15)]


def test_other_classes_than_the_cards_are_refused(cars, tmp_path, ready):
    wrong = ["smart fortwo 2012", *COPY[1:]]
    datasets.DatasetDict({"train": split(9, wrong)}).save_to_disk(tmp_path / "copy")
    said = "1 are unknown; the first is 'smart fortwo 2012', which resembles 'smart fortwo Convertible 2012'"
    with pytest.raises(UserError, match=said.replace("first is", "first unknown is")):
        ready("stanford_cars", f"hub:{tmp_path / 'copy'}")
    assert not (tmp_path / "root/stanford_cars").exists()


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c", "d"], ["a", "b", "A"]])
def test_in_order_needs_every_class_once(names):
    with pytest.raises(UserError, match="labels cannot be matched"):
        in_order(names, ["a", "b", "c"], "copy")


def test_spellings():
    assert in_order(
        ["Laysan Albatross", "black_footed_albatross"], classes.class_names(read_card("cub200"))[1::-1], ""
    ) == [
        0,
        1,
    ]


def test_without_class_names_on_the_card_it_is_said(shrink, tmp_path, ready):
    shrink("oxford_pets", 2)
    datasets.DatasetDict({"train": split(8, ["x", "y"]), "test": split(2, ["x", "y"])}).save_to_disk(tmp_path / "copy")
    notes = Notes()
    assert ready("oxford_pets", f"hub:{tmp_path / 'copy'}", progress=notes).class_names == ("x", "y")
    assert "the card lists no class names" in notes.notes[0]


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        ("fgvc_aircraft/official", (10, 2, 4)),
        ("fgvc_aircraft/official-val", (8, 4, 4)),
        ("grocery_store/official", (8, 4, 4)),
        ("oxford_flowers102/official", (10, 2, 4)),
    ],
)
def test_the_validation_split_goes_where_the_protocol_wants_it(shrink, tmp_path, ready, spec, counts):
    name, _, protocol = spec.partition("/")
    shrink(name, 2)
    names = ["x", "y"]
    parts = {"train": split(8, names), "validation": split(4, names, 1), "test": split(4, names, 2)}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "copy")
    ready(name, f"hub:{tmp_path / 'copy'}")
    data = open_dataset(DatasetSpec(name=name, protocol=protocol), tmp_path / "root", cache=tmp_path / "cache")
    assert (len(data.train), len(data.holdout), len(data.test)) == counts


def test_a_part_of_a_set_is_read_from_the_whole_copy(shrink, tmp_path, ready, monkeypatch):
    shrink("cub50", 2, options={"classes": 2})
    names = ["001.a", "002.b", "003.c"]
    monkeypatch.setattr("fgkd.data.prepare.hub_copy.class_names", lambda card: tuple(names))
    parts = {"train": split(12, names), "test": split(6, names, 2)}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "copy")
    data = ready("cub50", f"hub:{tmp_path / 'copy'}")
    assert data.class_names == ("001.a", "002.b")
    assert data.test.targets.tolist() == [0, 1, 0, 1]


def test_the_training_half_needs_no_test_split(shrink, tmp_path, ready, monkeypatch):
    shrink("stanford_cars_train", 3)
    monkeypatch.setattr("fgkd.data.prepare.hub_copy.class_names", lambda card: OFFICIAL)
    datasets.DatasetDict({"train": split(24, COPY)}).save_to_disk(tmp_path / "copy")
    data = ready("stanford_cars_train", f"hub:{tmp_path / 'copy'}")
    assert (len(data.train) + len(data.holdout), np.bincount(data.test.targets).tolist()) == (18, [2, 2, 2])


@pytest.mark.parametrize("name", [name for name in dataset_names() if class_names(read_card(name)) is not None])
def test_class_names_of_cards(name):
    names = class_names(read_card(name))
    assert len(names) >= read_card(name).fgkd.num_classes
    assert in_order(names, names, name) == list(range(len(names))), "no two are spelt alike"


@pytest.mark.shared
def test_class_names_of_cards_are_those_of_the_annotations(shared_data: Path):
    from fgkd.data.sources.matlab import _matlab, _strings

    lines = (shared_data / "annotations/CUB_200_2011/classes.txt").read_text().splitlines()
    assert class_names(read_card("cub50")) == tuple(line.split()[1] for line in lines)
    meta = _matlab(shared_data / "annotations/stanford_cars/devkit/cars_meta.mat")
    assert class_names(read_card("stanford_cars_train")) == _strings(meta["class_names"])
