"""One rule for naming a run, and one for naming a suite, whichever the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fgkd.choosing import find_run, suite_results
from fgkd.cli.main import main
from fgkd.errors import UserError
from fgkd.facts import StudentFacts
from fgkd.record import RunRecord, pack_predictions, write_record
from fgkd.report.truth import write_truth
from tests.board_factory import record, run_spec
from tests.report.test_per_class import ANSWERS, FACTS, truth

Capture = pytest.CaptureFixture[str]


def _run(method: str) -> RunRecord:
    spec = run_spec(method, student="test_resnet", teacher={"backbone": "test_vit"}, view={"size": 32})
    student = StudentFacts(img_size=32, param_count=400_000, macs=9_000_000)
    return record(spec, student=student, data=FACTS, predictions=pack_predictions(ANSWERS))


KD, AT = _run("kd"), _run("at")
HASH = KD.run_id.rpartition("-")[2]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One suite with two runs."""
    for one in (KD, AT):
        write_record(one, tmp_path / "tiny/records")
    write_truth(tmp_path / "tiny", truth())
    return tmp_path


def _compared(wanted: str, flags: list[str], capsys: Capture) -> None:
    assert main(["compare", wanted, AT.run_id, "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out)["first"] == KD.run_id


def _by_class(wanted: str, flags: list[str], capsys: Capture) -> None:
    assert main(["board", "--per-class", wanted, *flags]) == 0
    assert f"\n{KD.run_id}: " in capsys.readouterr().out


def _timed(wanted: str, flags: list[str], capsys: Capture) -> None:
    quick = ["--seconds", "0.01", "--batch-size", "1", "--device", "cpu"]
    assert main(["latency", wanted, "--json", *quick, *flags]) == 0
    assert [row["param_count"] for row in json.loads(capsys.readouterr().out)] == [400_000]


def _exported(wanted: str, flags: list[str], capsys: Capture) -> None:
    at = flags[1]
    assert main(["export", wanted, "--to", f"{at}/export", "--cache", f"{at}/cache", *flags]) == 2
    assert f"run {KD.run_id} is recorded, but its weights are not in" in capsys.readouterr().err


@pytest.mark.parametrize("wanted", [KD.run_id, KD.run_id[:-6], HASH[:6]], ids=["id", "beginning", "hash"])
@pytest.mark.parametrize("command", [_compared, _by_class, _timed, _exported])
def test_every_command_takes_the_same_three_spellings(
    command: Callable[[str, list[str], Capture], None], wanted: str, results: Path, capsys: Capture
) -> None:
    command(wanted, ["--results", str(results), "--suite", "benchmarks/tiny.yaml"], capsys)


def test_the_ids_that_commands_take_are_listed(results: Path, capsys: Capture) -> None:
    failed = record(run_spec("crd"), None, status="failed")
    write_record(failed, results / "tiny/records")
    assert main(["board", "--runs", "--results", str(results)]) == 0
    head, *lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head[:3] == ["run", "test", "%"]
    assert {(line[0], line[1], line[3]) for line in lines} == {
        (KD.run_id, "50.00", "kd"),
        (AT.run_id, "50.00", "at"),
        (failed.run_id, "failed", "crd"),
    }
    (results / "tiny/records/broken.json").write_text("{")
    assert main(["board", "--runs", "--results", str(results)]) == 1
    assert "broken.json" in capsys.readouterr().err


def test_the_last_of_several_suites_with_the_run_is_taken(results: Path) -> None:
    write_record(KD, results / "wide/records")
    folders = suite_results(None, None, results)
    assert find_run("kd", folders) == (results / "wide", KD)
    assert find_run("kd", folders[:1]) == (results / "tiny", KD)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("", "unknown run '' among 2"),
        ("dk-0", "unknown run 'dk-0' among 2 recorded ones; fgkd board --runs lists them"),
        (KD.run_id.replace("kd-", "dk-"), f"did you mean {KD.run_id}"),
    ],
)
def test_what_names_no_run_is_told(wanted: str, said: str, results: Path) -> None:
    with pytest.raises(UserError, match=said):
        find_run(wanted, [results / "tiny"])


def test_the_beginning_of_several_is_told(results: Path) -> None:
    write_record(record(run_spec("kd")), results / "tiny/records")
    with pytest.raises(UserError, match=r"run 'kd-': .* 2 runs begin so: kd-\w+, kd-\w+; write more"):
        find_run("kd-", [results / "tiny"])


def test_a_suite_without_results_is_told(results: Path) -> None:
    with pytest.raises(UserError, match=r"no records below .* of suite 'tinny'; did you mean tiny"):
        suite_results(None, "tinny", results)
