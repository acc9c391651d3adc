"""``fgkd data check``: examine the files of data sets, and tell what was found."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from fgkd.cli.print import console, print_json, print_table
from fgkd.errors import UserError, UserErrors
from fgkd.places import cache_folder, data_root, writable
from fgkd.spec import DatasetSpec
from fgkd.text import count, printable

if TYPE_CHECKING:
    from fgkd.data.check import Finding, Report
    from fgkd.data.check.examination import Watch

SHOWN = 10  # findings of a kind that are listed in full


def check_data(args: Namespace) -> int:
    """Examine data sets and keep the verdicts for training.

    Returns:
        1 where an error was found, else 0.

    Raises:
        UserErrors: lists that are not there or cannot be read, after the other sets were examined.
    """
    if args.workers is not None and args.workers < 1:
        raise UserError(f"--workers: expected at least 1, found {args.workers}")
    cache = writable(cache_folder(args.cache), "--cache")
    reports, faults = [], []
    for name in args.names:
        try:
            reports.append(_examined(name, args, cache))
        except UserError as error:
            faults.append(str(error))
            continue
        if not args.json:
            print_report(reports[-1], console())
    if args.json:
        print_json([report.to_json() for report in reports])
    if faults:
        raise UserErrors(faults)
    return int(any(report.number("error") for report in reports))


def _examined(name: str, args: Namespace, cache: Path) -> Report:
    from fgkd.data.check import examine

    spec = DatasetSpec(name=name, protocol=args.protocol)
    with _bar(name) as watch:
        return examine(
            spec, data_root(args.data_root), cache=cache, workers=args.workers, quick=args.quick, watch=watch
        )


@contextmanager
def _bar(name: str) -> Iterator[Watch]:
    """A bar with the time left, on stderr where that is a terminal."""
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bars:
        task = bars.add_task(escape(name), total=None)
        yield lambda done, of: bars.update(task, completed=done, total=of)


def print_report(report: Report, out: Console) -> None:
    """Counts, classes, a table of the kinds found, and the files of each."""
    from fgkd.data.check import KINDS

    for line in _summary(report):
        out.print(line, markup=False, soft_wrap=True)
    if report.totals:
        rows = [(KINDS[kind].severity, kind, str(count), KINDS[kind].meaning) for kind, count in report.totals.items()]
        print_table(("severity", "found", "files or groups", "meaning"), rows, out)
    for kind, number in report.totals.items():
        found = [finding for finding in report.findings if finding.kind == kind]
        for finding in found[:SHOWN]:
            out.print(_line(finding), markup=False, soft_wrap=True)
        if number > SHOWN:
            out.print(f"{kind}: and {number - SHOWN} more (--json lists them)", markup=False)
    out.print(_verdict(report), markup=False, soft_wrap=True)


def _summary(report: Report) -> Iterator[str]:
    counts = ", ".join(f"{split} {count}" for split, count in report.counts.items())
    classes, card = report.classes, ""
    if report.expected:
        card = f" (published: {', '.join(f'{split} {count}' for split, count in report.expected.items())})"
    name = printable(report.name)
    yield (
        f"{name}: {classes.num_classes} classes; {counts}{card}; protocol {report.protocol}; "
        f"revision {report.revision or 'none, since files are missing'}"
    )
    yield (
        f"images per class in training: {classes.smallest} to {classes.largest}, median {classes.median:g}, "
        f"imbalance {classes.imbalance:g}"
    )
    if classes.singletons:
        some = ", ".join(map(printable, classes.singletons[:SHOWN]))
        yield f"{count(len(classes.singletons), 'class has', 'classes have')} one image: {some}"


def _line(finding: Finding) -> str:
    parts = [printable(part) for part in (finding.path, finding.detail, "; ".join(finding.others)) if part]
    where = f" [{finding.split}]" if finding.split else ""
    return f"{finding.severity} {finding.kind}{where}: {' | '.join(parts)}"


def _verdict(report: Report) -> str:
    rate = report.examined / max(report.seconds, 1e-9)
    found = ", ".join(count(report.number(s), s) for s in ("error", "warning", "note"))
    extent = "read whole" if report.mode == "full" else "headers alone; without --quick files are read whole"
    left_out = f" of {report.images:,}" if report.examined < report.images else ""
    return f"{found}; {report.examined:,}{left_out} images in {report.seconds:.1f} s ({rate:,.0f}/s), {extent}" + (
        "; training will refuse this data set" if report.number("error") else ""
    )
