"""A bank through the command line: built by one cohort, replayed by the next, left aside where maps are needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fgkd.cli.main import main
from fgkd.record import RunRecord, read_records
from fgkd.spec import Feed, Recipe, RunSpec
from fgkd.teacher.live import Teacher
from tests.teacher.bank.classroom import feed
from tests.teacher.desk import pictures

SUITE = """
name: banked
version: 1
datasets: [DATA]
teachers: [{backbone: test_resnet, size: 32, gate: 0.0, train: {epochs: 1, batch_size: 10, recipe: {lr: 0.02}}}]
students: [{backbone: test_efficientnet, size: 32}]
methods: [scratch, kd, crd_batch, at]
view: {size: 32, augment: light}
recipe: {lr: 0.01}
epochs: 3
batch_size: 10
seeds: [0]
"""


class Desk:
    """A suite, and the command line before it."""

    def __init__(self, folder: Path, data: str) -> None:
        self.results, self.cache, self.suite = folder / "results", folder / "cache", folder / "banked.yaml"
        self.suite.write_text(SUITE.replace("DATA", data))

    def run(self, command: str, *flags: str) -> int:
        places = ("--results", str(self.results), "--cache", str(self.cache))
        return main([command, "--suite", str(self.suite), *places, *flags])

    def record(self, method: str) -> RunRecord:
        records, problems = read_records(self.results / "banked" / "records")
        assert not problems
        return next(r for r in records if r.spec.method.label == method and r.spec.role == "student")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"folder:{pictures(tmp_path_factory.mktemp('data') / 'pets', ('cat', 'dog', 'hen'))}"


def test_one_cohort_builds_it_and_the_next_replays_it(
    tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    signals = Teacher.signals

    def counted(*args: object) -> object:
        nonlocal asked
        asked += 1
        return signals(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Teacher, "signals", counted)
    desk = Desk(tmp_path, data)
    assert desk.run("bench", "--bank", "2", "--methods", "kd") == 0
    built, images = asked, desk.record("kd").data.counts["train"]  # type: ignore[union-attr]
    assert built == -(-2 * images // 32), "once for every view; nobody asks in training"
    assert f"bank: the teacher is asked for 2 views of {images} images (fp16" in capsys.readouterr().out
    assert desk.run("bench", "--bank", "2", "--methods", "crd_batch") == 0
    assert asked == built + 1, "a look at whether it is still true"
    assert "are replayed from" in capsys.readouterr().out
    for method in ("kd", "crd_batch"):
        record = desk.record(method)
        assert (record.cohort.bank, record.spec.feed.bank) == ("replayed", 2)
        assert record.costs.teacher_seconds, "the building of the bank"
    page = (desk.results / "banked" / "README.md").read_text(encoding="utf-8")
    assert "a bank of 2 fixed views per image (fp16; another recipe than fresh views, which scratch has)" in page


def test_with_one_who_needs_maps_the_same_is_learnt_live(
    tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, together = (
        Desk(tmp_path / name, data) for name in ("alone", "together") if (tmp_path / name).mkdir() is None
    )
    assert alone.run("bench", "--bank", "2", "--methods", "kd") == 0
    assert together.run("bench", "--bank", "2", "--methods", "scratch,kd,at") == 0
    kd = together.record("kd")
    reason = "live: at needs its maps of stages -4, -3, -2, -1, too large to be kept"
    assert (kd.cohort.bank, together.record("at").cohort.bank) == (reason, reason)
    assert together.record("scratch").cohort.bank is None
    assert f"speaks live on 2 fixed views: {reason.removeprefix('live: ')}" in capsys.readouterr().out
    assert not (together.cache / "banks").exists()
    assert kd.student is not None
    assert kd.student == alone.record("kd").student, "weights_hash and all"
    assert alone.record("kd").cohort.bank == "replayed"


def test_a_disk_without_room_makes_the_teacher_speak_live(
    tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fgkd.teacher.bank.key.BYTES", {"fp16": 10**15, "fp32": 10**15})
    desk = Desk(tmp_path, data)
    assert desk.run("bench", "--bank", "2", "--methods", "kd") == 0
    assert "more than are free" in str(desk.record("kd").cohort.bank)


def test_the_plan_tells_what_it_would_take(tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(tmp_path, data)
    assert desk.run("plan", "--bank", "4", "--json", "--methods", "kd,crd_batch") == 0
    told = json.loads(capsys.readouterr().out)
    (bank,) = told["banks"]
    assert (bank["views"], bank["precision"], bank["live"]) == (4, "fp16", "")
    assert bank["size"] == 4 * bank["images"] * (3 + 96) * 2
    assert desk.run("plan", "--json", "--methods", "kd,crd_batch") == 0
    fresh = json.loads(capsys.readouterr().out)
    assert fresh["banks"] == []
    assert desk.run("plan", "--bank", "1", "--json", "--methods", "kd,crd_batch") == 0
    macs = lambda plan: sum(cohort["macs"] for cohort in plan["cohorts"])
    assert macs(json.loads(capsys.readouterr().out)) < macs(fresh) < macs(told), "1 view, 3 epochs, 4 views"
    assert desk.run("plan", "--bank", "4", "--methods", "kd,at") == 0
    assert "is not used, the teacher speaks live on them: at needs its maps" in capsys.readouterr().out


def test_a_bank_mixes_no_images() -> None:
    run = {"feed": feed(), "student": "test_resnet", "method": {"label": "kd", "parts": [{"name": "kd"}]}}
    for mixing in ({"mixup": 0.2}, {"cutmix": 1.0}):
        with pytest.raises(ValueError, match="would speak of other images than a mixing student sees"):
            RunSpec.model_validate(run | {"recipe": Recipe(**mixing)})


def test_ids_of_runs_with_a_bank_are_those_of_before() -> None:
    assert '"bank":2' in feed(bank_precision="fp16").canonical()
    assert "bank_precision" not in feed(bank_precision="fp16").canonical()
    assert feed(bank_precision="fp32").digest() != feed(bank_precision="fp16").digest()
    with pytest.raises(ValueError, match="this run has no bank"):
        RunSpec(
            feed=Feed(dataset="cub200", bank_precision="fp32"),  # type: ignore[arg-type]
            student="resnet18",  # type: ignore[arg-type]
            method={"label": "scratch", "parts": [{"name": "scratch"}]},  # type: ignore[arg-type]
        )
