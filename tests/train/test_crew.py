"""Two and four processes give the results of one at the same global batch, and end together whatever befalls one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.crew import ODD, RUNS, crew, diverge_on_one, learn


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return learn(tmp_path_factory.mktemp("alone"), 0, 1)


@pytest.mark.parametrize("world", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_equal_one(tmp_path: Path, alone: dict[str, Any], world: int) -> None:
    for found in crew(learn, tmp_path / "crew", world):
        assert found.keys() == alone.keys() == {spec.run_id for spec in RUNS}
        for run_id, expected in alone.items():
            check(found[run_id], expected, run_id)


def check(found: dict[str, Any], expected: dict[str, Any], run_id: str) -> None:
    assert found["status"] == expected["status"] == "ok"
    assert len(found["predictions"]) == ODD  # every image counted once
    for ours, theirs in zip(found["curve"], expected["curve"], strict=True):
        assert ours == pytest.approx(theirs, rel=2e-3, abs=1e-4), run_id
    for part in ("weights", "average"):
        for name, tensor in expected[part].items():
            torch.testing.assert_close(
                found[part][name], tensor, rtol=2e-3, atol=2e-4, msg=lambda m, n=name: f"{run_id} {n}: {m}"
            )


def test_a_loss_that_is_not_finite_on_one_process_stops_the_learner_on_all(tmp_path: Path) -> None:
    found = crew(diverge_on_one, tmp_path / "crew", 2)
    for outcome in found:
        good, bad = (outcome[spec.run_id] for spec in RUNS[:2])
        assert (good["status"], bad["status"]) == ("ok", "diverged")
        assert bad["reason"] == "the loss was not finite at step 3"
        assert len(good["predictions"]) == ODD
    for name, tensor in found[0][RUNS[0].run_id]["weights"].items():
        assert torch.equal(tensor, found[1][RUNS[0].run_id]["weights"][name])
