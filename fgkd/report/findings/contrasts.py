"""What a method adds to another, and what a larger student or a better teacher buys."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from fgkd.report.comparison import Cell, Group
from fgkd.report.evidence import interval, paired_interval
from fgkd.report.findings.page import section, spread
from fgkd.report.findings.tables import Table, by_setting, wide
from fgkd.report.lines import lead_cell

PAIRS = (  # (method, what it is held against)
    ("kd", "scratch"),
    ("label_smoothing", "scratch"),
    ("kd+crd", "scratch"),
    ("kd+crd", "kd"),
    ("kd+crd", "crd"),
    ("kd+triplet_embedding", "kd"),
    ("th_kd", "kd"),
    ("th_kd_paper", "kd"),
    ("th_kd_paper_conv_bn", "kd"),
    ("th_kd_paper_orthogonal", "kd"),
    ("th_kd_paper_conv_bn", "th_kd_paper"),
    ("th_kd_paper_orthogonal", "th_kd_paper"),
    ("th_kd+crd", "kd+crd"),
    ("sh_kd(kd)", "kd"),
    ("sh_kd+crd", "kd+crd"),
)
REFERENCES = ("scratch", "kd", "th_kd", "crd", "kd+crd")  # by which students and teachers are compared
_OVER = ("over settings", "the same on the hold-out")


def contrasts(tables: Sequence[Table]) -> str:
    """Two tables of `PAIRS`: over the wide tables with their mean, and over the others.

    The hold-out is small, but other images: a difference that it does not show was perhaps one of the test split.
    """
    counted = wide(tables)
    others = [table for table in tables if not table.wide]
    told = [
        section("What a method adds to another", ("", *_letters(counted), *_OVER), _pairs(counted, mean=True)),
        section("The same in the narrower tables", ("", *_letters(others)), _pairs(others, mean=False)),
    ]
    return "\n".join(text for text in told if text)


def _letters(tables: Sequence[Table]) -> list[str]:
    return [table.letter for table in tables]


def _pairs(tables: Sequence[Table], *, mean: bool) -> list[list[str]]:
    rows = []
    for method, base in PAIRS:
        found = [table.difference(method, base) for table in tables]
        if any(one.mean is not None for one in found):
            over = [_over(tables, method, base, held_out) for held_out in (False, True)] if mean else []
            rows.append([f"{method} over {base}", *map(spread, found), *over])
    return rows


def _over(tables: Sequence[Table], method: str, base: str, held_out: bool) -> str:
    found = [table.difference(method, base, held_out=held_out).mean for table in tables]
    return spread(interval(by_setting(tables, found)))


def bought(tables: Sequence[Table]) -> str:
    """What changes where tables differ by their student, or by their teacher, and by nothing else."""
    rows = [row for pair in combinations(tables, 2) for row in _exchange(*sorted(pair, key=_capacity))]
    names = ("data", "tables", "from and to", "method", "points", "pairs")
    return section("What a larger student or a better teacher buys", names, rows)


def _exchange(small: Table, large: Table) -> list[list[str]]:
    if _surroundings(small.group) != _surroundings(large.group):
        return []
    one, other = _lead(small), _lead(large)
    same_student = one.first.spec.student == other.first.spec.student
    if same_student == (one.identity.teacher == other.identity.teacher):
        return []
    before, after = (one.teacher, other.teacher) if same_student else (one.student, other.student)
    if before == after:  # another start, or another size of its images
        return []
    change = f"{before} to {after}"
    rows = []
    for method in REFERENCES[1:] if same_student else REFERENCES:  # scratch has no teacher to exchange
        if method in small.named and method in large.named and _one_recipe(small.named[method], large.named[method]):
            found = paired_interval(large.named[method].scores, small.named[method].scores)
            if found.mean is not None:
                dataset = _lead(small).first.spec.feed.dataset.name
                where = f"{small.letter}, {large.letter}"
                rows.append([dataset, where, change, method, spread(found), str(found.n)])
    return rows


def _one_recipe(one: Cell, other: Cell) -> bool:
    return one.identity.recipe == other.identity.recipe


def _lead(table: Table) -> Cell:
    return lead_cell(table.group)


def _capacity(table: Table) -> tuple[float, float]:
    """Parameters of the student, and the test accuracy of the teacher."""
    taught = table.group.taught
    told = [r.teacher.test_top1 for cell in taught for r in cell.records if r.teacher and r.teacher.test_top1]
    return _lead(table).mean("student", "param_count") or 0.0, max(told, default=0.0)


def _surroundings(group: Group) -> tuple[object, ...]:
    """All that a table's runs share but student and teacher."""
    spec = lead_cell(group).first.spec
    return spec.feed.without_teacher().model_copy(update={"data_seed": 0}), spec.recipe
