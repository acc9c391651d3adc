"""The evidence of the answers, image by image, as Markdown below a board's tables."""

from __future__ import annotations

from collections.abc import Sequence

from fgkd.report.across import critical_difference
from fgkd.report.answers import Book, Evidence
from fgkd.report.comparison import Cell, Comparison, Group
from fgkd.report.latency import Latency
from fgkd.report.lines import SIGNIFICANT, headings, ordered_methods
from fgkd.report.resampling import DRAWS, Paired
from fgkd.report.sheet import markdown_table, markdown_text, number

TITLE = "## Evidence from the test images"
_LEGEND = f"""\
What the stored answers to the same images tell. *vs scratch*, *vs kd*: the 95 % bootstrap interval ({DRAWS} draws of
the images) of the difference in points, given these runs; `*`: McNemar's exact test, Holm-corrected over the methods of
the table (those that no teacher taught by themselves), has p below 0.05 (with several seeds an image counts for the
side that is right in more of them). They tell of other images, not of other seeds: those are in the tables above.
*churn*: percent of images whose class is not the one that scratch gave with the same seed. *rank*: its 95 % interval
over seeds and images drawn again.
"""
_COLUMNS = ("method", "rank", "vs scratch", "vs kd", "churn %")


def evidence_section(compared: Comparison, book: Book) -> str:
    """The section, ending in a newline; "" where no table's test labels are kept."""
    titles = headings(compared.tables)
    tables = [
        text for group, title in zip(compared.tables, titles, strict=True) if (text := _table(group, title, book))
    ]
    if not tables:
        return ""
    return "\n".join([TITLE, "", _LEGEND, *tables, _across(compared.cells)])


def _table(group: Group, title: str, book: Book) -> str:
    found = book.of(group)
    if not any(e.scratch or e.kd or e.rank for e in found.values()):
        return ""
    images = next((p.images for e in found.values() for p in (e.scratch, e.kd) if p), 0)
    rows = [_row(name, found[id(cell)]) for cell, name in ordered_methods(group) if found[id(cell)]]
    counted = f"; {images} images" if images else ""
    return f"**{markdown_text(title + counted)}**\n\n{markdown_table(_COLUMNS, rows)}"


def _row(method: str, found: Evidence) -> list[str]:
    low, high = found.rank or (0, 0)
    rank = "" if found.rank is None else f"{low}" if low == high else f"{low} to {high}"
    return [markdown_text(method), rank, _paired(found.scratch), _paired(found.kd), number(found.churn, 1)]


def _paired(found: Paired | None) -> str:
    if found is None:
        return ""
    star = "\\*" if found.p is not None and found.p < SIGNIFICANT else ""
    return f"{found.low:+.2f} to {found.high:+.2f}{star}"


def latency_section(latencies: Sequence[Latency]) -> str:
    """What was measured of the suite's networks, place by place; "" where nothing was."""
    if not latencies:
        return ""
    names = ("network", "px", "params M", "ms of one image", "90 % below", "batch", "images/s", "measured on")
    rows = [
        [
            markdown_text(row.student),
            str(row.img_size),
            *(number(value, 2) for value in (row.param_count / 1e6, row.batch1_ms, row.batch1_ms_p90)),
            str(row.batch_size),
            number(row.images_per_second, 0),
            markdown_text(row.place),
        ]
        for row in latencies
    ]
    lines = ["## Latency", "", "Medians, from pixels to logits on the device; `fgkd latency` measures.", ""]
    return "\n".join(lines) + "\n" + markdown_table(names, rows, left={0, len(names) - 1})


def _across(cells: Sequence[Cell]) -> str:
    found = critical_difference(cells)
    if isinstance(found, str):
        return f"A critical difference of mean ranks across data sets {found}.\n"
    ranks = ", ".join(f"{markdown_text(name)} {rank:.2f}" for name, rank in found.mean_ranks.items())
    alike = "; ".join(markdown_text(", ".join(names)) for names in found.alike()) or "none"
    return (
        f"Mean ranks over {found.sets} data sets: {ranks}. Friedman's p: {found.p:.2g}. Critical difference at 0.05 "
        f"(Nemenyi): {found.difference:.2f}. Not told apart: {alike}.\n"
    )
