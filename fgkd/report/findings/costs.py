"""What a method costs to train, and what cohorts have saved."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from statistics import fmean

from fgkd.record import RunRecord
from fgkd.report.comparison import Cell, Comparison, seeds_of
from fgkd.report.evidence import interval
from fgkd.report.findings.page import section
from fgkd.report.findings.tables import Table
from fgkd.report.sheet import number


def costs(tables: Iterable[Table]) -> str:
    """Own training seconds of each method over those of scratch, by pairs that differ in nothing else that tells on it.

    A run's seconds depend on what trained beside it and on the day, so ratios near 1 are no difference.
    """
    ratios: dict[str, list[float]] = {}
    for table in tables:
        if (scratch := table.named.get("scratch")) is not None:
            plain = _seconds(scratch)
            for name, cell in table.named.items():
                own = _seconds(cell)
                if shared := [own[key] / plain[key] for key in own.keys() & plain.keys()]:
                    ratios.setdefault(name, []).append(fmean(shared))
    found = {name: interval(values) for name, values in ratios.items()}
    ordered = sorted(found.items(), key=lambda item: (item[1].mean or 0.0, item[0]))
    rows = [[name, number(ratio.mean, 2), str(ratio.n)] for name, ratio in ordered]
    names = ("method", "training seconds of its own / scratch's", "tables")
    title = (
        "What a method costs to train, without loading and teacher (equal seeds and device, both compiled or neither)"
    )
    return section(title, names, rows)


def _seconds(cell: Cell) -> dict[object, float]:
    """Own training seconds of the runs that ended well, by seeds, device and whether torch compiled the student."""
    return {
        (seeds_of(r), r.environment.device, bool(r.environment.compiled)): seconds
        for r in cell.records
        if r.status == "ok" and (seconds := r.costs.train_seconds)
    }


def savings(suites: Iterable[Comparison]) -> str:
    """Hours of each suite as they were, and as they would have been with a loader and a teacher for every run."""
    rows = []
    for suite in suites:
        records = [r for r in suite.records if r.status == "ok" and r.spec.role == "student"]
        own = sum(r.costs.train_seconds or 0.0 for r in records)
        alone = own + sum(_shared(r) for r in records)
        together = own + _paid(records)
        if together:
            runs, hours = str(len(records)), (f"{seconds / 3600:.2f}" for seconds in (alone, together))
            rows.append([suite.records[0].suite, runs, *hours, number(alone / together, 2)])
    names = ("suite", "runs", "hours one by one", "hours in cohorts", "ratio")
    return section("What teaching together has saved, by the seconds in the records", names, rows)


def _shared(record: RunRecord) -> float:
    return record.costs.shared_seconds or 0.0


def _paid(records: Iterable[RunRecord]) -> float:
    """Seconds of loading and teaching: those of a cohort once, by whoever of it had the most.

    A cohort's id is of its feed: what is added to a feed later, or trained beside it by another process, pays anew.
    """
    cohorts: dict[object, list[RunRecord]] = {}
    for record in records:
        facts = record.cohort
        key = (
            (facts.id, facts.size, record.environment.device, record.environment.started) if facts.id else record.run_id
        )
        cohorts.setdefault(key, []).append(record)
    # several processes may start in the same second: more records than a cohort has learners are of several
    return sum(ceil(len(found) / found[0].cohort.size) * max(map(_shared, found)) for found in cohorts.values())
