"""What lies beside a suite's records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fgkd.report.html.payload import Beside
from fgkd.report.latency import read_latencies
from fgkd.report.published import published_or_problem
from fgkd.report.truth import read_truths


def beside_of(suite_folder: Path) -> tuple[Beside, list[str]]:
    """All that a suite's page may show besides its records, and one line for each file that is damaged."""
    own, damaged = own_beside(suite_folder)
    published, unpublished = published_or_problem(suite_folder.absolute().parent)
    return replace(own, published=published), [*damaged, *unpublished]


def own_beside(suite_folder: Path) -> tuple[Beside, list[str]]:
    """The same without the published numbers, which lie beside all suites."""
    truths, damaged = read_truths(suite_folder)
    latencies, unread = read_latencies(suite_folder)
    return Beside(truths, latencies=tuple(latencies)), [*damaged, *unread]
