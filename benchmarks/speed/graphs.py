"""What ``--cuda-graphs`` takes of a cohort's step on a GPU.

    python benchmarks/speed/graphs.py [--students A,B] [--learners 4] [--steps 20]

Both sides take the same batch, which is there already, in turns.
"""

from __future__ import annotations

from classroom import START, Classroom, per_student
from measuring import Row, in_turns, ratio_row, repeated

from fgkd.train.engine import Engine


def _row(room: Classroom) -> Row:
    args, batch, specs = room.args, next(room.batches()), room.specs(room.args.learners)
    launched = room.cohort(specs)
    room.engine = Engine(args.precision, replays=True)
    replayed = room.cohort(specs)
    sides = {"launched": lambda: launched.teach(batch, START), "replayed": lambda: replayed.teach(batch, START)}
    timed = {name: repeated(args.steps, step) for name, step in sides.items()}
    return ratio_row(args.student, in_turns(timed, room.engine.device, rounds=args.rounds), args.steps)


if __name__ == "__main__":
    per_student(__doc__, _row, learners=4)
