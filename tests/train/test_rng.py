# ruff: noqa: NPY002  the legacy global generator is what is tested
"""Private random streams."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch

from fgkd.train.rng import RandomStream

CPU = torch.device("cpu")


def seed(value: int) -> None:
    torch.manual_seed(value)
    np.random.seed(value)
    random.seed(value)


def draw() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]


def test_inside_and_outside_do_not_see_each_other() -> None:
    seed(1)
    expected_outside = draw() + draw()
    seed(1)
    stream = RandomStream(5, CPU)
    outside = draw()
    with stream:
        first = draw()
    outside += draw()
    with stream:
        second = draw()
    assert outside == expected_outside
    fresh = RandomStream(5, CPU)
    with fresh:
        assert draw() + draw() == first + second


def test_an_exception_inside_still_gives_the_generators_back() -> None:
    torch.manual_seed(2)
    expected = torch.rand(())
    torch.manual_seed(2)
    try:
        with RandomStream(5, CPU):
            torch.rand(100)
            raise RuntimeError
    except RuntimeError:
        pass
    assert torch.rand(()) == expected


def test_position_survives_a_file(tmp_path: Path) -> None:
    stream = RandomStream(9, CPU)
    with stream:
        draw()
        np.random.randn()  # leaves a cached Gaussian behind
    torch.save(stream.state_dict(), tmp_path / "s.pt")
    other = RandomStream(0, CPU)
    other.load_state_dict(torch.load(tmp_path / "s.pt", weights_only=True))
    with stream:
        expected = [*draw(), np.random.randn()]
    with other:
        assert [*draw(), np.random.randn()] == expected
