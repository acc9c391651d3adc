"""From a spec to splits: protocols, hold-outs, revisions, and what is said when something is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fgkd.data import lists_read_once, open_dataset, opening, problems
from fgkd.data.card import parse_card
from fgkd.errors import UserError
from fgkd.spec import DatasetSpec


@pytest.fixture
def root(tmp_path: Path, write_picture) -> Path:
    for k, kind in enumerate(("robin", "wren")):
        for i in range(20):
            write_picture(tmp_path / f"root/mine/train/{kind}/{i:02d}.jpg", 20 * k + i)
        for i in range(5):
            write_picture(tmp_path / f"root/mine/test/{kind}/{i:02d}.jpg", i)
    return tmp_path / "root"


def mine(**changes) -> DatasetSpec:
    return DatasetSpec(name="folder:mine", **changes)


def test_own_folder(root, tmp_path):
    data = open_dataset(mine(), root, cache=tmp_path)
    assert problems(mine(), root) == []
    assert (data.name, data.protocol, data.num_classes) == ("folder:mine", "default", 2)
    assert data.counts == {"train": 34, "holdout": 6, "test": 10}
    assert [split.name for split in (data.train, data.holdout, data.test)] == ["train", "holdout", "test"]
    assert np.bincount(data.holdout.targets).tolist() == [3, 3]
    assert not set(data.train.paths) & set(data.holdout.paths)
    assert len(data.revision) == 12


def test_holdout_seed_moves_the_holdout_and_nothing_else(root, tmp_path):
    one, other = (open_dataset(mine(holdout_seed=seed), root, cache=tmp_path) for seed in (0, 1))
    assert set(one.holdout.paths) != set(other.holdout.paths)
    assert one.test.paths == other.test.paths
    assert one.revision == other.revision
    assert len(open_dataset(mine(holdout=0.5), root, cache=tmp_path).holdout) == 20


def test_official_validation_is_the_holdout(root, tmp_path):
    (root / "mine/test").rename(root / "mine/val")
    shutil.copytree(root / "mine/val", root / "mine/test")
    data = open_dataset(mine(), root, cache=tmp_path)
    assert data.counts == {"train": 40, "holdout": 10, "test": 10}
    assert data.holdout.name == "holdout"


def test_revision_survives_a_move_and_sees_a_change(root, tmp_path):
    before = open_dataset(mine(), root, cache=tmp_path).revision
    moved = root.rename(tmp_path / "moved")
    assert open_dataset(mine(), moved, cache=tmp_path).revision == before
    (moved / "mine/train/wren/00.jpg").unlink()
    assert open_dataset(mine(), moved, cache=tmp_path).revision != before


def test_table_and_absolute_paths(root, tmp_path):
    rows = [f"{p.relative_to(root)},{p.parent.name}" for p in sorted((root / "mine/train").glob("*/*"))]
    (root / "table.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    for name in ("table:table.csv", f"table:{root / 'table.csv'}"):
        assert open_dataset(DatasetSpec(name=name), root, cache=tmp_path).num_classes == 2
    rows[0] = "mine/train/robin/nothing.jpg,robin"
    (root / "table.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    assert "1 of 40 images" in problems(DatasetSpec(name="table:table.csv"), root)[0]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"name": "cub2000"}, "unknown data set 'cub2000'; did you mean cub200"),
        ({"name": "cub200", "protocol": "ofical"}, "unknown protocol of cub200 'ofical'; did you mean official"),
        ({"name": "folder:mine", "protocol": "retrieval"}, "retrieval needs at least 4 classes"),
        ({"name": "folders:mine"}, "expected folder:..., or a card's name"),
        ({"name": "folder:"}, "'folder:': expected a place after the colon"),
        ({"name": "folder:nothing"}, "nothing: does not exist .*data root"),
        ({"name": "folder:mine", "protocol": "official"}, "its protocols are default and retrieval, not 'official'"),
        ({"name": "hub:owner/name"}, "40 hex digits of a commit"),
        (
            {"name": "stanford_cars"},
            r"(?s)stanford_cars does not exist\. Expected there: either cars_train/.*Origin: Krause.*hub:tang",
        ),
    ],
)
def test_problems_say_what_to_do(root, tmp_path, spec, said):
    (text,) = problems(DatasetSpec(**spec), root)
    with pytest.raises(UserError, match=said):
        raise UserError(text)
    with pytest.raises(UserError) as raised:
        open_dataset(DatasetSpec(**spec), root, cache=tmp_path)
    assert str(raised.value) == text


def test_a_folder_that_lacks_a_part_is_told_which(root):
    (root / "CUB_200_2011/images").mkdir(parents=True)
    (text,) = problems(DatasetSpec(name="cub200"), root)
    assert "lacks images.txt, image_class_labels.txt, train_test_split.txt, classes.txt" in text


def test_lists_that_contradict_each_other(root):
    data = root / "fgvc-aircraft-2013b/data"
    (data / "images").mkdir(parents=True)
    for name, line in (
        ("variants", "707-320"),
        ("images_variant_trainval", "1 707-320"),
        ("images_variant_test", "2 DC-9"),
    ):
        (data / f"{name}.txt").write_text(line + "\n")
    (text,) = problems(DatasetSpec(name="fgvc_aircraft"), root)
    assert "do not fit together (KeyError: 'DC-9')" in text


@pytest.mark.shared
def test_cub50_and_the_wrong_name_for_it(shared_data, tmp_path):
    data = open_dataset(DatasetSpec(name="cub50"), shared_data, cache=tmp_path)
    assert data.counts == {"train": 1275, "holdout": 225, "test": 1389}
    assert data.protocol == "official-first50"
    (text,) = problems(DatasetSpec(name="cub200"), shared_data)
    assert "expected 200 classes of cub200, found 50; that is the data set cub50" in text


@pytest.mark.shared
def test_cars_half_and_grocery_store(shared_data, tmp_path):
    cars = open_dataset(DatasetSpec(name="stanford_cars_train"), shared_data, cache=tmp_path)
    assert cars.protocol == "train-half-holdout25"
    assert cars.counts == {"train": 5192, "holdout": 916, "test": 2036}
    groceries = open_dataset(DatasetSpec(name="grocery_store"), shared_data, cache=tmp_path)
    assert groceries.counts == {"train": 2640, "holdout": 296, "test": 2485}


CARD = """---
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
    official: {description: as published, counts: {train: 41, test: 10}}
    loose: {description: as it lies, counts: {train: 41, test: 10}, exact: false}
