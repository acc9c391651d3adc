"""What keeping freed memory spares of a learner's step on a CPU.

    python benchmarks/speed/allocator.py [--students A,B] [--steps 8]

Both sides are one process in turns: glibc hands freed blocks back to the kernel, or keeps them (what fgkd does).
"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from classroom import START, Classroom, add_flags, make_small
from measuring import Row, in_turns, parser, repeated, screen, show

from fgkd.allocator import keep_freed_memory


def main() -> None:
    """Measure and report."""
    made = parser(__doc__)
    add_flags(made)
    made.add_argument("--students", type=lambda text: text.split(","), help="default: that of --student")
    args, console = made.parse_args(), screen()
    if args.quick:
        make_small(args)
    rows = []
    for student in args.students or [args.student]:
        args.student = student
        with TemporaryDirectory() as cache:
            rows.append(_row(Classroom(args, Path(cache)), args))
    show(f"one learner (scratch), {args.size} px, batch {args.batch_size}", rows, console, args.csv)


def _row(room: Classroom, args: Namespace) -> Row:
    batch = next(room.batches())
    cohort = room.cohort([spec for spec in room.specs(2) if spec.method.label == "scratch"])
    train = repeated(args.steps, lambda: cohort.teach(batch, START))

    def side(keep: bool) -> None:
        keep_freed_memory(keep)
        train()

    sides = {"handed back": lambda: side(False), "kept": lambda: side(True)}
    took = {k: 1000 * v / args.steps for k, v in in_turns(sides, room.engine.device, rounds=args.rounds).items()}
    return {
        "student": args.student,
        "handed back ms": took["handed back"],
        "kept ms": took["kept"],
        "kept/handed back": took["kept"] / took["handed back"],
    }


if __name__ == "__main__":
    sys.exit(main())
