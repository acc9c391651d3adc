"""What the page knows: held to the records by hand-made numbers, the same bytes every time, and small."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fgkd.facts import DataFacts
from fgkd.leaderboard import check_boards, summary, write_boards
from fgkd.record import pack_predictions, record_path, write_record
from fgkd.report.answers import evidence_of
from fgkd.report.comparison import Comparison, cells_of
from fgkd.report.html import Beside, report_page
from fgkd.report.html.calibration import reliability_of
from fgkd.report.html.confusions import confusion_of
from fgkd.report.html.curves import curve_of, points_per_curve
from fgkd.report.html.headline import answers_of
from fgkd.report.html.mistakes import mistakes_of, wanted_pictures
from fgkd.report.html.packing import Blocks
from fgkd.report.overview import check_overview, overview_pages, write_overview
from fgkd.report.truth import truth_path, write_truth
from fgkd.spec import teacher_run
from tests.board_factory import record, run_spec, suite_records
from tests.report.html.factory import CLASSES, many_records, truth, varied_records


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table["names"], row, strict=True)) for row in table["rows"]]


def test_configurations_agree_with_the_summary() -> None:
    records = suite_records()
    table = summary(records).set_index("method")
    data = data_of(report_page(records, [], title="tiny"))
    cells = rows(data["cells"])
    assert len(cells) == len(table)
    standings = {one["cell"]: one for group in data["groups"] for one in rows(group["standings"])}
    for number, cell in enumerate(cells):
        expected = table.loc[cell["label"]]
        assert cell["mean"] == pytest.approx(expected.top1_mean, abs=1e-3)
        assert cell["n"] == expected.n
        if cell["n"] > 1:
            assert cell["low"] == pytest.approx(expected.top1_ci_low, rel=1e-4)
            assert cell["high"] == pytest.approx(expected.top1_ci_high, rel=1e-4)
        if cell["label"] == "crd":
            mean, low, high, p, pairs = standings[number]["kd"]
            assert (mean, pairs) == (pytest.approx(expected.delta_kd, abs=1e-3), 3)
            assert p == pytest.approx(expected.delta_kd_p, rel=1e-2)
            assert low < mean < high


def test_one_run_has_no_interval() -> None:
    cell = rows(data_of(report_page([record()], [], title="x"))["cells"])[0]
    assert (cell["n"], cell["low"], cell["high"], cell["sd"]) == (1, None, None, None)
    assert "one run, so no interval" in report_page([record()], [], title="x")


def test_the_headline_names_the_best_complete_method_and_its_rivals() -> None:
    answer = answers_of(Comparison(suite_records()).tables)[0]
    assert (answer.method, answer.student, answer.score) == ("crd", "small_net", "62.3 %")
    assert answer.interval == "95 % interval 54.3 to 70.3, 3 runs"
    assert answer.against.startswith(
        "+6.3 points against kd over 3 pairs of runs: not significant (Holm-corrected p = "
    )
    assert answer.rivals == "Its interval overlaps that of kd."  # at has two runs: its interval overlaps everything


def test_one_that_nobody_taught_is_held_against_scratch_and_no_lack_of_runs_is_made_up() -> None:
    tops = {"label_smoothing": (0.60, 0.63, 0.61), "scratch": (0.50, 0.52, 0.51), "kd": (0.55, 0.58, 0.55)}
    records = [record(run_spec(m, seed=seed), top) for m, found in tops.items() for seed, top in enumerate(found)]
    (answer,) = answers_of(Comparison(records).tables)
    assert answer.method == "label_smoothing"
    assert answer.against.startswith("+10.3 points against scratch over 3 pairs of runs: ")
    (bare,) = answers_of(Comparison([r for r in records if r.spec.method.label != "label_smoothing"]).tables)
    assert "too few" not in bare.against
    (few,) = answers_of(Comparison([r for r in records if r.spec.seed == 0 and r.spec.method.label != "kd"]).tables)
    assert few.against == "+10.0 points against scratch over one pair of runs, too few to test."


def test_without_a_complete_method_nothing_is_recommended() -> None:
    records = [record(run_spec("kd", seed=0)), record(run_spec("kd", seed=1), None)]
    assert answers_of(Comparison(records).tables) == []
    assert "none is recommended" in report_page(records, [], title="x")
    assert "none is recommended" in report_page([], [], title="x")


def test_a_table_of_one_seed_recommends_nothing_beside_one_of_three() -> None:
    lucky = [record(run_spec(method, student="other_net"), 0.95) for method in ("scratch", "kd")]
    (answer,) = answers_of(Comparison([*suite_records(), *lucky]).tables)
    assert answer == answers_of(Comparison(suite_records()).tables)[0]


def test_what_has_three_runs_leads_whatever_the_seeds_of_its_table_and_of_others() -> None:
    """Most of a table may have one run yet, and another table four: neither passes over the method that is best."""
    better = [record(run_spec("kd", seed=seed, student="other_net"), 0.80 + seed / 100) for seed in range(3)]
    single = [record(run_spec(method, student="other_net"), 0.95) for method in ("crd", "at", "sp")]
    longer = [record(run_spec(method, seed=3), 0.5) for method in ("scratch", "kd", "crd")]
    (answer,) = answers_of(Comparison([*suite_records(), *longer, *better, *single]).tables)
    assert (answer.method, answer.student, answer.score) == ("kd", "other_net", "81.0 %")
    assert "sp" not in answer.rivals


def test_a_table_that_ranks_nothing_keeps_no_other_from_recommending() -> None:
    unfinished = [record(run_spec("kd", seed=seed, student="other_net"), None if seed else 0.9) for seed in range(5)]
    (answer,) = answers_of(Comparison([*suite_records(), *unfinished]).tables)
    assert (answer.method, answer.student) == ("crd", "small_net")


def test_failures_and_their_reasons_are_there() -> None:
    runs = rows(data_of(report_page(suite_records(), [], title="x"))["runs"])
    failed = [run for run in runs if run["status"] != "ok"]
    assert [(run["status"], run["reason"], run["score"]) for run in failed] == [
        ("failed", "RuntimeError: no luck", None)
    ]


def test_confusions_are_counts_of_the_predictions() -> None:
    cell = next(cell for cell in cells_of(varied_records()) if cell.method == "crd")
    blocks = Blocks()
    found = confusion_of(cell, {"r1": truth()}, blocks)
    assert found is not None
    assert found["runs"] == 3
    a, b, wrong, reverse, size, _ = found["pairs"][0]
    assert blocks.all[a] != blocks.all[b]
    assert (size, wrong + reverse > 0) == (10, True)
    assert all(x[2] + x[3] >= y[2] + y[3] for x, y in zip(found["pairs"], found["pairs"][1:], strict=False))
    for i, name in enumerate(found["classes"]):
        if name == a:
            assert found["matrix"][i][found["classes"].index(b)] == wrong
    assert len(found["classes"]) <= CLASSES
    assert sum(map(sum, found["matrix"])) == 3 * 60  # six classes: all of them are shown


def test_nothing_is_said_of_what_is_not_known() -> None:
    cells = cells_of(varied_records())
    assert all(confusion_of(cell, {}, Blocks()) is None for cell in cells)
    assert all(confusion_of(cell, {"r1": truth(tuple("ab"))}, Blocks()) is None for cell in cells)  # of other classes
    assert reliability_of(cells_of([record()])[0]) is None
    assert mistakes_of(cells, {}) == (None, [])
    assert curve_of(record(curve=[]), 10, Blocks()) is None


def test_worst_mistakes_are_those_of_most_runs() -> None:
    group = Comparison(varied_records()).tables[0]
    judge, worst = mistakes_of(group.cells, {"r1": truth()})
    assert judge is not None
    assert worst
    assert [one.votes for one in worst] == sorted((one.votes for one in worst), reverse=True)
    assert all(one.answer != judge.labels()[one.position] and 1 < one.votes <= one.runs for one in worst)
    wanted = wanted_pictures(varied_records(), {"r1": truth()})
    assert {one.position for one in worst} <= set(wanted["r1"])


def test_a_slip_of_one_run_is_no_mistake_of_most() -> None:
    right = truth().labels()
    slip = np.where(np.arange(len(right)) == 0, right + 1, right)
    data = DataFacts(name="cub200", protocol="default", classes=CLASSES, revision="r1")
    answers = (slip, right)
    runs = [record(run_spec(seed=i), data=data, predictions=pack_predictions(a)) for i, a in enumerate(answers)]
    assert mistakes_of(cells_of(runs), {"r1": truth()})[1] == []


def test_ties_are_by_overlap_of_intervals_with_the_best() -> None:
    data = data_of(report_page(suite_records(), [], title="x"))
    labels = [cell["label"] for cell in rows(data["cells"])]
    marks = {labels[one["cell"]]: (one["rank"], one["tied"]) for one in rows(data["groups"][0]["standings"])}
    # crd 54.3 to 70.3, kd 51.7 to 60.3, scratch 48.5 to 53.5; at lacks a seed, so that it has no rank
    assert marks == {"crd": (1, False), "kd": (2, True), "at": (None, True), "scratch": (3, False)}


def test_pictures_go_where_they_belong() -> None:
    records = varied_records()
    position = wanted_pictures(records, {"r1": truth()})["r1"][0]
    page = report_page(
        records, [], title="x", beside=Beside({"r1": truth()}, {("r1", position): "data:image/jpeg;base64,AA"})
    )
    mistakes = [one for group in data_of(page)["groups"] for one in group["mistakes"]]
    assert {one["image"] for one in mistakes if one["picture"] is not None} == {position}


def test_reliability_is_pooled_over_runs() -> None:
    rows = ([[0.5, 0.25, 1.0]], [[0.5, 0.75, 0.5], [0.95, 1.0, 0.5]])
    runs = [record(run_spec(seed=i), profiles={"reliability": one}) for i, one in enumerate(rows)]
    found = reliability_of(cells_of(runs)[0])
    assert found == {"runs": 2, "bins": [[0.5, 0.417, 0.75], [0.95, 1, 0.25]]}


def test_curves_keep_their_ends_when_thinned() -> None:
    steps = [{"epoch": e, "loss": 1.0, "holdout_top1": e / 1000} for e in range(300)]
    blocks = Blocks()
    found = curve_of(record(curve=steps), 12, blocks)
    assert found is not None
    number, top1, _ = found
    assert (blocks.all[number][0], blocks.all[number][-1], len(top1)) == (0, 299, 12)
    assert (top1[0], top1[-1]) == (0, 29.9)
    assert points_per_curve(5000) == 12 < points_per_curve(10) == 400


def test_the_order_in_which_records_come_leaves_the_bytes_alone(tmp_path: Path) -> None:
    pages = []
    for turn in (1, -1):
        folder = tmp_path / f"turn{turn}" / "tiny"
        for one in varied_records()[::turn]:
            write_record(one, folder / "records")
        pages.append(write_boards(folder).report.read_bytes())
    assert pages[0] == pages[1]
    assert pages[0].endswith(b"</html>\n")


def test_five_thousand_records_stay_below_five_megabytes() -> None:
    page = report_page(many_records(5000), [], title="many", beside=Beside({"r1": truth()}))
    print(f"5,000 records: {len(page) / 1e6:.2f} MB")
    assert len(page.encode()) < 5_000_000
    assert len(data_of(page)["runs"]["rows"]) == 5000


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two suites with boards; one keeps its truth, and they share a run."""
    for suite in ("one", "two"):
        for one in varied_records()[: 8 if suite == "one" else 30]:
            write_record(one, tmp_path / suite / "records")
        write_truth(tmp_path / suite, truth())
        write_boards(tmp_path / suite)
    return tmp_path


