"""The peak memory of a cohort, as `fgkd plan` predicts it and as it is measured.

    python benchmarks/speed/memory.py [--learners 1,4] [--students A,B]

Each measurement is a process of its own that trains two steps. On a CPU the peak is of the process's resident memory,
looked at every millisecond, less what it was before the first network was built; on a GPU it is what torch's allocator
held at most. The middle of the rounds counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from measuring import parser, screen, show

STUDENTS = "resnet18,mobilenetv3_small_100,vit_tiny_patch16_224"


def resident() -> int:
    """Bytes of this process that lie in memory."""
    import os

    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Peak:
    """The most that was resident while it ran."""

    def __init__(self) -> None:
        self.most, self._over = 0, Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.001):
            self.most = max(self.most, resident())


def train(args: argparse.Namespace) -> None:
    """Train two steps and an evaluation, and print what was predicted and what was taken, as JSON."""
    import torch
    from classroom import START, Classroom

    from fgkd.plan import PlannedCohort
    from fgkd.price import Pricer

    with TemporaryDirectory() as cache:
        room = Classroom(args, Path(cache))
        batch = next(room.batches())
        small = room.cohort(room.specs(1))
        small.teach(type(batch)(batch.image[:2], batch.target[:2], batch.index[:2]), START)  # libraries load late
        teacher = sum(p.numel() for p in room.teacher.network.parameters()) * 4
        student = sum(p.numel() for p in small.learners[0].network.parameters()) * 4
        there = teacher + 2 * student  # built before the measurement begins: weights and momentum
        specs = room.specs(int(args.learners))
        predicted = Pricer(lambda run: (room.data.num_classes, len(room.data.train))).cohort(
            PlannedCohort(room.feed, tuple(specs))
        )
        cuda = room.engine.device.type == "cuda"
        before = torch.cuda.memory_allocated() if cuda else resident()
        with Peak() as peak:
            cohort = room.cohort(specs)
            for _ in range(2):
                cohort.teach(batch, START)
            for learner in cohort.learners:
                learner.best.offer(0, 0.5, learner.evaluated)
            cohort.teach(batch, START)
        most = torch.cuda.max_memory_allocated() if cuda else peak.most
        del small
        print(json.dumps({"predicted": predicted.bytes, "measured": most - before + there - 2 * student}))


def main() -> None:
    """Measure and report."""
    from classroom import add_flags, make_small

    made = parser(__doc__)
    add_flags(made)
    made.add_argument("--learners", default="1,4", metavar="M,M")
    made.add_argument("--students", default=STUDENTS, metavar="A,B")
    made.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args, console = made.parse_args(), screen()
    if args.one:
        train(args)
        return
    if args.quick:
        make_small(args)
        args.learners, args.students, args.rounds, args.size, args.batch_size = "1", "test_resnet", 1, 64, 64
    rows = []
    for student in args.students.split(","):
        for count in args.learners.split(","):
            size = 224 if student.endswith("_224") else args.size
            command = [sys.executable, __file__, "--one", "--student", student, "--learners", count]
            command += ["--size", str(size), "--batch-size", str(args.batch_size), "--teacher", args.teacher]
            command += ["--data-root", str(args.data_root), "--precision", args.precision]
            found = [json.loads(subprocess.check_output(command).splitlines()[-1]) for _ in range(args.rounds)]
            predicted, measured = (statistics.median(f[key] for f in found) for key in ("predicted", "measured"))
            rows.append(
                {
                    "student": student,
                    "learners": int(count),
                    "px": size,
                    "predicted MiB": predicted / 2**20,
                    "measured MiB": measured / 2**20,
                    "predicted/measured": predicted / measured,
                }
            )
    show(f"peak of a cohort, batch {args.batch_size}, teacher {args.teacher}", rows, console, args.csv)


if __name__ == "__main__":
    sys.exit(main())
