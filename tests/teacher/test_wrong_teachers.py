"""A wrong teacher of each kind is refused with its own message before anything is trained, through the command line."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from fgkd.data import ImageData
from fgkd.data.split import as_split
from fgkd.models.origin import Origin
from fgkd.teacher.papers import origin_problems
from tests.teacher.desk import TRAINED, Desk, weights


def test_a_head_of_a_thousand_classes_is_refused_by_its_header(desk: Desk, pets: Path) -> None:
    file = weights(desk.folder / "imagenet.safetensors", 1000)
    code, told = desk.bench(f"{{backbone: test_resnet, weights: {file}, train: null}}", data=pets)
    assert code == 2
    assert "teacher test_resnet: expected a classifier of 3 classes, found 1000" in told
    assert not desk.records
    assert desk.steps == 0


@pytest.mark.parametrize("classes", [None, 0])
def test_a_head_that_would_be_drawn_at_random_is_refused(desk: Desk, pets: Path, classes: int | None) -> None:
    source = "" if classes is None else f"weights: {weights(desk.folder / 'trunk.safetensors', classes)}, "
    code, told = desk.bench(f"{{backbone: test_resnet, {source}train: null}}", data=pets)
    assert code == 2
    assert "its classifier would be drawn at random" in told
    assert not desk.records
    assert desk.steps == 0


def test_foreign_weights_that_know_nothing_are_measured_and_refused(desk: Desk, pets: Path) -> None:
    file = weights(desk.folder / "random.safetensors", 3)
    code, told = desk.bench(f"{{backbone: test_resnet, weights: {file}, train: null}}", data=pets)
    assert code == 2
    assert "expected a hold-out top-1 above 66.67% (midway from chance to 100 %)" in told
    assert "a weak bar" in told
    assert [record.spec.role for record in desk.records] == ["teacher"]  # measured, recorded, and that is all
    assert desk.steps == 0


def test_a_teacher_of_another_data_set_with_as_many_classes_is_refused(desk: Desk, pets: Path, cars: Path) -> None:
    assert desk.bench(TRAINED.replace("}}}", "}}, gate: 0.4}"), data=cars)[0] == 0
    trained = next(record for record in desk.records if record.spec.role == "teacher")
    shutil.rmtree(desk.results)
    desk.steps = 0
    copied = desk.folder / "copied.safetensors"
    shutil.copy(desk.cache / "weights" / trained.run_id / "model.safetensors", copied)
    for named in (f"run:{trained.run_id}", str(copied)):  # the facts travel in the file's header
        code, told = desk.bench(f"{{backbone: test_resnet, weights: '{named}', train: null}}", data=pets)
        assert code == 2
        assert f"its weights were trained on folder:{cars} (3 classes: audi, bmw, fiat, ...)" in told
        assert not desk.records
    assert desk.steps == 0
    code, told = desk.bench(f"{{backbone: test_resnet, weights: 'run:{trained.run_id}', train: null}}", data=cars)
    assert "were trained on" not in told
    (teacher,) = (record for record in desk.records if record.spec.role == "teacher")
    assert teacher.metric("top1", "holdout_last") == trained.metric("top1", "holdout_last")
    assert teacher.student.weights_hash == trained.student.weights_hash


def test_classes_that_are_numbers_are_believed_on_the_same_images() -> None:
    """An export names no folders, so that the data set's name is seldom the one that it has here."""
    nothing = [as_split(name, []) for name in ("train", "holdout", "test")]
    data = ImageData("table:/home/me/birds.csv?images=/srv", "default", ("0", "1"), *nothing, "3f2a9c51d0be", {})
    origin = Origin("table:birds.csv", ("0", "1"), revision="3f2a9c51d0be")
    assert origin_problems("net", origin, data) == []
    for other in ({"revision": "000000000000"}, {"revision": None}, {"class_names": ("0", "2")}):
        (problem,) = origin_problems("net", replace(origin, **other), data)
        assert "its weights were trained on table:birds.csv" in problem


