"""The drawn data set: reproducible, disjoint, complete, and fine-grained by construction."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from fgkd.data.birds import bird_picture, write_birds
from fgkd.data.birds.species import FAMILIES, Parts, class_table
from fgkd.errors import UserErrors

SMALL = {"train_per_class": 2, "test_per_class": 1, "size": 32}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("birds")
    write_birds(folder, **SMALL)
    return folder


def test_same_seed_same_bytes_whatever_happened_before(birds: Path, tmp_path: Path) -> None:
    np.random.seed(1)  # noqa: NPY002  a global stream must not matter
    np.random.default_rng(3).random(7)
    write_birds(tmp_path, **SMALL)
    assert files(tmp_path) == files(birds)


def test_other_seed_other_pictures(birds: Path, tmp_path: Path) -> None:
    write_birds(tmp_path, seed=1, **SMALL)
    ours, theirs = files(birds), files(tmp_path)
    assert ours.keys() == theirs.keys()
    assert all(ours[name] != theirs[name] for name in ours)  # the manifest, too: it names the seed


def test_larger_set_begins_with_the_smaller(birds: Path, tmp_path: Path) -> None:
    write_birds(tmp_path, train_per_class=3, test_per_class=1, size=32)
    larger = files(tmp_path)
    assert all(larger[name] == data for name, data in files(birds).items() if name.endswith(".jpg"))


def test_no_picture_twice(birds: Path) -> None:
    pictures = [data for name, data in files(birds).items() if name.endswith(".jpg")]
    assert len(set(pictures)) == len(pictures) == 25 * 3


def test_files_are_what_the_manifest_says(birds: Path) -> None:
    manifest = json.loads((birds / "manifest.json").read_text())
    assert manifest["seed"] == 0
    assert manifest["size"] == 32
    assert list(manifest["classes"]) == [bird.name for bird in class_table()]
    for split, count in manifest["counts"].items():
        folders = {path.name: len(list(path.glob("*.jpg"))) for path in (birds / split).iterdir()}
        assert folders == dict.fromkeys(manifest["classes"], count)
    for name, entry in manifest["classes"].items():
        assert name.startswith(entry["family"] + ".")
        assert set(entry["parts"]) == {part.name for part in fields(Parts)}


def test_pictures_decode_to_their_size(birds: Path) -> None:
    for path in birds.rglob("*.jpg"):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        assert picture.shape == (32, 32, 3)
        assert picture.std() > 5


def test_jpegs_are_close_to_what_was_drawn(birds: Path) -> None:
    bird = class_table()[0]
    read = cv2.imread(str(birds / "train" / bird.name / "001.jpg"))[..., ::-1]
    drawn = bird_picture(bird, "train", 1, size=32)
    assert np.abs(read.astype(int) - drawn).mean() < 6  # RGB and BGR mixed up would be far off


def test_manifest_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = 0

    def interrupted(*args: object, **kwargs: object) -> np.ndarray:
        nonlocal drawn
        drawn += 1
        if drawn == 75:  # the very last picture
            raise KeyboardInterrupt
        return bird_picture(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("fgkd.data.birds.pictures.bird_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_birds(tmp_path, **SMALL)
    assert len(list(tmp_path.rglob("*.jpg"))) == 74
    assert not (tmp_path / "manifest.json").exists()


def test_all_bad_arguments_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(UserErrors) as error:
        write_birds(tmp_path, seed=-1, train_per_class=0, size=8)
    assert len(error.value.problems) == 3
    assert not list(tmp_path.iterdir())


def test_class_names_are_safe_and_sorted() -> None:
    names = [bird.name for bird in class_table()]
    assert names == sorted(names)
    assert len(set(names)) == len(names) == 25
    assert all(re.fullmatch(r"[a-z]+_[a-z]+\.[a-z_]+", name) for name in names)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_species_differ_in_one_to_three_parts(family: object) -> None:
    species = [bird for bird in class_table() if bird.family is family]
    assert len(species) == 5
    for one, other in combinations(species, 2):
        parts = other.described().items() - one.described().items()
        assert 1 <= len(parts) <= 3, (one.name, other.name)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_single_part_tells_a_family_apart(family: object) -> None:
    species = [bird.described() for bird in class_table() if bird.family is family]
    for part in fields(Parts):
        assert len({bird[part.name] for bird in species}) < len(species) - 1, part.name


def test_a_part_changes_only_a_small_share_of_the_picture() -> None:
    """Species of a family, drawn with one and the same random stream, differ in few pixels, but visibly."""
    from fgkd.data.birds import drawing

    pose = drawing.Pose(x=0.5, y=0.46, scale=0.5, facing=1, tilt=0, head_turn=0)
    for family in FAMILIES:
        species = [bird for bird in class_table() if bird.family is family]
        layers = [drawing.draw_bird(bird, family.palette, pose, 64).astype(int) for bird in species]
        for one, other in combinations(layers, 2):
            changed = np.abs(one - other).max(axis=2) > 40
            assert 4 <= changed.sum() < 0.05 * changed.size