def test_a_board_brings_its_page(results: Path) -> None:
    page = (results / "two" / "report.html").read_text(encoding="utf-8")
    assert "<title>two: fgkd report</title>" in page
    assert data_of(page)["confusions"]
    assert check_boards(results / "two") == []


def test_a_damaged_truth_is_named(results: Path) -> None:
    truth_path(results / "one", "r1").write_text("{")
    assert any("r1.json" in problem for problem in check_boards(results / "one"))
    assert any("r1.json" in problem for problem in write_boards(results / "one").problems)


def test_what_is_damaged_beside_the_records_costs_no_board(results: Path) -> None:
    folder = results / "one"
    wide = truth().model_copy(update={"class_names": ("a", "b")})
    truth_path(folder, "r1").write_text(wide.model_dump_json())
    (folder / "truth/r2.json").mkdir()
    (folder / "latency/a.csv").mkdir(parents=True)
    (folder / "latency/b.csv").write_text("student\n" + "x" * 200_000)
    broken = record(run_spec("at", seed=77)).to_json().replace('"profiles": {}', '"profiles": {"reliability": [[0.5]]}')
    path = record_path(folder / "records", "at-0123456789ab")
    path.write_text(broken)
    told = write_boards(folder).problems
    for name in ("r1.json: ", "r2.json: ", "a.csv: ", "b.csv: ", "at-0123456789ab.json: "):
        assert any(line.startswith(name) for line in told), name


