"""One table of a board as text, for whatever draws it: the same words on a page and in a terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fgkd.record import RunRecord
from fgkd.report.comparison import Cell, Group, Standing, revision_of
from fgkd.report.evidence import Difference, Interval
from fgkd.report.recipes import recipes_text
from fgkd.report.sheet import number
from fgkd.spec import Feed, RunSpec, TeacherSpec

SIGNIFICANT = 0.05
SAMPLERS = {
    "sqrt": "classes shown in proportion to the square root of their size",
    "balanced": "all classes shown equally often",
}


@dataclass(frozen=True)
class Line:
    """One configuration in a table, as raw text; blank where there is no number.

    Attributes:
        best: whether it leads the complete configurations.
        tied: whether its interval overlaps the leader's.
    """

    rank: str
    method: str
    score: str
    scratch: str
    kd: str
    params: str
    macs: str
    own_seconds: str
    shared_seconds: str
    runs: str
    best: bool
    tied: bool


def lines_of(group: Group) -> list[Line]:
    """The table's lines, best mean first, those without a result last."""
    found = group.standings
    leader = next((s.cell.score for s in found if s.rank == 1), Interval())
    of = {id(standing.cell): standing for standing in found}
    return [_line(of[id(cell)], leader, name) for cell, name in ordered_methods(group)]


def ordered_methods(group: Group) -> list[tuple[Cell, str]]:
    """The table's cells, best mean first, and what each is called: with a digest where the name is not its own."""
    names = Counter(cell.method for cell in group.cells)
    return [(c, f"{c.method} ({c.identity.config})" if names[c.method] > 1 else c.method) for c in group.ordered]


def _line(standing: Standing, leader: Interval, name: str) -> Line:
    cell = standing.cell
    best = standing.rank == 1
    millions = {name: cell.mean("student", name) for name in ("param_count", "macs")}
    params, macs = (number(None if v is None else v / 1e6, 2) for v in millions.values())
    return Line(
        rank="" if standing.rank is None else str(standing.rank),
        method=name,
        score=_score(cell.score),
        scratch=_delta(standing.scratch),
        kd=_delta(standing.kd),
        params=params,
        macs=macs,
        own_seconds=number(cell.cost("train_seconds", standing.device), 0),
        shared_seconds=number(cell.cost("shared_seconds", standing.device), 0),
        runs=f"{sum(r.status == 'ok' for r in cell.records)}/{len(cell.records)}",
        best=best,
        tied=not best and cell.score.overlaps(leader),
    )


def _score(score: Interval) -> str:
    half = f" +- {score.half:.2f}" if score.half is not None else ""
    return number(score.mean, 2) + half


def _delta(difference: Difference) -> str:
    if difference.mean is None:
        return ""
    star = "*" if difference.p is not None and difference.p < SIGNIFICANT else ""
    return f"{difference.mean:+.2f}{star}"


def heading(group: Group) -> str:
    """What the table compares, for example ``cub200: resnet18.a1_in1k taught by convnext_base``."""
    cell = lead_cell(group)
    dataset = cell.first.spec.feed.dataset
    protocol = "" if dataset.protocol == "default" else f" ({dataset.protocol})"
    taught = f" taught by {cell.teacher}" if cell.teacher else " without a teacher"
    return f"{dataset.name}{protocol}: {cell.student}{taught}"


def headings(groups: Sequence[Group]) -> list[str]:
    """The headings of one page's tables; those that would read the same tell what sets them apart."""
    plain = [heading(group) for group in groups]
    twins: dict[str, list[Group]] = defaultdict(list)
    for group, text in zip(groups, plain, strict=True):
        twins[text].append(group)
    return [text + _apart(group, twins[text]) for group, text in zip(groups, plain, strict=True)]


def _apart(group: Group, twins: Sequence[Group]) -> str:
    """The shortest fact that no other of the twins has, or a digest; blank for one that is alone, or has the usual."""
    if len(twins) == 1:
        return ""
    by_kind = zip(*map(_facts, twins), strict=True)
    own = [fact for fact, facts in zip(_facts(group), by_kind, strict=True) if facts.count(fact) == 1]
    if own and not any(own):
        return ""
    return f", {min(filter(None, own), key=len, default=lead_cell(group).identity.config)}"


def _facts(group: Group) -> list[str]:
    """What may set apart two tables of one pair; of one spec, it is the images."""
    return [*_protocol(group), f"data revision {revision_of(lead_cell(group).first)}"]


