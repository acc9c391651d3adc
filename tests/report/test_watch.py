"""`fgkd watch`: what processes say of themselves, and what was recorded, in a terminal."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from fgkd.cli import watch as command
from fgkd.cli.main import main
from fgkd.record import write_record
from fgkd.report.live import finished as finished_module
from fgkd.report.live.finished import FinishedRuns
from fgkd.report.live.status import CohortStatus, LearnerStatus, ProcessStatus, progress_file, seen_in
from fgkd.report.live.view import draw
from tests.board_factory import record, run_spec, suite_records

NOBODY = 2**22 + 1  # no system gives this number to a process
HERE = socket.gethostname()


def learners(**scores: float | None) -> tuple[LearnerStatus, ...]:
    made = []
    for method, score in scores.items():
        for seed in range(2):
            name = LearnerStatus(run_id=f"{method}-{seed}", method=method, student="small_net", loss=1 + seed)
            made.append(name.model_copy(update={"holdout_top1": None if score is None else score + seed / 100}))
    return tuple(made)


def say(suite: Path, *, host: str = HERE, pid: int = 0, quiet: float = 0, **cohort: object) -> Path:
    """Leave word of a process."""
    now = time.time()
    facts = {"number": 2, "of": 5, "dataset": "cub200", "teacher": "big_net", "epochs": 20, "steps": 10} | cohort
    status = ProcessStatus(
        host=host,
        pid=pid or os.getpid(),
        suite=suite.name,
        begun=now - 7500 - quiet,
        updated=now - quiet,
        runs=20,
        cohort=CohortStatus(**facts),
    )
    path = progress_file(suite, host, status.pid)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(status.model_dump_json())
    return path


def printed(results: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    assert main(["watch", "--results", str(results), *flags]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out  # plain text: nobody looks at a terminal
    assert max(map(len, out.splitlines())) <= 100
    return out


def test_several_processes_are_shown_and_stale_ones_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = tmp_path / "tiny"
    for ours in suite_records():
        write_record(ours, suite / "records")
    pace = {"epoch": 9, "step": 5, "images_per_second": 143.4, "waiting": 0.123, "seconds_left": 125}
    say(suite, learners=learners(kd=0.5, crd=0.75, at=None), **pace)
    say(suite, pid=NOBODY, quiet=30)
    say(suite, host="far", pid=NOBODY, quiet=30, number=3, phase="hold-out")
    say(suite, host="farther", pid=NOBODY, quiet=4000)
    (suite / ".progress" / "broken-1.json").write_text("{")
    out = printed(tmp_path, capsys, "--once")
    assert "tiny  13 of 20 runs recorded, 1 of them without a result" in out
    assert f"{HERE}:{os.getpid()}  for 2 h 05 min  running" in out
    assert "cohort 2 of 5: cub200 taught by big_net" in out
    assert "[###########-------------] epoch 10/20, 143 img/s, 12% waiting for data, 2 min left" in out
    assert f"{HERE}:{NOBODY}  for 2 h 05 min  gone, last heard of 30 s ago" in out
    assert f"far:{NOBODY}  for 2 h 05 min  running" in out  # another machine's: nobody here can know
    assert "reading the hold-out split" in out
    assert f"farther:{NOBODY}  for 2 h 05 min  silent for 1 h 06 min" in out
    assert "broken-1.json: cannot be read" in out
    rows = [line.split() for line in out.splitlines() if "small_net" in line]
    assert rows == [
        ["crd", "small_net", "2", "1.500", "75.5"],
        ["kd", "small_net", "2", "1.500", "50.5"],
        ["at", "small_net", "2", "1.500"],
    ]
    assert out.count("  recorded ") == 5


@pytest.mark.parametrize(("name", "value"), [("updated", "1e400"), ("pid", "99999999999999999999")])
def test_word_that_no_process_can_have_left_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    path = say(tmp_path / "tiny")
    path.write_text(path.read_text().replace(f'"{name}":', f'"{name}":{value},"was":'))
    assert path.name in printed(tmp_path, capsys)


def test_a_number_that_no_float_holds_costs_its_record_alone(tmp_path: Path) -> None:
    write_record(record(), tmp_path / "records")
    (tmp_path / "records/kd-0123456789ab.json").write_text('{"metrics": {"test_last": {"top1": 1' + "0" * 400 + "}}}")
    assert [run.run_id for run in FinishedRuns(tmp_path / "records").refresh()] == [record().run_id]


def test_stopped_learners_are_counted_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = LearnerStatus(run_id="kd-2", method="kd", student="small_net", status="diverged", holdout_top1=0.01)
    say(tmp_path / "tiny", learners=(*learners(kd=0.5), lost))
    (row,) = [line.split() for line in printed(tmp_path, capsys).splitlines() if "small_net" in line]
    assert row == ["kd", "small_net", "2", "of", "3", "1.500", "50.5"]


def test_suites_at_rest_are_left_out_while_one_is_at_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        write_record(record(), tmp_path / name / "records")
    out = printed(tmp_path, capsys)
    assert out.count("no process is at work on it") == 2
    assert "1 runs recorded" in out
    say(tmp_path / "two")
    assert "one  " not in printed(tmp_path, capsys)
    assert "one  " in printed(tmp_path, capsys, "--suite", "benchmarks/one.yaml")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--suite", "tinny"], "did you mean tiny"),
        (["--every", "0"], "--every: expected seconds above 0"),
        (["--results", "nowhere"], "no suite below nowhere"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], told: str) -> None:
    (tmp_path / "tiny" / "records").mkdir(parents=True)
    assert main(["watch", "--results", str(tmp_path), *flags]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_text_of_others_moves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "[red]\x1b[2J\r\n" + "x" * 300
    word = LearnerStatus(run_id="a", method=nasty, student=nasty)
    say(tmp_path / "tiny", host=nasty, dataset=nasty, teacher=nasty, learners=(word,))
    out = printed(tmp_path, capsys)
    assert "[red] [2J xxx" in out


def test_every_record_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    from_json = finished_module.from_json
    monkeypatch.setattr(finished_module, "from_json", lambda text: (read.append(text), from_json(text))[1])
    runs = FinishedRuns(tmp_path)
    assert runs.refresh() == []
    for ours in suite_records()[:3]:
        write_record(ours, tmp_path)
    assert len(runs.refresh()) == len(runs.refresh()) == len(read) == 3
    ours = suite_records()[0]
    path = write_record(ours.model_copy(update={"metrics": {"test_last": {"top1": 0.25}}}), tmp_path, overwrite=True)
    os.utime(path, ns=(1, 1))  # whatever the resolution of the clock
    assert {run.score for run in runs.refresh() if run.run_id == ours.run_id} == {0.25}
    assert len(read) == 4
    path.unlink()
    (tmp_path / "kd-000000000000.json").write_text("[]")
    assert len(runs.refresh()) == 2


def test_the_live_view_draws_anew_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(tmp_path / "tiny", epoch=3)
    looks: list[float] = []

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt
        say(tmp_path / "tiny", epoch=4)
        write_record(record(run_spec("kd")), tmp_path / "tiny" / "records")

    monkeypatch.setattr(command.time, "sleep", wait)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=30)
    command._follow(command.Watched(tmp_path, None), console, 0.5)
    assert looks == [0.5, 0.5]
    assert out.getvalue().count("epoch 4/20") == 1
    assert out.getvalue().count("epoch 5/20") >= 1
    assert "1 of 20 runs recorded" in out.getvalue()


def test_a_process_that_has_only_begun(tmp_path: Path) -> None:
    path = progress_file(tmp_path / "tiny", "a b/..", 7)
    assert path.parent == tmp_path / "tiny" / ".progress"
    path.parent.mkdir(parents=True)
    status = ProcessStatus(host="a b/..", pid=7, suite="tiny", begun=90, updated=90)
    path.write_text(status.model_dump_json().replace('"pid"', '"from_a_younger_version":1,"pid"'))
    (seen,) = seen_in(tmp_path / "tiny", 100)[0]
    assert (seen.status, seen.state) == (status, "running")
    (view,) = command.Watched(tmp_path, "tiny").look()
    console = Console(file=io.StringIO(), record=True, width=100)
    console.print(draw([view]))
    assert "preparing" in console.export_text()


def test_looking_on_imports_no_torch(tmp_path: Path) -> None:
    (tmp_path / "tiny" / "records").mkdir(parents=True)
    code = (
        "import sys; from fgkd.cli.main import main; code = main(sys.argv[1:]); "
        "assert not {'torch', 'pandas', 'scipy'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "watch", "--once", "--results", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
