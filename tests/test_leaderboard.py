"""Boards: the columns people rely on, numbers against hand-made twins, the same bytes from the same records."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from fgkd.facts import Costs, StudentFacts, TeacherFacts
from fgkd.leaderboard import check_boards, leaderboard, print_board, summary, write_boards
from fgkd.record import record_path, write_record
from fgkd.report.markdown import board_markdown
from fgkd.spec import BackboneSpec, Recipe, TeacherSpec, teacher_run
from tests.board_factory import TEACHER, record, run_spec, suite_records, teacher_record

LONG = (
    "model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation,"
    "dataset,protocol,method,teacher,teacher_top1,seed,data_seed,status,epochs,best_epoch,best_top1,macs,ece,nll,"
    "agreement,recall_at_1,map_at_r,tar_at_far_1e-3,train_seconds,shared_seconds,cohort_size,images_per_second,device,"
    "suite,suite_version,run_id,code_commit"
)


def row(frame, **where):
    """The one row that has these values."""
    for name, value in where.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1, frame
    return frame.iloc[0]


def blank(value):
    return pd.isna(value) or value == ""


# the long table


def test_long_columns_are_those_promised():
    assert ",".join(leaderboard([]).columns) == LONG
    assert ",".join(leaderboard(suite_records()).columns) == LONG


def test_a_row_holds_percent_millions_and_identity():
    ours = record(top1=0.87124)
    found = leaderboard([ours]).iloc[0]
    assert (found.top1, found.top1_err) == (87.124, 12.876)
    assert found.top5 == 93.562
    assert found.ece == 6.25
    assert found.nll == 1.25
    assert (found.param_count, found.macs) == (1.235, 98.765)
    assert (found.train_seconds, found.shared_seconds, found.images_per_second) == (12.3, 5.1, 100.0)
    assert (found.model, found.teacher, found.teacher_top1) == ("small_net", "big_net", 87.5)
    assert (found.dataset, found.protocol, found.method, found.status) == ("cub200", "default", "kd", "ok")
    assert (found.suite, found.suite_version, found.run_id, found.code_commit) == ("tiny", "1", ours.run_id, "abc123")
    assert (found.img_size, found.seed, found.data_seed, found.epochs, found.best_epoch) == (224, 0, 0, 10, 3)


def test_last_and_best_are_told_apart():
    metrics = {"test_last": {"top1": 0.5}, "test_best": {"top1": 0.75}, "holdout_last": {"top1": 0.9}}
    found = leaderboard([record(metrics=metrics)]).iloc[0]
    assert (found.top1, found.best_top1) == (50, 75)


def test_what_is_missing_is_blank():
    found = leaderboard([record(top1=None, student=None, teacher=None)]).iloc[0]
    for name in ("top1", "top1_err", "top5_err", "agreement", "param_count", "macs", "img_size", "crop_pct"):
        assert blank(found[name]), name
    assert found.status == "failed"
    assert blank(leaderboard([record(student=StudentFacts(img_size=1, param_count=1))]).iloc[0].macs)


def test_zero_is_not_blank():
    found = leaderboard([record(top1=0.0)]).iloc[0]
    assert (found.top1, found.top1_err) == (0, 100)


def test_teachers_are_rows_too():
    found = leaderboard([teacher_record()]).iloc[0]
    assert (found.model, found.method, found.teacher, found.top1) == ("big_net", "teacher", "", 87.5)


def test_rows_come_best_first_and_in_no_other_order():
    records = suite_records()
    frame = leaderboard(records)
    tops = frame.top1.dropna().tolist()
    assert tops == sorted(tops, reverse=True)
    assert frame.status.iloc[-1] == "failed"
    shuffled = [records[i] for i in np.random.default_rng(0).permutation(len(records))]
    pd.testing.assert_frame_equal(leaderboard(shuffled), frame)
    pd.testing.assert_frame_equal(summary(shuffled), summary(records))


def test_ties_are_ordered_by_top5_then_name():
    low = record(run_spec("a_method"), metrics={"test_last": {"top1": 0.5, "top5": 0.6}})
    high = record(run_spec("z_method"), metrics={"test_last": {"top1": 0.5, "top5": 0.9}})
    same = record(run_spec("b_method"), metrics={"test_last": {"top1": 0.5, "top5": 0.6}})
    assert leaderboard([low, same, high]).method.tolist() == ["z_method", "a_method", "b_method"]


# the summary


def test_summary_columns_are_those_promised():
    promised = "n,top1_mean,top1_sd,top1_ci_low,top1_ci_high,delta_scratch,delta_scratch_p,delta_kd,delta_kd_p,rank"
    columns = ",".join(summary(suite_records()).columns)
    assert columns.startswith(f"dataset,protocol,teacher,student,method,{promised},")
    for name in ("train_seconds", "shared_seconds", "param_count", "macs", "n_seeds", "n_data_seeds"):
        assert name in columns.split(",")


def test_summary_against_a_twin_by_hand():
    frame = summary(suite_records())
    kd, crd, scratch = np.array([55, 58, 55.0]), np.array([60, 61, 66.0]), np.array([50, 52, 51.0])
    at = np.array([54, 53.0])
    found = row(frame, method="crd")
    low, high = stats.t.interval(0.95, 2, crd.mean(), stats.sem(crd))
    assert (found.n, found.n_seeds, found.n_data_seeds) == (3, 3, 1)
    assert found.top1_mean == pytest.approx(crd.mean(), abs=5e-4)
    assert found.top1_sd == pytest.approx(crd.std(ddof=1), abs=5e-4)
    assert (found.top1_ci_low, found.top1_ci_high) == pytest.approx((low, high), abs=5e-4)
    assert found.delta_kd == pytest.approx((crd - kd).mean(), abs=5e-4)
    assert found.delta_scratch == pytest.approx((crd - scratch).mean(), abs=5e-4)

    # at has two pairs, too few for a p: it is in no family
    to_scratch = {
        "crd": stats.ttest_rel(crd, scratch).pvalue,
        "kd": stats.ttest_rel(kd, scratch).pvalue,
    }
    first, second = sorted(to_scratch, key=to_scratch.get)
    assert row(frame, method=first).delta_scratch_p == pytest.approx(min(1, 2 * to_scratch[first]), abs=5e-6)
    second_p = max(min(1, 2 * to_scratch[first]), to_scratch[second])
    assert row(frame, method=second).delta_scratch_p == pytest.approx(second_p, abs=5e-6)
    assert row(frame, method="crd").delta_kd_p == pytest.approx(stats.ttest_rel(crd, kd).pvalue, abs=5e-6)
    assert pd.isna(row(frame, method="at").delta_scratch_p)
    assert pd.isna(row(frame, method="at").delta_kd_p)
    assert row(frame, method="at").delta_kd == pytest.approx((at - kd[:2]).mean(), abs=5e-4)


def test_only_complete_methods_are_ranked():
    frame = summary(suite_records()).set_index("method")
    assert frame["rank"].dropna().to_dict() == {
        "crd": 1,
        "kd": 2,
        "scratch": 1,
    }  # scratch among those without a teacher
    assert frame.loc["at", "n"] == 2


def test_a_method_ahead_of_the_others_takes_no_rank_from_them():
    runs = {"scratch": (0.6, 0.9), "kd": (0.5, 0.1), "crd": (0.7,), "at": (0.2,), "dkd": (0.4,)}
    frame = summary([record(run_spec(m, seed=s), t) for m, given in runs.items() for s, t in enumerate(given)])
    found = frame.set_index("method")
    assert found["rank"].to_dict() == {"scratch": 1, "crd": 1, "kd": 3, "dkd": 4, "at": 5}
    assert found.loc["kd", "top1_mean"] == 30


def test_seeds_that_half_of_the_methods_have_are_the_tables():
    runs = {"kd": (0.5, 0.9), "crd": (0.7, 0.6), "at": (0.2,), "dkd": (0.8,)}
    frame = summary([record(run_spec(m, seed=s), t) for m, given in runs.items() for s, t in enumerate(given)])
    assert frame.set_index("method")["rank"].dropna().to_dict() == {"kd": 1, "crd": 2}


def test_scratch_takes_part_in_a_teachers_ranking():
    runs = {"scratch": 0.6, "kd": 0.5, "crd": 0.7}
    frame = summary([record(run_spec(m), top1) for m, top1 in runs.items()]).set_index("method")
    assert frame["rank"].to_dict() == {"scratch": 1, "kd": 3, "crd": 1}


def test_equal_means_share_the_better_rank():
    runs = {"kd": 0.5, "crd": 0.5, "at": 0.25}
    frame = summary([record(run_spec(m), top1) for m, top1 in runs.items()]).set_index("method")
    assert frame["rank"].to_dict() == {"kd": 1, "crd": 1, "at": 3}


def test_as_many_right_answers_share_a_rank_however_the_seeds_spread_them():
    """Their percentages add up to another last bit: 47.6601871850252 and 47.660187185025194."""
    right = {"kd": (234, 238, 190), "th_kd": (237, 238, 187), "at": (234, 238, 189)}
    made = [record(run_spec(m, seed=s), count / 463) for m, found in right.items() for s, count in enumerate(found)]
    assert summary(made).set_index("method")["rank"].to_dict() == {"kd": 1, "th_kd": 1, "at": 3}


def test_a_lonely_seed_has_no_spread_and_no_p():
    frame = summary([record(run_spec("scratch"), 0.5), record(run_spec("kd"), 0.75)])
    found = row(frame, method="kd")
    assert (found.n, found.top1_mean, found.delta_scratch) == (1, 75, 25)
    for name in ("top1_sd", "top1_ci_low", "top1_ci_high", "delta_scratch_p", "delta_kd", "delta_kd_p"):
        assert blank(found[name]), name


def test_differences_pair_equal_seeds_only():
    scratch = [
        record(run_spec("scratch", seed=s, data_seed=d), t) for s, d, t in ((0, 0, 0.1), (0, 1, 0.2), (2, 0, 0.9))
    ]
    kd = [record(run_spec("kd", seed=s, data_seed=d), t) for s, d, t in ((0, 0, 0.5), (0, 1, 0.5), (1, 0, 0.0))]
    found = row(summary(scratch + kd), method="kd")
    assert found.delta_scratch == pytest.approx(35)  # (40 + 30) / 2
    assert (found.n, found.n_seeds, found.n_data_seeds) == (3, 2, 2)


def test_scratch_pairs_with_every_teacher():
    other = TeacherSpec(backbone="bigger_net")
    records = [
        record(run_spec("scratch"), 0.5),
        record(run_spec("kd"), 0.6),
        record(run_spec("kd", teacher=other), 0.8),
        record(run_spec("crd", teacher=other), 0.7),
    ]
    frame = summary(records)
    assert row(frame, teacher="big_net", method="kd").delta_scratch == pytest.approx(10)
    assert row(frame, teacher="bigger_net", method="kd").delta_scratch == pytest.approx(30)
    assert row(frame, teacher="bigger_net", method="crd").delta_kd == pytest.approx(-10)
    assert row(frame, teacher="bigger_net", method="crd")["rank"] == 2


@pytest.mark.parametrize(
    "other",
    [
        {"epochs": 20},
        {"batch_size": 16},
        {"view": {"size": 160}},
        {"precision": "bf16"},
        {"recipe": Recipe(lr=0.5)},
        {"student": "other_net"},
        {"dataset": "cars"},
        {"dataset": {"name": "cub200", "protocol": "disjoint"}},
        {"dataset": {"name": "cub200", "holdout": 0.3}},
    ],
    ids=str,
)
def test_unequal_runs_are_not_compared(other):
    ours = [record(run_spec("crd", seed=seed), 0.5 + seed / 10) for seed in range(3)]
    baselines = [record(run_spec(m, seed=seed, **other), 0.4) for m in ("scratch", "kd") for seed in range(3)]
    found = row(summary(ours + baselines), method="crd")
    assert blank(found.delta_scratch)
    assert blank(found.delta_kd)


def test_a_bank_is_another_group_for_kd_and_the_same_scratch():
    records = [record(run_spec("scratch"), 0.5), record(run_spec("kd"), 0.6), record(run_spec("crd", bank=4), 0.7)]
    found = row(summary(records), method="crd")
    assert found.delta_scratch == pytest.approx(20)
    assert blank(found.delta_kd)


def test_a_teacher_with_a_students_head_stands_in_its_teachers_table():
    def wearing(seed):
        head_from = run_spec("scratch", seed=seed)
        return TeacherSpec(backbone="big_net", train=TEACHER.train, head_from=head_from, label="big_net with a head")

    sh_kd = [record(run_spec("sh_kd", seed=s, teacher=wearing(s)), t) for s, t in ((0, 0.7), (1, 0.8))]
    kd = [record(run_spec("kd", seed=s), 0.6) for s in (0, 1)]
    frame = summary(sh_kd + kd)
    assert len(frame) == 2  # the head's own seed makes no other configuration
    found = row(frame, method="sh_kd")
    assert (found.n, found["rank"], found.delta_kd) == (2, 1, pytest.approx(15))


def test_each_training_of_a_teacher_is_told_with_the_runs_that_learned_from_it():
    def from_teacher(seed, top1, **changes):
        spec = run_spec("kd", seed=seed, **changes)
        return record(spec, 0.6, teacher=TeacherFacts(name="big_net", test_top1=top1))

    wearing = TeacherSpec(backbone="big_net", train=TEACHER.train, head_from=run_spec("scratch"))
    records = [from_teacher(0, 0.8), from_teacher(1, 0.8), from_teacher(2, 0.9), from_teacher(0, 0.7, teacher=wearing)]
    page = board_markdown(records, [], title="tiny")
    assert "- big_net: test top-1 80.00 % (2 runs)\n" in page
    assert "- big_net: test top-1 90.00 % (1 run)\n" in page
    assert "- big_net, wearing a student's head: test top-1 70.00 % (1 run)\n" in page
    trained = record(teacher_run(records[3].spec.feed), 0.7)
    assert "| big_net, wearing a student's head |" in board_markdown([trained], [], title="tiny")


def test_configurations_of_one_name_are_kept_apart():
    records = [record(run_spec("kd"), 0.5), record(run_spec("kd", params={"temperature": 1}), 0.9)]
    frame = summary([*records, record(run_spec("crd"), 0.6)])
    assert frame[frame.method == "kd"].config.nunique() == 2
    assert blank(row(frame, method="crd").delta_kd)  # which of the two is kd?
    out = io.StringIO()
    print_board(records, Console(file=out, width=100))
    for config in frame[frame.method == "kd"].config:
        assert f"kd ({config})" in out.getvalue()


def test_a_failed_method_keeps_its_row_with_blanks():
    found = row(summary([record(run_spec("kd"), None), record(run_spec("scratch"), 0.5)]), method="kd")
    assert found.n == 0
    assert blank(found.top1_mean)
    assert blank(found["rank"])
    assert blank(found.delta_scratch)


def test_only_runs_that_ended_well_count():
    costs = Costs(train_seconds=1000)
    bad = [
        record(run_spec("kd", seed=s), 0.1, status=status, costs=costs) for s, status in ((1, "diverged"), (2, "oom"))
    ]
    found = row(summary([record(run_spec("kd"), 0.5), *bad]), method="kd")
    assert (found.n, found.top1_mean, found.train_seconds) == (1, 50, 12.3)
    assert blank(found["rank"])


def test_students_that_nobody_taught_have_a_table_where_no_teachers_has_them():
    page = board_markdown([record(run_spec("scratch"))], [], title="")
    assert "## cub200: small_net without a teacher" in page
    assert page.count("scratch**") == 1


def test_teachers_have_a_row_without_a_rank():
    found = row(summary(suite_records()), method="teacher")
    assert (found.student, found.teacher, found.top1_mean) == ("big_net", "", 87.5)
    assert blank(found["rank"])


# files


@pytest.fixture
def suite(tmp_path):
    """A results folder with records and boards."""
    folder = tmp_path / "tiny"
    for one in suite_records():
        write_record(one, folder / "records")
    write_boards(folder)
    return folder


def boards(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_boards_are_the_same_bytes_again(suite):
    before = boards(suite)
    assert set(before) == {"leaderboard.csv", "summary.csv", "README.md", "report.html"}
    files = write_boards(suite)
    assert boards(suite) == before
    assert files.readme == suite / "README.md"
    assert files.problems == ()
    assert not any(b"\r" in text for text in before.values())
    assert check_boards(suite) == []


def test_csv_cells_are_plain_numbers(suite):
    rows = list(csv.DictReader((suite / "leaderboard.csv").open()))
    assert len(rows) == len(suite_records())
    assert rows[0]["top1"] == "87.500"
    assert rows[0]["param_count"] == "1.235"
    assert rows[0]["img_size"] == "224"
    failed = next(r for r in rows if r["status"] == "failed")
    assert (failed["top1"], failed["top5_err"], failed["agreement"]) == ("", "", "")
    assert ",".join(rows[0]) == LONG


@pytest.mark.parametrize("name", ["leaderboard.csv", "summary.csv", "README.md", "report.html"])
def test_an_edited_or_missing_board_is_found(suite, name):
    (suite / name).write_bytes((suite / name).read_bytes() + b"\n")
    assert [problem.split(":")[0] for problem in check_boards(suite)] == [name]
    (suite / name).unlink()
    assert "missing" in check_boards(suite)[0]


def test_a_lost_record_shows(suite):
    next((suite / "records").glob("crd-*")).unlink()
    assert len(check_boards(suite)) == 4


def test_a_broken_record_is_named_and_the_board_stands(suite):
    path = record_path(suite / "records", run_spec("kd").run_id)
    path.write_text("{")
    assert path.name in check_boards(suite)[0]
    files = write_boards(suite)
    assert path.name in files.problems[0]
    page = files.readme.read_text()
    assert f"- {path.name}" in page
    assert str(suite) not in page


def test_the_page_names_each_suite_once_with_its_versions(tmp_path):
    made = [record(run_spec("kd", seed=seed), suite_version=version) for seed, version in enumerate((1, 10, 2))]
    for one in [*made, record(run_spec("crd"), suite="other")]:
        write_record(one, tmp_path / "records")
    title = write_boards(tmp_path).readme.read_text().splitlines()[0]
    assert title == "# Leaderboard of other (version 1), tiny (versions 1, 2, 10)"


def test_a_suite_without_records_has_boards(tmp_path):
    files = write_boards(tmp_path / "new")
    assert files.leaderboard.read_text() == LONG + "\n"
    assert "# Leaderboard of new" in files.readme.read_text()
    assert check_boards(tmp_path / "new") == []


def test_the_page_says_what_was_done(suite):
    page = (suite / "README.md").read_text()
    assert "## cub200: small_net taught by big_net" in page
    recipe = "sgd at 0.05, weight decay 0.0005, cosine"
    assert (
        f"view 224 px (standard), 10 epochs of batches of 8, {recipe}, precision fp32, on cpu, seeds 0, 1, 2," in page
    )
    assert "- big_net: test top-1 87.50 % (9 runs)\n- saw test images\n" in page
    crd = next(line for line in page.splitlines() if "crd" in line)
    assert crd.startswith(r"| **1** | **crd** | **62.33 +- 7.99** | **+11.33\*** | **+6.33**")
    kd = next(line for line in page.splitlines() if "| kd |" in line)
    assert kd.startswith("| 2 | kd | 56.00 +- 4.30 ~ |")
    scratch = next(line for line in page.splitlines() if "| scratch |" in line)
    assert scratch.startswith("| 3 | scratch | 51.00 +- 2.48 |")
    assert "without a teacher" not in page  # scratch stands beside the teacher's, not in a table of its own
    assert "| failed | RuntimeError: no luck |" in page
    assert "## Teachers trained in this suite" in page


def test_hostile_names_stay_text(tmp_path):
    name = "<script>|x|\n=cmd()"
    teacher = TeacherSpec(backbone=BackboneSpec(name="t"), label="=HYPERLINK(1)")
    spec = run_spec("=1+1|<b>", student=name, teacher=teacher)
    facts = TeacherFacts(name=teacher.name, notes=("a\n# heading\n|b|",))
    write_record(record(spec, None, teacher=facts, reason="boom\n\n# | <img src=x>"), tmp_path / "records")
    files = write_boards(tmp_path)
    page = files.readme.read_text()
    assert "<script>" not in page
    assert "<img" not in page
    assert "\n# heading" not in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    counts = {line.replace("\\|", "").count("|") for line in tables}
    assert counts == {8, 11}  # the failures' and the methods' columns, no more
    cells = next(csv.DictReader(files.leaderboard.open(newline="")))
    assert cells["teacher"] == "'=HYPERLINK(1)"
    assert cells["method"] == "'=1+1|<b>"
    assert "\n" not in cells["model"]


# the terminal


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_terminal_board_fits(width):
    out = io.StringIO()
    print_board(suite_records(), Console(file=out, width=width))
    text = out.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= min(width, 100)
    for words in ("crd", "62.33 +- 7.99", "+6.33", "56.00 +- 4.30 ~", "12 + 5", "1 of 13 runs have no result"):
        assert words in text
    assert "\x1b" not in text
    assert ("1.23" in text) == (width >= 90)


def test_the_best_is_bold_in_a_terminal():
    out = io.StringIO()
    print_board(suite_records(), Console(file=out, width=100, force_terminal=True, color_system="standard"))
    lines = out.getvalue().splitlines()
    assert "\x1b[1m" in next(line for line in lines if "crd" in line)
    assert "\x1b[1m" not in next(line for line in lines if " at " in line)


def test_an_empty_board_says_so():
    out = io.StringIO()
    print_board([], Console(file=out))
    assert out.getvalue() == "No records yet.\n"


def test_without_a_table_nothing_is_explained():
    out = io.StringIO()
    print_board([teacher_record()], Console(file=out))
    assert out.getvalue() == ""


def test_of_very_many_tables_only_the_first_are_printed():
    out = io.StringIO()
    records = [record(run_spec("kd", student=f"net{n:02}"), 0.5) for n in range(22)]
    print_board(records, Console(file=out, width=100))
    assert "net19" in out.getvalue()
    assert "net20" not in out.getvalue()
    assert "2 more tables are in README.md and report.html." in out.getvalue()


# weight


def test_boards_need_no_torch():
    code = "import sys, fgkd.leaderboard; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_two_thousand_runs_take_a_moment():
    records = [
        record(run_spec(m, seed=s, student=f"net{n}", epochs=e), (s * 7 + n + e) % 97 / 97)
        for m in ("scratch", "kd", "crd", "at", "dkd")
        for s in range(5)
        for n in range(20)
        for e in range(1, 5)
    ]
    start = perf_counter()
    assert len(leaderboard(records)) == 2000
    assert len(summary(records)) == 400
    assert perf_counter() - start < 10  # about half a second; quadratic work would take minutes


def test_runs_that_share_both_seeds_are_averaged():
    def wearing(seed):
        return TeacherSpec(backbone="big_net", train=TEACHER.train, head_from=run_spec("scratch", seed=seed))

    tops = {(0, 0): 0.6, (0, 1): 0.8, (1, 0): 0.9}  # by the run's own seed and that of the head
    records = [record(run_spec("sh_kd", seed=s, teacher=wearing(head)), top) for (s, head), top in tops.items()]
    records += [record(run_spec("kd", seed=s), 0.5) for s in (0, 1)]
    found = row(summary(records), method="sh_kd")
    assert (found.n, found.top1_mean, found.delta_kd) == (2, 80, 30)
