"""What the tables of several suites tell together, against figures worked out by hand or by scipy."""

from __future__ import annotations

from statistics import variance

import pytest
from scipy import stats

from fgkd.facts import CohortFacts, Costs, StudentFacts, TeacherFacts
from fgkd.leaderboard import summary
from fgkd.record import RunRecord
from fgkd.report.comparison import Comparison
from fgkd.report.evidence import pooled
from fgkd.report.findings import findings
from fgkd.report.html.configurations import cell_rows
from fgkd.report.html.packing import Blocks
from fgkd.report.lines import conditions, headings, lines_of
from fgkd.spec import Recipe, teacher_run
from tests.board_factory import TEACHER, record, run_spec, suite_records

COSTS = "What a method costs to train, without loading and teacher (equal seeds and device, both compiled or neither)"
POOLED = "Who differs if runs of all methods spread alike (two-way analysis of variance; Holm over the table's methods)"
LEADERS = "Who leads, and how many methods are above and below (which significantly)"
TOPS = {
    "cub200": {"scratch": (0.50, 0.52), "kd": (0.55, 0.58), "th_kd": (0.57, 0.61), "crd": (0.40, 0.41)},
    "cars": {"scratch": (0.30, 0.31), "kd": (0.25, 0.35), "th_kd": (0.33, 0.33), "crd": (0.36, 0.34)},
}


def runs(dataset: str, **changes: object) -> list[RunRecord]:
    return [
        record(run_spec(method, seed=seed, dataset=dataset), top1, **changes)
        for method, tops in TOPS[dataset].items()
        for seed, top1 in enumerate(tops)
    ]


@pytest.fixture(scope="module")
def page() -> dict[str, list[list[str]]]:
    """Title of a section -> its rows."""
    return sections(findings([Comparison(runs("cub200")), Comparison(runs("cars"))]))


def sections(text: str) -> dict[str, list[list[str]]]:
    found = {}
    for part in text.split("\n## ")[1:]:
        lines = [line for line in part.splitlines() if line.startswith("|")]
        rows = [[cell.strip().replace("\\", "") for cell in line.strip("|").split("|")] for line in lines]
        found[part.splitlines()[0]] = rows[2:]
    return found


def test_the_best_and_what_is_above_kd_or_below_scratch(page):
    (cub, cars) = page[LEADERS]
    recipe = "sgd at 0.05, weight decay 0.0005, cosine"
    assert cub[:2] == ["A", f"cub200: small_net taught by big_net, 224 px, 10 epochs, {recipe}"]
    assert cub[2:4] == ["4", "2"]
    assert cub[4].startswith("th_kd, 59.0 (")
    assert cub[5:] == ["1", "2", "2", "1"]  # th_kd; scratch and crd; kd and th_kd; crd
    assert cars[0] == "B"
    assert cars[4].startswith("crd, 35.0 (")
    assert cars[5:] == ["3", "0", "2", "1"]  # all but kd; nothing; th_kd and crd; kd


def test_one_lucky_seed_does_not_lead_those_that_have_all():
    made = [*runs("cub200"), record(run_spec("lucky", seed=0, dataset="cub200"), 0.9)]
    row = sections(findings([Comparison(made)]))[LEADERS][0]
    assert row[4].startswith("th_kd, 59.0 (")


def test_a_table_ranks_by_the_seeds_of_what_its_teacher_taught():
    """The untaught have run more seeds, for another teacher's table; those count in no other one's order."""
    other = TEACHER.model_copy(update={"seed": 7})
    tops = {"scratch": (0.5, 0.9, 0.9), "kd": (0.7, 0.7, 0.7), "crd": (0.6, 0.6, 0.6)}
    three = [record(run_spec(m, seed=s), top) for m, found in tops.items() for s, top in enumerate(found)]
    one = [record(run_spec(m, teacher=other), top) for m, top in {"kd": 0.72, "crd": 0.4, "at": 0.3}.items()]
    tables = {len(group.seeds): group for group in Comparison([*three, *one]).tables}
    ranks = {n: {s.cell.method: s.rank for s in group.standings} for n, group in tables.items()}
    assert ranks == {
        3: {"scratch": 1, "kd": 2, "crd": 3},
        1: {"kd": 1, "scratch": 2, "crd": 3, "at": 4},
    }
    assert [line.method for line in lines_of(tables[1]) if line.best] == ["kd"]
    leaders = [row[3:5] for row in sections(findings([Comparison([*three, *one])]))[LEADERS]]
    assert sorted((runs, best.split(",")[0]) for runs, best in leaders) == [("1", "kd"), ("3", "scratch")]


