"""The committed boards are what their committed records say."""

from __future__ import annotations

from pathlib import Path

import pytest

from fgkd.leaderboard import check_boards
from fgkd.record import read_records
from fgkd.report.findings import searches
from fgkd.report.findings.contrasts import PAIRS
from fgkd.report.overview import check_overview
from fgkd.spec import teacher_run
from fgkd.suite import load_suite

ROOT = Path(__file__).resolve().parents[1]
SUITES = sorted(path.parent for path in (ROOT / "results").glob("*/records"))


UNDER_WAY = {
    "cub50",
    "cub50_pretrained",
    "grocery_store",
    "stanford_cars_train_clipped",
    "stanford_cars_train_long",
}  # many hours of runs, recorded as they come


@pytest.fixture(params=SUITES, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    """The results of one suite."""
    return request.param


def test_there_are_results() -> None:
    assert {folder.name for folder in SUITES} >= {"quickstart", "cub50", "grocery_store"}


def test_boards_are_regenerated_byte_for_byte(folder: Path) -> None:
    assert check_boards(folder) == []


def test_the_page_over_all_suites_is_regenerated_byte_for_byte() -> None:
    assert (ROOT / "results" / "report.html").is_file()
    assert check_overview(ROOT / "results", SUITES) == []


def test_what_the_reading_quotes_of_the_findings_is_what_they_say() -> None:
    """Results move and a table that was copied by hand stays behind."""
    reading, found = ((ROOT / "results" / name).read_text().splitlines() for name in ("README.md", "findings.md"))
    quoted = [line for line in reading if line.startswith("| ") and " over " in line.split("|")[1]]
    assert len(quoted) >= len(PAIRS) / 2
    assert [line for line in quoted if line not in found] == []


def test_every_run_of_the_suite_is_recorded_and_came_from_clean_code(folder: Path) -> None:
    records, problems = read_records(folder / "records")
    assert problems == []
    suite = load_suite(folder.name)
    found = {record.run_id: record for record in records}
    teachers = [teacher_run(run.feed) for run in suite.runs()]
    wanted = {run.run_id for run in [*suite.runs(), *filter(None, teachers)]}
    assert wanted <= found.keys() or folder.name in UNDER_WAY
    assert {found[run_id].suite_version for run_id in found.keys() - wanted}.isdisjoint({suite.version})
    for record in records:
        assert record.environment.code_commit
        assert not record.environment.code_commit.endswith("-dirty"), record.run_id


def test_the_references_cover_every_student_and_seed(folder: Path) -> None:
    """Wherever the suite has them run; it may give single methods seeds of their own."""
    if folder.name in searches(suite.name for suite in SUITES):
        pytest.skip("a search for recipes has its own references")
    records, _ = read_records(folder / "records")
    cells = {
        (r.spec.feed.dataset, r.spec.student, r.spec.seed, r.spec.feed.data_seed)
        for r in records
        if r.spec.role == "student"
    }
    runs = load_suite(folder.name).runs()
    for method in ("scratch", "kd"):
        planned = {
            (run.feed.dataset, run.student, run.seed, run.feed.data_seed) for run in runs if run.method.label == method
        }
        covered = {
            (r.spec.feed.dataset, r.spec.student, r.spec.seed, r.spec.feed.data_seed)
            for r in records
            if r.spec.method.label == method
        }
        assert cells & planned <= covered
