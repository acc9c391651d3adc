"""Boards of suites with retrieval protocols, and of samplers: what is ranked by what, and what is said of it."""

from __future__ import annotations

import pytest

from fgkd.facts import DataFacts
from fgkd.leaderboard import COLUMNS, SUMMARY_COLUMNS, leaderboard, print_board, summary
from fgkd.report.comparison import identify
from fgkd.report.fields import FIRST, spelt_out
from fgkd.report.markdown import board_markdown
from fgkd.spec import Recipe, RunSpec, TeacherTraining
from tests.board_factory import TEACHER, record, run_spec, suite_records

BY_HALVES = {"name": "cub200", "protocol": "retrieval"}
FACTS = DataFacts(name="cub200", protocol="retrieval", classes=100, counts={"test": 4}, task="retrieval")


def found_again(method: str, seed: int, recall: float):
    """The record of a run of a retrieval protocol; its hold-out top-1 says nothing about its recall."""
    spec = run_spec(method, seed=seed, dataset=BY_HALVES)
    test = {"recall_at_1": recall, "recall_at_2": 0.9, "r_precision": recall / 2, "map_at_r": recall / 4}
    metrics = {"test_last": test, "test_best": test, "holdout_last": {"top1": 1 - recall}}
    return record(spec, data=FACTS, metrics=metrics, predictions=None)


def retrieval_records() -> list:
    """Three methods on two seeds."""
    recalls = {"scratch": (0.50, 0.54), "kd": (0.60, 0.66), "rkd": (0.70, 0.70)}
    return [found_again(method, seed, value) for method, values in recalls.items() for seed, value in enumerate(values)]


def test_retrieval_rows_are_ranked_and_compared_by_recall():
    cells = summary(retrieval_records()).set_index("method")
    assert cells["recall_at_1_mean"].to_dict() == {"scratch": 52.0, "rkd": 70.0, "kd": 63.0}
    assert cells["top1_mean"].isna().all()
    assert (cells.delta_scratch["kd"], cells.delta_kd["rkd"]) == (11.0, 7.0)
    assert (cells["rank"]["rkd"], cells["rank"]["kd"]) == (1, 2)
    assert cells.recall_at_1_ci_low["kd"] < 63 < cells.recall_at_1_ci_high["kd"]
    assert (cells.r_precision_mean["kd"], cells.map_at_r_mean["kd"]) == (31.5, 15.75)
    assert cells["n"]["kd"] == 2
    rows = leaderboard(retrieval_records())
    assert rows.recall_at_1.tolist() == [70, 70, 66, 60, 54, 50]
    assert rows[["top1", "top1_err", "best_top1"]].isna().all(axis=None)
    assert rows.best_recall_at_1.tolist() == rows.recall_at_1.tolist()


def test_columns_are_added_at_the_end_and_only_where_there_are_such_rows():
    assert tuple(leaderboard(suite_records()).columns) == COLUMNS
    assert tuple(summary(suite_records()).columns) == SUMMARY_COLUMNS
    both = [*suite_records(), *retrieval_records()]
    assert tuple(leaderboard(both).columns)[: len(COLUMNS)] == COLUMNS
    assert tuple(summary(both).columns)[: len(SUMMARY_COLUMNS)] == SUMMARY_COLUMNS
    mixed, plain = leaderboard(both), leaderboard(suite_records())
    kept = mixed[mixed.protocol == "default"][list(COLUMNS)].reset_index(drop=True)
    assert kept.equals(plain), "rows of classification are what they were"
    assert summary(both).query("protocol == 'default'")["recall_at_1_mean"].isna().all()


def test_tables_say_what_they_rank_by(capsys):
    page = board_markdown([*suite_records(), *retrieval_records()], [], title="tiny")
    ours, theirs = (page[page.index(f"## {name}") :] for name in ("cub200 (retrieval)", "cub200: "))
    assert "| rank | method | recall@1 % |" in ours.split("\n## ")[0]
    assert "| rank | method | top-1 % |" in theirs.split("\n## ")[0]
    assert "Retrieval protocols are ranked and compared by *recall@1*" in page
    assert "| test top-1 % |" in page, "the teacher's own"
    plain = board_markdown(suite_records(), [], title="tiny")
    assert "ecall" not in plain
    print_board(retrieval_records())
    assert "recall@1 %" in capsys.readouterr().out


def test_a_run_that_failed_before_its_data_were_read_heads_no_table(capsys):
    failed = record(run_spec("at", dataset=BY_HALVES), None, data=None)
    page = board_markdown([*retrieval_records(), failed], [], title="tiny")
    assert "| rank | method | recall@1 % |" in page
    assert "| rank | method | top-1 % |" not in page
    print_board([*retrieval_records(), failed])
    assert "recall@1 %" in capsys.readouterr().out


@pytest.mark.parametrize("sampler", ["sqrt", "balanced"])
def test_a_sampler_is_told_and_makes_another_table(sampler):
    shuffled, other = record(run_spec()), record(run_spec(sampler=sampler))
    assert "classes shown" not in board_markdown([shuffled], [], title="tiny")
    page = board_markdown([shuffled, other], [], title="tiny")
    words = {"sqrt": "square root of their size", "balanced": "all classes shown equally often"}
    titles = [line for line in page.splitlines() if line.startswith("## ")]
    assert [words[sampler] in title for title in titles] in ([False, True], [True, False]), "what sets them apart"
    assert page.count(words[sampler]) == 2, "and among the conditions"
    assert identify(shuffled).context != identify(other).context


def test_spelling_out_is_the_whole_dump_but_for_younger_fields():
    teacher = TEACHER.model_copy(update={"head_from": run_spec("scratch"), "train": TeacherTraining(epochs=3)})
    spec = run_spec(teacher=teacher, recipe=Recipe(lr=0.1, milestones=(3, 5)), params={"kd_weight": 2.0})
    assert set(FIRST["RunSpec"]) <= set(RunSpec.model_fields)
    whole = spec.model_dump(mode="json")
    assert _within(spelt_out(spec), whole)
    assert "sampler" not in spelt_out(spec)["feed"]
    assert spelt_out(run_spec(sampler="sqrt"))["feed"]["sampler"] == "sqrt"
    assert spelt_out(spec)["feed"]["teacher"]["head_from"]["recipe"]["momentum"] == 0.9
    assert spelt_out(spec)["recipe"]["milestones"] == [3, 5]


def _within(part, whole) -> bool:
    """Whether all that `part` says, `whole` says too."""
    if isinstance(part, dict):
        return all(name in whole and _within(value, whole[name]) for name, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(_within, part, whole))
    return part == whole