def test_a_difference_counts_as_sure_by_its_corrected_p():
    tops = {
        "scratch": (0.1, 0.101, 0.102),
        "kd": (0.5, 0.501, 0.502),
        "crd": (0.8, 0.8012, 0.802),
        "at": (0.6, 0.4, 0.55),
    }
    made = [record(run_spec(m, seed=s), top) for m, found in tops.items() for s, top in enumerate(found)]
    row = sections(findings([Comparison(made)]))[LEADERS][0]
    assert row[5:] == ["2 (crd)", "1", "3 (at, crd)", "0"]


def test_what_a_method_adds_to_another_is_paired_by_seeds(page):
    rows = {row[0]: row[1:] for row in page["The same in the narrower tables"]}
    assert set(rows) == {"kd over scratch", "th_kd over kd"}
    low, high = stats.t.interval(0.95, 1, 2.5, stats.sem([2.0, 3.0]))
    assert rows["th_kd over kd"][0] == f"+2.5 ({low:+.1f} to {high:+.1f})"
    assert rows["th_kd over kd"][1].startswith("+3.0 (")
    assert "What a method adds to another" not in page  # no table is wide


def test_the_order_is_compared_between_seeds(page):
    rows = page["How firm the order is from seed to seed (Kendall's tau)"]
    taus = [stats.kendalltau(*zip(*TOPS[name].values(), strict=True)).statistic for name in TOPS]
    sds = [(sum(variance([100 * t for t in tops]) for tops in TOPS[name].values()) / 4) ** 0.5 for name in TOPS]
    assert rows == [
        [letter, "4", "2", f"{sd:.1f}", f"{tau:.2f}"] for letter, sd, tau in zip("AB", sds, taus, strict=True)
    ]


FIRST = {
    "scratch": 30, "kd": 40, "kd+crd": 42, "th_kd": 39, "crd": 37, "dkd": 41, "fitnet": 45,
    "nst": 20, "cc": 25, "at": 10,
}  # fmt: skip
SECOND = {**FIRST, "kd": 50, "kd+crd": 49, "th_kd": 44, "crd": 45, "rkd": 51, "dkd": 41}
del SECOND["fitnet"]


def tables(*wanted: tuple[str, dict[str, float]], seeds: int = 2) -> dict[str, list[list[str]]]:
    """The page over tables on data sets of so many seeds each, whose scores lie a point apart."""
    made = [
        Comparison([
            record(run_spec(method, seed=seed, dataset=dataset), (top + seed) / 100)
            for method, top in tops.items()
            for seed in range(seeds)
        ])
        for dataset, tops in wanted
    ]  # fmt: skip
    return sections(findings(made))


def test_wide_tables_come_first_and_alone_give_means_over_tables():
    narrow = {"scratch": 10.0, "kd": 90.0, "kd+crd": 20.0, "th_kd": 30.0, "crd": 40.0}
    found = tables(("few", narrow), ("cub200", FIRST), ("cars", SECOND))
    assert [(row[0], row[1].split(":")[0]) for row in found[LEADERS]] == [
        ("A", "cub200"), ("B", "cars"), ("C", "few"),
    ]  # fmt: skip
    pairs = {row[0]: row[1:] for row in found["What a method adds to another"]}
    low, high = stats.t.interval(0.95, 1, 0.5, stats.sem([2.0, -1.0]))
    assert pairs["kd+crd over kd"] == [
        "+2.0 (+2.0 to +2.0)", "-1.0 (-1.0 to -1.0)", f"+0.5 ({low:+.1f} to {high:+.1f})", "",
    ]  # fmt: skip
    narrower = {row[0]: row[1:] for row in found["The same in the narrower tables"]}
    assert narrower["kd+crd over kd"] == ["-70.0 (-70.0 to -70.0)"]


