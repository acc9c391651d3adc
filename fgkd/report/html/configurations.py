"""What the page tells of one configuration: a method on a student, with one teacher, over its seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fgkd.report.comparison import Cell, Group, Identity, Standing, groups_of, usual_device
from fgkd.report.evidence import Difference, Interval
from fgkd.report.fields import spelt_out
from fgkd.report.html.packing import Blocks, Row, digits


def cell_rows(cells: Sequence[Cell], blocks: Blocks) -> list[Row]:
    """One row per configuration, in the order given; accuracies in percent, counts in millions."""
    named, devices = Counter((_table(cell), cell.method) for cell in cells), _devices(cells)
    ambiguous = lambda cell: named[_table(cell), cell.method] > 1
    return [_cell_row(cell, ambiguous(cell), blocks, devices[cell.identity]) for cell in cells]


def _devices(cells: Sequence[Cell]) -> dict[Identity, str | None]:
    """The device whose seconds a configuration tells: its table's, as on the board; a teacher's own run, the page's.

    One that nobody taught stands beside several tables, and tells those of the first.
    """
    devices: dict[Identity, str | None] = {}
    for group in sorted(groups_of(cells), key=lambda group: not group.taught[0].identity.teacher):
        for cell in group.cells:
            devices.setdefault(cell.identity, group.device)
    return {cell.identity: usual_device(cells) for cell in cells} | devices


def _table(cell: Cell) -> tuple[str, str]:
    return cell.identity.context, cell.identity.teacher


def label_of(cell: Cell) -> str:
    """The method, ``teacher`` for a run that trained one."""
    return "teacher" if cell.first.spec.role == "teacher" else cell.method


def dataset_of(cell: Cell) -> str:
    """The data set, with its protocol where that is not the default."""
    dataset = cell.first.spec.feed.dataset
    return dataset.name if dataset.protocol == "default" else f"{dataset.name} ({dataset.protocol})"


def _cell_row(cell: Cell, ambiguous: bool, blocks: Blocks, device: str | None) -> Row:
    score, label = cell.score, label_of(cell)
    return {
        "label": f"{label} ({cell.identity.config})" if ambiguous else label,
        "role": cell.first.spec.role,
        "dataset": dataset_of(cell),
        "teacher": cell.teacher,
        "student": cell.student,
        "metric": cell.ranking.title,
        "suite": ", ".join(sorted({record.suite for record in cell.records})),
        "n": score.n,
        "total": len(cell.records),
        **{name: digits(getattr(score, name)) for name in ("mean", "sd", "low", "high")},
        "params": _millions(cell.mean("student", "param_count")),
        "macs": _millions(cell.mean("student", "macs")),
        "device": device,
        "own": digits(cell.cost("train_seconds", device), 4),
        "shared": digits(cell.cost("shared_seconds", device), 4),
        **_spec(cell, blocks),
    }


def _millions(count: float | None) -> float | int | None:
    return None if count is None else digits(count / 1e6)


def _spec(cell: Cell, blocks: Blocks) -> Row:
    """Blocks of what was asked of the runs, each part by itself, since few configurations differ in all of them."""
    spec = spelt_out(cell.first.spec)
    feed = {k: part for k, part in spec["feed"].items() if k not in ("dataset", "teacher", "data_seed")}
    parts = {"parts": spec["method"]["parts"], "recipe": spec["recipe"], "feed": feed, "network": spec["student"]}
    return {name: blocks.number(part) for name, part in parts.items()}


def standing_rows(group: Group, numbers: dict[int, int]) -> list[Row]:
    """The table's configurations with their evidence, best mean first, those without a result last.

    Args:
        numbers: of the configurations, by the identity (``id``) of their cell.
    """
    found = group.standings
    leader = next((s.cell.score for s in found if s.rank == 1), Interval())
    of = {id(standing.cell): standing for standing in found}
    return [_standing_row(of[id(cell)], leader, numbers) for cell in group.ordered]


def _standing_row(standing: Standing, leader: Interval, numbers: dict[int, int]) -> Row:
    cell, best = standing.cell, standing.rank == 1
    return {
        "cell": numbers[id(cell)],
        "rank": standing.rank,
        "tied": not best and cell.score.overlaps(leader),
        "scratch": _difference(standing.scratch),
        "kd": _difference(standing.kd),
    }


def _difference(found: Difference) -> list[Any] | None:
    """[mean, low, high, p, pairs] in points; None without a pair."""
    if found.mean is None:
        return None
    return [*(digits(v) for v in (found.mean, found.low, found.high)), digits(found.p, 3), found.pairs]
