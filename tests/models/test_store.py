"""Weights by run id: whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from fgkd.models import store as store_module
from fgkd.models.store import WeightStore


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    store, network = WeightStore(tmp_path), nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    assert "kd-1" not in store
    store.save("kd-1", network, {"holdout_top1": 0.5})
    assert "kd-1" in store
    assert store.facts("kd-1") == {"holdout_top1": 0.5}
    state = store.state("kd-1")
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


def test_tied_weights_can_be_saved(tmp_path: Path) -> None:
    network = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    network[1].weight = network[0].weight
    WeightStore(tmp_path).save("x", network, {})
    state = WeightStore(tmp_path).state("x")
    assert torch.equal(state["0.weight"], state["1.weight"])


def test_a_write_that_breaks_off_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = WeightStore(tmp_path)
    store.save("x", nn.Linear(2, 2), {"run": 1})
    assert "x" in store

    def full_disk(*args: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(store_module, "save_weights", full_disk)
    with pytest.raises(OSError, match="no space"):
        store.save("x", nn.Linear(2, 2), {"run": 2})
    assert "x" not in store
