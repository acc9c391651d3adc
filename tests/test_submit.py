"""Suites as jobs: what each job is told, what is refused beforehand, and jobs that run on this machine."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import pytest

from fgkd.cli import submit as submitting
from fgkd.cli.main import main
from fgkd.cli.parser import build_parser
from fgkd.cli.values import parse_shard
from fgkd.errors import UserError


def asked(*words: str) -> Namespace:
    return build_parser().parse_args(["submit", "--suite", "quickstart", *words])


def test_a_job_is_a_bench_of_its_part_with_all_that_was_said() -> None:
    words = ["--seeds", "0,1", "--set", "epochs=2", "--set", "recipe.lr=0.1", "--compile", "--memory", "8GB"]
    args = asked("--shards", "3", *words, "--results", "mine", "--slurm", "partition=gpu")
    command = submitting.command(args, 1)
    assert command[:4] == [sys.executable, "-m", "fgkd", "bench"]
    bench = build_parser().parse_args(command[3:])
    assert parse_shard(bench.shard) == (1, 3)
    assert (bench.suite, bench.seeds, bench.memory) == ("quickstart", "0,1", "8GB")
    assert bench.set == ["epochs=2", "recipe.lr=0.1"]
    assert bench.compile
    assert bench.results == Path("mine").absolute()
    assert "partition" not in " ".join(command)


def test_jobs_are_described_to_the_scheduler() -> None:
    args = asked("--shards", "1", "--hours", "1.5", "--gpus", "2", "--slurm", "partition=gpu", "--slurm", "nice=3")
    told = submitting.parameters(args)
    assert (told["timeout_min"], told["gpus_per_node"], told["cpus_per_task"]) == (90, 2, 8)
    assert (told["slurm_partition"], told["slurm_nice"]) == ("gpu", 3)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--shards", "0"], "--shards: expected 1 or more"),
        (["--shards", "2", "--shard", "0/2"], "each job gets its own part"),
        (["--shards", "2", "--slurm", "partition"], "expected KEY=VALUE"),
        (["--shards", "2", "--methods", "kdd"], "kdd"),
        (["--shards", "2", "--memory", "lots"], "--memory"),
    ],
)
def test_mistakes_are_told_before_a_job_waits(words: list[str], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        submitting.check(asked(*words))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"fgkd\[submit\]"):
        submitting.check(asked("--shards", "1"))


@pytest.mark.parametrize("failing", [False, True])
def test_jobs_run_on_this_machine(
    failing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("submitit")
    script = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); sys.exit(int(sys.argv[2]))"
    monkeypatch.setattr(
        submitting,
        "command",
        lambda args, part: [sys.executable, "-c", script, str(tmp_path / f"{part}"), str(int(failing and part == 1))],
    )
    words = ["--shards", "2", "--cluster", "local", "--gpus", "0", "--logs", str(tmp_path / "logs")]
    assert main(["submit", "--suite", "quickstart", *words]) == int(failing)
    assert (tmp_path / "0").exists()
    assert (tmp_path / "1").exists()
    told = capsys.readouterr().out
    assert "part 1/2: job" in told
    assert ("part 1/2 failed" in told) == failing