def test_a_teacher_below_the_stated_gate_teaches_nobody(desk: Desk, pets: Path) -> None:
    code, told = desk.bench("{backbone: test_resnet, gate: 0.999, train: {epochs: 1, batch_size: 10}}", data=pets)
    assert code == 2
    assert "above 99.90% (the stated gate)" in told
    assert "Not trained: 1 runs (kd) of test_efficientnet" in told
    assert [record.spec.role for record in desk.records] == ["teacher"]
    assert desk.steps == 6  # the teacher's own


UNEQUAL = """
overrides:
  - {when: {student: test_efficientnet}, set: {recipe.lr: 0.05}}
  - {when: {student: test_vit}, set: {recipe.lr: 1.0e-9}}
"""


def test_a_student_that_is_as_good_alone_is_not_taught_and_its_neighbour_is(desk: Desk, pets: Path) -> None:
    flags = ["--methods", "kd,scratch", "--set", "seeds=[0, 1]", "--set", "epochs=5"]
    code, told = desk.bench(TRAINED, *flags, data=pets, more=UNEQUAL)
    assert code == 2
    found = {}
    for record in desk.records:
        found.setdefault((record.spec.method.label, record.spec.student.name), []).append(record)
    reached = {key: fmean(r.metric("top1", "holdout_last") for r in records) for key, records in found.items()}
    good, bad = reached["scratch", "test_efficientnet"], reached["scratch", "test_vit"]
    teacher = reached["teacher", "test_resnet"]
    assert good >= teacher > bad  # what the pictures were made for
    assert len(found["kd", "test_vit"]) == 2
    assert ("kd", "test_efficientnet") not in found
    assert f"above {good:.2%} (the student's own from scratch, mean of 2 runs), found {teacher:.2%}" in told
    assert "Not trained: 2 runs (kd) of test_efficientnet" in told
    assert all(r.teacher.bar_kind == "scratch" for r in found["kd", "test_vit"])
    assert [r.teacher.bar for r in found["kd", "test_vit"]] == pytest.approx([bad, bad])
    again, told = desk.bench(TRAINED, *flags, "--methods", "kd", data=pets, more=UNEQUAL)
    assert again == 2  # the bar is read from the records, though scratch is filtered out
    assert "mean of 2 runs" in told


def test_a_truncated_file_is_refused(desk: Desk, pets: Path) -> None:
    file = weights(desk.folder / "half.safetensors", 3)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    code, told = desk.bench(f"{{backbone: test_resnet, weights: {file}, train: null}}", data=pets)
    assert code == 2
    assert "not a whole .safetensors file" in told
    assert not desk.records
    assert desk.steps == 0


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
def test_a_pickle_is_refused_unread(desk: Desk, pets: Path, suffix: str) -> None:
    file, sprung = desk.folder / f"teacher{suffix}", desk.folder / "sprung"
    file.write_bytes(pickle.dumps(Trap(sprung)))
    code, told = desk.bench(f"{{backbone: test_resnet, weights: {file}, train: null}}", data=pets)
    assert code == 2
    assert f"a {suffix} file is a pickle" in told
    assert "convert it once with safetensors.torch.save_file" in told
    assert not sprung.exists()
    assert not desk.records
    assert desk.steps == 0


def test_a_run_that_is_not_in_the_cache_is_told(desk: Desk, pets: Path) -> None:
    code, told = desk.bench("{backbone: test_resnet, weights: 'run:teacher-0123456789ab', train: null}", data=pets)
    assert code == 2
    assert "no weights of that run in" in told
    assert desk.steps == 0


def test_mixing_beside_a_teacher_and_impossible_recipes_are_refused(desk: Desk, pets: Path) -> None:
    code, told = desk.bench(TRAINED, "--set", "recipe.mixup=0.2", data=pets)
    assert code == 2
    assert "other images than a mixing student sees" in told
    odd = TRAINED.replace("lr: 0.02", "lr: 0.02, cutmix: 1.0, optimizer: adamv").replace("size: 10", "size: 9")
    code, told = desk.bench(odd, data=pets)
    assert code == 2
    assert "did you mean adam" in told
    assert "expected a batch_size divisible by 2, found 9" in told
    assert desk.steps == 0
