"""The adapter around accelerate."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from fgkd.train.engine import Engine


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("launched", "expected"), [(True, os.cpu_count()), (False, 1)])
def test_a_lone_launched_process_uses_every_core(
    launched: bool, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if launched:
        monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "no")
    else:
        monkeypatch.delenv("ACCELERATE_DYNAMO_BACKEND", raising=False)
    Engine()
    assert torch.get_num_threads() == expected


def test_alone_gathering_is_the_identity() -> None:
    engine, rows = Engine(), torch.arange(6).reshape(3, 2)
    assert engine.gather(rows) is rows
    assert engine.agree(torch.tensor(4)) == 4
    assert engine.mean(torch.tensor([1.0, 2.0])).tolist() == [1.0, 2.0]
