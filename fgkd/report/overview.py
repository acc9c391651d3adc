"""What is told of all suites of a results folder together: ``results/report.html`` and ``results/findings.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fgkd.files import write_text
from fgkd.record import RunRecord, read_records
from fgkd.report.comparison import Comparison
from fgkd.report.findings import findings, searches
from fgkd.report.html import Beside, report_page
from fgkd.report.html.folder import own_beside
from fgkd.report.published import NOTHING, published_or_problem


def overview_pages(folders: Sequence[Path]) -> dict[str, str]:
    """File name -> content, of the suites in `folders`.

    On the page a run that stands in two suites is told once, as the first that has a result records it, but each
    training of a teacher by itself: one that was lost and trained anew on another machine is not the same network.
    Suites that look for recipes have pages of their own: beside what they chose, their runs would crowd its tables.
    """
    records: dict[tuple[str, str | None], RunRecord] = {}
    published, unpublished = published_or_problem(folders[0].absolute().parent) if folders else (NOTHING, [])
    whole = Beside(published=published)
    problems = list(unpublished)
    suites = []
    search = searches(folder.name for folder in folders)
    for folder in folders:
        found, broken = read_records(folder / "records")
        suites += [Comparison(found)] if found else []
        beside, damaged = own_beside(folder)
        problems += [f"{folder.name}/{problem}" for problem in [*broken, *damaged]]
        if folder.name in search:
            continue
        for record in found:
            records[_training(record)] = _rather(records.get(_training(record)), record)
        truths, latencies = {**beside.truths, **whole.truths}, (*whole.latencies, *beside.latencies)
        whole = replace(whole, truths=truths, latencies=latencies)
    ordered = [records[key] for key in sorted(records, key=lambda key: (key[0], key[1] or ""))]
    title = f"All suites{' but those that look for recipes' if search else ''}"
    page = report_page(ordered, problems, title=title, beside=whole)
    return {"report.html": page, "findings.md": findings(suites)}


def _rather(known: RunRecord | None, record: RunRecord) -> RunRecord:
    """Of two records of one run the one to tell: a failure, such as want of memory, counts where none ended well."""
    return record if known is None or (known.status != "ok" and record.status == "ok") else known


def _training(record: RunRecord) -> tuple[str, str | None]:
    """What makes two records one: the run, and for a teacher the weights that it ended with."""
    trained = record.student if record.spec.role == "teacher" else None
    return record.run_id, None if trained is None else trained.weights_hash


def write_overview(results: Path, folders: Sequence[Path]) -> list[Path]:
    """Regenerate the pages of the suites in `folders`; their bytes depend on what lies there alone."""
    pages = overview_pages(folders)
    for name, text in pages.items():
        write_text(results / name, text)
    return [results / name for name in pages]


def check_overview(results: Path, folders: Sequence[Path]) -> list[str]:
    """One line for each page that is there and not what the records give."""
    there = [results / name for name in ("report.html", "findings.md") if (results / name).exists()]
    pages = overview_pages(folders) if there else {}
    return [
        f"{path.name}: differs from what the records give; regenerate the boards of {results}"
        for path in there
        if path.read_bytes() != pages[path.name].encode()
    ]
