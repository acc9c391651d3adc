"""CRD over two processes is CRD over one: same negatives, normaliser and banks, and losses that average to its loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from toy import World

from fgkd.methods.contrastive import CRD
from fgkd.signals import Batch, Lesson, Progress

METHOD = CRD(num_negatives=7, dim=6)
BATCH, STEPS = 8, 3


def run(rank: int, world_size: int) -> dict[str, Any]:
    """The losses of `STEPS` steps on this process's rows, and the state afterwards."""
    torch.set_num_threads(1)
    world = World()
    objective = world.pupil(METHOD).objective
    share = BATCH // world_size
    losses = []
    torch.manual_seed(11)
    for step in range(STEPS):
        whole = torch.arange(BATCH) * 3 + step
        index = whole[rank * share : (rank + 1) * share]
        images, targets = world.images[index], world.targets[index]
        batch = Batch(images, targets, index, offset=rank * share, global_size=BATCH)
        with torch.no_grad():
            teacher = world.teacher_net(images, METHOD.teacher_needs)
            student = world.student_net(images, METHOD.student_needs)
            losses.append(objective(student, Lesson(batch, teacher, Progress(step, 2, 2)))["crd"])
    return {"losses": torch.stack(losses), "state": objective.state_dict()}


def work(rank: int, folder: str) -> None:
    """One of two processes; leaves what it found in `folder`."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.save(run(rank, 2), f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_are_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(work, args=(str(tmp_path),), nprocs=2)  # type: ignore[no-untyped-call]
    both = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    alone = run(0, 1)
    check((both[0]["losses"] + both[1]["losses"]) / 2, alone["losses"])
    for found in both:
        for key, value in alone["state"].items():
            check(found["state"][key], value)


def check(found: Tensor, expected: Tensor) -> None:
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)