def test_what_is_said_over_settings_is_said_of_the_hold_out_too():
    """A gain on the test split that the hold-out does not show was perhaps luck with its images."""
    gains = {"kd": 0.0, "kd+crd": -0.03}

    def both(one: RunRecord) -> RunRecord:
        held_out = {"top1": 0.4 + gains.get(one.spec.method.label, 0.0) + one.spec.seed / 100}
        return one.model_copy(update={"metrics": {**one.metrics, "holdout_last": held_out}})

    found = sections(findings([Comparison([both(r) for r in made(tops).records]) for tops in (FIRST, SECOND)]))
    pairs = {row[0]: row[1:] for row in found["What a method adds to another"]}
    assert pairs["kd+crd over kd"][-1] == "-3.0"  # two recipes of one setting
    assert pairs["kd+crd over kd"][-2].startswith("+0.5")


def test_every_method_is_told_over_the_wide_tables_best_first():
    found = tables(("cub200", FIRST), ("cars", SECOND))
    (told,) = (found[title] for title in found if title.startswith("Every"))
    rows = {row[0]: row[1:] for row in told}
    assert list(rows)[:3] == ["fitnet", "rkd", "kd+crd"]  # over kd 5.0, 1.0, 0.5
    assert rows["fitnet"] == ["45.5", "", "+5.0", "1", ""]
    assert rows["kd"] == ["40.5", "50.5", "", "2", "2.0"]  # of eight shared ones third and first
    assert rows["kd+crd"][-1] == "1.5"
    assert rows["at"][:2] == ["10.5", "10.5"]


def made(tops: dict[str, float], **spec: object) -> Comparison:
    """A table of one seed."""
    return Comparison([record(run_spec(method, **spec), top / 100) for method, top in tops.items()])


@pytest.mark.parametrize(
    "other", [{"student": "other_net"}, {"teacher": TEACHER.model_copy(update={"seed": 7})}, {"view": {"size": 64}}]
)
def test_tables_that_differ_by_more_than_their_epochs_are_settings_of_their_own(other):
    found = sections(findings([made(FIRST), made(SECOND, epochs=30, **other)]))
    (rows,) = (found[name] for name in found if name.startswith("Every"))
    assert next(row for row in rows if row[0] == "kd+crd")[-2] == "2"


@pytest.mark.parametrize(
    "other", [{"epochs": 30}, {"recipe": Recipe(lr=0.5)}, {"epochs": 30, "recipe": Recipe(lr=0.5)}]
)
def test_tables_that_differ_by_their_epochs_or_recipe_alone_count_as_one_setting(other):
    cub, short = made(FIRST, dataset="cub200"), made(SECOND, dataset="cars")
    longer = made({**SECOND, "kd": 60, "kd+crd": 64}, dataset="cars", **other)
    found = sections(findings([cub, short, longer]))
    assert len({row[1] for row in found[LEADERS]}) == 3, "a reader can tell them apart"
    low, high = stats.t.interval(0.95, 1, 1.75, stats.sem([2.0, (-1.0 + 4.0) / 2]))
    (pairs,) = (row for row in found["What a method adds to another"] if row[0] == "kd+crd over kd")
    assert pairs[1:] == ["+2.0", "-1.0", "+4.0", f"+1.8 ({low:+.1f} to {high:+.1f})", ""]
    (rows,) = (found[name] for name in found if name.startswith("Every"))
    ranked = next(row for row in rows if row[0] == "kd+crd")
    assert ranked[-3:] == [pairs[-2], "2", "1.2"]  # first there, second and first here, of the eight shared ones
    assert len(found[LEADERS]) == 3


def test_a_method_that_has_not_run_with_all_seeds_is_marked_and_not_ranked():
    made = [
        record(run_spec(method, seed=seed), (top + seed) / 100)
        for method, top in FIRST.items()
        for seed in range(1 if method == "fitnet" else 2)
    ]
    other = [record(run_spec(method, seed=0, dataset="cars"), top / 100) for method, top in FIRST.items()]
    found = sections(findings([Comparison(made), Comparison(other)]))
    (rows,) = (found[name] for name in found if name.startswith("Every"))
    assert next(row for row in rows if row[0] == "fitnet") == [
        "fitnet",
        "45.0*",
        "45.0",
        "+5.0 (+5.0 to +5.0)",
        "2",
        "",
    ]
    assert next(row for row in rows if row[0] == "kd+crd")[-1] == "1.0"


