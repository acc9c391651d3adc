"""Boards: a pure function of records.

`leaderboard` has one row per run, `summary` one per configuration. Units of both, and of the CSV files:

* accuracies, errors, `ece`, `agreement`, `recall_at_1`, `map_at_r`, `tar_at_far_1e-3`, differences: percent (points);
* `param_count` and `macs`: millions, at the `img_size` of the row; `nll`: nats;
* `recall_at_*`, `r_precision`, `map_at_r`: of pooled embeddings; retrieval protocols are ranked by `recall_at_1`, and
  their `top1` cells are blank; further columns of theirs stand at the end where there are such rows;
* columns of `fgkd.report.columns`: at the end, where there is something to fill them with;
* seconds: what the run costs alone; `shared_seconds` is loading and teacher, which the runs of a cohort pay once.

A missing cell is blank, never 0. No torch here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from fgkd.files import write_text
from fgkd.record import RETRIEVAL, RunRecord, collector_at_rest, read_records
from fgkd.report.answers import Book
from fgkd.report.columns import (
    CELL_COLUMNS,
    CELL_DECIMALS,
    RUN_COLUMNS,
    RUN_DECIMALS,
    WHOLE,
    cell_columns,
    run_columns,
    without_blank,
    young_or_none,
)
from fgkd.report.comparison import Cell, Comparison, Standing
from fgkd.report.console import WIDEST, group_table, legend, published_lines
from fgkd.report.evidence import Interval
from fgkd.report.html import report_page
from fgkd.report.html.folder import own_beside
from fgkd.report.lines import headings
from fgkd.report.markdown import board_markdown
from fgkd.report.merging import with_duplicates
from fgkd.report.published import NOTHING, Published, published_or_problem
from fgkd.report.sheet import to_csv
from fgkd.report.tasks import any_retrieval

SHOWN = 20  # tables in a terminal: more than anybody reads there
_PERCENT = ("top1", "top1_err", "top5", "top5_err", "teacher_top1", "best_top1", "ece", "agreement")
_RETRIEVAL = ("recall_at_1", "map_at_r", "tar_at_far_1e-3")
RETRIEVAL_COLUMNS = ("recall_at_2", "recall_at_4", "recall_at_8", "r_precision", "best_recall_at_1")
DECIMALS = {
    **dict.fromkeys((*_PERCENT, *_RETRIEVAL, *RETRIEVAL_COLUMNS, "param_count", "macs", "crop_pct"), 3),
    "nll": 4,
    **RUN_DECIMALS,
    **dict.fromkeys(("train_seconds", "shared_seconds", "images_per_second"), 1),
}
COLUMNS = (
    *("model", "img_size", "top1", "top1_err", "top5", "top5_err", "param_count", "crop_pct", "interpolation"),
    *("dataset", "protocol", "method", "teacher", "teacher_top1", "seed", "data_seed", "status", "epochs"),
    *("best_epoch", "best_top1", "macs", "ece", "nll", "agreement", "recall_at_1", "map_at_r", "tar_at_far_1e-3"),
    *("train_seconds", "shared_seconds", "cohort_size", "images_per_second", "device"),
    *("suite", "suite_version", "run_id", "code_commit"),
)
SUMMARY_RETRIEVAL_COLUMNS = (
    *("recall_at_1_mean", "recall_at_1_sd", "recall_at_1_ci_low", "recall_at_1_ci_high"),
    *("r_precision_mean", "map_at_r_mean"),
)
SUMMARY_DECIMALS = {
    **dict.fromkeys(SUMMARY_RETRIEVAL_COLUMNS, 3),
    **CELL_DECIMALS,
    **dict.fromkeys(("top1_mean", "top1_sd", "top1_ci_low", "top1_ci_high", "delta_scratch", "delta_kd"), 3),
    **dict.fromkeys(("delta_scratch_p", "delta_kd_p"), 5),
    **{name: DECIMALS[name] for name in ("train_seconds", "shared_seconds", "param_count", "macs")},
}
SUMMARY_COLUMNS = (
    *("dataset", "protocol", "teacher", "student", "method"),
    *("n", "top1_mean", "top1_sd", "top1_ci_low", "top1_ci_high"),
    *("delta_scratch", "delta_scratch_p", "delta_kd", "delta_kd_p", "rank"),
    *("train_seconds", "shared_seconds", "param_count", "macs", "n_seeds", "n_data_seeds", "config"),
)
_WHOLE = (
    "img_size",
    "seed",
    "data_seed",
    "epochs",
    "best_epoch",
    "cohort_size",
    "n",
    "rank",
    "n_seeds",
    "n_data_seeds",
    *WHOLE,
)


def leaderboard(records: Sequence[RunRecord]) -> pd.DataFrame:
    """One row per run, teachers and failures too, with `COLUMNS`; best first within a data set and protocol."""
    rows = [_run_row(record) for record in records]
    names = (*COLUMNS, *(RETRIEVAL_COLUMNS if any_retrieval(records) else ()), *RUN_COLUMNS)
    frame = young_or_none(_frame(rows, names, DECIMALS))
    return _sorted(
        frame.assign(score=frame["top1"].fillna(frame["recall_at_1"])),
        ["dataset", "protocol", "score", "top5", "model", "method", "seed", "data_seed", "run_id"],
    )


def _sorted(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Rows by `keys`, rising, but `score` and `top5` falling and blanks last; `score` has served then."""
    rising = [key not in ("score", "top5") for key in keys]
    ordered = frame.sort_values(list(keys), ascending=rising, na_position="last", ignore_index=True)
    return ordered.drop(columns="score")


