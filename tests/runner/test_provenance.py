"""What a record tells of the code is what was loaded, not what lies there when the record is written."""

from __future__ import annotations

import pytest

from fgkd.data import opening
from fgkd.runner.outcome import code_commit
from fgkd.train.cohort import Cohort
from tests.runner.bench_desk import Desk


def test_the_commit_is_read_before_anything_is_trained(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[int] = []
    run = Cohort.run

    def noted(cohort: Cohort) -> object:
        known.append(code_commit.cache_info().currsize)
        return run(cohort)

    monkeypatch.setattr(Cohort, "run", noted)
    code_commit.cache_clear()
    assert desk.bench("--methods", "scratch") == 0
    assert known == [1]


def test_lists_of_data_are_read_once_in_a_launch(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained is what was checked; and a large folder takes seconds each time."""
    read: list[str] = []
    content_hash = opening.content_hash
    monkeypatch.setattr(opening, "content_hash", lambda *args: read.append("once") or content_hash(*args))
    assert desk.bench("--methods", "kd") == 0
    assert read == ["once"]
    read.clear()
    assert desk.bench("--dry-run", "--methods", "fitnet") == 0
    assert read == ["once"]
