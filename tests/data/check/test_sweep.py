"""Many files, several processes, and files that take a process with them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from fgkd.data.check import sweep as module
from fgkd.data.check.look import Look
from fgkd.data.check.sweep import skim, sweep
from tests.data.check.specimens import HOLE, JPEG, SPECIMENS


def _deadly(job: module.Job) -> list[module.Seen]:
    """Stands in for a decoder with a bug; runs in the worker process."""
    for _, path in job:
        if path.name == "deadly.jpg":
            os.kill(os.getpid(), signal.SIGKILL)
    return [(number, Look((("blank", path.name),))) for number, path in job]


def test_all_files_are_seen_once_and_silent_damage_is_heard(tmp_path: Path) -> None:
    (tmp_path / "hole.jpg").write_bytes(HOLE)
    (tmp_path / "fine.jpg").write_bytes(JPEG)
    paths = [tmp_path / ("hole.jpg" if i == 40 else "fine.jpg") for i in range(70)]
    seen = list(sweep(list(enumerate(paths)), 2))
    assert sorted(number for number, _ in seen) == list(range(70))
    marks = {number: look.marks for number, look in seen if look.marks}
    assert list(marks) == [40], "what libjpeg said of one file is not laid at another's door"
    ((kind, detail),) = marks[40]
    assert kind == "damaged"
    assert "JPEG" in detail


def test_a_file_that_kills_its_process_is_named_and_the_others_are_seen(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_look_at", _deadly)
    monkeypatch.setattr(module, "CHUNK", 2)
    paths = [tmp_path / ("deadly.jpg" if i == 3 else f"{i}.jpg") for i in range(6)]
    seen = dict(sweep(list(enumerate(paths)), 1))
    assert sorted(seen) == list(range(6))
    assert seen[3].marks == (("unreadable", "the process that decoded it died"),)
    assert all(seen[i].marks == (("blank", f"{i}.jpg"),) for i in range(6) if i != 3)


def test_skimming_stops_when_the_time_is_over(tmp_path: Path, monkeypatch) -> None:
    def slow(path: Path) -> Look:
        time.sleep(0.01)
        return Look()

    monkeypatch.setattr(module, "glance", slow)
    files = [(i, tmp_path / f"{i}") for i in range(20_000)]
    began = time.monotonic()
    assert 0 < len(list(skim(files, 0.2))) < 20_000
    assert time.monotonic() - began < 5


def test_skimming_sees_all_in_time(tmp_path: Path) -> None:
    for name, (write, _) in SPECIMENS.items():
        write(tmp_path / name)
    files = list(enumerate(sorted(tmp_path.iterdir())))
    assert sorted(number for number, _ in skim(files, 60)) == list(range(len(SPECIMENS)))
