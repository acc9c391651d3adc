"""Examine a whole data set: its lists, its files, its duplicates, its classes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from fgkd.data.check.duplicates import Entry, duplicates
from fgkd.data.check.kinds import Finding
from fgkd.data.check.look import Look
from fgkd.data.check.report import Classes, Report, sorted_findings
from fgkd.data.check.surplus import surplus_files
from fgkd.data.check.sweep import skim, sweep
from fgkd.data.check.verdict import keep_verdict, read_verdict, verdict_path
from fgkd.data.opening import Inventory, take_inventory
from fgkd.data.seeds import permutation
from fgkd.data.split import ImageData, content_hash
from fgkd.errors import UserError
from fgkd.files import alone
from fgkd.processes import usable_cpus
from fgkd.spec import DatasetSpec

Watch = Callable[[int, int], None]
QUICK_SECONDS = 60.0


def examine(
    spec: DatasetSpec,
    root: Path,
    *,
    cache: Path,
    workers: int | None = None,
    quick: bool = False,
    watch: Watch = lambda done, of: None,
) -> Report:
    """Examine a data set's files and keep the verdict in the cache.

    Args:
        spec, root: as for `open_dataset`.
        cache: likewise; the verdict is kept below it.
        workers: decoding processes; None: one per core.
        quick: headers and file ends only, for `QUICK_SECONDS` at most; no duplicates.
        watch: called with the number of files seen, and of all.

    Raises:
        UserError: the lists are not there or cannot be read.
    """
    begun = time.perf_counter()
    inventory = take_inventory(spec, root, cache=cache)
    entries, paths = _entries(inventory), list(dict.fromkeys(_files(inventory)))
    looks = _looks(paths, quick, workers or usable_cpus(), watch)
    totals, findings = sorted_findings(_findings(inventory, entries, looks, quick=quick))
    report = Report(
        name=spec.name,
        protocol=inventory.protocol,
        mode="quick" if quick else "full",
        revision=_revision(inventory),
        counts={split.name: len(split) for split in inventory.splits},
        expected=dict(inventory.expected),
        images=len(paths),
        examined=len(looks),
        seconds=round(time.perf_counter() - begun, 3),
        classes=Classes.of(inventory.class_names, inventory.official[0].targets),
        totals=totals,
        findings=findings,
    )
    if report.revision:
        keep_verdict(verdict_path(cache, report.revision, paths), report)
    return report


def _files(inventory: Inventory) -> Iterator[Path]:
    return (path for split in inventory.splits for path in split.paths)


def _entries(inventory: Inventory) -> list[Entry]:
    """The listed files in the order of `_files`, by their paths below the set's folder."""
    names = dict(enumerate(inventory.class_names + inventory.unseen))
    return [
        Entry(_short(path, inventory.below), split.name, names.get(label, str(label)))
        for split in inventory.splits
        for path, label in zip(split.paths, split.targets.tolist(), strict=True)
    ]


def _short(path: Path, below: Path) -> str:
    return Path(os.path.relpath(path, below)).as_posix()


def _looks(paths: Sequence[Path], quick: bool, workers: int, watch: Watch) -> dict[Path, Look]:
    """In mixed order when quick, so that what the time allows is a sample of the whole."""
    order = permutation(0, len(paths)).tolist() if quick else range(len(paths))
    files = [(number, paths[number]) for number in order]
    looks: dict[Path, Look] = {}
    for number, look in skim(files, QUICK_SECONDS) if quick else sweep(files, workers):
        looks[paths[number]] = look
        watch(len(looks), len(paths))
    return looks


def _findings(
    inventory: Inventory, entries: Sequence[Entry], looks: Mapping[Path, Look], *, quick: bool
) -> Iterator[Finding]:
    if inventory.fault:
        yield Finding("protocol", detail=inventory.fault)
    seen = [looks.get(path) for path in _files(inventory)]
    told = set()
    for entry, look in zip(entries, seen, strict=True):
        if look and entry.path not in told:
            told.add(entry.path)
            yield from (Finding(kind, entry.path, entry.split, detail) for kind, detail in look.marks)
    if not quick:
        yield from duplicates(entries, seen)
    for path in surplus_files(list(_files(inventory)), inventory.below):
        yield Finding("surplus", _short(path, inventory.below))


def _revision(inventory: Inventory) -> str:
    try:
        return content_hash(inventory.official, inventory.below)
    except UserError:  # files are missing, as the findings say
        return ""


def verdict_on(data: ImageData, spec: DatasetSpec, root: Path, *, cache: Path) -> tuple[Report, bool]:
    """What is known of the files of an opened data set; where nothing is, headers are looked at, once.

    Returns:
        The report, and whether it was made now.
    """
    paths = [path for split in (data.train, data.holdout, data.test) for path in split.paths]
    where = verdict_path(cache, data.revision, dict.fromkeys(paths))
    with alone(where):  # one process of a launch looks, the others wait for what it says
        kept = read_verdict(where)
        return (kept, False) if kept else (examine(spec, root, cache=cache, quick=True), True)