def test_the_order_is_compared_between_tables_that_share_enough_methods():
    few = {"scratch": 10.0, "kd": 90.0, "kd+crd": 20.0, "th_kd": 30.0}
    found = tables(("cub200", FIRST), ("cars", SECOND), ("few", few))
    shared = [name for name in FIRST if name in SECOND]
    tau = stats.kendalltau([FIRST[name] for name in shared], [SECOND[name] for name in shared])
    rows = found["How firm it is from table to table: tau (methods, p)"]
    assert rows == [["A", f"{tau.statistic:.2f} ({len(shared)}, {tau.pvalue:.2g})"]]


def test_where_all_are_equal_there_is_no_order():
    equal = dict.fromkeys(FIRST, 60.0)
    found = tables(("cub200", FIRST), ("cars", equal))
    assert "How firm it is from table to table: tau (methods, p)" not in found
    within = {row[0]: row[-1] for row in found["How firm the order is from seed to seed (Kendall's tau)"]}
    assert within == {"A": "1.00", "B": ""}


def test_a_seed_under_which_all_are_equal_leaves_tau_to_the_other_pairs():
    tops = {"scratch": (0.1, 0.5, 0.2), "kd": (0.2, 0.5, 0.3), "crd": (0.3, 0.5, 0.4), "at": (0.4, 0.5, 0.1)}
    made = [record(run_spec(m, seed=s), top) for m, found in tops.items() for s, top in enumerate(found)]
    (row,) = sections(findings([Comparison(made)]))["How firm the order is from seed to seed (Kendall's tau)"]
    assert row[-1] == f"{stats.kendalltau(*zip(*((a, c) for a, _, c in tops.values()), strict=True)).statistic:.2f}"


def test_costs_are_ratios_to_scratch_and_savings_count_a_cohort_once():
    together = CohortFacts(size=8, id="c1")
    made = [
        one.model_copy(
            update={
                "costs": Costs(train_seconds=20.0 if one.spec.method.label == "crd" else 10.0, shared_seconds=40.0),
                "cohort": together,
            }
        )
        for one in runs("cub200")
    ]
    found = sections(findings([Comparison(made)]))
    costs = dict(row[:2] for row in found[COSTS])
    assert costs == {"crd": "2.00", "kd": "1.00", "scratch": "1.00", "th_kd": "1.00"}
    (saved,) = found["What teaching together has saved, by the seconds in the records"]
    alone, cohort = 100 + 8 * 40, 100 + 40
    assert saved == ["tiny", "8", f"{alone / 3600:.2f}", f"{cohort / 3600:.2f}", f"{alone / cohort:.2f}"]


def test_costs_are_of_runs_with_equal_seeds():
    """A slow day, or a machine of another kind, is no property of the methods that ran there."""
    seconds = {("scratch", 0): 10.0, ("scratch", 1): 100.0, ("kd", 1): 110.0, ("crd", 2): 5.0, ("at", 0): 12.0}
    made = [record(run_spec(m, seed=s), 0.5, costs=Costs(train_seconds=t)) for (m, s), t in seconds.items()]
    assert sections(findings([Comparison(made)]))[COSTS] == [
        ["scratch", "1.00", "1"],
        ["kd", "1.10", "1"],
        ["at", "1.20", "1"],
    ]


