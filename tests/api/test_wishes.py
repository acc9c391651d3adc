"""Names made unambiguous, and defaults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fgkd
from fgkd.api.wishes import (
    check_numbers,
    dataset_entry,
    network_entry,
    recipe_entry,
    student_recipe,
    teacher_entry,
)
from fgkd.errors import UserError, UserErrors


def test_own_images_are_named_by_their_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds.csv").write_text("path,label\n")
    monkeypatch.chdir(tmp_path)
    folder = {"name": f"folder:{tmp_path}/birds"}
    for data in ("birds", "./birds", Path("birds"), "folder:birds", str(tmp_path / "birds")):
        assert dataset_entry(data, None) == folder
    assert dataset_entry("birds.csv", None) == {"name": f"table:{tmp_path}/birds.csv"}
    monkeypatch.chdir("/")
    assert dataset_entry("birds", tmp_path) == folder
    assert dataset_entry({"name": "birds", "holdout": 0.2}, tmp_path) == {**folder, "holdout": 0.2}


def test_named_sets_keep_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cub200").mkdir()
    monkeypatch.chdir(tmp_path)
    assert dataset_entry("cub200", None) == {"name": "cub200"}
    assert dataset_entry(Path("cub200"), None) == {"name": f"folder:{tmp_path}/cub200"}
    assert dataset_entry("hub:owner/name", None) == {"name": "hub:owner/name"}
    with pytest.raises(UserError, match="did you mean the data set cub200"):
        dataset_entry("cub20O", None)


def test_teachers_are_fine_tuned_unless_they_say_otherwise() -> None:
    entry = teacher_entry("resnet50.a1_in1k", 32)
    assert entry["train"]["batch_size"] == 32
    assert entry["train"]["recipe"]["lr"] == 1e-4
    assert entry["train"]["recipe"]["head_lr_scale"] == 10
    assert "gate" not in entry
    assert teacher_entry({"backbone": "resnet50", "train": None}, 32) == {"backbone": "resnet50", "train": None}
    other = teacher_entry({"backbone": "x", "train": {"epochs": 3, "recipe": {"lr": 0.5}}}, 32)["train"]
    assert (other["epochs"], other["recipe"]["lr"], other["recipe"]["optimizer"]) == (3, 0.5, "adamw")
    assert other["recipe"]["warmup_epochs"] == pytest.approx(0.3)


def test_pretrained_students_are_trained_more_gently() -> None:
    rate = lambda student: student_recipe(student, None, 10)["lr"]
    assert rate("resnet18.a1_in1k") == rate({"backbone": "resnet18", "weights": "mine.safetensors"}) == 3e-4
    assert rate("resnet18") == rate({"name": "resnet18.a1_in1k", "weights": "none"}) == 1e-3


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"teacher": 5}, "teachers"),
        ({"teacher": {"backbone": "test_vit", "train": "full"}}, "teachers[0].train: expected a mapping"),
        (
            {"teacher": {"backbone": "test_vit", "train": {"epochs": "3"}}},
            "teachers[0].train.epochs: expected a whole number, found '3'",
        ),
        ({"teacher": {"backbone": "test_vit", "train": {"recipe": "adamw"}}}, "teachers[0].train.recipe"),
        ({"student": 5}, "students[0]"),
        ({"method": 7}, "methods[0]"),
        ({"view": "x"}, "view: expected a mapping"),
        ({"recipe": "sgd"}, "recipe: expected a mapping"),
        ({"epochs": "3"}, "epochs: expected a whole number, found '3'"),
        ({"batch_size": 8.5}, "batch_size: expected a whole number, found 8.5"),
        ({"seed": True}, "seed: expected a whole number, found True"),
        ({"batch_size": 0}, "batch_size: expected >= 2"),
        ({"data": {"name": "synthetic_birds", "holdout": 0.9}}, "data.holdout: expected <= 0.5"),
        ({"data": ""}, "data: expected a folder"),
        ({"data": {}}, "data: expected a folder"),
    ],
)
def test_a_wish_of_the_wrong_kind_is_told_by_its_place(tmp_path: Path, wish: dict, told: str) -> None:
    birds = {"name": "synthetic_birds", "protocol": "tiny"}
    wishes = {"data": birds, "teacher": "test_vit", "student": "test_resnet", **wish}
    with pytest.raises(UserError) as caught:
        fgkd.distill(wishes.pop("data"), results=tmp_path, cache=tmp_path, **wishes)
    assert told in str(caught.value)


def test_numbers_that_are_none_are_told_together() -> None:
    check_numbers({"backbone": "x", "train": {"epochs": 3}}, epochs=np.int64(3), seed=0)
    check_numbers({"backbone": "x", "train": None}, epochs=3)
    with pytest.raises(UserErrors) as told:
        check_numbers({"backbone": "x", "train": {"batch_size": False}}, epochs="3", seed=0.5)
    assert [problem.partition(":")[0] for problem in told.value.problems] == [
        "epochs",
        "seed",
        "teachers[0].train.batch_size",
    ]


def test_one_place_has_one_name_whatever_the_way_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("my birds", "desk", "elsewhere/deep", "elsewhere/my birds"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "desk")
    straight = {"name": f"folder:{tmp_path}/my birds"}
    for data in ("../my birds", "folder:../my birds", "../desk/../my birds/", tmp_path / "desk" / ".." / "my birds"):
        assert dataset_entry(data, None) == straight
    assert dataset_entry("desk/../my birds", tmp_path) == straight
    assert network_entry("local-dir:../net") == f"local-dir:{tmp_path}/net"
    own = {"backbone": "resnet18", "weights": "a/../own.safetensors"}
    assert network_entry(own) == {"backbone": "resnet18", "weights": "own.safetensors"}
    assert network_entry("./b/../resnet18.own.safetensors") == "resnet18.own.safetensors"
    (tmp_path / "desk" / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    (tmp_path / "desk" / "my birds").mkdir()
    (name,) = dataset_entry("link/../my birds", None).values()  # not desk/my birds, where the letters alone lead
    assert Path(name.removeprefix("folder:")).samefile(tmp_path / "elsewhere" / "my birds")


def test_an_optimiser_of_ones_own_brings_its_own_settings() -> None:
    given = {"optimizer": "sgd", "lr": 0.1}
    assert recipe_entry(given, 10, pretrained=True, gentle=True) == given


def test_folders_of_weights_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export is written from elsewhere, and asks for their licence."""
    monkeypatch.chdir(tmp_path)
    absolute = f"local-dir:{tmp_path / 'mine'}"
    assert network_entry("local-dir:mine") == absolute
    assert network_entry({"backbone": {"name": "local-dir:mine"}, "gate": 0.5}) == {
        "backbone": {"name": absolute},
        "gate": 0.5,
    }
    assert teacher_entry("local-dir:mine", 8)["backbone"] == absolute
    assert network_entry({"backbone": "resnet18", "kwargs": {"name": "local-dir:x"}})["kwargs"] == {
        "name": "local-dir:x"
    }
