"""The answer first: which method and student to use, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fgkd.report.comparison import Cell, Group, Standing
from fgkd.report.evidence import FEWEST_PAIRS, Difference
from fgkd.report.html.configurations import dataset_of
from fgkd.report.lines import SIGNIFICANT
from fgkd.report.sheet import number

_NAMED = 3
ENOUGH = 3  # runs: a method that has them is not passed over for one that has more


@dataclass(frozen=True)
class Answer:
    """What leads one data set, in words.

    Attributes:
        score: with its unit, for example ``73.53 %``.
        interval: how sure that is.
        against: what it gains over kd or scratch, "" where there is nothing to compare with.
        rivals: the configurations that it cannot be told apart from, "" where there are none.
    """

    dataset: str
    method: str
    student: str
    teacher: str
    metric: str
    score: str
    interval: str
    against: str
    rivals: str


def answers_of(groups: Sequence[Group]) -> list[Answer]:
    """One answer per data set that has a complete configuration, in the order of the tables."""
    by_dataset: dict[str, list[Group]] = {}
    for group in groups:
        if group.taught:
            by_dataset.setdefault(dataset_of(group.taught[0]), []).append(group)
    return [answer for tables in by_dataset.values() if (answer := _answer(tables))]


def _answer(tables: Sequence[Group]) -> Answer | None:
    taught = [group for group in tables if group.taught[0].teacher and group.complete] or tables
    fewest = min(ENOUGH, max(cell.score.n for group in taught for cell in group.cells))
    firm = [found for group in taught for found in _firm(group, fewest)] if fewest else []
    if not firm:
        return None
    _, best = max(firm, key=lambda found: (found[0], found[1].cell.identity.config))
    cell = best.cell
    unit = cell.ranking.title.removesuffix(" %")
    return Answer(
        dataset=dataset_of(cell),
        method=cell.method,
        student=cell.student,
        teacher=cell.teacher,
        metric=unit,
        score=f"{number(cell.score.mean, 1)} %",
        interval=_interval(cell),
        against=_against(best),
        rivals=_rivals(cell, [c for group in tables for c in group.cells if c.score.n >= fewest]),
    )


def _firm(group: Group, fewest: int) -> list[tuple[float, Standing]]:
    """What may lead, by its mean: a lucky run leads no three.

    The ranked ones, by what they are ranked by; of a table that most have fewer runs in, those that have enough.
    """
    if len(group.seeds) >= fewest:
        return [(group.mean(s.cell), s) for s in group.standings if s.rank is not None]
    return [(s.cell.score.mean or 0.0, s) for s in group.standings if s.cell.score.n >= fewest]


def _interval(cell: Cell) -> str:
    score = cell.score
    if score.low is None or score.high is None:
        return "one run, so no interval"
    return f"95 % interval {number(score.low, 1)} to {number(score.high, 1)}, {score.n} runs"


def _against(best: Standing) -> str:
    """Of one that nobody taught, `kd` of some teacher's table is not what it was tested against."""
    found = [("kd", best.kd), ("scratch", best.scratch)]
    for name, difference in found if best.cell.teacher else reversed(found):
        if difference.mean is not None:
            gain = f"{difference.mean:+.1f} points against {name} over {_pairs(difference.pairs)}"
            return f"{gain}{_verdict(difference)}"
    return ""


def _pairs(count: int) -> str:
    return "one pair of runs" if count == 1 else f"{count} pairs of runs"


def _verdict(difference: Difference) -> str:
    if difference.p is None:
        return ", too few to test." if difference.pairs < FEWEST_PAIRS else ", not tested."
    judged = "significant" if difference.p < SIGNIFICANT else "not significant"
    return f": {judged} (Holm-corrected p = {difference.p:.2g})."


def _rivals(best: Cell, cells: Sequence[Cell]) -> str:
    tied = {id(c): c for c in cells if c is not best and c.score.overlaps(best.score)}.values()
    if not tied:
        return ""
    ordered = sorted(tied, key=lambda c: -(c.score.mean or 0.0))
    several = len({cell.student for cell in [best, *ordered]}) > 1
    names = [f"{c.method} on {c.student}" if several else c.method for c in ordered[:_NAMED]]
    more = [f"{len(ordered) - _NAMED} more"] if len(ordered) > _NAMED else []
    listed = [*names, *more]
    text = listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
    return f"Its interval overlaps {'that' if len(listed) == 1 and not more else 'those'} of {text}."
