"""Two processes give the result of one at the same global batch, and count every image once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]

# networks without batch norm: torch synchronises its statistics between CUDA devices only
SUITE = """
name: two
version: 1
datasets: [{name: synthetic_birds, protocol: tiny}]
teachers:
  - {backbone: test_vit, size: 32, gate: 0.0, train: {epochs: 1, batch_size: 20, recipe: {lr: 0.01}}}
students: [{backbone: test_convnext, size: 32}]
methods: [scratch, th_kd, {method: crd, num_negatives: 16}]
view: {size: 48, augment: light}
recipe: {optimizer: sgd, lr: 0.01}
epochs: 2
batch_size: 20
"""


def bench(folder: Path, processes: int) -> dict[str, dict]:
    """Run the suite with so many processes; record by run id."""
    suite = folder / "two.yaml"
    suite.write_text(SUITE)
    command = ["-m", "fgkd", "bench", "--suite", str(suite), "--results", str(folder / f"results{processes}")]
    command += ["--cache", str(folder / f"cache{processes}")]
    launch = [
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        str(processes),
        "--master_port",
        str(29400 + os.getpid() % 500),
    ]
    done = subprocess.run(
        [sys.executable, *(launch if processes > 1 else []), *command],
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    records = (folder / f"results{processes}" / "two" / "records").glob("*.json")
    return {path.stem: json.loads(path.read_text()) for path in records}


@pytest.mark.slow
def test_two_processes_equal_one_at_the_same_global_batch(tmp_path: Path) -> None:
    one, two = bench(tmp_path, 1), bench(tmp_path, 2)
    assert one.keys() == two.keys()
    assert len(one) == 4
    for run_id, record in one.items():
        assert two[run_id]["status"] == "ok"
        assert two[run_id]["environment"]["num_processes"] == 2
        for expected, found in zip(record["curve"], two[run_id]["curve"], strict=True):
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-4), run_id
        assert two[run_id]["predictions"] is not None
        weights = [load_file(tmp_path / f"cache{n}" / "weights" / run_id / "model.safetensors") for n in (1, 2)]
        for name, tensor in weights[0].items():
            torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-4)
