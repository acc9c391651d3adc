"""Which differences are between runs of two devices, where the device alone may move a run as far as a seed does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fgkd.facts import Environment
from fgkd.report.comparison import Cell, Seeds, seeds_of
from fgkd.report.findings.page import section
from fgkd.report.findings.tables import Table


def mixed_devices(tables: Sequence[Table]) -> str:
    """Of the pairs with `kd` by equal seeds, those whose runs share no device; tables without any are left out."""
    names = ("table", "pairs with kd", "of two devices", "methods with no other pair")
    title = "Where differences are between runs of two devices (by rounding alone, such runs differ)"
    return section(title, names, [row for table in tables if (row := _row(table))])


def _row(table: Table) -> list[str]:
    kd = _devices(table.named["kd"]) if "kd" in table.named else {}
    pairs = {
        name: [not any(_alike(a, b) for a in found[seeds] for b in kd[seeds]) for seeds in found.keys() & kd.keys()]
        for name, cell in table.named.items()
        if name != "kd" and (found := _devices(cell))
    }
    mixed = sum(sum(found) for found in pairs.values())
    only = [name for name, found in pairs.items() if found and all(found)]
    total = sum(len(found) for found in pairs.values())
    return [table.letter, str(total), str(mixed), ", ".join(only)] if mixed else []


def _devices(cell: Cell) -> dict[Seeds, list[Environment]]:
    """Where the runs of each seed that ended well were made."""
    found = defaultdict(list)
    for record in cell.records:
        if record.status == "ok":
            found[seeds_of(record)].append(record.environment)
    return found


def _alike(one: Environment, other: Environment) -> bool:
    """Old records do not say on which processor they were made; beside a GPU it does not matter."""
    if one.device != other.device or not (one.device or "").startswith("cpu"):
        return one.device == other.device
    return None in (one.processor, other.processor) or one.processor == other.processor