def lead_cell(group: Group) -> Cell:
    """The cell whose teacher is plain, where there is one: SH-KD's wears a student's head and may be labelled so."""
    plain = (c for c in group.taught if not (c.first.spec.feed.teacher and c.first.spec.feed.teacher.head_from))
    return next(plain, group.taught[0])


def suite_names(records: Iterable[RunRecord]) -> list[str]:
    """The suites that runs came from, each with its versions, for example ``cub50 (versions 1, 2)``."""
    versions: dict[str, set[str]] = {}
    for record in records:
        versions.setdefault(record.suite, set()).add(str(record.suite_version))
    return [
        f"{suite} (version{'s' if len(found) > 1 else ''} {', '.join(sorted(found, key=lambda v: (len(v), v)))})"
        for suite, found in sorted(versions.items())
    ]


def conditions(group: Group) -> str:
    """How the runs of the table were made: view, epochs, batch, recipe, precision, devices, seeds."""
    records = [record for cell in group.cells for record in cell.records]
    devices = {r.environment.device for r in records if r.environment.device}
    facts = [
        *filter(None, _protocol(group)),
        *_listed("on", devices),
        *([f"seconds of those on {group.device}"] if len(devices) > 1 else []),
        *(["students compiled by torch in some runs"] if any(r.environment.compiled for r in records) else []),
        *_listed("seeds", {r.spec.seed for r in records}),
        *_listed("data seeds", {r.spec.feed.data_seed for r in records}),
    ]
    return ", ".join(facts)


def _protocol(group: Group) -> list[str]:
    """What was asked of all runs of a table; blank where it is the usual."""
    feed = lead_cell(group).first.spec.feed
    return [
        _view(lead_cell(group).first.spec),
        f"{feed.epochs} epochs of batches of {feed.batch_size}",
        recipes_text(cell.first.spec.recipe for cell in group.cells),
        f"precision {'fp32' if feed.precision == 'no' else feed.precision}",
        _bank(feed) if feed.bank else "",
        SAMPLERS.get(feed.sampler, ""),
    ]


def _view(spec: RunSpec) -> str:
    """The size of the shared views, and whose network sees them at another."""
    feed = spec.feed
    sides = {"student": spec.student, **({"teacher": feed.teacher.backbone} if feed.teacher else {})}
    others = [f"{one.size} px for the {side}" for side, one in sides.items() if one.size not in (None, feed.view.size)]
    return ", ".join([f"view {feed.view.size} px ({feed.view.augment})", *others])


def _bank(feed: Feed) -> str:
    views = "1 fixed view" if feed.bank == 1 else f"{feed.bank} fixed views"
    return f"a bank of {views} per image ({feed.bank_precision}; another recipe than fresh views, which scratch has)"


def _listed(what: str, values: set) -> list[str]:
    return [f"{what} {', '.join(str(v) for v in sorted(values))}"] if values else []


def teacher_lines(group: Group) -> list[str]:
    """Each training of the table's teachers by its test accuracy and the runs that learned from it, then the notes of
    the suites, without repeats."""
    records = [record for cell in group.taught for record in cell.records]
    trainings = Counter(name for record in records if (name := _training(record)))
    notes = [note for record in records if record.teacher for note in record.teacher.notes]
    scores = [f"{name} ({count} run{'s' if count > 1 else ''})" for name, count in trainings.items()]
    return [*scores, *dict.fromkeys(notes)]


def _training(record: RunRecord) -> str:
    """The teacher of a run and how well this training of it answers; empty where that was not measured."""
    teacher = record.teacher
    if teacher is None or teacher.test_top1 is None:
        return ""
    return f"{teacher.name}{worn_head(record.spec.feed.teacher)}: test top-1 {100 * teacher.test_top1:.2f} %"


def worn_head(teacher: TeacherSpec | RunSpec | None) -> str:
    """What tells an SH-KD teacher from the plain one of the same name, as a suffix; empty for the plain one."""
    return "" if teacher is None or teacher.head_from is None else ", wearing a student's head"


def failure_line(record: RunRecord) -> tuple[str, ...]:
    """Run, data set, student, method, seeds, status and reason of a run without a result."""
    spec = record.spec
    method = "teacher" if spec.role == "teacher" else spec.method.label
    seeds = f"{spec.seed}/{spec.feed.data_seed}"
    dataset = spec.feed.dataset.name
    return record.run_id, dataset, spec.student.name, method, seeds, record.status, (record.reason or "")[:300]
