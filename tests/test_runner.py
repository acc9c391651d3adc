"""A suite from its file to its board, through the command line, on the drawn set's tiny protocol."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fgkd.cli.main import main
from fgkd.data import opening
from fgkd.errors import UserError
from fgkd.leaderboard import check_boards
from fgkd.models.latency import device_name
from fgkd.record import read_records
from fgkd.runner import session
from fgkd.train.cohort import Cohort
from fgkd.train.learner import Learner
from fgkd.yardstick import Yardstick

SUITE = """
name: small
version: 1
datasets: [DATA]
teachers:
  - {backbone: test_resnet, size: 32, gate: GATE, train: {epochs: 1, batch_size: 30, recipe: {lr: 0.01}}}
students: [{backbone: test_efficientnet, size: 32}]
methods:
  - scratch
  - kd
  - {method: th_kd, form: paper, inference_weight: 0.5, name: th_mixed}
  - crd
  - {method: sh_kd, base: kd}
view: {size: 48, augment: light}
recipe: {lr: LR}
epochs: 1
batch_size: 30
seeds: [0, 1]
"""
TINY = "{name: synthetic_birds, protocol: tiny}"


class Desk:
    """A folder with a suite, results and a cache, and the command line before it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results, self.cache = folder, folder / "results", folder / "cache"

    def bench(self, *flags: str, data: str = TINY, gate: str = "0.0", lr: str = "0.01") -> int:
        suite = self.folder / "small.yaml"
        suite.write_text(SUITE.replace("DATA", data).replace("GATE", gate).replace("LR", lr))
        return main(
            ["bench", "--suite", str(suite), "--results", str(self.results), "--cache", str(self.cache), *flags]
        )

    @property
    def board(self) -> Path:
        return self.results / "small"

    def records(self) -> list:
        records, problems = read_records(self.board / "records")
        assert not problems
        return records


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with the suite run on it once; tests must not change it."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    assert desk.bench() == 0
    return desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_every_run_leaves_a_record_and_a_row(done: Desk) -> None:
    records = done.records()
    assert sorted(r.spec.method.label for r in records) == sorted(
        ["teacher", "teacher", *(2 * ["scratch", "kd", "th_mixed", "crd", "sh_kd(kd)"])]
    )
    assert all(r.status == "ok" for r in records)
    rows = pd.read_csv(done.board / "leaderboard.csv")
    assert set(rows.run_id) == {r.run_id for r in records}
    assert (done.board / "README.md").exists()
    assert check_boards(done.board) == []


def test_records_say_what_was_measured_and_what_it_cost(done: Desk) -> None:
    by_label = {r.spec.method.label: r for r in done.records() if r.spec.seed == 0}
    kd, scratch, mixed = by_label["kd"], by_label["scratch"], by_label["th_mixed"]
    assert kd.teacher is not None
    assert kd.teacher.weights_hash
    assert kd.teacher.test_top1 == by_label["teacher"].metric("top1") or kd.teacher.run_id != by_label["teacher"].run_id
    assert scratch.teacher is None
    assert scratch.costs.teacher_seconds == 0
    assert kd.costs.teacher_seconds > 0
    assert kd.costs.shared_seconds == pytest.approx(kd.costs.load_seconds + kd.costs.teacher_seconds)
    assert kd.cohort.size == scratch.cohort.size == 8  # scratch, kd, th_mixed and crd, two seeds each
    assert mixed.student.param_count > kd.student.param_count  # the teacher's head and the projector stay
    assert mixed.student.deployed_extra
    assert "top1/teacher_head" in mixed.metrics["test_last"]
    assert {"ce", "kd", "loss", "lr", "holdout_top1"} <= set(kd.curve[0])
    assert kd.environment.processor == scratch.environment.processor == device_name(torch.device("cpu"))


def test_the_student_aware_teacher_has_the_students_head(done: Desk) -> None:
    sh = next(r for r in done.records() if r.spec.method.label == "sh_kd(kd)")
    head = sh.spec.feed.teacher.head_from
    scratch = next(r for r in done.records() if r.spec.method.label == "scratch" and r.spec.seed == 0)
    assert head.run_id == scratch.run_id
    store = done.cache / "weights"
    student = load_file(store / scratch.run_id / "model.safetensors")
    teacher = load_file(store / sh.teacher.run_id / "model.safetensors")
    (weight,) = (v for k, v in student.items() if k.endswith("classifier.weight"))
    assert any(v.shape == weight.shape and v.equal(weight) for v in teacher.values())


def test_a_finished_suite_is_not_run_again(done: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p: p.stat().st_mtime_ns for p in (done.board / "records").iterdir()}
    assert done.bench() == 0
    assert {p: p.stat().st_mtime_ns for p in (done.board / "records").iterdir()} == before
    said = capsys.readouterr().out
    assert "recorded already" in said
    assert f"records and board in {done.board}: report.html" in said


