"""What keeping freed memory spares of a learner's step on a CPU.

    python benchmarks/speed/allocator.py [--students A,B] [--steps 8]

Both sides are one process in turns: glibc hands freed blocks back to the kernel, or keeps them (what fgkd does).
"""

from __future__ import annotations

from classroom import START, Classroom, per_student
from measuring import Row, in_turns, ratio_row, repeated

from fgkd.allocator import keep_freed_memory


def _row(room: Classroom) -> Row:
    args, batch = room.args, next(room.batches())
    cohort = room.cohort(room.alone())
    train = repeated(args.steps, lambda: cohort.teach(batch, START))

    def side(keep: bool) -> None:
        keep_freed_memory(keep)
        train()

    sides = {"handed back": lambda: side(False), "kept": lambda: side(True)}
    return ratio_row(args.student, in_turns(sides, room.engine.device, rounds=args.rounds), args.steps)


if __name__ == "__main__":
    per_student(__doc__, _row)
