"""What ``--compile`` takes of a learner's step, and what the compiling itself costs.

    python benchmarks/speed/compiled.py [--students A,B] [--steps 8]

Both sides train alone on one batch that is there already, in turns. The first step of the compiled side is shown apart:
`first s` is where torch compiles; what it has compiled before, for this or another learner, it takes from its cache.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from classroom import START, Classroom, add_flags, make_small
from measuring import Row, in_turns, parser, repeated, screen, show

from fgkd.train.cohort import Cohort


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
    plain = _alone(room)
    room.engine.compiles = True
    compiled = _alone(room)
    begun = time.perf_counter()
    compiled.teach(batch, START)
    first = time.perf_counter() - begun
    sides = {"eager": lambda: plain.teach(batch, START), "compiled": lambda: compiled.teach(batch, START)}
    timed = {name: repeated(args.steps, step) for name, step in sides.items()}
    took = {k: 1000 * v / args.steps for k, v in in_turns(timed, room.engine.device, rounds=args.rounds).items()}
    return {
        "student": args.student,
        "eager ms": took["eager"],
        "compiled ms": took["compiled"],
        "compiled/eager": took["compiled"] / took["eager"],
        "first s": first,
    }


def _alone(room: Classroom) -> Cohort:
    return room.cohort([spec for spec in room.specs(2) if spec.method.label == "scratch"])


if __name__ == "__main__":
    sys.exit(main())
