"""The tables that findings speak of, each with the letter that stands for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from string import ascii_uppercase

from fgkd.report.comparison import Cell, Comparison, Group
from fgkd.report.evidence import Interval, paired_interval
from fgkd.report.lines import heading, lead_cell, ordered_methods
from fgkd.report.recipes import recipes_text

FEWEST = 3  # methods that make a table worth telling
WIDE = 10  # methods of a table that says something of the field, not of a few


@dataclass(frozen=True)
class Table:
    """One table of some suite and its letter."""

    letter: str
    group: Group

    @cached_property
    def named(self) -> dict[str, Cell]:
        """The cells by what they are called, best first."""
        return {name: cell for cell, name in ordered_methods(self.group)}

    @cached_property
    def means(self) -> dict[str, float]:
        """Of the methods that have all of the table's seeds, in percent, best first."""
        complete = {id(cell) for cell in self.group.complete}
        return {name: self.group.mean(cell) for name, cell in self.named.items() if id(cell) in complete}

    @property
    def wide(self) -> bool:
        """Whether it counts for what is said over settings."""
        return _width(self.group) >= WIDE

    @property
    def title(self) -> str:
        """What is compared, and what tables of one pair differ by: image size, epochs, recipe."""
        spec = lead_cell(self.group).first.spec
        size = spec.student.size or spec.feed.view.size
        recipe = recipes_text(cell.first.spec.recipe for cell in self.group.cells)
        return f"{heading(self.group)}, {size} px, {spec.feed.epochs} epochs, {recipe}"

    @cached_property
    def setting(self) -> tuple[object, ...]:
        """What this table shares with those that differ from it by epochs and recipe alone: pair, data and view."""
        spec = lead_cell(self.group).first.spec
        return spec.student, spec.feed.model_copy(update={"data_seed": 0, "epochs": 1})

    def difference(self, method: str, base: str, *, held_out: bool = False) -> Interval:
        """Points of `method` over `base` by runs with equal seeds, on the test split or the hold-out.

        Empty where the table lacks either on one recipe.
        """
        cell, other = self.named.get(method), self.named.get(base)
        if cell is None or other is None or cell.identity.recipe != other.identity.recipe:
            return Interval()
        if held_out:
            return paired_interval(cell.held_out, other.held_out)
        return paired_interval(cell.scores, other.scores)


def tables_of(suites: Iterable[Comparison]) -> list[Table]:
    """Tables with a teacher, a `kd` to compare with and enough methods to put in order; the wide ones first."""
    told = [group for suite in suites for group in suite.tables if _tells(group)]
    ordered = sorted(told, key=lambda group: _width(group) < WIDE)
    return [Table(_letter(i), group) for i, group in enumerate(ordered)]


def _tells(group: Group) -> bool:
    methods = {cell.method for cell in group.cells if cell.scores}
    return any(cell.teacher for cell in group.taught) and "kd" in methods and len(methods) >= FEWEST


def _width(group: Group) -> int:
    return sum(bool(cell.scores) for cell in group.cells)


def _letter(index: int) -> str:
    """A to Z, then AA, AB and so on.

    Example:
        >>> [_letter(i) for i in (0, 25, 26, 52)]
        ['A', 'Z', 'AA', 'BA']
    """
    more, last = divmod(index, len(ascii_uppercase))
    return (_letter(more - 1) if more else "") + ascii_uppercase[last]


def by_setting(tables: Sequence[Table], figures: Iterable[float | None]) -> list[float]:
    """The figures of `tables`, one each or None, as one mean for every setting that has any.

    The same students for three times the epochs, or on another recipe, are no second witness, and so count together.
    """
    found: dict[tuple[object, ...], list[float]] = {}
    for table, figure in zip(tables, figures, strict=True):
        if figure is not None:
            found.setdefault(table.setting, []).append(figure)
    return [fmean(together) for together in found.values()]


def wide(tables: Sequence[Table]) -> list[Table]:
    """Those that count for what is said over settings."""
    return [table for table in tables if table.wide]
