"""What ``--compile`` takes of a learner's step, and what the compiling itself costs.

    python benchmarks/speed/compiled.py [--students A,B] [--steps 8]

Both sides train alone on one batch that is there already, in turns. The first step of the compiled side is shown apart:
`first s` is where torch compiles; what it has compiled before, for this or another learner, it takes from its cache.
"""

from __future__ import annotations

import time

from classroom import START, Classroom, per_student
from measuring import Row, in_turns, ratio_row, repeated


def _row(room: Classroom) -> Row:
    args, batch, specs = room.args, next(room.batches()), room.alone()
    plain = room.cohort(specs)
    room.engine.compiles = True
    compiled = room.cohort(specs)
    begun = time.perf_counter()
    compiled.teach(batch, START)
    first = time.perf_counter() - begun
    sides = {"eager": lambda: plain.teach(batch, START), "compiled": lambda: compiled.teach(batch, START)}
    timed = {name: repeated(args.steps, step) for name, step in sides.items()}
    took = in_turns(timed, room.engine.device, rounds=args.rounds)
    return {**ratio_row(args.student, took, args.steps), "first s": first}


if __name__ == "__main__":
    per_student(__doc__, _row)
