"""What all tables of a results folder tell together, as the page ``results/findings.md``.

Who beats `kd`, what a method adds to the one that it is built on, how firm the order of the methods is, what each costs
to train, and what teaching together has saved. A function of the records alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from fgkd.record import RunRecord
from fgkd.report.comparison import Cell, Comparison, Group
from fgkd.report.evidence import Interval, interval, paired_interval
from fgkd.report.lines import SIGNIFICANT, heading, lead_cell, ordered_methods
from fgkd.report.sheet import markdown_text, number

FEWEST = 3  # methods that make an order
SEARCH = "_tuning"  # in the names of suites that look for recipes: what they chose is run elsewhere, and counts there
BUILT_ON = (  # (base, what is built on it)
    ("kd", "th_kd"),
    ("kd", "th_kd_paper"),
    ("th_kd_paper", "th_kd_paper_conv_bn"),
    ("th_kd_paper", "th_kd_paper_orthogonal"),
    ("kd", "sh_kd(kd)"),
    ("kd", "kd+crd"),
    ("crd", "kd+crd"),
    ("kd+crd", "th_kd+crd"),
    ("kd+crd", "sh_kd+crd"),
    ("kd", "kd+triplet_embedding"),
)
REFERENCES = ("scratch", "kd", "th_kd", "crd", "kd+crd")  # by which students and teachers are compared
_HEAD = """\
# Findings across tables

Generated from the records of all suites by `fgkd board`; edits here are lost. Differences are in points of the table's
metric, mean and 95 % t-interval over runs with equal seeds; with one pair there is no interval.
"""


def findings(suites: Sequence[Comparison]) -> str:
    """The page, ending in a newline; `suites` are held apart, as their boards are."""
    told = [suite for suite in suites if SEARCH not in suite.records[0].suite]
    tables = [group for suite in told for group in suite.tables if _tells(group)]
    sections = [
        _HEAD,
        _winners(tables),
        _built_on(tables),
        _bought(tables),
        _orders(tables),
        _rates(suites),
        _costs(tables),
        _savings(suites),
    ]
    return "\n".join(section for section in sections if section)


def _tells(group: Group) -> bool:
    """Whether a table has a teacher, a `kd` to compare with, and enough methods to put in order."""
    methods = {cell.method for cell in group.cells if cell.scores}
    return any(cell.teacher for cell in group.taught) and "kd" in methods and len(methods) >= FEWEST


def _title(group: Group) -> str:
    """Tables of one pair differ by their recipes, of which the epochs tell most."""
    return f"{heading(group)}, {lead_cell(group).first.spec.feed.epochs} epochs"


def _named(group: Group) -> dict[str, Cell]:
    return {name: cell for cell, name in ordered_methods(group)}


def _winners(tables: Iterable[Group]) -> str:
    rows = []
    for group in tables:
        found = [s for s in group.standings if s.cell.scores]
        ranked = [s for s in found if s.rank == 1] or found  # one lucky seed leads nobody who has them all
        best = max(ranked, key=lambda s: s.cell.score.mean or 0.0).cell
        above = [s for s in found if (s.kd.mean or 0.0) > 0]
        below = [s for s in found if s.scratch.mean is not None and s.scratch.mean < 0]
        rows.append(
            [
                _title(group),
                str(len(found)),
                str(len(group.seeds)),
                f"{best.method}, {_spread(best.score, signed=False)}",
                _share(above, [s for s in above if s.kd.p is not None and s.kd.p < SIGNIFICANT]),
                _share(below, [s for s in below if s.scratch.p is not None and s.scratch.p < SIGNIFICANT]),
            ]
        )
    names = ("table", "methods", "runs each", "best mean", "above kd (significantly)", "below scratch (significantly)")
    return _section("Who leads", names, rows)


def _share(found: Sequence[object], sure: Sequence[object]) -> str:
    return f"{len(found)} ({len(sure)})"


def _built_on(tables: Iterable[Group]) -> str:
    rows = []
    for group in tables:
        named = _named(group)
        for base, built in BUILT_ON:
            if base in named and built in named:
                spread = paired_interval(named[built].scores, named[base].scores)
                if spread.mean is not None:
                    rows.append([_title(group), built, base, _spread(spread), str(spread.n)])
    return _section(
        "What a method adds to the one it is built on", ("table", "method", "over", "points", "pairs"), rows
    )


def _bought(tables: Sequence[Group]) -> str:
    """What changes where tables differ by their student, or by their teacher, and by nothing else."""
    rows = []
    for pair in combinations(tables, 2):
        small, large = sorted(pair, key=_capacity)
        if _surroundings(small) != _surroundings(large):
            continue
        (student, teacher), (other, another) = ((lead_cell(g).student, lead_cell(g).teacher) for g in (small, large))
        if (student == other) == (teacher == another):
            continue
        change = f"{student} to {other}" if student != other else f"{teacher} to {another}"
        ours, theirs = _named(large), _named(small)
        for method in REFERENCES if student != other else REFERENCES[1:]:  # scratch has no teacher to exchange
            if method in ours and method in theirs:
                spread = paired_interval(ours[method].scores, theirs[method].scores)
                if spread.mean is not None:
                    dataset = lead_cell(small).first.spec.feed.dataset.name
                    rows.append([dataset, change, method, _spread(spread), str(spread.n)])
    names = ("data", "from and to", "method", "points", "pairs")
    return _section("What a larger student or a better teacher buys", names, rows)


def _capacity(group: Group) -> tuple[float, float]:
    """Parameters of the student, and the test accuracy of the teacher."""
    told = [r.teacher.test_top1 for cell in group.taught for r in cell.records if r.teacher and r.teacher.test_top1]
    return lead_cell(group).mean("student", "param_count") or 0.0, max(told, default=0.0)


def _surroundings(group: Group) -> tuple[object, ...]:
    """All that a table's runs share but student and teacher."""
    spec = lead_cell(group).first.spec
    return spec.feed.without_teacher().model_copy(update={"data_seed": 0}), spec.recipe


