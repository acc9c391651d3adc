"""The charts, each drawn on a figure of one column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fgkd.report.comparison import Cell, Group, usual_device
from fgkd.report.html.curves import holdout_top1
from fgkd.report.html.safety import visible
from fgkd.report.lines import SIGNIFICANT
from fgkd.report.plots.style import COLOURS, COLUMN, FAINT, looks

NAMED = 24  # letters of a name


def ordered(group: Group) -> list[Cell]:
    """Configurations with a result, in the order of the table."""
    return [cell for cell in group.ordered if cell.score.mean is not None]


def short(name: str) -> str:
    """A name that fits beside a chart."""
    text = visible(name)
    return text if len(text) <= NAMED else text[: NAMED - 3] + "..."


def forest(figure: Any, group: Group) -> bool:
    """Paired differences to kd with their 95 % intervals, filled where Holm-corrected p < 0.05; False without any."""
    rows = [(s.cell, s.kd.mean, s.kd) for s in group.standings if s.kd.mean is not None]
    if not rows:
        return False
    rows.sort(key=lambda row: (row[1], row[0].method))
    figure.set_size_inches(COLUMN, 0.7 + 0.19 * len(rows))
    axes = figure.add_subplot()
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    for i, (_, mean, found) in enumerate(rows):
        sure = found.p is not None and found.p < SIGNIFICANT
        colour = (COLOURS[0] if mean > 0 else COLOURS[1]) if sure else "#5A6570"
        if found.low is not None and found.high is not None:
            axes.plot([found.low, found.high], [i, i], color=colour, linewidth=1)
        axes.plot([mean], [i], "s", color=colour, markersize=3.5, markerfacecolor=colour if sure else "white")
    axes.set_yticks(range(len(rows)), [short(cell.method) for cell, *_ in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(f"difference to kd, points of {rows[0][0].ranking.title.removesuffix(' %')}")
    return True


def curves(figure: Any, group: Group) -> bool:
    """Hold-out top-1 by epoch: means over seeds strong, single seeds light; False without any."""
    cells = ordered(group)
    style = looks(cells)
    figure.set_size_inches(COLUMN, 2.3)
    axes = figure.add_subplot()
    for cell in reversed(cells):
        seeds = [holdout_top1(record) for record in cell.records if record.status == "ok"]
        colour, dashes = style[id(cell)]
        whole = [points for points in seeds if points and len(points) == max(map(len, seeds)) and None not in points]
        for points in whole if len(whole) > 1 else []:
            axes.plot(range(1, len(points) + 1), points, color=colour, alpha=0.25, linewidth=0.5)
        if whole:
            mean = np.mean(np.array(whole, dtype=float), axis=0)
            axes.plot(range(1, len(mean) + 1), mean, color=colour, linestyle=dashes, label=short(cell.method))
    if not axes.lines:
        return False
    axes.set_xlabel("epoch")
    axes.set_ylabel("hold-out top-1 %")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1][:10], labels[::-1][:10], loc="upper left", bbox_to_anchor=(0, -0.22), ncols=2)
    return True


PRICES = {
    "params": ("parameters, millions", "student", "param_count", 1e6),
    "macs": ("multiply-accumulates, millions", "student", "macs", 1e6),
    "train_seconds": ("training seconds, own", "costs", "train_seconds", 1),
}


def cost(figure: Any, cells: Sequence[Cell], price: str) -> bool:
    """Score against a price with the Pareto front; False where the price does not differ, or is not known."""
    label, part, name, unit = PRICES[price]
    device = usual_device(cells)
    worth = lambda c: c.cost(name, device) if part == "costs" else c.mean(part, name)
    points = [(value / unit, c.score.mean, c) for c in cells if c.score.mean is not None and (value := worth(c))]
    if len({x for x, _, _ in points}) < 2:
        return False
    figure.set_size_inches(COLUMN, 2.3)
    axes = figure.add_subplot()
    best: list[tuple[float, float, Cell]] = []
    for point in sorted(points, key=lambda p: (p[0], -p[1], p[2].identity.config)):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    for x, y, cell in points:
        if cell.score.low is not None:
            axes.plot([x, x], [cell.score.low, cell.score.high], color=FAINT, linewidth=0.8, zorder=1)
        axes.plot([x], [y], "o", color=COLOURS[0] if (x, y, cell) in best else FAINT, markersize=3.5, zorder=2)
    axes.plot([p[0] for p in best], [p[1] for p in best], color=COLOURS[0], linewidth=0.8, drawstyle="steps-post")
    for x, y, cell in best:
        axes.annotate(short(cell.method), (x, y), xytext=(3, 3), textcoords="offset points", fontsize=6.5)
    if max(p[0] for p in points) > 20 * min(p[0] for p in points):
        axes.set_xscale("log")
    axes.margins(x=0.12, y=0.1)
    axes.set_xlabel(label)
    axes.set_ylabel(cells[0].ranking.title)
    return True
