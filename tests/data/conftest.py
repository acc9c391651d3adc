"""Small pictures and folders of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fgkd.data.split import Split, as_split

WritePicture = Callable[..., Path]


@pytest.fixture
def untouched_randomness() -> Iterator[None]:
    """Fails the test if it moves a global random state: Python's, NumPy's or torch's."""
    before = _random_states()
    yield
    assert _random_states() == before


def _random_states() -> tuple:
    return random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()  # noqa: NPY002


@pytest.fixture
def write_picture() -> WritePicture:
    """Writes a noisy picture, its own for every `seed`, and gives its path back."""

    def write(path: Path, seed: int = 0, size: tuple[int, int] = (40, 52)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
        assert cv2.imwrite(str(path), cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC))
        return path

    return write


@pytest.fixture
def pictures(tmp_path: Path, write_picture: WritePicture) -> Split:
    """23 pictures in three classes."""
    return as_split("train", [(write_picture(tmp_path / f"pictures/{i:02d}.jpg", i), i % 3) for i in range(23)])
