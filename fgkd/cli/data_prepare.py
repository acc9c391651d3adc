"""``fgkd data prepare``: put a data set where its card wants it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from fgkd.cli.print import print_json
from fgkd.data.prepare.names import spell
from fgkd.data.prepare.progress import Advance, Progress
from fgkd.places import cache_folder, data_root, writable


class Bars(Progress):
    """Bars and lines on standard error."""

    @contextmanager
    def stage(self, text: str, total: int, unit: str = "bytes") -> Iterator[Advance]:
        """See `Progress.stage`; the time left is that of the stage."""
        from rich import progress as rich
        from rich.console import Console
        from rich.table import Column

        amount = rich.DownloadColumn() if unit == "bytes" else rich.MofNCompleteColumn()
        speed = (rich.TransferSpeedColumn(),) if unit == "bytes" else ()
        text_column = rich.TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
        columns = (text_column, rich.BarColumn(bar_width=20), amount, *speed)
        console = Console(stderr=True)
        with rich.Progress(*columns, rich.TimeRemainingColumn(), console=console) as bars:
            task = bars.add_task(text, total=total)
            yield lambda count: bars.advance(task, count)

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        from rich.console import Console

        Console(stderr=True, highlight=False).print(text, markup=False, soft_wrap=True)


def prepare_data(args: Namespace) -> int:
    """Prepare a data set and say what it holds."""
    from fgkd.data.prepare import Job, prepare

    root = data_root(args.data_root)
    sources = [text for group in args.sources for text in group]
    cache = writable(cache_folder(args.cache), "--cache")
    job = Job(args.name, sources, root, cache, args.mode, args.accept_checksum, Bars())
    data, was_there = prepare(job)
    if args.json:
        print_json(
            {
                "name": data.name,
                "was_there": was_there,
                "protocol": data.protocol,
                "num_classes": data.num_classes,
                "class_names": list(data.class_names),
                "counts": dict(data.counts),
                "revision": data.revision,
            }
        )
        return 0
    counts = ", ".join(f"{split} {count}" for split, count in data.counts.items())
    first, last = spell(data.class_names[0]), spell(data.class_names[-1])
    print(
        f"{data.name} {'is there already' if was_there else 'is ready'} in {root}: {counts}; revision {data.revision}"
    )
    print(f"{data.num_classes} classes, {first} to {last}; protocol {data.protocol}")
    return 0
