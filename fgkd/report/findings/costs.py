"""What a method costs to train, and what cohorts have saved."""

from __future__ import annotations

from collections.abc import Iterable

from fgkd.report.comparison import Comparison
from fgkd.report.evidence import interval
from fgkd.report.findings.page import section
from fgkd.report.findings.tables import Table
from fgkd.report.sheet import number


def costs(tables: Iterable[Table]) -> str:
    """Own training seconds of each method over those of scratch in the same table on the same device, mean of all."""
    ratios: dict[str, list[float]] = {}
    for table in tables:
        named = table.named
        if (alone := named.get("scratch")) is None:
            continue
        for device in sorted({record.environment.device or "" for record in alone.records}):
            plain = alone.cost("train_seconds", device)
            for name, cell in named.items():
                own = cell.cost("train_seconds", device)
                if plain and own is not None:
                    ratios.setdefault(name, []).append(own / plain)
    found = {name: interval(values) for name, values in ratios.items()}
    ordered = sorted(found.items(), key=lambda item: (item[1].mean or 0.0, item[0]))
    rows = [[name, number(ratio.mean, 2), str(ratio.n)] for name, ratio in ordered]
    names = ("method", "training seconds of its own / scratch's", "tables and devices")
    return section("What a method costs to train, without loading and teacher", names, rows)


def savings(suites: Iterable[Comparison]) -> str:
    """Hours of each suite as they were, and as they would have been with a loader and a teacher for every run."""
    rows = []
    for suite in suites:
        records = [r for r in suite.records if r.status == "ok" and r.spec.role == "student"]
        own = sum(r.costs.train_seconds or 0.0 for r in records)
        alone = own + sum(r.costs.shared_seconds or 0.0 for r in records)
        shared: dict[object, float] = {}
        for record in records:  # what a cohort shares is paid once, by whoever had the most of it
            key = record.cohort.id or record.run_id
            shared[key] = max(shared.get(key, 0.0), record.costs.shared_seconds or 0.0)
        together = own + sum(shared.values())
        if together:
            runs, hours = str(len(records)), (f"{seconds / 3600:.2f}" for seconds in (alone, together))
            rows.append([suite.records[0].suite, runs, *hours, number(alone / together, 2)])
    names = ("suite", "runs", "hours one by one", "hours in cohorts", "ratio")
    return section("What teaching together has saved, by the seconds in the records", names, rows)
