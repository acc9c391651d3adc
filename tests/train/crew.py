"""Several processes that train in one room, forked from a server that has imported what they need."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from fgkd.cli.main import main
from fgkd.errors import UserError
from fgkd.models.eyes import Eyes
from fgkd.signals import Batch, Lesson
from fgkd.spec import RunSpec
from fgkd.train.cohort import Cohort, Loaders, Result
from fgkd.train.engine import Engine
from fgkd.train.learner import Learner
from tests.train.room import Lessons, Room, run

# networks without batch norm: torch synchronises its statistics between CUDA devices only
STUDENT, OTHER = "test_convnext", "test_vit"
RELATING = ("sp", "rkd", "pkt", "cc", "dist", "crd_batch", "triplet_logit", "triplet_embedding", "triplet_head")
RUNS = [
    run("scratch", STUDENT),
    run("kd", STUDENT, ema=0.9, clip_grad=0.5),
    run("kd", OTHER, optimizer="adamw", lr=1e-3),
    run({"method": "crd", "num_negatives": 8}, STUDENT),
    run({"method": "kd+rkd+crd", "crd": {"num_negatives": 8}}, STUDENT),
    *(run(method, STUDENT) for method in RELATING),
]
ODD = 37  # images to evaluate; no number of processes divides it


class Share(Lessons):
    """The rows that one process gets of every batch, as `fgkd.data.TrainLoader` shares them out."""

    def __init__(self, rank: int, world: int) -> None:
        super().__init__()
        self.rank, self.world = rank, world

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for batch in super().epoch(epoch, start):
            size = len(batch.target)
            own = slice(size * self.rank // self.world, size * (self.rank + 1) // self.world)
            parts = batch.image[own], batch.target[own], batch.index[own]
            yield Batch(*parts, view=batch.view, offset=own.start, global_size=size)


def share_of_exam(lessons: Lessons, rank: int, world: int) -> list[Batch]:
    """The rows that one process evaluates; some processes get one more than others."""
    rows = torch.arange(ODD * rank // world, ODD * (rank + 1) // world)
    return [Batch(lessons.images[r], lessons.targets[r], r) for r in rows.split(4)]


class SharedRoom(Room):
    """A room whose lessons are those of one process among several."""

    def __init__(self, folder: Path, rank: int, world: int) -> None:
        super().__init__(folder)
        self.lessons, self.rank, self.world = Share(rank, world), rank, world

    def cohort(self, specs: Sequence[RunSpec], learners: Sequence[Learner] | None = None) -> Cohort:
        cohort = super().cohort(specs, learners)
        examined = share_of_exam(self.lessons, self.rank, self.world)
        cohort.loaders = Loaders(self.lessons, examined, examined)
        return cohort


def learn(folder: Path, rank: int, world: int) -> dict[str, Any]:
    """Train `RUNS`; what each came to, by run id."""
    cohort = SharedRoom(folder, rank, world).cohort(RUNS)
    return outcome(cohort, cohort.run())


def outcome(cohort: Cohort, results: Mapping[str, Result]) -> dict[str, Any]:
    """Status, figures and weights by run id."""
    return {
        learner.run_id: {
            "status": learner.status,
            "reason": learner.reason,
            "curve": learner.curve,
            "metrics": results[learner.run_id].metrics,
            "predictions": results[learner.run_id].predictions,
            "weights": {**learner.network.state_dict(), **learner.objective.state_dict()},
            "average": dict(learner.evaluated.state_dict()),
        }
        for learner in cohort.learners
    }


def diverge_on_one(folder: Path, rank: int, world: int) -> dict[str, Any]:
    """As `learn`, two runs; the second's loss is not finite at step 3, on the last process alone."""
    cohort = SharedRoom(folder, rank, world).cohort(RUNS[:2])
    victim, step = cohort.learners[1], cohort.learners[1].step

    def spoilt(eyes: Eyes, lesson: Lesson) -> None:
        step(eyes, lesson)
        if rank == world - 1 and lesson.progress.step == 3:
            victim._first_bad = torch.tensor(3)

    victim.step = spoilt  # type: ignore[method-assign]
    return outcome(cohort, cohort.run())


Work = Callable[[Path, int, int], Any]


def crew(work: Work, folder: Path, world: int, timeout: float = 120.0) -> list[Any]:
    """What `work(folder, rank, world)` returned in each of `world` processes that train together.

    Where it did not return everywhere: the exit codes.
    """
    folder.mkdir()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    processes = [context.Process(target=_member, args=(work, folder, rank, world)) for rank in range(world)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout)
    stuck = [process for process in processes if process.is_alive()]
    for process in stuck:
        process.kill()
    assert not stuck, f"{len(stuck)} of {world} processes hang; see {folder}"
    codes = [process.exitcode for process in processes]
    if any(codes):
        return codes
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(world)]


def _member(work: Work, folder: Path, rank: int, world: int) -> None:
    join(rank, world, folder)
    torch.save(work(folder, rank, world), folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def join(rank: int, world: int, folder: Path) -> None:
    """Become one of the processes of a job on CPUs, as a launcher would have it."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}
    os.environ |= {"ACCELERATE_USE_CPU": "true", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}  # nobody meets there
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)


SUITE = """
name: lone
version: 1
datasets: [{name: synthetic_birds, protocol: tiny}]
students: [{backbone: test_convnext, size: 32}]
methods: [scratch]
view: {size: 32, augment: light}
epochs: 2
batch_size: 20
"""


def fail_in_step(folder: Path, rank: int, world: int) -> None:
    """A suite whose learner raises in its third step, on the last process alone."""
    _bench(folder, rank, world, Learner, name="step", error=RuntimeError("no luck"))


def fail_in_loader(folder: Path, rank: int, world: int) -> None:
    """A suite whose third batch cannot be read by the last process."""
    _bench(folder, rank, world, Engine, name="to_device", error=UserError("bird.png: cannot be read"))


def _bench(folder: Path, rank: int, world: int, owner: type, *, name: str, error: Exception) -> None:
    """`fgkd bench` of `SUITE`, in which the third call of a method raises on the last process; ends with its code."""
    original, calls = getattr(owner, name), iter(range(3))

    def faulty(*args: Any) -> Any:
        if rank == world - 1 and next(calls, None) is None:
            raise error
        return original(*args)

    setattr(owner, name, faulty)
    (folder / f"{rank}.txt").touch()
    for stream in (1, 2):
        os.dup2(os.open(folder / f"{rank}.txt", os.O_WRONLY | os.O_APPEND), stream)
    suite = folder / "lone.yaml"
    suite.write_text(SUITE, encoding="utf-8")
    places = ["--results", str(folder / "results"), "--cache", str(folder / "cache")]
    os._exit(main(["bench", "--suite", str(suite), *places]))
