"""Evaluating M students and their teacher: one pass over the split that they share, or a pass for each.

python benchmarks/speed/evaluate.py [--data-root DIR] [--learners 8]
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from classroom import Classroom, add_flags, make_small
from measuring import in_turns, parser, screen, show

from fgkd.data import EvalLoader
from fgkd.train.evaluate import Examinee


def main() -> None:
    """Measure and report."""
    made = parser(__doc__)
    add_flags(made)
    made.add_argument("--learners", type=int, default=8)
    args, console = made.parse_args(), screen()
    if args.quick:
        make_small(args)
        args.learners = 2
    with TemporaryDirectory() as cache:
        room = Classroom(args, Path(cache))
        cohort = room.cohort(room.specs(args.learners))
        examinees = [Examinee(room.teacher.network, room.teacher.sight), *(x.examinee() for x in cohort.learners)]
        split = EvalLoader(room.data.holdout, room.feed.view, batch_size=64, workers=args.workers)
        there = list(split)
        sides = {
            "one pass": lambda: cohort.answers(split, examinees),
            "a pass each": lambda: [cohort.answers(split, [examinee]) for examinee in examinees],
            "networks alone": lambda: cohort.answers(there, examinees),
        }
        took = in_turns(sides, room.engine.device, rounds=args.rounds)
    images = len(room.data.holdout)
    rows = [
        {
            "way": name,
            "seconds": took[name],
            "over networks alone": took[name] / took["networks alone"],
            "answers/s": images * len(examinees) / took[name],
        }
        for name in sides
    ]
    show(f"{len(examinees)} networks, {images} images, {args.size} px", rows, console, args.csv)


if __name__ == "__main__":
    sys.exit(main())
