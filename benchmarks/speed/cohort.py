"""One cohort of eight learners against eight cohorts of one: where a step's milliseconds go.

    python benchmarks/speed/cohort.py [--dataset cub50 --data-root DIR] [--steps 20] [--rounds 5]

Both sides take the same steps in the same process, interleaved round by round; the table shows medians over rounds. The
last lines compare the cohort's whole step with the sum of its parts, each part as measured when it ran alone.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from rich.table import Table

from fgkd.data import EvalLoader, TrainLoader, open_dataset
from fgkd.methods.compose import method_spec
from fgkd.models import weights_hash
from fgkd.models.store import WeightStore
from fgkd.signals import Batch, Progress
from fgkd.spec import BackboneSpec, DatasetSpec, Feed, Recipe, RunSpec, TeacherSpec, ViewSpec
from fgkd.teacher.live import Credentials, Teacher
from fgkd.train.assemble import Workshop, assemble, head_of
from fgkd.train.cohort import Cohort, Loaders
from fgkd.train.engine import Engine
from fgkd.train.learner import Learner

METHODS = [
    "scratch",
    "kd",
    "th_kd",
    {"method": "th_kd", "form": "paper", "name": "th_kd_paper"},
    "crd",
    "kd+crd",
    "dkd",
    "dist",
]


@dataclass
class Timing:
    """Milliseconds per step of one cohort in one round."""

    wall: float
    load: float
    teacher: float
    students: dict[str, float]


class Bench:
    """Everything that both sides share: data, engine, one teacher."""

    def __init__(self, args: argparse.Namespace, cache: Path) -> None:
        self.args, self.engine = args, Engine()
        self.data = open_dataset(DatasetSpec(name=args.dataset), args.data_root, cache=cache)
        self.feed = Feed(
            dataset=self.data.name,
            view=ViewSpec(size=args.size),
            teacher=TeacherSpec(backbone=BackboneSpec(name=args.teacher)),
            batch_size=args.batch_size,
            epochs=100,
        )
        targets = torch.as_tensor(self.data.train.targets)
        self.workshop = Workshop(self.data.num_classes, targets, self.engine, WeightStore(cache / "weights"))
        network = self.workshop.backbone(self.feed.teacher.backbone, args.size)  # type: ignore[union-attr]
        self.teacher = Teacher(
            network,
            sight=network.input,
            shapes=network.shapes,
            head=head_of(network),
            credentials=Credentials(args.teacher, None, weights_hash(network), 1.0),
            device=self.engine.device,
        )

    def spec(self, method: object) -> RunSpec:
        """One learner's run."""
        return RunSpec(feed=self.feed, student=self.args.student, method=method_spec(method), recipe=Recipe(lr=0.01))  # type: ignore[arg-type]

    def cohort(self, specs: Sequence[RunSpec]) -> Cohort:
        """A cohort with lessons of its own."""
        view, size = self.feed.view, self.feed.batch_size
        train = TrainLoader(self.data.train, view, batch_size=size, data_seed=0, workers=self.args.workers)
        holdout = EvalLoader(self.data.holdout, view, batch_size=size)
        learners = [
            Learner(
                spec,
                lambda spec=spec: assemble(spec, self.workshop, self.teacher),  # type: ignore[misc]
                prepare=self.engine.prepare,
                device=self.engine.device,
                epochs=self.feed.epochs,
                steps_per_epoch=train.steps_per_epoch,
            )
            for spec in specs
        ]
        return Cohort(self.feed, learners, self.teacher, Loaders(train, holdout, holdout), self.engine)


class Runner:
    """A cohort that can be run a few steps at a time."""

    def __init__(self, cohort: Cohort) -> None:
        self.cohort, self.step = cohort, 0
        self.batches = self._endless()

    def _endless(self) -> Iterator[Batch]:
        epoch = 0
        while True:
            yield from self.cohort.loaders.train.epoch(epoch)  # type: ignore[misc]
            epoch += 1

    def run(self, steps: int) -> Timing:
        """Take `steps` lessons and say what one cost."""
        before, begun = self.cohort.clock.seconds(), time.perf_counter()
        for _ in range(steps):
            with self.cohort.clock.span("load", host=True):
                batch = next(self.batches)
            self.cohort.teach(batch, Progress(self.step, self.cohort.loaders.train.steps_per_epoch, 100))
            self.step += 1
        after = self.cohort.clock.seconds()
        wall = time.perf_counter() - begun
        spent = {name: 1000 * (after[name] - before.get(name, 0.0)) / steps for name in after}
        own = {x.spec.method.label: spent[x.run_id] for x in self.cohort.learners}
        return Timing(1000 * wall / steps, spent["load"], spent.get("teacher", 0.0), own)


def measure(bench: Bench, console: Console) -> tuple[Timing, list[Timing]]:
    """Medians over rounds: the cohort of all, and the cohorts of one."""
    specs = [bench.spec(method) for method in METHODS]
    runners = [Runner(bench.cohort(specs)), *(Runner(bench.cohort([spec])) for spec in specs)]
    for runner in runners:
        runner.run(3)  # warm up: allocations, first-batch normalisers
    rounds: list[list[Timing]] = []
    for number in range(bench.args.rounds):
        rounds.append([runner.run(bench.args.steps) for runner in runners])
        console.print(f"round {number + 1} of {bench.args.rounds}", style="dim")
    together, *alone = (_median([r[i] for r in rounds]) for i in range(len(runners)))
    return together, alone


def _median(timings: Sequence[Timing]) -> Timing:
    labels = timings[0].students
    return Timing(
        statistics.median([t.wall for t in timings]),
        statistics.median([t.load for t in timings]),
        statistics.median([t.teacher for t in timings]),
        {label: statistics.median([t.students[label] for t in timings]) for label in labels},
    )


def report(together: Timing, alone: Sequence[Timing], console: Console) -> list[dict[str, object]]:
    """Print the table; returns its rows."""
    table = Table(box=None, title="milliseconds per step, medians")
    for name in ("cohort", "load", "teacher", "students", "whole step"):
        table.add_column(name, justify="left" if name == "cohort" else "right")
    rows = []
    for name, t in [("all together", together), *((next(iter(t.students)), t) for t in alone)]:
        row = {
            "cohort": name,
            "load": t.load,
            "teacher": t.teacher,
            "students": sum(t.students.values()),
            "wall": t.wall,
        }
        rows.append({k: v if isinstance(v, str) else round(v, 2) for k, v in row.items()})
        table.add_row(name, *(f"{v:.1f}" for v in list(row.values())[1:]))
    load, teacher = (statistics.median([getattr(t, part) for t in alone]) for part in ("load", "teacher"))
    parts = load + teacher + sum(sum(t.students.values()) for t in alone)
    one_by_one = sum(t.wall for t in alone)
    console.print(table)
    console.print(f"cohort step / (load + teacher + sum of students, each alone): {together.wall / parts:.3f}")
    console.print(f"one by one / cohort: {one_by_one / together.wall:.2f} x")
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="synthetic_birds")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--teacher", default="resnet18")
    parser.add_argument("--student", default="mobilenetv3_small_050")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--csv", type=Path, help="write the rows there too")
    args, console = parser.parse_args(), Console()
    with TemporaryDirectory() as cache:
        rows = report(*measure(Bench(args, Path(cache)), console), console)
    if args.csv:
        with args.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
