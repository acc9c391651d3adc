"""The page over all suites of a results folder: ``results/report.html``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fgkd.files import write_text
from fgkd.record import RunRecord, read_records
from fgkd.report.html import Beside, report_page
from fgkd.report.html.folder import beside_of

NAME = "report.html"


def overview_page(folders: Sequence[Path]) -> str:
    """The page of several suites' records; a run that stands in two suites is told once, as the first records it."""
    records: dict[str, RunRecord] = {}
    whole = Beside()
    problems: list[str] = []
    for folder in folders:
        found, broken = read_records(folder / "records")
        beside, damaged = beside_of(folder)
        records = {record.run_id: record for record in found} | records
        whole = replace(
            beside, truths={**beside.truths, **whole.truths}, latencies=(*whole.latencies, *beside.latencies)
        )
        problems += [f"{folder.name}/{problem}" for problem in [*broken, *damaged]]
    return report_page(_ordered(records.values()), problems, title="All suites", beside=whole)


def _ordered(records: Iterable[RunRecord]) -> list[RunRecord]:
    return sorted(records, key=lambda record: record.run_id)


def write_overview(results: Path, folders: Sequence[Path]) -> Path:
    """Regenerate the page of the suites in `folders`; its bytes depend on what lies there alone."""
    write_text(results / NAME, overview_page(folders))
    return results / NAME


def check_overview(results: Path, folders: Sequence[Path]) -> list[str]:
    """One line where there is a page that is not what the records give."""
    path = results / NAME
    if path.exists() and path.read_bytes() != overview_page(folders).encode():
        return [f"{NAME}: differs from what the records give; regenerate the boards of {results}"]
    return []