def test_methods_that_the_common_spread_tells_apart_are_named():
    """Three pairs of one method prove little; the spread of all methods together proves more."""
    tops = {
        "scratch": (0.500, 0.510, 0.505),
        "kd": (0.550, 0.561, 0.556),
        "crd": (0.590, 0.604, 0.594),
        "at": (0.551, 0.560, 0.555),
        "sp": (0.400, 0.409, 0.404),
        "rkd": (0.99,),
    }
    made = [record(run_spec(m, seed=s), top) for m, found in tops.items() for s, top in enumerate(found)]
    (row,) = sections(findings([Comparison(made)]))[POOLED]
    rows = [[100 * top for top in found] for name, found in tops.items() if name != "rkd"]
    spread = pooled(rows)
    assert spread is not None
    assert row[:5] == ["A", "5", "3", f"{spread.sd:.2f}", f"{spread.half():.1f}"]
    assert row[5:] == ["crd", "sp, scratch", "crd, kd, at", "sp"]


def test_cohorts_of_one_feed_pay_each_for_themselves():
    """Their id is the feed's: runs that came later, or beside them in another process, had a teacher of their own."""

    def saved(*started: str) -> str:
        made = [
            one.model_copy(
                update={
                    "costs": Costs(train_seconds=10.0, shared_seconds=40.0),
                    "cohort": CohortFacts(size=4, id="c1"),
                    "environment": one.environment.model_copy(update={"started": started[i % 2]}),
                }
            )
            for i, one in enumerate(runs("cub200"))
        ]
        title = "What teaching together has saved, by the seconds in the records"
        return sections(findings([Comparison(made)]))[title][0][-1]

    twice = f"{(80 + 8 * 40) / (80 + 2 * 40):.2f}"
    assert saved("2026-11-20T10:00:00+00:00", "2026-11-21T10:00:00+00:00") == twice
    assert saved("2026-11-20T10:00:00+00:00", "2026-11-20T10:00:00+00:00") == twice  # eight cannot be one of four


def test_seconds_of_two_devices_are_not_mixed():
    """A run on a fast device says nothing against a method whose other runs had a slow one."""

    def run(method: str, seed: int, device: str, seconds: float) -> RunRecord:
        one = record(run_spec(method, seed=seed), 0.5, costs=Costs(train_seconds=seconds, shared_seconds=1.0))
        return one.model_copy(update={"environment": one.environment.model_copy(update={"device": device})})

    # of the taught runs more are from the GPU, of the table's more from the CPU
    slow = [run("scratch", seed, "cpu", 100.0) for seed in (0, 2, 3)] + [
        run("kd", seed, "cpu", 150.0) for seed in (0, 1)
    ]
    fast = [run("scratch", 1, "gpu", 2.0), run("kd", 2, "gpu", 3.0), *(run("crd", seed, "gpu", 4.0) for seed in (1, 2))]
    compared = Comparison(slow + fast)
    costs = sections(findings([compared]))[COSTS]
    assert dict(row[:2] for row in costs) == {"scratch": "1.00", "kd": "1.50", "crd": "2.00"}
    (group,) = compared.tables
    assert group.device == "cpu"
    assert {line.method: line.own_seconds for line in lines_of(group)} == {"scratch": "100", "kd": "150", "crd": ""}
    assert "on cpu, gpu, seconds of those on cpu" in conditions(group)
    assert set(summary(compared.records).train_seconds.dropna()) == {100.0, 150.0}
    on_page = {row["label"]: row["own"] for row in cell_rows(compared.cells, Blocks())}
    assert on_page == {"scratch": 100.0, "kd": 150.0, "crd": None}
    for device, seconds in (("gpu", None), ("cpu", 9.0)):  # a teacher's own run tells those of the page's device
        teacher = record(teacher_run(run_spec("kd").feed), 0.9, costs=Costs(train_seconds=9.0))
        teacher = teacher.model_copy(update={"environment": teacher.environment.model_copy(update={"device": device})})
        rows = cell_rows(Comparison([*slow, *fast, teacher]).cells, Blocks())
        assert [row["own"] for row in rows if row["role"] == "teacher"] == [seconds]


def test_tables_that_compare_nothing_are_left_out_and_failures_do_not_count():
    assert findings([]).count("## ") == 0
    alone = [record(run_spec("scratch", seed=seed), 0.5) for seed in range(3)]
    assert LEADERS not in findings([Comparison(alone)])
    row = sections(findings([Comparison(suite_records())]))[LEADERS][0]
    assert row[2] == "4"


