"""What all tests share: the folders of real data beside the checkout."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before torch is imported: the networks here are too small for more threads, which on a busy machine wait for each
# other until seconds are minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no failure: examples may take as long as they take.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Set everything that was imported aside: else each cohort's end would search a gigabyte of it for garbage."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Or Triton, which comes with torch, would list on the terminal what it finds alive at the end."""
    gc.unfreeze()


SHARED = Path(os.environ.get("FGKD_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def shared_path(name: str) -> Path:
    """A path below the shared folder; skips the calling test where it is missing."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {name} in a folder `shared` beside the checkout (or $FGKD_SHARED); not found")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images."""
    return shared_path("data")


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """The folder of real pretrained weights."""
    return shared_path("weights")


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of losses computed with the authors' code."""
    return shared_path("golden")