def _run_row(record: RunRecord) -> dict[str, Any]:
    spec, student, costs = record.spec, record.student, record.costs
    test = record.metrics.get("test_last", {})
    top1, top5 = _percent(test.get("top1")), _percent(test.get("top5"))
    return {
        "model": spec.student.name,
        "img_size": student and student.img_size,
        "top1": top1,
        "top1_err": None if top1 is None else 100 - top1,
        "top5": top5,
        "top5_err": None if top5 is None else 100 - top5,
        "param_count": student and student.param_count / 1e6,
        "crop_pct": student and student.crop_pct,
        "interpolation": student and student.interpolation,
        "dataset": spec.feed.dataset.name,
        "protocol": spec.feed.dataset.protocol,
        "method": "teacher" if spec.role == "teacher" else spec.method.label,
        "teacher": spec.feed.teacher and spec.feed.teacher.name,
        "teacher_top1": record.teacher and _percent(record.teacher.test_top1),
        "seed": spec.seed,
        "data_seed": spec.feed.data_seed,
        "status": record.status,
        "epochs": spec.feed.epochs,
        "best_epoch": record.best_epoch,
        "best_top1": _percent(record.metric("top1", "test_best")),
        "macs": _millions(student.macs) if student else None,
        "nll": test.get("nll"),
        **{name: _percent(test.get(name)) for name in ("ece", "agreement", *RETRIEVAL)},
        "best_recall_at_1": _percent(record.metric("recall_at_1", "test_best")),
        "train_seconds": costs.train_seconds,
        "shared_seconds": costs.shared_seconds,
        "cohort_size": record.cohort.size,
        "images_per_second": costs.images_per_second,
        "device": record.environment.device,
        "suite": record.suite,
        "suite_version": str(record.suite_version),
        "run_id": record.run_id,
        "code_commit": record.environment.code_commit,
        **run_columns(record),
    }


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _millions(count: float | None) -> float | None:
    return None if count is None else count / 1e6


