"""One suite, run undisturbed, for all tests of what may disturb it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faulty import device, faulty  # noqa: F401
from tests.runner.bench_desk import Desk

METHODS = ("scratch", "kd", "th_kd", "fitnet")


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk on which four methods were run; tests must not change it."""
    desk = Desk(tmp_path_factory.mktemp("desk"), METHODS)
    assert desk.bench() == 0
    return desk


@pytest.fixture
def desk(tmp_path: Path, done: Desk) -> Desk:
    """A desk with the same suite, of which the teacher is recorded and nothing else."""
    return done.copied(tmp_path, METHODS)
