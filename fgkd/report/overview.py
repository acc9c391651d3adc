"""What is told of all suites of a results folder together: ``results/report.html`` and ``results/findings.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fgkd.files import write_text
from fgkd.record import RunRecord, read_records
from fgkd.report.comparison import Comparison
from fgkd.report.findings import findings
from fgkd.report.html import Beside, report_page
from fgkd.report.html.folder import beside_of


def overview_pages(folders: Sequence[Path]) -> dict[str, str]:
    """File name -> content, of the suites in `folders`.

    On the page a run that stands in two suites is told once, as the first records it.
    """
    records: dict[str, RunRecord] = {}
    whole = Beside()
    problems: list[str] = []
    suites = []
    for folder in folders:
        found, broken = read_records(folder / "records")
        beside, damaged = beside_of(folder)
        suites += [Comparison(found)] if found else []
        records = {record.run_id: record for record in found} | records
        whole = replace(
            beside, truths={**beside.truths, **whole.truths}, latencies=(*whole.latencies, *beside.latencies)
        )
        problems += [f"{folder.name}/{problem}" for problem in [*broken, *damaged]]
    ordered = sorted(records.values(), key=lambda record: record.run_id)
    page = report_page(ordered, problems, title="All suites", beside=whole)
    return {"report.html": page, "findings.md": findings(suites)}


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
