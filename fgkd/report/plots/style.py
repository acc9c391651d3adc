"""How the pictures look: colours that everybody can tell apart, type that survives a column of 3.3 inches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fgkd.report.comparison import Cell

COLUMN = 3.35  # inches
# Okabe and Ito's, without the yellow that is lost on white; kd in black and scratch in grey are the references.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (6, 2)))
REFERENCES = {"kd": "#000000", "scratch": "#8A949D"}
FAINT = "#B4BCC4"
RC: dict[str, Any] = {
    "figure.dpi": 300,
    "savefig.bbox": "tight",
    "savefig.pad_inches": 0.03,
    "font.size": 8,
    "font.family": "DejaVu Sans",  # matplotlib brings it, so pictures are the same everywhere
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "svg.hashsalt": "fgkd",
    "svg.fonttype": "path",
    "text.parse_math": False,  # names of strangers are no formulas
}


def looks(cells: Sequence[Cell]) -> dict[int, tuple[str, Any]]:
    """Colour and dashes by the ``id`` of each cell, in the order given; those beyond the six are faint."""
    found: dict[int, tuple[str, Any]] = {}
    free = iter(zip(COLOURS, DASHES, strict=True))
    for cell in cells:
        reference = REFERENCES.get(cell.method)
        found[id(cell)] = (reference, "-") if reference else next(free, (FAINT, "-"))
    return found
