"""What stored answers tell, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fgkd.leaderboard import leaderboard, summary
from fgkd.record import pack_predictions
from fgkd.report.answers import Book, evidence_of
from fgkd.report.comparison import Comparison
from fgkd.report.lines import headings
from fgkd.report.markdown import board_markdown
from tests.board_factory import TEACHER, record, run_spec
from tests.report.test_per_class import FACTS, REVISION, truth

LABELS = np.random.default_rng(0).integers(0, 5, 200)
TRUTHS = {REVISION: truth(LABELS)}
FACTS = FACTS.model_copy(update={"counts": {"test": 200}})


def answers(right: int) -> np.ndarray:
    """The labels, wrong from place `right` on."""
    given = LABELS.copy()
    given[right:] = (given[right:] + 1) % 5
    return given


def run(method: str, right: int, seed: int = 0, **changes):
    """The record of a run that is right on the first so many images."""
    fields = {"data": FACTS, "predictions": pack_predictions(answers(right))} | changes
    return record(run_spec(method, seed=seed), right / 200, **fields)


RECORDS = [run(m, right, seed) for m, right in {"scratch": 80, "kd": 100, "crd": 120}.items() for seed in (0, 1)]


def evidence(records, truths=TRUTHS):
    """Evidence by method of the one table with a teacher."""
    (group,) = [g for g in Comparison(records).tables if g.taught[0].teacher]
    found = evidence_of(group, truths)
    return {cell.method: found[id(cell)] for cell in group.cells}


def test_differences_on_the_same_images():
    found = evidence(RECORDS)
    kd, crd = found["kd"].scratch, found["crd"].scratch
    assert (kd.wins, kd.losses, kd.images) == (20, 0, 200)
    assert (crd.wins, crd.losses) == (40, 0)
    assert kd.mean == pytest.approx(10)
    assert 5 < kd.low < 10 < kd.high < 15
    assert found["crd"].kd.mean == pytest.approx(10)
    assert found["kd"].kd is None
    assert found["scratch"].scratch is None


def test_p_values_are_holms_over_the_methods_of_the_table():
    found = evidence([*RECORDS, *(run("at", 85, seed) for seed in (0, 1))])
    raw = {"kd": 2 * 0.5**20, "crd": 2 * 0.5**40, "at": 2 * 0.5**5}
    assert found["crd"].scratch.p == pytest.approx(3 * raw["crd"])
    assert found["kd"].scratch.p == pytest.approx(2 * raw["kd"])
    assert found["at"].scratch.p == pytest.approx(raw["at"])
    assert found["scratch"].kd.mean == pytest.approx(-10)
    assert found["scratch"].kd.p is None, "its family is not this table's"


def test_every_seed_counts():
    better = [run("at", 90, 0), run("at", 110, 1)]
    found = evidence([*RECORDS, *better])["at"]
    assert (found.scratch.mean, found.scratch.wins) == (pytest.approx(10), 30)
    assert (found.kd.mean, found.kd.wins, found.kd.losses) == (pytest.approx(0, abs=1e-9), 10, 10)


def test_churn_is_against_the_scratch_of_the_same_seed():
    other = run("scratch", 80, 1, predictions=pack_predictions((answers(80) + 1) % 5))
    records = [r for r in RECORDS if (r.spec.method.label, r.spec.seed) != ("scratch", 1)] + [other]
    # seed 0: images 80 to 99 differ; seed 1: every answer was moved on, so 80 to 99 differ by two, the rest by one
    assert evidence(records)["kd"].churn == pytest.approx((100 * 20 / 200 + 100) / 2)
    assert evidence(RECORDS)["kd"].churn == pytest.approx(10)
    assert evidence(RECORDS)["scratch"].churn is None


def test_churn_needs_no_labels_and_nothing_else_goes_without():
    found = evidence(RECORDS, {})["kd"]
    assert found.churn == pytest.approx(10)
    assert (found.scratch, found.kd, found.rank) == (None, None, None)


def test_ranks_that_are_certain_and_ranks_that_are_not():
    found = evidence([*RECORDS, *(run("at", 121, seed) for seed in (0, 1))])
    assert found["scratch"].rank == (4, 4)
    assert found["kd"].rank == (3, 3)
    assert (found["at"].rank[0], found["crd"].rank[1]) == (1, 2)


def test_a_cell_that_lacks_a_seed_has_no_rank():
    found = evidence([*RECORDS, run("at", 121)])
    assert found["at"].rank is None
    assert found["at"].scratch.wins == 41
    assert found["crd"].rank == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"predictions": None},
        {"predictions": pack_predictions(LABELS[:50])},
        {"status": "diverged", "reason": "the loss was not finite at step 3"},
    ],
)
def test_runs_without_usable_answers_tell_nothing(changes):
    found = evidence([*RECORDS, run("at", 90, **changes)])["at"]
    assert (found.scratch, found.kd, found.churn, found.rank) == (None, None, None, None)


def test_runs_on_several_revisions_stand_in_tables_of_their_own():
    moved = FACTS.model_copy(update={"revision": "ba9876543210", "counts": {"test": 210}})
    others = [run(method, 90, seed=2, data=moved, predictions=None) for method in ("kd", "at", "scratch")]
    compared = Comparison([*RECORDS, *others])
    methods = sorted(sorted(cell.method for cell in table.cells) for table in compared.tables)
    assert methods == [["at", "kd", "scratch"], ["crd", "kd", "scratch"]]
    kd = [cell for table in compared.tables for cell in table.cells if cell.method == "kd"]
    assert sorted(len(cell.records) for cell in kd) == [1, 2]
    assert all(f"data revision {one}" in " ".join(headings(compared.tables)) for one in (REVISION, moved.revision))


def test_summary_has_the_columns_where_there_is_something_to_tell():
    plain = summary(RECORDS)
    assert "churn_scratch" in plain  # from the answers alone
    rows = summary(RECORDS, Book(TRUTHS)).set_index("method")
    kd = rows.loc["kd"]
    assert kd.churn_scratch == 10
    assert kd.delta_scratch_images_low < 10 < kd.delta_scratch_images_high
    assert (kd["rank"], kd.rank_low, kd.rank_high) == (2, 2, 2)
    assert kd.delta_scratch_mcnemar_p == pytest.approx(2 * 0.5**20, abs=1e-5)
    without = [r.model_copy(update={"predictions": None}) for r in RECORDS]
    assert list(summary(without, Book(TRUTHS)).columns)[-1] == "config"
    assert list(rows.columns)[-9] == "churn_scratch"


def test_the_page_shows_the_evidence_and_why_there_is_no_critical_difference():
    page = board_markdown(RECORDS, [], title="x", book=Book(TRUTHS))
    assert "| kd | 2 | +6" in page
    assert "needs at least 6 data sets; here are 1" in page
    assert "; 200 images**" in page
    assert "## Evidence" not in board_markdown(RECORDS, [], title="x")


def test_young_records_have_further_columns_and_old_boards_keep_theirs():
    assert "ece_mass" not in leaderboard(RECORDS)
    metrics = {"test_last": {"top1": 0.5, "ece_mass": 0.125, "eer": 0.25}, "holdout_last": {"temperature": 1.5}}
    young = record(run_spec("kd", seed=9, teacher=TEACHER), 0.5, metrics=metrics)
    rows = leaderboard([*RECORDS, young]).set_index("run_id")
    assert rows.loc[young.run_id, ["ece_mass", "eer", "temperature"]].tolist() == [12.5, 25, 1.5]
    assert rows.loc[RECORDS[0].run_id, ["ece_mass", "eer", "temperature"]].isna().all()
    assert list(rows.columns)[-1] == "size_mb"


def test_a_table_is_worked_out_once(monkeypatch):
    asked = []
    monkeypatch.setattr("fgkd.report.answers.evidence_of", lambda *args: asked.append(args) or evidence_of(*args))
    book = Book(TRUTHS)
    rows = summary(RECORDS, book)
    known = len(asked)
    page = board_markdown(RECORDS, [], title="x", book=book)
    assert len(asked) == known > 0
    assert rows.equals(summary(RECORDS, Book(TRUTHS)))
    assert page == board_markdown(RECORDS, [], title="x", book=Book(TRUTHS))