def test_what_is_missing_is_run_and_gives_the_same_numbers(done: Desk, desk: Desk) -> None:
    shutil.copytree(done.results, desk.results)
    shutil.copytree(done.cache, desk.cache)
    victim = next(r for r in desk.records() if r.spec.method.label == "crd" and r.spec.seed == 1)
    (desk.board / "records" / f"{victim.run_id}.json").unlink()
    assert desk.bench() == 0
    again = next(r for r in desk.records() if r.run_id == victim.run_id)
    assert again.cohort.size == 1  # alone this time
    assert again.student.weights_hash == victim.student.weights_hash
    assert again.metrics == victim.metrics
    assert again.predictions == victim.predictions


def test_a_teacher_with_other_weights_than_its_record_is_told(
    done: Desk, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(done.results, desk.results)
    shutil.copytree(done.cache, desk.cache)
    plain = next(r for r in desk.records() if r.spec.role == "teacher" and r.spec.head_from is None)
    path = desk.board / "records" / f"{plain.run_id}.json"
    path.write_text(path.read_text().replace(plain.student.weights_hash, "0123456789abcdef"))
    for victim in [
        r.run_id for r in desk.records() if r.spec.method.label in ("crd", "sh_kd(kd)") and r.spec.seed == 1
    ]:
        (desk.board / "records" / f"{victim}.json").unlink()
    assert desk.bench() == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("is of other weights") == 1
    assert f"its record {plain.run_id} is of other weights, 0123456789abcdef (test" in said


def test_a_teacher_below_the_gate_teaches_nobody(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.bench("--methods", "kd,scratch", gate="0.95") == 2
    assert "expected a hold-out top-1 above 95.00%" in capsys.readouterr().out
    assert {r.spec.method.label for r in desk.records()} == {"teacher", "scratch"}  # scratch asks for no teacher


def test_a_diverged_teacher_is_recorded_and_its_students_wait(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    code = desk.bench("--methods", "kd", "--set", "teacher.train.recipe.lr=1e30")
    assert code == 2
    (record,) = desk.records()
    assert record.status == "diverged"
    assert record.metrics == {}
    assert "did not end well" in capsys.readouterr().out
    assert "diverged" in (desk.board / "leaderboard.csv").read_text()


def test_a_teacher_that_fails_when_it_is_run_again_does_not_teach_with_its_old_weights(
    done: Desk, desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(done.results, desk.results)
    shutil.copytree(done.cache, desk.cache)
    before = {r.run_id: r.student.weights_hash for r in desk.records() if r.spec.method.label == "kd"}
    attempt = Cohort.attempt

    def failing(cohort: Cohort, learner: Learner, action: Callable[[], object]) -> None:
        def broken() -> None:
            raise RuntimeError("boom")

        attempt(cohort, learner, broken if learner.spec.role == "teacher" else action)

    monkeypatch.setattr(Cohort, "attempt", failing)
    assert desk.bench("--methods", "kd", "--rerun") == 2
    assert "2 runs wait for teacher-" in " ".join(capsys.readouterr().out.split())
    found = {r.spec.method.label: r.status for r in desk.records() if r.spec.method.label in ("kd", "teacher")}
    assert found["teacher"] == "failed" or "failed" in [r.status for r in desk.records() if r.spec.role == "teacher"]
    assert {r.run_id: r.student.weights_hash for r in desk.records() if r.run_id in before} == before


def test_students_of_a_teacher_that_was_not_trained_wait_for_the_same_command(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cohort, "run", lambda cohort: 1 / 0)
    assert desk.bench("--methods", "kd") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "which was not trained, see above; the same command tries again" in said
    assert "--retry-failed" not in said


def test_diverged_students_give_exit_code_one(desk: Desk) -> None:
    assert desk.bench("--methods", "scratch", lr="1e30") == 1
    assert {r.status for r in desk.records()} == {"diverged"}


def folder_of_images(folder: Path) -> Path:
    draw = np.random.default_rng(0)
    for split, number in (("train", 20), ("test", 4)):
        for name in ("cats", "dogs"):
            (folder / split / name).mkdir(parents=True)
            for i in range(number):
                cv2.imwrite(str(folder / split / name / f"{i}.png"), draw.integers(0, 255, (40, 40, 3), dtype=np.uint8))
    return folder


def test_an_unreadable_image_is_named(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of_images(tmp_path / "pets")
    (folder / "train" / "cats" / "3.png").write_bytes(b"no image")
    code = desk.bench("--methods", "scratch", "--set", "batch_size=10", data=f"folder:{folder}")
    assert code == 2
    assert "3.png" in capsys.readouterr().err.replace("\n", "")


def test_runs_are_not_added_to_records_of_other_data(
    done: Desk, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(done.folder, desk.folder, dirs_exist_ok=True)
    kept = sorted((desk.board / "records").glob("*.json"))
    assert desk.bench() == 0  # nothing is left to add
    for path in kept[:2]:
        path.write_text(re.sub(r'"revision": "\w+"', '"revision": "0123456789ab"', path.read_text()))
    kept[-1].unlink()
    assert desk.bench() == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "2 runs of revision 0123456789ab" in said
    assert "found revision" in said
    assert not kept[-1].exists()


def test_everything_missing_is_told_at_once(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--set", "students=[{backbone: test_vit, weights: nowhere.safetensors}]", "--data-root", str(desk.folder)]
    assert desk.bench(*flags, data="cub50") == 2
    told = capsys.readouterr().err
    assert "CUB_200_2011" in told
    assert "nowhere.safetensors" in told
    assert not (desk.board / "records").exists() or not list((desk.board / "records").glob("*.json"))


def test_a_batch_that_no_epoch_can_fill_is_told_with_the_rest(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "measure", lambda device: Yardstick(1e-9, 0.0))
    flags = ["--set", "batch_size=5000", "--set", "teacher.train.batch_size=4000"]
    for also in (["--set", "students=[{backbone: test_vit, weights: nowhere.safetensors}]"], ["--dry-run"]):
        assert desk.bench(*flags, *also) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert "- batch_size: expected at most the " in told
        assert "images of synthetic_birds, found 5000" in told
        assert "teacher.train.batch_size: expected at most" in told


def test_heads_of_equal_width_are_compared_in_the_record(desk: Desk) -> None:
    flags = ["--methods", "th_mixed", "--seeds", "1", "--set", "students=[{backbone: test_resnet, size: 32}]"]
    assert desk.bench(*flags) == 0
    student = next(r for r in desk.records() if r.spec.role == "student")
    assert -1 <= student.diagnostics["head_cos_mean"] < 0.9  # seed 1 is not the teacher's
    assert student.diagnostics["head_bias_l2"] > 0
    assert {"top1/teacher_head", "top1/mixed"} <= set(student.metrics["test_last"])


def test_missing_weights_say_how_to_name_their_folder(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.bench("--set", "students=[{backbone: test_vit, weights: nowhere.safetensors}]") == 2
    assert "--weights DIR" in capsys.readouterr().err


def test_fp16_without_a_gpu_is_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert desk.bench("--mixed_precision", "fp16") == 2
    assert "fp16 needs a CUDA device" in capsys.readouterr().err


def test_dry_run_prices_without_training(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "measure", lambda device: Yardstick(1e-9, 0.0))
    suite = desk.folder / "small.yaml"
    suite.write_text(SUITE.replace("DATA", "cub200").replace("GATE", "0.0").replace("LR", "0.01"))
    assert main(["plan", "--suite", str(suite), "--json", "--cache", str(desk.cache)]) == 0
    plan = json.loads(capsys.readouterr().out)
    first, second = plan["cohorts"][:2]
    assert first["runs"][0].startswith("teacher-")
    assert second["macs_alone"] > second["macs"]
    assert second["images"] == 5994 * 0.85 // 30 * 30
    assert not desk.results.exists() or not list(desk.results.rglob("*.json"))


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
def test_a_data_set_is_looked_at_as_often_for_many_runs_as_for_few(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    looks: list[object] = []

    def noted(place: opening._Place) -> None:
        looks.append(place)
        refuse(place)

    def stop(*args: object) -> None:
        raise UserError("enough")

    refuse = opening._refuse
    monkeypatch.setattr(opening, "_refuse", noted)
    monkeypatch.setattr(session, "check_space", stop)
    monkeypatch.setattr(session, "measure", lambda device: Yardstick(1e-9, 0.0))

    def looked(data_seeds: str) -> int:
        looks.clear()
        assert desk.bench("--set", f"data_seeds={data_seeds}", *flags) == (0 if flags else 2)
        return len(looks)

    looked("[0]")  # draws the birds, and reads their headers
    assert 0 < looked("[0]") == looked("[0, 1, 2, 3]")


def test_classes_can_be_judged_without_the_data(done: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    record = next(r for r in done.records() if r.spec.method.label == "kd")
    flags = ["--results", str(done.results), "--data-root", str(done.folder / "nowhere")]
    assert main(["board", "--per-class", record.run_id, "--json", *flags]) == 0
    classes = json.loads(capsys.readouterr().out)
    assert [found["images"] for found in classes] == 25 * [6]
    assert sum(found["right"] for found in classes) / 150 == pytest.approx(record.metric("top1"))
    mean = sum(found["accuracy"] for found in classes) / 25
    assert mean == pytest.approx(record.metric("mean_class_accuracy"))


def test_a_cohort_that_would_not_fit_is_trained_in_parts_with_the_same_numbers(
    done: Desk, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.bench("--memory", "1MB", "--methods", "scratch,kd,crd", "--seeds", "0") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "3 learners need more than 0.000931 GiB: trained as 1 and 1 and 1" in told
    whole = {record.run_id: record for record in done.records()}
    parts = desk.records()
    assert len(parts) == 4
    for record in parts:
        assert record.metrics == whole[record.run_id].metrics
        assert record.predictions == whole[record.run_id].predictions
    assert {record.cohort.size for record in parts} == {1}