def _frame(rows: list[dict[str, Any]], columns: Sequence[str], decimals: dict[str, int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
    for name in columns:
        if name in decimals:
            frame[name] = frame[name].astype("float64").round(decimals[name])
        elif name in _WHOLE:
            frame[name] = frame[name].astype("Int64")
        else:
            frame[name] = frame[name].fillna("").astype(str)
    return frame


def summary(records: Sequence[RunRecord], book: Book | None = None, compared: Comparison | None = None) -> pd.DataFrame:
    """One row per configuration (a method on a student, with one teacher, over its seeds) with `SUMMARY_COLUMNS`.

    Means and the 95 % t-interval are over the runs that ended well. Differences are paired by (seed, data_seed) to the
    `scratch` or `kd` run of the same data, view, epochs, batch, student and recipe; `scratch` has no teacher and pairs
    with every teacher's. Their p is a paired t-test's, Holm-corrected within (dataset, teacher, student), and blank
    below three pairs or without spread. `rank` is among configurations that have every seed of their table, by the mean
    over these; those without a teacher stand in each teacher's table, and are ranked here among themselves.

    Where records hold predictions, and `book` the right classes, `CELL_COLUMNS` stand at the end:
    churn, bootstrap intervals over images and McNemar's p of the differences, the interval of the rank.
    """
    compared = compared or Comparison(records)
    cells = compared.cells
    found = {id(s.cell): s for group in compared.groups for s in group.standings[: len(group.taught)]}
    answers = cell_columns(compared.groups, book or Book({}))
    rows = [_cell_row(cell, found.get(id(cell))) | answers.get(id(cell), {}) for cell in cells]
    frame = _frame(rows, (*SUMMARY_COLUMNS, *SUMMARY_RETRIEVAL_COLUMNS, *CELL_COLUMNS), SUMMARY_DECIMALS)
    frame = without_blank(frame, CELL_COLUMNS)
    frame["score"] = frame["top1_mean"].fillna(frame["recall_at_1_mean"])
    ordered = _sorted(frame, ["dataset", "protocol", "teacher", "student", "score", "method", "config"])
    return ordered if any_retrieval(records) else ordered.drop(columns=list(SUMMARY_RETRIEVAL_COLUMNS))


def _cell_row(cell: Cell, standing: Standing | None) -> dict[str, Any]:
    first = cell.first.spec
    standing = standing or Standing(cell)
    return {
        "dataset": first.feed.dataset.name,
        "protocol": first.feed.dataset.protocol,
        "teacher": cell.teacher,
        "student": cell.student,
        "method": cell.method,
        "n": cell.score.n,
        **_score_columns(cell, "top1"),
        "delta_scratch": standing.scratch.mean,
        "delta_scratch_p": standing.scratch.p,
        "delta_kd": standing.kd.mean,
        "delta_kd_p": standing.kd.p,
        "rank": standing.rank,
        "train_seconds": cell.cost("train_seconds", standing.device),
        "shared_seconds": cell.cost("shared_seconds", standing.device),
        "param_count": _millions(cell.mean("student", "param_count")),
        "macs": _millions(cell.mean("student", "macs")),
        "n_seeds": len({seed for seed, _ in cell.scores}),
        "n_data_seeds": len({data_seed for _, data_seed in cell.scores}),
        "config": cell.identity.config,
        **_score_columns(cell, "recall_at_1"),
        **{f"{name}_mean": cell.mean_metric(name) for name in ("r_precision", "map_at_r")},
    }


def _score_columns(cell: Cell, metric: str) -> dict[str, float | None]:
    """The columns of a metric, blank unless the cell is ranked by it."""
    score = cell.score if cell.ranking.metric == metric else Interval()
    return {
        f"{metric}_mean": score.mean,
        f"{metric}_sd": score.sd,
        f"{metric}_ci_low": score.low,
        f"{metric}_ci_high": score.high,
    }


@dataclass(frozen=True)
class BoardFiles:
    """The files of a suite's board, what could not be read on the way (a line per broken record), and what was."""

    leaderboard: Path
    summary: Path
    readme: Path
    report: Path
    problems: tuple[str, ...] = ()
    compared: Comparison = field(default_factory=partial(Comparison, ()))


_NAMES = ("leaderboard.csv", "summary.csv", "README.md", "report.html")  # in the order of the fields of BoardFiles


def write_boards(suite_folder: Path) -> BoardFiles:
    """Regenerate leaderboard.csv, summary.csv, README.md and report.html of ``results/<suite>`` from its records.

    The bytes depend on the records, kept truths and published numbers alone. Broken records are named in the README and
    in `BoardFiles.problems`.
    """
    texts, problems, compared = _board_texts(suite_folder)
    for name, text in texts.items():
        write_text(suite_folder / name, text)
    csv_path, summary_path, readme_path, report_path = (suite_folder / name for name in texts)
    return BoardFiles(csv_path, summary_path, readme_path, report_path, tuple(problems), compared)


def check_boards(suite_folder: Path) -> list[str]:
    """What is amiss in a results folder, one line each: broken records, files that the records do not give."""
    texts, problems, _ = _board_texts(suite_folder)
    for name, text in texts.items():
        path = suite_folder / name
        if not path.exists():
            problems.append(f"{name}: missing; regenerate the boards of {suite_folder.name}")
        elif path.read_bytes() != text.encode():
            problems.append(f"{name}: differs from what its records give; regenerate the boards of {suite_folder.name}")
    return problems


def _board_texts(suite_folder: Path) -> tuple[dict[str, str], list[str], Comparison]:
    """File name -> content; one line per broken record; the records, sorted."""
    with collector_at_rest():
        records, problems = read_records(suite_folder / "records")
        compared = Comparison(records)
        problems = with_duplicates(suite_folder / "records", problems)
        published, unpublished = published_or_problem(suite_folder.absolute().parent)
        own, damaged = own_beside(suite_folder)
        beside, book = replace(own, published=published), Book(own.truths)
        texts = (
            to_csv(leaderboard(records), DECIMALS),
            to_csv(summary(records, book, compared), SUMMARY_DECIMALS),
            board_markdown(
                records,
                problems,
                title=suite_folder.name,
                published=published,
                book=book,
                latencies=beside.latencies,
                compared=compared,
            ),
            report_page(records, [*problems, *damaged], title=suite_folder.name, beside=beside, compared=compared),
        )
        return dict(zip(_NAMES, texts, strict=True)), [*problems, *damaged, *unpublished], compared


def print_board(
    records: Sequence[RunRecord],
    console: Console | None = None,
    published: Published = NOTHING,
    compared: Comparison | None = None,
) -> None:
    """One table per data set, teacher and student, at most 100 columns wide; plain text when not on a terminal.

    Of very many only the first are shown; a line says where the others are.
    """
    console = console or Console(width=None if sys.stdout.isatty() else WIDEST)
    width = min(WIDEST, console.width)
    tables = (compared or Comparison(records)).tables
    for group, title in zip(tables[:SHOWN], headings(tables), strict=False):
        console.print(group_table(group, title, width, plain=not console.is_terminal), width=width)
        if (others := published_lines(group, published)) is not None:
            console.print(others, width=width)
    if len(tables) > SHOWN:
        console.print(f"{len(tables) - SHOWN} more tables are in README.md and report.html.", width=width)
    failures = sum(record.status != "ok" for record in records)
    if failures:
        console.print(f"{failures} of {len(records)} runs have no result; their records say why.", width=width)
    if tables:  # whose numbers it explains
        console.print(legend(records), width=width, highlight=False)
    elif not records:
        console.print("No records yet.", width=width, highlight=False)