def test_a_larger_student_or_a_better_teacher_is_held_against_the_other():
    def table(
        student: str, params: int, teacher: str, top1: float, tops: dict[str, tuple[float, ...]]
    ) -> list[RunRecord]:
        return [
            record(
                run_spec(
                    method,
                    seed=seed,
                    student=student,
                    teacher=TEACHER.model_copy(update={"label": teacher, "seed": len(teacher) + int(1000 * top1)}),
                ),
                top,
                student=StudentFacts(img_size=64, param_count=params),
                teacher=None if method == "scratch" else TeacherFacts(name=teacher, test_top1=top1),
            )
            for method, found in tops.items()
            for seed, top in enumerate(found)
        ]

    made = {
        one.run_id: one
        for one in [
            *table("tiny", 1000, "good", 0.9, {"scratch": (0.3, 0.4), "kd": (0.5, 0.6), "dkd": (0.5, 0.6)}),
            *table("huge", 9000, "good", 0.9, {"scratch": (0.4, 0.6), "kd": (0.6, 0.7), "dkd": (0.1, 0.1)}),
            *table("tiny", 1000, "poor", 0.5, {"scratch": (0.3, 0.4), "kd": (0.4, 0.4), "crd": (0.5, 0.6)}),
        ]
    }
    rows = sections(findings([Comparison(list(made.values()))]))["What a larger student or a better teacher buys"]
    by_change = {(row[2], row[3]): row[4] for row in rows}
    assert by_change["tiny to huge", "scratch"].startswith("+15.0 (")
    assert by_change["tiny to huge", "kd"] == "+10.0 (+10.0 to +10.0)"
    assert by_change["poor to good", "kd"].startswith("+15.0 (")
    assert ("poor to good", "scratch") not in by_change
    assert len(rows) == 3
    other = Recipe(lr=0.9)
    moved = [
        one.model_copy(update={"spec": one.spec.model_copy(update={"recipe": other})})
        if (one.spec.student.name, one.spec.method.label) == ("huge", "kd")
        else one
        for one in made.values()
    ]
    rows = sections(findings([Comparison(moved)]))["What a larger student or a better teacher buys"]
    assert ("tiny to huge", "scratch") in {(row[2], row[3]) for row in rows}
    assert ("tiny to huge", "kd") not in {(row[2], row[3]) for row in rows}, "two recipes are no exchange of students"


def test_methods_on_other_recipes_are_not_held_against_each_other():
    """Nor are they on the boards."""
    same = [record(run_spec(m, seed=s), 0.5 + s / 10) for m in ("scratch", "kd", "crd") for s in range(2)]
    other = [record(run_spec("kd+crd", seed=s, recipe=Recipe(lr=0.5)), 0.6) for s in range(2)]
    adds = "The same in the narrower tables"
    found = {row[0] for row in sections(findings([Comparison([*same, *other])]))[adds]}
    assert "kd over scratch" in found
    assert not {"kd+crd over kd", "kd+crd over scratch"} & found


def test_a_student_of_the_same_name_is_not_taken_for_a_better_teacher():
    better = TEACHER.model_copy(update={"label": "better", "seed": 5})
    tables = [
        record(run_spec(m, seed=s, student=student, teacher=teacher), top)
        for student, teacher, top in (
            ({"name": "small_net"}, TEACHER, 0.5),
            ({"name": "small_net", "size": 128}, better, 0.6),
        )
        for m in ("scratch", "kd", "crd")
        for s in range(2)
    ]
    assert "What a larger student or a better teacher buys" not in sections(findings([Comparison(tables)]))


def test_hostile_names_stay_text():
    made = [
        record(run_spec(m, seed=s, student="<b>|x"), 0.5 + s / 10) for m in ("scratch", "kd", "crd") for s in range(2)
    ]
    text = findings([Comparison(made)])
    assert "<b>" not in text
    assert "\\|x" in text


def at_rate(method: str, lr: float, top1: float | None, suite: str) -> RunRecord:
    made = record(run_spec(method, recipe=Recipe(lr=lr)), top1, suite=suite)
    held = {} if top1 is None else {**made.metrics, "holdout_last": {"top1": top1 - 0.1}}
    return made.model_copy(update={"metrics": held})


