"""What a cohort's step costs when the teacher's word comes from a bank.

    python benchmarks/speed/bank.py [--learners 1,8] [--views 2] [--data-root DIR]

Sides, all in the same process and in turns, medians of rounds, milliseconds per step, loading of fixed views included:

* live: the teacher is asked once per batch;
* bank: its word is read from the bank;
* floor: no teacher at all, its word lies ready: one batch's, again and again.

`reached` is floor / bank: 1 means that a teacher in a bank costs nothing. `pays after` says after how many epochs of
this cohort the building of the bank is paid; another cohort of the same feed pays nothing more.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from classroom import START, Classroom, add_flags, make_small
from measuring import in_turns, parser, repeated, screen, show
from rich.console import Console

from fgkd.data import TrainLoader, ViewLoader
from fgkd.signals import Batch
from fgkd.teacher.bank import SERVED, Bank, BankKey, Replay, SteadyTeacher, build


def make_room(args: argparse.Namespace, cache: Path) -> Classroom:
    """A classroom with fixed views of its first images."""
    room = Classroom(args, cache)
    room.feed = room.feed.model_copy(update={"bank": args.views})
    room.data = replace(room.data, train=room.data.train.take(range(min(args.images, len(room.data.train)))))
    return room


def built(room: Classroom, cache: Path, console: Console) -> Bank:
    """The bank, written."""
    views = ViewLoader(room.data.train, room.feed.view, data_seed=0, workers=room.args.workers)
    key = BankKey.of(room.feed, room.data, room.teacher)
    say = lambda text: console.print(text, style="dim", highlight=False, soft_wrap=True)
    return build(key, SteadyTeacher(room.teacher, room.feed.bank_precision), views, cache, say=say)


def endless(lessons: TrainLoader | Replay) -> Iterator[Batch]:
    """Training batches without end."""
    epoch = 0
    while True:
        yield from lessons.epoch(epoch)
        epoch += 1


def sides(room: Classroom, count: int, bank: Bank) -> dict[str, Callable[[], object]]:
    """The three ways to teach `count` learners of methods that a bank can serve."""
    pin = room.engine.device.type == "cuda"
    loader = lambda: TrainLoader(
        room.data.train,
        room.feed.view,
        batch_size=room.feed.batch_size,
        data_seed=0,
        workers=room.args.workers,
        pin_memory=pin,
        bank=room.feed.bank,
    )
    replay = lambda: Replay(loader(), bank, SERVED, head=room.teacher.head, pin_memory=pin)
    cohort = room.cohort(room.specs(count))
    live, banked, bare = endless(loader()), endless(replay()), endless(loader())
    word = room.engine.to_device(next(endless(replay()))).taught
    return {
        "live": lambda: cohort.teach(next(live), START),
        "bank": lambda: cohort.teach(next(banked), START),
        "floor": lambda: cohort.teach(replace(next(bare), taught=word), START),
    }


def measure(room: Classroom, counts: list[int], bank: Bank, console: Console) -> list[dict[str, object]]:
    """One row per number of learners."""
    rows: list[dict[str, object]] = []
    steps = room.args.steps
    for count in counts:
        timed = {name: repeated(steps, side) for name, side in sides(room, count, bank).items()}
        took = {k: 1000 * v / steps for k, v in in_turns(timed, room.engine.device, rounds=room.args.rounds).items()}
        saved = (took["live"] - took["bank"]) / 1000 * (len(room.data.train) // room.feed.batch_size)
        rows.append(
            {
                "learners": count,
                **took,
                "reached": took["floor"] / took["bank"],
                "live/bank": took["live"] / took["bank"],
                "bank bytes per view": bank.key.size / bank.key.rows,
                "build ms per view": 1000 * bank.manifest.seconds / bank.key.rows,
                "pays after": bank.manifest.seconds / saved if saved > 0 else float("nan"),
            }
        )
        console.print(f"{count} learners done", style="dim")
    return rows


def main() -> None:
    """Measure and report."""
    made = parser(__doc__)
    add_flags(made)
    made.add_argument("--learners", default="1,8", metavar="M,M")
    made.add_argument("--views", type=int, default=2, metavar="V")
    made.add_argument("--images", type=int, default=320, help="of the training split (default: %(default)s)")
    args, console = made.parse_args(), screen()
    if args.quick:
        make_small(args)
        args.learners, args.images = "1,2", 64
    with TemporaryDirectory() as cache:
        room = make_room(args, Path(cache))
        bank = built(room, Path(cache), console)
        rows = measure(room, [int(count) for count in args.learners.split(",")], bank, console)
    title = f"{args.teacher} teaches {args.student}, {args.size} px, batch {args.batch_size}, {room.engine.device}, ms"
    show(title, rows, console, args.csv)


if __name__ == "__main__":
    sys.exit(main())
