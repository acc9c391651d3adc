"""Every official set, from what it is published in to its opening."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fgkd.data import open_dataset
from fgkd.data.card import read_card
from fgkd.data.prepare import prepare
from fgkd.data.split import ImageData
from fgkd.errors import UserError
from fgkd.spec import DatasetSpec
from tests.data.prepare.conftest import job, left_behind, pack
from tests.data.prepare.sets import MINIS, Mini


def downloads(mini: Mini, layout: Path, folder: Path) -> list[Path]:
    """The files that a set is published in."""
    folder.mkdir(exist_ok=True)
    made = []
    for archive in mini.archives:
        if archive.name:
            made.append(pack(folder / archive.name, layout, archive.parts, archive.prefix))
        else:
            made.append(Path(shutil.copy(layout / archive.parts[0], folder)))
    return made


def content(data: ImageData) -> list:
    splits = (data.train, data.holdout, data.test)
    return [
        data.class_names,
        *(
            [(path.name, path.read_bytes(), k) for path, k in zip(s.paths, s.targets.tolist(), strict=True)]
            for s in splits
        ),
    ]


@pytest.fixture
def mini(request, tmp_path, write_picture, shrink) -> tuple[Mini, Path, ImageData]:
    """A set, its layout, and what one sees who unpacks it by hand where the card wants it."""
    mini = MINIS[request.param]
    shrink(mini.card, mini.num_classes)
    layout = tmp_path / "by_hand" / read_card(mini.card).fgkd.folder
    mini.write(layout, write_picture)
    return mini, layout, open_dataset(DatasetSpec(name=mini.card), tmp_path / "by_hand", cache=tmp_path / "cache")


every = pytest.mark.parametrize("mini", MINIS, indirect=True)


@every
def test_from_archives(mini, tmp_path):
    mini, layout, expected = mini
    data, was_there = prepare(job(tmp_path, mini.card, *downloads(mini, layout, tmp_path / "downloads")))
    assert not was_there
    assert content(data) == content(expected)
    assert data.revision == expected.revision
    assert left_behind(tmp_path / "root") == [layout.name]
    again, was_there = prepare(job(tmp_path, mini.card, "nowhere.tgz"))
    assert was_there
    assert again.revision == data.revision


@every
@pytest.mark.parametrize("mode", ["copy", "link", "move"])
def test_from_a_folder_two_levels_down(mini, tmp_path, ready, mode):
    mini, layout, expected = mini
    expected = content(expected), expected.revision
    deep = tmp_path / "somewhere/inner/deeper"
    deep.parent.mkdir(parents=True)
    shutil.copytree(layout, deep)
    (deep.parent / "unrelated.jpg").write_bytes(b"x")
    data = ready(mini.card, tmp_path / "somewhere", mode=mode)
    assert (content(data), data.revision) == expected
    places = [path for path in (tmp_path / "root" / layout.name).rglob("*") if not path.is_dir()]
    assert all(path.is_symlink() == (mode == "link") for path in places)
    assert not (tmp_path / "root" / layout.name / "unrelated.jpg").exists()
    assert deep.exists() == (mode != "move")
    assert (deep.parent / "unrelated.jpg").exists()


def test_folders_named_after_their_parts(tmp_path, write_picture, shrink, ready):
    """As those have it who unpacked one archive after another: train_set/, val_set/ and annot/ apart."""
    shrink("foodx251", 2)
    MINIS["foodx251"].write(tmp_path / "apart", write_picture)
    data = ready("foodx251", *(tmp_path / "apart" / name for name in ("annot", "train_set", "val_set")))
    assert [path.parent.name for path in data.test.paths] == ["val_set", "val_set"]


def test_archives_without_a_folder_are_placed_by_their_names(tmp_path, write_picture, shrink, ready):
    shrink("foodx251", 2)
    MINIS["foodx251"].write(tmp_path / "apart", write_picture)
    archives = [pack(tmp_path / f"{name}.zip", tmp_path / "apart" / name) for name in ("annot", "train_set", "val_set")]
    assert len(ready("foodx251", *archives).train) == 4


def test_a_folder_that_is_named_like_a_part_is_not_taken_for_it(tmp_path, write_picture, shrink, ready):
    shrink("oxford_pets", 2)
    MINIS["oxford_pets"].write(tmp_path / "all/data/pets", write_picture)
    write_picture(tmp_path / "all/images/holiday.jpg")
    ready("oxford_pets", tmp_path / "all")
    assert not (tmp_path / "root/oxford-iiit-pet/images/holiday.jpg").exists()


def test_doubled_folders(tmp_path, write_picture, shrink, ready):
    shrink("stanford_cars", 3)
    MINIS["cars, halves"].write(tmp_path / "cars", write_picture)
    for half in ("cars_train", "cars_test"):
        (tmp_path / "cars" / half).rename(tmp_path / "half")
        (tmp_path / "cars" / half).mkdir()
        (tmp_path / "half").rename(tmp_path / "cars" / half / half)
    assert ready("stanford_cars", pack(tmp_path / "archive.zip", tmp_path / "cars")).counts["test"] == 12


def test_what_lacks_is_told_before_anything_is_written(tmp_path, write_picture, shrink, ready):
    shrink("oxford_pets", 2)
    MINIS["oxford_pets"].write(tmp_path / "pets", write_picture)
    images = pack(tmp_path / "downloads/images.tar.gz", tmp_path / "pets", ["images"])
    with pytest.raises(
        UserError, match=r"images\.tar\.gz: lacks annotations/trainval\.txt, annotations/test\.txt\. Exp"
    ):
        ready("oxford_pets", images)
    with pytest.raises(
        UserError, match=r"(?s)lacks.*The folder holds archives; name those that are meant: images\.tar"
    ):
        ready("oxford_pets", images.parent)
    assert left_behind(tmp_path / "root") == []


def test_two_sources_that_disagree(tmp_path, write_picture, shrink, ready):
    shrink("oxford_pets", 2)
    MINIS["oxford_pets"].write(tmp_path / "pets", write_picture)
    shutil.copytree(tmp_path / "pets/annotations", tmp_path / "other/annotations")
    (tmp_path / "other/annotations/test.txt").write_text("Abyssinian_4 1 1 1\n")
    with pytest.raises(UserError, match=r"both hold annotations/test\.txt, with .* bytes; give one of them alone"):
        ready("oxford_pets", tmp_path / "pets", tmp_path / "other")


def test_a_set_that_is_not_the_cards_is_removed_again(tmp_path, write_picture, shrink, ready):
    shrink("oxford_pets", 3)
    MINIS["oxford_pets"].write(tmp_path / "pets", write_picture)
    with pytest.raises(
        UserError, match=r"what was prepared is not oxford_pets, and was removed again: .* expected 3 classes"
    ):
        ready("oxford_pets", tmp_path / "pets", mode="move")
    assert left_behind(tmp_path / "root") == []
    assert (tmp_path / "pets/annotations/test.txt").is_file(), "what was to be moved is still there"


def test_an_empty_target_is_filled(tmp_path, write_picture, shrink, ready):
    shrink("oxford_pets", 2)
    MINIS["oxford_pets"].write(tmp_path / "pets", write_picture)
    (tmp_path / "root/oxford-iiit-pet").mkdir(parents=True)
    assert ready("oxford_pets", tmp_path / "pets").num_classes == 2


def test_a_target_that_cannot_be_opened_is_left_alone(tmp_path, write_picture, shrink, ready):
    shrink("oxford_pets", 2)
    MINIS["oxford_pets"].write(tmp_path / "pets", write_picture)
    mine = tmp_path / "root/oxford-iiit-pet/notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(UserError, match=r"(?s)oxford-iiit-pet exists, but: .*Move it away"):
        ready("oxford_pets", tmp_path / "pets")
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "sources", "changes", "said"),
    [
        ("synthetic_birds", ["x"], {}, "needs no preparation"),
        ("cub2000", ["x"], {}, "unknown data set 'cub2000'; did you mean cub200"),
        ("cub200", [], {}, "expected what to prepare cub200 from. Download CUB_200"),
        ("cub200", ["no.tgz", "nor.zip"], {}, r"(?s)no\.tgz: No such file.*nor\.zip: No such file"),
        ("cub200", ["hub", "x"], {}, "hub stands alone, found 2"),
        ("cub200", ["hub"], {"mode": "move"}, "--move is for folders"),
        ("cub200", ["hub:owner/name"], {}, "40 hex digits of a commit"),
        ("stanford_dogs", ["hub"], {}, "the card of stanford_dogs pins no copy"),
        ("cub200", ["x"], {"accepted": ["0123"]}, "--accept-checksum: expected 32 or 64 hex digits"),
    ],
)
def test_what_cannot_be_meant(ready, name, sources, changes, said):
    with pytest.raises(UserError, match=said):
        ready(name, *sources, **changes)