---
# Mine
"""


def test_other_counts_than_the_cards_are_refused_unless_it_says_so(root, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "read_card", lambda name: parse_card(CARD, name, "mine.md"))
    (text,) = problems(DatasetSpec(name="mine"), root)
    assert "expected train 41, test 10 images of mine, found train 40, test 10" in text
    loose = open_dataset(DatasetSpec(name="mine", protocol="loose"), root, cache=tmp_path)
    assert (loose.protocol, loose.counts["test"]) == ("loose", 10)


@pytest.mark.shared
def test_a_missing_image_is_a_problem_before_training(shared_data, tmp_path):
    shutil.copytree(shared_data / "annotations/CUB_200_2011", tmp_path / "CUB_200_2011")
    (tmp_path / "CUB_200_2011/images").mkdir()
    (text,) = problems(DatasetSpec(name="cub200"), tmp_path)
    assert "11788 of 11788 images listed are not there" in text


def test_drawn_birds_by_name(tmp_path):
    spec = DatasetSpec(name="synthetic_birds", protocol="tiny")
    assert problems(spec, tmp_path) == []
    assert not list(tmp_path.iterdir()), "checking draws nothing"
    data = open_dataset(spec, tmp_path, cache=tmp_path / "cache")
    assert (data.num_classes, data.protocol, len(data.test)) == (25, "tiny", 150)


def test_classes_of_one_image_stay_in_train_unless_all_have_one(root, tmp_path):
    for path in sorted((root / "mine/train/wren").iterdir())[1:]:
        path.unlink()
    data = open_dataset(mine(), root, cache=tmp_path)
    assert np.bincount(data.train.targets).tolist() == [17, 1]
    assert np.bincount(data.holdout.targets).tolist() == [3]
    for path in sorted((root / "mine/train/robin").iterdir())[1:]:
        path.unlink()
    assert "every class has a single training image" in problems(mine(), root)[0]


def test_empty_split_and_class_without_training_image(root, tmp_path):
    for path in (root / "mine/train/wren").iterdir():
        path.unlink()
    assert problems(mine(), root) == [f"{root / 'mine'}: 1 classes have no training image, the first are wren"]
    shutil.rmtree(root / "mine/test")
    (root / "mine/test/wren").mkdir(parents=True)
    assert "the test split is empty" in problems(mine(), root)[0]


def test_checking_needs_neither_torch_nor_the_augmentation_library():
    code = (
        "import sys, pathlib, fgkd.data as d; from fgkd.spec import DatasetSpec\n"
        "[d.problems(DatasetSpec(name=n), pathlib.Path('nowhere')) for n in d.dataset_names()]\n"
        "assert d.augment_names()\n"
        "print([m for m in ('torch', 'albumentations', 'datasets', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_single_class_is_none(root, tmp_path):
    rows = [f"{p.relative_to(root)},{p.parent.name}" for p in sorted((root / "mine/train/wren").glob("*"))]
    (root / "table.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    with pytest.raises(UserError, match="expected two classes or more, found wren"):
        open_dataset(DatasetSpec(name="table:table.csv"), root, cache=tmp_path)


def test_two_classes_of_one_name_are_refused(root, tmp_path):
    rows = [
        f"{p.relative_to(root)},{number},bird"
        for number, name in enumerate(("robin", "wren"))
        for p in sorted((root / "mine/train" / name).glob("*"))
    ]
    (root / "table.csv").write_text("path,label,name\n" + "\n".join(rows) + "\n")
    with pytest.raises(UserError, match="1 name stands for two classes or more, first 'bird'"):
        open_dataset(DatasetSpec(name="table:table.csv"), root, cache=tmp_path)


def test_an_empty_split_cell_is_told_as_such(root, tmp_path):
    rows = [f"{p.relative_to(root)},{p.parent.name},train" for p in sorted((root / "mine/train").glob("*/*"))]
    rows[3] = rows[3].removesuffix("train")
    (root / "table.csv").write_text("path,label,split\n" + "\n".join(rows) + "\n")
    with pytest.raises(UserError, match="1 row has an empty split"):
        open_dataset(DatasetSpec(name="table:table.csv"), root, cache=tmp_path)


def test_a_launch_reads_lists_once_and_sees_no_change(root, tmp_path, write_picture):
    with lists_read_once():
        assert problems(mine(), root) == []
        write_picture(root / "mine/train/wren/late.jpg", 7)
        data = open_dataset(mine(), root, cache=tmp_path)
        assert data.counts == {"train": 34, "holdout": 6, "test": 10}
        assert len(open_dataset(mine(holdout=0.5), root, cache=tmp_path).holdout) == 20  # parted anew, from the same
    later = open_dataset(mine(), root, cache=tmp_path)
    assert later.counts["train"] + later.counts["holdout"] == 41
    assert later.revision != data.revision


def test_lists_that_were_read_are_those_of_one_place(root, tmp_path):
    shutil.copytree(root / "mine", tmp_path / "other/mine")
    (tmp_path / "other/mine/train/wren/19.jpg").unlink()
    table = "\n".join(f"train/{kind}/{i:02d}.jpg,{kind}" for kind in ("robin", "wren") for i in range(10))
    (root / "mine/list.csv").write_text(f"path,label\n{table}\n")
    halved, whole = (DatasetSpec(name=f"table:mine/list.csv?test_share={share}") for share in (0.5, 0.25))
    with lists_read_once():
        assert open_dataset(mine(), root, cache=tmp_path).counts["train"] == 34
        assert open_dataset(mine(), tmp_path / "other", cache=tmp_path).counts["train"] == 33
        assert "4 classes" in problems(mine(protocol="retrieval"), root)[0]
        assert [len(open_dataset(spec, root, cache=tmp_path).test) for spec in (halved, whole)] == [10, 5]


def test_lists_that_are_wrong_are_read_anew(root, tmp_path):
    picture = root / "mine/train/wren/19.jpg"
    with lists_read_once():
        for path in (root / "mine/train/wren").iterdir():
            path.rename(path.with_suffix(".txt"))
        assert problems(mine(), root)
        for path in (root / "mine/train/wren").iterdir():
            path.rename(path.with_suffix(".jpg"))
        assert problems(mine(), root) == []
    assert picture.is_file()
