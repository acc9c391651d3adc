"""Where the pictures go, and how they are written: the same bytes from the same records and library."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fgkd.errors import UserError
from fgkd.files import write_bytes
from fgkd.record import RunRecord
from fgkd.report.comparison import Cell, Comparison
from fgkd.report.html.configurations import dataset_of
from fgkd.report.lines import lead_cell

Draw = Callable[[Any], bool]  # onto a figure; False where there is nothing to draw


def write_plots(records: Sequence[RunRecord], folder: Path) -> list[Path]:
    """Draw what the records allow into `folder`, each chart as PNG and as SVG; the files, in order.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("--plots needs matplotlib; install fgkd[plots]") from None
    from fgkd.report.plots.style import RC

    written = []
    with rc_context(RC):  # type: ignore[arg-type]
        for name, draw in _charts(records):
            figure = Figure()
            if draw(figure):
                written += _saved(figure, folder / name)
    return written


def _charts(records: Sequence[RunRecord]) -> Iterator[tuple[str, Draw]]:
    from fgkd.report.plots import charts

    compared = Comparison(records)
    for number, group in enumerate(compared.tables, 1):
        lead = lead_cell(group)
        place = file_name(f"{number:02}", dataset_of(lead), lead.student)
        yield f"{place}-forest", partial(charts.forest, group=group)
        yield f"{place}-curves", partial(charts.curves, group=group)
    by_dataset: dict[str, list[Cell]] = {}
    for cell in compared.cells:
        if cell.first.spec.role == "student":
            by_dataset.setdefault(dataset_of(cell), []).append(cell)
    for number, (dataset, found) in enumerate(by_dataset.items(), 1):
        for price in charts.PRICES:
            yield f"{file_name(f'{number:02}', dataset)}-{price}", partial(charts.cost, cells=found, price=price)


def file_name(*parts: str) -> str:
    """Words that any file system takes, 80 letters at most.

    Example:
        >>> file_name("01", "folder:../my birds", "net")
        '01-folder-my-birds-net'
    """
    return "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", part).strip("-") for part in parts)[:80]


def _saved(figure: Any, stem: Path) -> list[Path]:
    written = []
    for suffix, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        out = io.BytesIO()
        figure.savefig(out, format=suffix, metadata=metadata)
        path = stem.with_name(f"{stem.name}.{suffix}")
        write_bytes(path, out.getvalue())
        written.append(path)
    return written