def test_no_answers_to_no_images_are_no_evidence() -> None:
    data = DataFacts(name="cub200", protocol="default", classes=CLASSES, revision="r1")
    none = pack_predictions(np.array([], dtype=np.int64))
    runs = [record(run_spec(m, seed=s), data=data, predictions=none) for m in ("scratch", "kd") for s in range(2)]
    empty = truth().model_copy(update={"targets": none})
    group = Comparison(runs).tables[0]
    assert not any(evidence.scratch or evidence.kd for evidence in evidence_of(group, {"r1": empty}).values())


def test_searches_for_recipes_crowd_no_table_of_the_page_over_all_suites(results: Path) -> None:
    write_record(record(run_spec("kd", seed=99)), results / "one_tuning" / "records")
    write_record(record(run_spec("kd", seed=98)), results / "my_fine_tuning" / "records")
    (results / "published.yaml").write_text("[")
    folders = [results / name for name in ("my_fine_tuning", "one", "one_tuning", "two")]
    page = overview_pages(folders)["report.html"]
    assert "<title>All suites but those that look for recipes" in page
    assert len(data_of(page)["runs"]["rows"]) == 31  # the study of fine-tuning is one like others
    assert page.count("published.yaml") == 1  # it lies beside all of them
    assert "one/published.yaml" not in page


