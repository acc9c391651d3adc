"""What a record tells of the code is what was loaded, not what lies there when the record is written."""

from __future__ import annotations

import pytest

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