def _orders(tables: Sequence[Group]) -> str:
    means = {_title(group): _means(group) for group in tables}
    rows = [[_title(group), "its own seeds", *_own_order(group)] for group in tables]
    for (name, ours), (other, theirs) in combinations(means.items(), 2):
        shared = sorted(ours.keys() & theirs.keys())
        if len(shared) >= FEWEST:
            tau, p = _kendall([ours[m] for m in shared], [theirs[m] for m in shared])
            rows.append([name, other, number(tau, 2), f"{p:.2g}", str(len(shared))])
    rows = [row for row in rows if row[2]]
    return _section("How firm the order is (Kendall's tau)", ("table", "against", "tau", "p", "methods"), rows)


def _means(group: Group) -> dict[str, float]:
    complete = {id(cell) for cell in group.complete}
    return {name: group.mean(cell) for cell, name in ordered_methods(group) if id(cell) in complete}


def _own_order(group: Group) -> tuple[str, str, str]:
    """Mean tau of the orders that two single seeds give, of complete methods; no p, since the pairs share seeds."""
    cells, seeds = group.complete, sorted(group.seeds)
    if len(cells) < FEWEST or len(seeds) < 2:
        return "", "", ""
    taus = [_kendall([c.scores[a] for c in cells], [c.scores[b] for c in cells])[0] for a, b in combinations(seeds, 2)]
    return number(sum(taus) / len(taus), 2), "", str(len(cells))


