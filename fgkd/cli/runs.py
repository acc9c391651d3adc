"""``fgkd board --runs``: every recorded run by its id, which other commands take."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from fgkd.cli.print import print_table
from fgkd.record import RunRecord, read_records
from fgkd.report.comparison import cells_of, seeds_of
from fgkd.report.sheet import number, one_line
from fgkd.report.tasks import RANKINGS, task_of

COLUMNS = ("run", "test %", "seeds", "method", "student", "teacher", "suite")


def runs(folders: Sequence[Path]) -> int:
    """Print the runs of some suites in the order of their boards; 1 where a record cannot be read."""
    rows, amiss = [], []
    for folder in folders:
        records, problems = read_records(folder / "records")
        rows += [_row(record, folder.name) for cell in cells_of(records) for record in cell.records]
        amiss += [f"{folder}: {problem}" for problem in problems]
    print_table(COLUMNS, rows)
    for problem in amiss:
        print(one_line(problem), file=sys.stderr)
    return 1 if amiss else 0


def _row(record: RunRecord, suite: str) -> tuple[str, ...]:
    """The score that ranks, or what became of the run."""
    spec = record.spec
    score = record.metric(RANKINGS[task_of([record])].metric)
    told = record.status if score is None or record.status != "ok" else number(100 * score, 2)
    method = "teacher" if spec.role == "teacher" else spec.method.label
    taught_by = spec.feed.teacher.name if spec.feed.teacher else ""
    seeds = "/".join(map(str, seeds_of(record)))
    return record.run_id, told, seeds, method, spec.student.name, taught_by, suite
