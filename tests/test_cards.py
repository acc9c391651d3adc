"""Every card is complete, names a source that exists, and states what the annotation files state."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from fgkd.data.card import card_folder, dataset_names, parse_card, read_card
from fgkd.data.sources import SOURCES, Request
from fgkd.data.sources.text import foodx_classes, foodx_rows
from fgkd.errors import UserError

SIZES = {"n<1K": 1_000, "1K<n<10K": 10_000, "10K<n<100K": 100_000, "100K<n<1M": 1_000_000, "1M<n<10M": 10_000_000}
EXPECTED = {
    "cifar100", "cub200", "cub50", "fgvc_aircraft", "food101", "foodx251", "grocery_store", "oxford_flowers102",
    "imagenet", "oxford_pets", "stanford_cars", "stanford_cars_train", "stanford_dogs", "synthetic_birds",
}  # fmt: skip


def test_all_cards_are_here():
    assert set(dataset_names()) >= EXPECTED


@pytest.mark.parametrize("name", dataset_names())
def test_card(name):
    card = read_card(name)
    assert card.task_categories == ["image-classification"]
    assert card.task_ids == ["multi-class-image-classification"]
    assert card.fgkd.source in SOURCES
    assert card.text.startswith("# ")
    assert card.license
    assert card.fgkd.download
    assert card.fgkd.class_names
    assert card.fgkd.known_issues
    assert any(rules.task == "classification" for rules in card.fgkd.protocols.values())
    assert re.fullmatch(r"[\x00-\x7f]*", (card_folder() / f"{name}.md").read_text())


@pytest.mark.parametrize("name", dataset_names())
def test_counts_agree_within_a_card(name):
    card = read_card(name)
    rules = next(iter(card.fgkd.protocols.values()))
    words = {"train": "train", "val": "validation", "test": "test"}
    told = {part["name"]: part["num_examples"] for part in card.dataset_info["splits"]}
    assert told == {words[part]: count for part, count in rules.counts.items()}
    (size,) = card.size_categories
    assert SIZES[size] / 10 <= sum(rules.counts.values()) < SIZES[size]
    assert all(rules.counts for rules in card.fgkd.protocols.values())


@pytest.mark.parametrize("name", dataset_names())
def test_every_protocol_is_a_config(name):
    card = read_card(name)
    assert [config["config_name"] for config in card.configs] == list(card.fgkd.protocols)
    assert [config.get("default", False) for config in card.configs] == [True] + [False] * (len(card.configs) - 1)
    assert {config.get("data_dir", "") for config in card.configs} == {card.fgkd.folder}


@pytest.mark.parametrize("name", dataset_names())
def test_front_matter_is_what_the_hub_takes(name):
    hub = pytest.importorskip("huggingface_hub")
    text = (card_folder() / f"{name}.md").read_text()
    data = hub.DatasetCard(text).data.to_dict()
    assert data["pretty_name"] == read_card(name).pretty_name
    assert data["size_categories"] == read_card(name).size_categories


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "annotations", "empty"),
    [
        ("cub200", "CUB_200_2011", ["images"]),
        ("stanford_cars", "stanford_cars", ["cars_train", "cars_test"]),
    ],
)
def test_counts_and_classes_of_annotations(shared_data, tmp_path, name, annotations, empty):
    folder = shutil.copytree(shared_data / "annotations" / annotations, tmp_path / "set")
    for part in empty:
        (folder / part).mkdir()
    card = read_card(name)
    listing = SOURCES.get(card.fgkd.source).read(Request(folder, tmp_path, card.fgkd.options))
    assert len(listing.class_names) == card.fgkd.num_classes
    counts = card.fgkd.protocols["official"].counts
    assert counts == {"train": len(listing.train), "test": len(listing.test)}
    half = card.num_classes("retrieval")
    assert half == card.fgkd.num_classes // 2
    labels = [*listing.train.targets.tolist(), *listing.test.targets.tolist()]
    first = sum(label < half for label in labels)
    assert card.fgkd.protocols["retrieval"].counts == {"train": first, "test": len(labels) - first}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "annotations", "empty"),
    [
        ("cub50", "annotations/CUB_200_2011", ["images"]),
        ("stanford_cars_train", "annotations/stanford_cars", ["cars_train"]),
        ("grocery_store", "grocery_store", []),
    ],
)
def test_counts_of_parts_and_of_the_set_that_is_whole(shared_data, tmp_path, name, annotations, empty):
    folder, card = shared_data / annotations, read_card(name)
    if empty:
        folder = shutil.copytree(folder, tmp_path / "set")
        for part in empty:
            (folder / part).mkdir()
    listing = SOURCES.get(card.fgkd.source).read(Request(folder, tmp_path, card.fgkd.options))
    assert len(listing.class_names) == card.fgkd.num_classes
    parts = {"train": listing.train, "val": listing.val, "test": listing.test}
    counts = {part: len(split) for part, split in parts.items() if split is not None}
    assert card.protocol("default")[1].counts == counts


@pytest.mark.shared
@pytest.mark.parametrize("dialect", ["annot", "annot_with_header"])
def test_counts_of_foodx(shared_data, dialect):
    annotations, card = shared_data / "annotations/foodx251" / dialect, read_card("foodx251")
    assert len(foodx_classes(annotations / "class_list.txt")) == card.fgkd.num_classes
    published = card.fgkd.protocols["verified-val"].counts
    assert len(foodx_rows(annotations / "val_info.csv", Path())) == published["test"]
    if (annotations / "train_info.csv").exists():
        assert len(foodx_rows(annotations / "train_info.csv", Path())) == published["train"]


def test_a_checksum_states_a_digest():
    text = GOOD.replace("  download: none\n", "  download: none\n  checksums: [{file: mine.tar}]\n")
    with pytest.raises(UserError, match="expected md5 or sha256"):
        parse_card(text, "mine", "mine.md")


GOOD = """---
pretty_name: Mine
license: mit
language: [en]
task_categories: [image-classification]
task_ids: [multi-class-image-classification]
size_categories: [n<1K]
fgkd:
  source: imagefolder
  folder: mine
  num_classes: 2
  layout: folders
  origin: me
  download: none
  protocols:
    official: {description: as it lies}
---
# Mine
"""


def test_default_is_the_first_protocol():
    name, rules = parse_card(GOOD, "mine", "mine.md").protocol("default")
    assert (name, rules.description) == ("official", "as it lies")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("num_classes: 2", "num_classes: 1"), "fgkd.num_classes"),
        (GOOD.replace("license: mit\n", ""), "license: Field required"),
        (GOOD.replace("folder:", "folders:"), "fgkd.folders: Extra inputs"),
        (GOOD.replace("[en]", "[en"), "5:16: not valid YAML"),
        ("# no front matter", "expected front matter"),
        (GOOD.replace("mit", "!!python/object/apply:os.getcwd []"), "license: expected plain data"),
        (GOOD.replace("mit", "[" * 100_000), "nested too deeply"),
        (GOOD.replace("mit", "&a [*a]"), "nested more than 50 deep"),
        (GOOD.replace("mit", "x" * 600_000), "at most 500000 characters"),
    ],
)
def test_wrong_cards_are_told_where(text, said):
    with pytest.raises(UserError, match=rf"mine\.md:.*{said}"):
        parse_card(text, "mine", "mine.md")
