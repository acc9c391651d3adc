"""What a suite of M methods costs per step: one fgkd cohort, and everybody else's way.

    python benchmarks/speed/cohort.py [--large] [--data-root DIR] [--learners 1,2,4,8,16]

Sides, all in the same process and in turns, medians of rounds, milliseconds per step:

* together: a cohort of M learners, loading included;
* one by one: M cohorts of one learner each, loading included, summed;
* timm.task: M runs of a `timm.task.LogitDistillationTask` loop as its documentation shows it, with the same loader
  (one is measured, the others are alike);
* taught: the cohort's step without loading, with
* floor: the teacher's forward and every student's forward, loss, backward and update, bare, tensors already there.

`next costs` is what the last doubling added per learner, over that learner's bare step. ``--large``: convnext_base at
224 px.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from classroom import START, Bare, Classroom, add_flags, make_small, timm_step
from measuring import in_turns, parser, repeated, screen, show
from rich.console import Console

from fgkd.signals import Batch
from fgkd.train.cohort import Cohort


def whole_step(room: Classroom, cohort: Cohort) -> Callable[[], None]:
    """Load a batch and teach it."""
    batches = room.batches()
    return lambda: cohort.teach(next(batches), START)


def bare_step(room: Classroom, students: list[Bare], cohort: Cohort, batch: Batch) -> Callable[[], None]:
    """The floor: the teacher, then every student."""
    needs = cohort.needs(START)

    def step() -> None:
        eyes, lesson = room.lesson(batch, needs)
        for student in students:
            student.step(eyes, lesson)

    return step


def sides(room: Classroom, count: int, batch: Batch) -> dict[str, Callable[[], object]]:
    """All ways to teach `count` learners."""
    specs, task, batches = room.specs(count), timm_step(room), room.batches()
    cohort = room.cohort(specs)
    students = [Bare(room, spec) for spec in specs]
    first = bare_step(room, students[-1:], room.cohort(specs[-1:]), batch)
    lonely = {f"alone {i}": whole_step(room, room.cohort([spec])) for i, spec in enumerate(specs)}
    return {
        "together": whole_step(room, cohort),
        **lonely,
        "timm": lambda: task(next(batches)),
        "taught": lambda: cohort.teach(batch, START),
        "floor": bare_step(room, students, cohort, batch),
        "last with teacher": first,
        "teacher": lambda: room.lesson(batch, cohort.needs(START)),
    }


def measure(room: Classroom, counts: list[int], console: Console) -> list[dict[str, object]]:
    """One row per number of learners."""
    batch = next(room.batches())
    rows: list[dict[str, object]] = []
    before = (0, 0.0)
    for count in counts:
        steps = room.args.steps
        timed = {name: repeated(steps, step) for name, step in sides(room, count, batch).items()}
        took = {k: 1000 * v / steps for k, v in in_turns(timed, room.engine.device, rounds=room.args.rounds).items()}
        alone = sum(v for k, v in took.items() if k.startswith("alone"))
        added = (took["taught"] - before[1]) / (count - before[0])
        bare = (took["floor"] - took["teacher"]) / count
        before = (count, took["taught"])
        rows.append(
            {
                "learners": count,
                "together": took["together"],
                "one by one": alone,
                "timm.task": count * took["timm"],
                "taught": took["taught"],
                "floor": took["floor"],
                "taught/floor": took["taught"] / took["floor"],
                "one by one/together": alone / took["together"],
                "timm/together": count * took["timm"] / took["together"],
                "next costs": added / bare if count > counts[0] else float("nan"),
                "images/s": room.args.batch_size * count * 1000 / took["together"],
            }
        )
        console.print(f"{count} learners done", style="dim")
    return rows


def settings(args: argparse.Namespace) -> argparse.Namespace:
    """Settings of ``--large`` and ``--quick``."""
    if args.large:
        args.teacher, args.student, args.size, args.batch_size, args.steps = (
            *("convnext_base", "mobilenetv3_small_100", 224),
            *(8, 1),
        )
    if args.quick:
        make_small(args)
        args.learners = "1,2"
    return args


def main() -> None:
    """Measure and report."""
    made = parser(__doc__)
    add_flags(made)
    made.add_argument("--large", action="store_true", help="a teacher of 89 million parameters at 224 px, few steps")
    made.add_argument("--learners", default="1,2,4,8,16", metavar="M,M")
    args, console = settings(made.parse_args()), screen()
    with TemporaryDirectory() as cache:
        room = Classroom(args, Path(cache))
        rows = measure(room, [int(count) for count in args.learners.split(",")], console)
    title = f"{args.teacher} teaches {args.student}, {args.size} px, batch {args.batch_size}, {room.engine.device}, ms"
    show(title, rows, console, args.csv)


if __name__ == "__main__":
    sys.exit(main())
