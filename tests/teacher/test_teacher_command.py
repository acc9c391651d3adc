"""``fgkd teacher train|check|list``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from fgkd.cli.main import main
from tests.teacher.desk import TRAINED, Desk, weights

PROBE = "{backbone: test_resnet, train: {mode: linear_probe, epochs: 2, batch_size: 10, recipe: {layer_decay: 0.7}}}"


def run(desk: Desk, *words: str) -> tuple[int, str]:
    code = main(["teacher", *words, "--cache", str(desk.cache)])
    told = desk.output.readouterr()
    return code, " ".join((told.out + told.err).split()) if "--json" not in words else told.out


def suite(desk: Desk, data: Path, teacher: str = TRAINED, *flags: str) -> list[str]:
    """The flags that name a suite, which is written."""
    desk.write(teacher, data)
    return ["--suite", str(desk.suite), "--results", str(desk.results), "--students", "test_efficientnet", *flags]


def test_a_suites_teachers_are_trained_measured_and_recorded_alone(desk: Desk, pets: Path) -> None:
    code, _ = run(desk, "train", *suite(desk, pets, PROBE))
    assert code == 0
    (record,) = desk.records
    assert record.spec.role == "teacher"
    assert record.spec.recipe.learns == "classifier"
    assert record.metric("top1", "holdout_last") is not None
    steps = desk.steps
    assert run(desk, "train", *suite(desk, pets, PROBE))[0] == 0
    assert desk.steps == steps  # recorded, and its weights are there

    rows = json.loads(run(desk, "list", "--json")[1])
    assert [(row["run_id"], row["backbone"], row["dataset"]) for row in rows] == [
        (record.run_id, "test_resnet", f"folder:{pets}")
    ]
    assert rows[0]["holdout_top1"] == record.metric("top1", "holdout_last")
    assert rows[0]["test_top1"] == record.metric("top1")
    assert rows[0]["weights_hash"] == record.student.weights_hash
    assert rows[0]["bytes"] > 1e5
    assert 0 <= rows[0]["age_days"] < 0.1
    told = run(desk, "list")[1]
    assert record.run_id in told
    assert "1 teacher in " in told
    assert told.endswith("a suite names one by weights: run:RUN_ID")


def test_a_suites_teachers_are_checked_against_its_students(desk: Desk, pets: Path) -> None:
    flags = suite(desk, pets)
    code, told = run(desk, "check", *flags)
    assert code == 2
    assert "not trained yet" in told
    assert run(desk, "train", *flags)[0] == 0
    code, told = run(desk, "check", *flags)
    assert code == 0
    assert "66.67% (midway from chance to 100 %)" in told  # nobody has been trained from scratch yet
    assert "passes" in told
    assert desk.bench(TRAINED, "--methods", "scratch", "--students", "test_efficientnet", data=pets)[0] == 0
    scratch = next(r for r in desk.records if r.spec.role == "student").metric("top1", "holdout_last")
    assert f"{scratch:.2%} (the student's own from scratch, mean of 1 run)" in run(desk, "check", *flags)[1]


def test_changed_weights_are_noticed(desk: Desk, pets: Path) -> None:
    flags = suite(desk, pets, TRAINED.replace("}}}", "}}, gate: 0.0}"))
    assert run(desk, "train", *flags)[0] == 0
    assert run(desk, "check", *flags)[0] == 0
    file = desk.cache / "weights" / desk.records[0].run_id / "model.safetensors"
    state = load_file(file)
    save_file({name: value + (0.01 if name.endswith("fc.weight") else 0) for name, value in state.items()}, file)
    code, told = run(desk, "check", *flags)
    assert code == 1
    assert "not those that were measured" in told


@pytest.mark.parametrize(
    ("classes", "gate", "verdict"),
    [
        (3, "0.0", (0, "passes")),
        (3, "0.99", (1, "above 99.00% (the stated gate)")),
        (1000, "0.0", (1, "expected a classifier of 3 classes, found 1000")),
        (0, "0.0", (1, "drawn at random")),
    ],
)
def test_a_lone_weights_file_is_checked(
    desk: Desk, pets: Path, classes: int, gate: str, verdict: tuple[int, str]
) -> None:
    file = weights(desk.folder / "w.safetensors", classes)
    lone = ["--backbone", "test_resnet", "--weights", str(file), "--dataset", f"folder:{pets}", "--size", "32"]
    code, told = run(desk, "check", *lone, "--gate", gate)
    assert verdict[1] in told
    assert code == verdict[0]
    assert desk.steps == 0


def test_what_cannot_be_checked_is_told(desk: Desk, pets: Path, tmp_path: Path) -> None:
    half = weights(tmp_path / "half.safetensors", 3)
    half.write_bytes(half.read_bytes()[:-100])
    for words, expected in (
        ([], "either --suite NAME, or --backbone"),
        (["--backbone", "test_resnet"], "--dataset: expected"),
        (["--backbone", "test_resnet", "--dataset", f"folder:{pets}", "--gate", "80"], "--gate: expected a share"),
        (["--backbone", "test_resnet", "--dataset", f"folder:{pets}", "--weights", str(half)], "not a whole"),
        (["--backbone", "test_resnet", "--dataset", f"folder:{pets}", "--weights", "x.pth"], "is a pickle"),
    ):
        code, said = run(desk, "check", *words)
        assert code == 2
        assert expected in said


def test_a_trained_teacher_is_used_by_its_run_id(desk: Desk, pets: Path) -> None:
    assert run(desk, "train", *suite(desk, pets, TRAINED.replace("}}}", "}}, gate: 0.0}")))[0] == 0
    run_id = desk.records[0].run_id
    lone = ["--backbone", "test_resnet", "--weights", f"run:{run_id}", "--dataset", f"folder:{pets}", "--size", "32"]
    code, said = run(desk, "check", *lone, "--gate", "0.0")
    assert code == 0
    assert f"{desk.records[0].metric('top1', 'holdout_last'):.2%}" in said


def test_a_student_that_begins_as_its_teacher_did_is_warned_of(desk: Desk, pets: Path) -> None:
    twin = "{backbone: test_efficientnet, size: 32, gate: 0.0, train: {epochs: 1, batch_size: 10}}"
    code, told = desk.bench(twin, data=pets)
    assert code == 0
    assert "begins with the same weights as its teacher" in told
    code, told = desk.bench(twin.replace("gate: 0.0", "gate: 0.0, seed: 7"), data=pets)
    assert code == 0
    assert "begins with the same weights" not in told