def _kendall(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    from scipy.stats import kendalltau  # half a second of imports

    found = kendalltau(ours, theirs)
    return float(found.statistic), float(found.pvalue)


def _rates(suites: Iterable[Comparison]) -> str:
    """Runs that differ by their learning rate alone."""
    named: dict[tuple[str, str, str, int], list[RunRecord]] = {}
    for record in (r for suite in suites for r in suite.records if r.spec.role == "student"):
        spec = record.spec
        named.setdefault((spec.feed.dataset.name, spec.student.name, spec.method.label, spec.seed), []).append(record)
    rows = []
    for (dataset, student, method, seed), records in named.items():
        for held in _held_by_rate(records):
            shares = ", ".join(f"{rate:g}: {number(100 * top1, 1)}" for rate, top1 in sorted(held.items()))
            best = max(held, key=lambda rate: (held[rate], rate))  # of equals the higher
            rows.append([dataset, student, method, str(seed), shares, f"{best:g}"])
    names = ("data", "student", "method", "seed", "hold-out top-1 % by learning rate", "better")
    return _section("Which learning rate suits which method", names, sorted(rows))


def _held_by_rate(records: Sequence[RunRecord]) -> list[dict[float, float]]:
    """Hold-out top-1 by learning rate, for every set of runs that have all else in common and at least two rates."""
    if len({record.spec.recipe.lr for record in records}) < 2:
        return []
    found: dict[str, dict[float, float]] = {}
    for record in records:
        recipe, top1 = record.spec.recipe, record.metric("top1", "holdout_last")
        if top1 is not None:
            alike = record.spec.model_copy(update={"recipe": recipe.model_copy(update={"lr": 1.0})})
            found.setdefault(alike.digest(), {})[recipe.lr] = top1
    return [held for held in found.values() if len(held) > 1]


def _costs(tables: Iterable[Group]) -> str:
    """Own training seconds of each method over those of scratch in the same table on the same device, mean of all."""
    ratios: dict[str, list[float]] = {}
    for group in tables:
        named = _named(group)
        if (alone := named.get("scratch")) is None:
            continue
        for device in sorted({record.environment.device or "" for record in alone.records}):
            plain = alone.cost("train_seconds", device)
            for name, cell in named.items():
                own = cell.cost("train_seconds", device)
                if plain and own is not None:
                    ratios.setdefault(name, []).append(own / plain)
    spreads = {name: interval(values) for name, values in ratios.items()}
    ordered = sorted(spreads.items(), key=lambda item: (item[1].mean or 0.0, item[0]))
    rows = [[name, number(spread.mean, 2), str(spread.n)] for name, spread in ordered]
    names = ("method", "training seconds of its own / scratch's", "tables and devices")
    return _section("What a method costs to train, without loading and teacher", names, rows)


def _savings(suites: Iterable[Comparison]) -> str:
    rows = []
    for suite in suites:
        records = [r for r in suite.records if r.status == "ok" and r.spec.role == "student"]
        own = sum(r.costs.train_seconds or 0.0 for r in records)
        alone = own + sum(r.costs.shared_seconds or 0.0 for r in records)
        shared: dict[object, float] = {}
        for record in records:  # what a cohort shares is paid once, by whoever had the most of it
            key = record.cohort.id or record.run_id
            shared[key] = max(shared.get(key, 0.0), record.costs.shared_seconds or 0.0)
        together = own + sum(shared.values())
        if together:
            runs, hours = str(len(records)), (f"{seconds / 3600:.2f}" for seconds in (alone, together))
            rows.append([suite.records[0].suite, runs, *hours, number(alone / together, 2)])
    names = ("suite", "runs", "hours one by one", "hours in cohorts", "ratio")
    return _section("What teaching together has saved, by the seconds in the records", names, rows)


def _spread(spread: Interval, *, signed: bool = True) -> str:
    sign = "+" if signed else ""
    if spread.low is None or spread.high is None:
        return f"{spread.mean:{sign}.2f}"
    return f"{spread.mean:{sign}.2f} [{spread.low:{sign}.2f}, {spread.high:{sign}.2f}]"


def _section(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    rules = [":--" if i == 0 else "--:" for i in range(len(names))]
    cells = [list(names), rules, *([markdown_text(cell) for cell in row] for row in rows)]
    return "\n".join([f"## {title}", "", *(f"| {' | '.join(row)} |" for row in cells)]) + "\n"
