"""CPUs that a process may use, and processes that are there."""

from __future__ import annotations

import os

import pytest

from fgkd.processes import process_exists, usable_cpus


def test_of_many_cpus_those_count_that_a_job_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 5}, raising=False)
    assert usable_cpus() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cpus() == 64  # a system that does not tell
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus() == 1


def test_processes_that_are_there() -> None:
    assert process_exists(os.getpid())
    assert process_exists(1)  # somebody else's, where this is not the only one
    assert not process_exists(0)
    assert not process_exists(-1)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert not process_exists(pid)
