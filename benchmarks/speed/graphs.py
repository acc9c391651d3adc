"""What ``--cuda-graphs`` takes of a cohort's step on a GPU.

    python benchmarks/speed/graphs.py [--students A,B] [--learners 4] [--steps 20]

Both sides take the same batch, which is there already, in turns.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from classroom import START, Classroom, add_flags, make_small
from measuring import Row, in_turns, parser, repeated, screen, show

from fgkd.train.engine import Engine


def main() -> None:
    """Measure and report."""
    made = parser(__doc__)
    add_flags(made)
    made.add_argument("--students", type=lambda text: text.split(","), help="default: that of --student")
    made.add_argument("--learners", type=int, default=4)
    args, console = made.parse_args(), screen()
    if args.quick:
        make_small(args)
    with TemporaryDirectory() as cache:
        rows = [_row(args, student, Path(cache)) for student in args.students or [args.student]]
    show(f"{args.learners} learners, {args.size} px, batch {args.batch_size}", rows, console, args.csv)


def _row(args: Namespace, student: str, cache: Path) -> Row:
    room = Classroom(Namespace(**{**vars(args), "student": student}), cache)
    specs, batch = room.specs(args.learners), next(room.batches())
    sides = {}
    for name, replays in (("launched", False), ("replayed", True)):
        room.engine = room.workshop.engine if not replays else Engine(args.precision, replays=True)
        sides[name] = room.cohort(specs)
    step = lambda cohort: lambda: cohort.teach(batch, START)
    timed = {name: repeated(args.steps, step(cohort)) for name, cohort in sides.items()}
    took = {k: 1000 * v / args.steps for k, v in in_turns(timed, room.engine.device, rounds=args.rounds).items()}
    return {
        "student": student,
        "launched ms": took["launched"],
        "replayed ms": took["replayed"],
        "replayed/launched": took["replayed"] / took["launched"],
    }


if __name__ == "__main__":
    main()
