"""What the speed benchmarks share: sides measured in turns, medians, a table, a CSV file where asked for."""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

WIDTH = 160  # of tables, where nobody looks at a terminal
Row = Mapping[str, object]
ROUNDS = 5


def screen() -> Console:
    """Where tables are printed."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)


def wait(device: torch.device) -> None:
    """Let the device finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def repeated(steps: int, step: Callable[[], object]) -> Callable[[], None]:
    """`step` so many times."""

    def run() -> None:
        for _ in range(steps):
            step()

    return run


def in_turns(
    sides: Mapping[str, Callable[[], object]], device: torch.device, *, rounds: int = ROUNDS
) -> dict[str, float]:
    """Median seconds of each side, all sides once per round, so that a busy moment of the machine hits them alike.

    One round before the first is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            wait(device)
            begun = time.perf_counter()
            side()
            wait(device)
            if number:
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def ratio_row(student: str, took: Mapping[str, float], steps: int) -> Row:
    """Milliseconds of a step on both sides of a comparison, the usual one first, and the other's share of it."""
    usual, other = took
    ms = {f"{name} ms": 1000 * seconds / steps for name, seconds in took.items()}
    return {"student": student, **ms, f"{other}/{usual}": took[other] / took[usual]}


def show(title: str, rows: Sequence[Row], console: Console, path: Path | None = None) -> None:
    """Print rows of equal keys as a table, and write them to `path` where one is given."""
    table = Table(box=None, title=title, title_justify="left")
    for name, value in rows[0].items():
        table.add_column(name, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    console.print(table)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def parser(about: str | None) -> argparse.ArgumentParser:
    """The flags of every benchmark."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="the smallest networks: to see that it works")
    made.add_argument("--rounds", type=int, default=ROUNDS, help="measurements of each side (default: %(default)s)")
    made.add_argument("--csv", type=Path, metavar="FILE", help="write the rows there too")
    return made