def test_learning_rates_are_held_against_each_other_and_searches_lead_nobody():
    high = [at_rate(m, 0.2, top1, "tiny") for m, top1 in {"scratch": 0.5, "kd": 0.6, "dkd": 0.2, "crd": None}.items()]
    low = [
        at_rate(m, 0.05, t, "tiny_tuning_low") for m, t in {"scratch": 0.4, "kd": 0.6, "dkd": 0.7, "crd": None}.items()
    ]
    found = sections(findings([Comparison(high), Comparison(low)]))
    assert found["Which learning rate suits which method"] == [
        ["cub200", "small_net", "dkd", "0", "0.05: 60.0, 0.2: 10.0", "0.05"],
        ["cub200", "small_net", "kd", "0", "0.05: 50.0, 0.2: 50.0", "0.2"],
        ["cub200", "small_net", "scratch", "0", "0.05: 30.0, 0.2: 40.0", "0.2"],
    ]
    (leader,) = found[LEADERS]
    assert leader[4] == "kd, 60.0"


def test_conditions_tell_the_recipe_and_who_sees_other_sizes():
    spec = run_spec("kd", recipe=Recipe(optimizer="adamw", lr=1e-3, warmup_epochs=1, clip_grad=5))
    small = spec.model_copy(update={"student": spec.student.model_copy(update={"size": 64})})
    (group,) = Comparison([record(small, 0.5)]).tables
    told = conditions(group)
    assert "view 224 px (standard), 64 px for the student, 10 epochs" in told
    assert "adamw at 0.001, weight decay 0.0005, cosine, 1-epoch warm-up, gradients clipped at norm 5," in told
    other = small.model_copy(update={"recipe": Recipe(), "seed": 1})
    (both,) = Comparison([record(small, 0.5), record(other, 0.5)]).tables
    assert "2 recipes" in conditions(both)


def test_pairs_of_two_devices_are_counted():
    """kd on a CPU of a kind: the same kind, another, one not told, and a GPU, whose host does not matter."""
    places = {
        "kd": [("cpu (1 threads)", "A"), ("cpu (1 threads)", "A"), ("gpu", "A")],
        "crd": [("cpu (1 threads)", "A"), ("cpu (1 threads)", "B"), ("gpu", "B")],
        "fitnet": [("gpu", "A"), ("gpu", "A"), ("cpu (1 threads)", None)],
        "scratch": [("cpu (1 threads)", None), ("cpu (1 threads)", None), ("gpu", None)],
    }
    made_at = [
        one.model_copy(update={"environment": one.environment.model_copy(update={"device": device, "processor": cpu})})
        for method, found in places.items()
        for seed, (device, cpu) in enumerate(found)
        for one in [record(run_spec(method, seed=seed), 0.5)]
    ]
    (title,) = [name for name in sections(findings([Comparison(made_at)])) if name.startswith("Where differences are")]
    assert sections(findings([Comparison(made_at)]))[title] == [["A", "9", "4", "fitnet"]]
    assert title not in sections(findings([made(FIRST)])), "nothing to tell of one device"


def test_tables_of_one_pair_are_headed_by_what_sets_them_apart():
    longer, cut = run_spec(epochs=30), run_spec(epochs=30, recipe=Recipe(clip_grad=5))
    other = run_spec(epochs=30, teacher=TEACHER.model_copy(update={"seed": 7}))
    heads = lambda *specs: headings(Comparison([record(spec, 0.5) for spec in specs]).tables)
    assert heads(longer) == ["cub200: small_net taught by big_net"]
    assert heads(run_spec(), longer) == [
        "cub200: small_net taught by big_net, 10 epochs of batches of 8",
        "cub200: small_net taught by big_net, 30 epochs of batches of 8",
    ]
    usual, unusual = sorted(heads(run_spec(), run_spec(sampler="sqrt", bank=2)), key=len)
    assert usual == "cub200: small_net taught by big_net", "the usual needs no words, be it so in two ways"
    assert unusual.startswith(f"{usual}, ")
    assert len(set(heads(longer, other))) == 2, "by a digest where only their teachers' trainings differ"
    assert len(heads(longer, cut)) == 1, "another recipe is another row of one table"
