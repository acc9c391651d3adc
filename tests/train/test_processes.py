"""Two processes give the result of one at the same global batch, and count every image once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

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


def launch(folder: Path, processes: int, log: TextIO, *flags: str) -> subprocess.Popen:
    """Begin to run the suite with so many processes, in a process group of its own."""
    suite = folder / "two.yaml"
    suite.write_text(SUITE)
    command = ["-m", "fgkd", "bench", "--suite", str(suite), "--results", str(folder / f"results{processes}")]
    command += ["--cache", str(folder / f"cache{processes}"), *flags]
    launcher = [
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        str(processes),
        "--master_port",
        str(29400 + os.getpid() % 500),
    ]
    return subprocess.Popen(
        [sys.executable, *(launcher if processes > 1 else []), *command],
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def bench(folder: Path, processes: int) -> dict[str, dict]:
    """Run the suite with so many processes; record by run id."""
    log = folder / f"log{processes}.txt"
    with log.open("a") as file:
        code = launch(folder, processes, file).wait()
    assert code == 0, log.read_text()[-6000:]
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


def halfway(folder: Path) -> bool:
    """Whether both processes have saved an epoch of the cohort: three learners and a manifest each."""
    try:
        found = [path for path in folder.glob("cache2/checkpoints/*/0*-r?") if len(list(path.iterdir())) == 4]
    except FileNotFoundError:  # what the teacher saved was removed meanwhile, for its training is over
        return False
    return len(found) == 2


def kill_all(launcher: subprocess.Popen) -> None:
    """SIGKILL for a launcher and its processes, which are no process group."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    for pid in (launcher.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    launcher.wait()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="a launcher's processes are found in /proc")
def test_two_processes_that_were_killed_continue_bit_for_bit(tmp_path: Path) -> None:
    through, killed = tmp_path / "through", tmp_path / "killed"
    through.mkdir()
    killed.mkdir()
    expected = bench(through, 2)
    with (killed / "log2.txt").open("w") as log:
        process = launch(killed, 2, log, "--checkpoint-every", "0.01s")
        while process.poll() is None and not halfway(killed):
            time.sleep(0.002)
        assert process.poll() is None, (killed / "log2.txt").read_text()[-6000:]
        kill_all(process)
    found = bench(killed, 2)
    assert "continues after 1 epochs and 0 steps" in (killed / "log2.txt").read_text()
    assert found.keys() == expected.keys()
    for run_id, record in found.items():
        for part in ("metrics", "curve", "predictions", "student"):
            assert record[part] == expected[run_id][part], (run_id, part)
