"""Two and four processes give the results of one at the same global batch, and end together whatever befalls one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.crew import ODD, RUNS, Work, crew, diverge_on_one, fail_in_loader, fail_in_step, learn


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
        for name, value in theirs.items():
            one_image = 1.01 / ODD if name.startswith("holdout_") else 0.0
            assert ours[name] == pytest.approx(value, rel=2e-3, abs=1e-4 + one_image), (run_id, name)
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


@pytest.mark.parametrize(("work", "reason"), [(fail_in_step, "RuntimeError: no luck"), (fail_in_loader, "bird.png")])
def test_a_process_that_fails_ends_the_job_and_says_why_once(tmp_path: Path, work: Work, reason: str) -> None:
    folder = tmp_path / "crew"
    assert crew(work, folder, 2, timeout=60) == [1, 1]
    said = [(folder / f"{rank}.txt").read_text() for rank in range(2)]
    assert "".join(said).count("process 1 cannot go on") == 1
    assert reason in said[1].replace("\n", "")
    assert "Traceback" not in said[0]
    assert not list((folder / "results").rglob("*.json"))