def test_the_page_over_all_suites_tells_every_run_once(results: Path) -> None:
    folders = [results / "one", results / "two"]
    assert check_overview(results, folders) == []  # it need not be there
    path, told = write_overview(results, folders)
    assert check_overview(results, folders) == []
    assert len(data_of(path.read_text(encoding="utf-8"))["runs"]["rows"]) == 30
    assert overview_pages(folders) == {one.name: one.read_text(encoding="utf-8") for one in (path, told)}
    path.write_text("x")
    told.write_text("x")
    assert [line.split(":")[0] for line in check_overview(results, folders)] == ["report.html", "findings.md"]


@pytest.mark.parametrize("order", [("failed", "well"), ("well", "failed")])
def test_a_run_that_failed_in_one_suite_and_ended_well_in_another_is_told_by_its_result(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    for suite, top1 in (("failed", None), ("well", 0.5)):
        write_record(record(run_spec("kd"), top1), tmp_path / suite / "records")
    (run,) = rows(data_of(overview_pages([tmp_path / name for name in order])["report.html"])["runs"])
    assert (run["status"], run["score"]) == ("ok", 50.0)


def test_a_teacher_that_was_trained_anew_is_told_beside_the_first(tmp_path: Path) -> None:
    """Its run is the same, its weights are not; a copy of the same weights is told once."""
    for suite, weights, top1 in (("first", "a" * 16, 0.68), ("again", "b" * 16, 0.69), ("copy", "b" * 16, 0.69)):
        teacher = record(teacher_run(run_spec().feed), top1)
        assert teacher.student is not None
        network = teacher.student.model_copy(update={"weights_hash": weights})
        write_record(teacher.model_copy(update={"student": network, "suite": suite}), tmp_path / suite / "records")
    page = overview_pages([tmp_path / name for name in ("first", "again", "copy")])["report.html"]
    runs = rows(data_of(page)["runs"])
    assert [run["score"] for run in runs] == [68.0, 69.0]
