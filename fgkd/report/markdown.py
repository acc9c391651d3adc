"""A suite's board as one Markdown page, for people who browse the repository."""

from __future__ import annotations

from collections.abc import Sequence

from fgkd.record import RunRecord
from fgkd.report.answers import Book
from fgkd.report.comparison import Cell, Comparison, Group
from fgkd.report.evidence_table import evidence_section, latency_section
from fgkd.report.latency import Latency
from fgkd.report.lines import (
    Line,
    conditions,
    failure_line,
    headings,
    lines_of,
    suite_names,
    teacher_lines,
    worn_head,
)
from fgkd.report.published import NOT_MEASURED, NOTHING, Published, citation, published_rows, sources_of
from fgkd.report.sheet import markdown_table, markdown_text, number
from fgkd.report.tasks import RANKINGS, Ranking, any_retrieval

_LEGEND = """\
How to read the tables. *top-1*: percent of the test split, weights of the last epoch, mean +- half of the 95 %
t-interval over runs. *vs scratch*, *vs kd*: mean paired difference in points over the same seeds; `*` marks a
Holm-corrected p below 0.05, of three pairs or more (the methods that no teacher taught are a family of their own). They
tell of other seeds on this test split, not of other images. *rank*, **bold**: by the mean over the table's seeds, of
methods that have them all; the table's seeds are those that half of the methods its teacher taught have, or more. `~`:
the interval overlaps the best's. *own s*, *shared s*: seconds that a run costs alone, its own and those for loading and
the teacher. *runs*: ended well / recorded. A blank was not measured. Every number is in `leaderboard.csv` and
`summary.csv`.
"""
_RETRIEVAL_LEGEND = """\
Retrieval protocols are ranked and compared by *recall@1*: the percentage of test images whose nearest other one, by the
cosine of pooled embeddings, is of their class. No class of the test split was trained on, so classification is not
tested; hold-out top-1 is of the classes of training, and selects.
"""
_COLUMNS = ("rank", "method", "score", "vs scratch", "vs kd", "params M", "MACs M", "own s", "shared s", "runs")


def board_markdown(
    records: Sequence[RunRecord],
    problems: Sequence[str],
    *,
    title: str,
    published: Published = NOTHING,
    book: Book | None = None,
    latencies: Sequence[Latency] = (),
    compared: Comparison | None = None,
) -> str:
    """The whole page, ending in a newline; a function of its arguments alone.

    Args:
        records: of one suite.
        problems: one line per record that could not be used, beginning with its file's name and a colon.
        title: for the page of a suite without records.
        book: for the evidence of stored answers.
        latencies: of the suite's networks.
        published: shown below the tables that it speaks of, apart from what was measured.
        compared: of `records`, where it is at hand.
    """
    compared = compared or Comparison(records)
    sections = [
        _head(records, title),
        *(
            part
            for group, title in zip(compared.tables, headings(compared.tables), strict=True)
            for part in (_group_section(group, title), _published_section(group, published))
        ),
        evidence_section(compared, book or Book({})),
        latency_section(latencies),
        _teachers_section([cell for cell in compared.cells if cell.first.spec.role == "teacher"]),
        _failures_section([record for record in records if record.status != "ok"]),
        _problems_section(problems),
    ]
    return "\n".join(section for section in sections if section)


def _head(records: Sequence[RunRecord], title: str) -> str:
    lines = [
        f"# Leaderboard of {markdown_text(', '.join(suite_names(records)) or title)}",
        "",
        "Generated from `records/`; edits here are lost.",
        "",
        f"{len(records)} runs, {sum(record.status == 'ok' for record in records)} of them ended well.{_code(records)}",
    ]
    legends = [*([_LEGEND] if records else []), *([_RETRIEVAL_LEGEND] if any_retrieval(records) else [])]
    return "\n".join(lines) + "\n" + "".join(f"\n{legend}" for legend in legends)


def _code(records: Sequence[RunRecord]) -> str:
    commits = sorted({record.environment.code_commit or "unknown" for record in records})
    return f" Code: {markdown_text(', '.join(commits))}." if commits else ""


def _group_section(group: Group, title: str) -> str:
    lines = [f"## {markdown_text(title)}", "", f"{markdown_text(conditions(group))}.", ""]
    if teachers := teacher_lines(group):
        lines += [*(f"- {markdown_text(line)}" for line in teachers), ""]
    names = [group.ranking.title if name == "score" else name for name in _COLUMNS]
    return "\n".join(lines) + "\n" + markdown_table(names, [_cells(line) for line in lines_of(group)], left={1})


def _published_section(group: Group, published: Published) -> str:
    """What others report for the pair of a table: no ranks, no differences, every number with its source."""
    if not (rows := published_rows(published, group)):
        return ""
    sources = sources_of(rows)
    cells = [[_italic(r.method), _italic(r.text), f"\\[{sources.index(r.source) + 1}\\]"] for r in rows]
    cited = [f"{number}. {markdown_text(citation(source))}" for number, source in enumerate(sources, 1)]
    head = f"### Published for this pair, {NOT_MEASURED}"
    return "\n".join([head, "", markdown_table(("method", "top-1 %", "source"), cells, left={0, 2}), *cited]) + "\n"


def _italic(text: str) -> str:
    return f"*{markdown_text(text)}*"


def _cells(line: Line) -> list[str]:
    mark = " ~" if line.tied else ""
    numbers = [line.scratch, line.kd, line.params, line.macs, line.own_seconds, line.shared_seconds, line.runs]
    cells = [line.rank, markdown_text(line.method), line.score + mark, *numbers]
    cells = [cell.replace("*", "\\*") if i != 1 else cell for i, cell in enumerate(cells)]
    return [f"**{cell}**" if line.best and cell else cell for cell in cells]


def _teachers_section(cells: Sequence[Cell]) -> str:
    tables = []
    for ranking in RANKINGS.values():
        rows = [_teacher_row(r, ranking) for cell in cells if cell.ranking == ranking for r in cell.records]
        score = f"test {ranking.title}"
        names = ("dataset", "teacher", score, "hold-out top-1 %", "params M", "epochs", "own s", "run")
        tables += [markdown_table(names, rows, left={0, 1, 7})] if rows else []
    return "## Teachers trained in this suite\n\n" + "\n".join(tables) if tables else ""


def _teacher_row(record: RunRecord, ranking: Ranking) -> list[str]:
    feed = record.spec.feed
    test, held_out = record.metric(ranking.metric), record.metric("top1", "holdout_last")
    return [
        markdown_text(feed.dataset.name),
        markdown_text(record.spec.student.name + worn_head(record.spec)),
        number(None if test is None else 100 * test, 2),
        number(None if held_out is None else 100 * held_out, 2),
        number(record.student and record.student.param_count / 1e6, 2),
        str(feed.epochs),
        number(record.costs.train_seconds, 0),
        markdown_text(record.run_id),
    ]


def _failures_section(records: Sequence[RunRecord]) -> str:
    if not records:
        return ""
    rows = [[markdown_text(cell) for cell in failure_line(record)] for record in records]
    names = ("run", "dataset", "student", "method", "seed/data seed", "status", "reason")
    return "## Runs without a result\n\n" + markdown_table(names, rows, left=range(len(names)))


def _problems_section(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    files = [f"- {markdown_text(problem.split(':')[0])}" for problem in problems]
    return "\n".join(["## Records that could not be used", "", *files]) + "\n"
