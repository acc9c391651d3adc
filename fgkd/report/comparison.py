"""Runs sorted into what may be compared with what.

A *cell* is one configuration over its seeds: everything in the spec but `seed` and `data_seed`. A *group* is the cells
that one table holds: same data of the same revision, view, epochs, batch, precision and student, taught by the same
teacher. Beside them stand the cells of the same feed and student that no teacher taught (`scratch` and its like): they
meet every teacher.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fgkd.record import MetricSet, RunRecord
from fgkd.report.evidence import Difference, Interval, holm, interval, paired_difference
from fgkd.report.fields import spelt_out
from fgkd.report.tasks import RANKINGS, Ranking, task_of

Seeds = tuple[int, int]  # (seed, data_seed)


@dataclass(frozen=True)
class Identity:
    """What places a run, each as canonical JSON: equal text, equal thing."""

    context: str  # feed without teacher, bank and data seed; student; revision of the data
    teacher: str  # backbone, its training, the bank; "" where nobody teaches
    recipe: str
    config: str  # short digest of all but the seeds


def identify(record: RunRecord) -> Identity:
    """The place of one run among all."""
    spec = spelt_out(record.spec)
    feed = _without_seeds(spec)["feed"]
    config = hashlib.sha256(_text(spec).encode()).hexdigest()[:8]
    teacher, bank = feed.pop("teacher"), feed.pop("bank")
    kept = [feed.pop("bank_precision")] if "bank_precision" in feed else []
    # The bank is left out of the context: a run without a teacher can have none, and still is what others compare to.
    # A head taken from a student makes no other teacher: SH-KD stands in the table of the teacher that wears the head.
    taught_by = _text([teacher["backbone"], teacher["train"], teacher["seed"], bank, *kept]) if teacher else ""
    return Identity(
        _text([feed, spec["student"], spec["role"], revision_of(record)]), taught_by, _text(spec["recipe"]), config
    )


def revision_of(record: RunRecord) -> str:
    """Of the images that a run learned and was tested on; "" where it does not say."""
    return (record.data.revision if record.data else None) or ""


def _without_seeds(spec: dict[str, Any]) -> dict[str, Any]:
    """Drop `seed` and `data_seed`, also of the run that a teacher's head comes from."""
    del spec["seed"], spec["feed"]["data_seed"]
    if (teacher := spec["feed"]["teacher"]) and teacher["head_from"]:
        _without_seeds(teacher["head_from"])
    return spec


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Cell:
    """One configuration and its runs, in the order of their seeds."""

    identity: Identity
    records: tuple[RunRecord, ...]

    @property
    def first(self) -> RunRecord:
        """A run that stands for what all of them share."""
        return self.records[0]

    @property
    def method(self) -> str:
        """The name on the board."""
        return self.first.spec.method.label

    @property
    def student(self) -> str:
        """The student's name."""
        return self.first.spec.student.name

    @property
    def teacher(self) -> str:
        """The teacher's name, "" where nobody teaches."""
        return self.first.spec.feed.teacher.name if self.first.spec.feed.teacher else ""

    @property
    def ranking(self) -> Ranking:
        """What it is ranked by."""
        return RANKINGS[task_of(self.records)]

    @cached_property
    def scores(self) -> dict[Seeds, float]:
        """The ranking's test metric in percent of the runs that ended well; runs that share both seeds are averaged."""
        return self._by_seeds(self.ranking.metric, "test_last")

    def _by_seeds(self, metric: str, split: MetricSet) -> dict[Seeds, float]:
        by_seeds = defaultdict(list)
        for record in self.records:
            if record.status == "ok" and (score := record.metric(metric, split)) is not None:
                by_seeds[seeds_of(record)].append(100 * score)
        return {seeds: sum(values) / len(values) for seeds, values in by_seeds.items()}

    @cached_property
    def held_out(self) -> dict[Seeds, float]:
        """The same of the hold-out's top-1, by which methods were not compared; retrieval has no other."""
        return self._by_seeds("top1", "holdout_last")

    @cached_property
    def score(self) -> Interval:
        """Mean of `scores` and its interval."""
        return interval(list(self.scores.values()))

    def mean_metric(self, name: str) -> float | None:
        """Mean of another test metric, in percent, over the runs that ended well; None where none has it."""
        values = [value for r in self.records if r.status == "ok" and (value := r.metric(name)) is not None]
        return 100 * sum(values) / len(values) if values else None

    def cost(self, name: str, device: str | None = None) -> float | None:
        """Mean of a cost over the runs on one device that ended well, by default that of most; None: none has it."""
        device = device or usual_device([self])
        costs = [r.costs for r in self.records if r.status == "ok" and r.environment.device == device]
        values = [value for found in costs if found and (value := getattr(found, name)) is not None]
        return sum(values) / len(values) if values else None

    def mean(self, part: str, name: str) -> float | None:
        """Mean of a student fact over the runs that ended well; None where none has it."""
        parts = [getattr(record, part) for record in self.records if record.status == "ok"]
        values = [value for part in parts if part and (value := getattr(part, name)) is not None]
        return sum(values) / len(values) if values else None


def usual_device(cells: Iterable[Cell]) -> str | None:
    """The device of most runs that ended well; seconds are of it alone, for those of two devices have no mean."""
    runs = Counter(r.environment.device for c in cells for r in c.records if r.status == "ok" and r.environment.device)
    return min(runs, key=lambda device: (-runs[device], device)) if runs else None


@dataclass(frozen=True)
class Standing:
    """A cell within its group: paired differences in points, rank among complete cells (1 is best).

    `device`: whose seconds the group tells.
    """

    cell: Cell
    scratch: Difference = field(default_factory=Difference)
    kd: Difference = field(default_factory=Difference)
    rank: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class Group:
    """One table: `taught` are its own cells, `untaught` those without a teacher that stand beside them."""

    taught: list[Cell] = field(default_factory=list)
    untaught: list[Cell] = field(default_factory=list)

    @property
    def cells(self) -> list[Cell]:
        """All cells of the table."""
        return self.taught + self.untaught

    @property
    def ranking(self) -> Ranking:
        """What its cells are ranked by; one whose runs all failed early does not know."""
        return RANKINGS[task_of(record for cell in self.cells for record in cell.records)]

    @cached_property
    def seeds(self) -> set[Seeds]:
        """Those that half of the table's own cells were run with, or more; all of them where no seed is.

        So a method that is ahead of the others with a second seed takes no rank from them. The untaught may have more
        seeds, for other teachers' tables.
        """
        run = Counter(seeds for cell in self.taught for seeds in {seeds_of(record) for record in cell.records})
        return {seeds for seeds, cells in run.items() if 2 * cells >= len(self.taught)} or set(run)

    @cached_property
    def complete(self) -> list[Cell]:
        """The cells that have a result for every seed of the table: those that are ranked."""
        return [cell for cell in self.cells if cell.scores and self.seeds <= cell.scores.keys()]

    def mean(self, cell: Cell) -> float:
        """The mean score over the table's seeds of a complete cell, in percent: what it is ranked by.

        Rounded to 9 decimals, for as many right answers in all, spread otherwise over the seeds, add up to another last
        bit, and equals would not be equal.
        """
        return round(sum(cell.scores[seeds] for seeds in sorted(self.seeds)) / len(self.seeds), 9)

    @cached_property
    def ordered(self) -> list[Cell]:
        """All cells, best mean first, of a complete one that over the table's seeds; those without a result last."""
        complete = {id(cell) for cell in self.complete}
        mean = lambda cell: self.mean(cell) if id(cell) in complete else cell.score.mean
        below = lambda mean: -1.0 if mean is None else mean
        return sorted(self.cells, key=lambda c: (-below(mean(c)), c.method, c.identity.config))

    @cached_property
    def device(self) -> str | None:
        """See `usual_device`."""
        return usual_device(self.cells)

    @cached_property
    def standings(self) -> list[Standing]:
        """Every cell of the table with its evidence, in the order of `cells`.

        The p-values of `taught` are one Holm family per baseline. An untaught cell shows its difference to this table's
        `kd` without a p: its own family, and so its own p to `scratch`, is in the table of those that nobody taught.
        """
        taught = _with_holm([_standing(cell, self) for cell in self.taught])
        alone = Group(taught=self.untaught).standings if self.untaught else []
        untaught = [replace(s, kd=replace(_standing(s.cell, self).kd, p=None)) for s in alone]
        ranks = _ranks(self)
        return [replace(s, rank=ranks.get(id(s.cell)), device=self.device) for s in taught + untaught]


@dataclass(frozen=True)
class Comparison:
    """Records sorted once, for all that draw something of them."""

    records: Sequence[RunRecord]

    @cached_property
    def cells(self) -> list[Cell]:
        """See `cells_of`."""
        return cells_of(self.records)

    @cached_property
    def groups(self) -> list[Group]:
        """See `groups_of`."""
        return groups_of(self.cells)

    @cached_property
    def tables(self) -> list[Group]:
        """The groups that are worth a table: without those whose cells all stand beside a teacher's."""
        beside = {id(cell) for group in self.groups for cell in group.untaught}
        return [group for group in self.groups if id(group.taught[0]) not in beside]


def seeds_of(record: RunRecord) -> Seeds:
    """What runs are paired by."""
    return record.spec.seed, record.spec.feed.data_seed


def cells_of(records: Iterable[RunRecord]) -> list[Cell]:
    """Runs gathered into cells, ordered by data set, protocol, teacher, student, method."""
    gathered: dict[Identity, list[RunRecord]] = defaultdict(list)
    known: dict[tuple[str, str], Identity] = {}  # runs that differ by their seeds alone are many; spelling out is slow
    for record in records:
        config = record.spec.without_seeds, revision_of(record)
        if config not in known:
            known[config] = identify(record)
        gathered[known[config]].append(record)
    cells = [Cell(key, tuple(sorted(runs, key=lambda r: (*seeds_of(r), r.run_id)))) for key, runs in gathered.items()]
    return sorted(cells, key=_place)


def _place(cell: Cell) -> tuple[str, ...]:
    dataset = cell.first.spec.feed.dataset
    return dataset.name, dataset.protocol, cell.teacher, cell.student, cell.method, cell.identity.config


def groups_of(cells: Sequence[Cell]) -> list[Group]:
    """Students' cells by feed, student and teacher; the untaught are a group too. Teachers' own runs are in none."""
    groups: dict[tuple[str, str], Group] = {}
    for cell in (cell for cell in cells if cell.first.spec.role == "student"):
        groups.setdefault((cell.identity.context, cell.identity.teacher), Group()).taught.append(cell)
    for (context, teacher), group in groups.items():
        if teacher and (alone := groups.get((context, ""))):
            group.untaught.extend(alone.taught)
    return list(groups.values())


def _standing(cell: Cell, group: Group) -> Standing:
    scratch, kd = baselines(cell, group)
    return Standing(cell, _difference(cell, scratch), _difference(cell, kd))


def baselines(cell: Cell, group: Group) -> tuple[Cell | None, Cell | None]:
    """The `scratch` and the `kd` that a cell of the table is held against; None where it is not told which."""
    scratch = _baseline("scratch", cell, [c for c in group.cells if not c.identity.teacher])
    kd = _baseline("kd", cell, [c for c in group.cells if c.identity.teacher])
    return scratch, kd


def _baseline(method: str, cell: Cell, among: Sequence[Cell]) -> Cell | None:
    """The one cell of that name on the same recipe; None where there is none, or several and so no telling which."""
    found = [other for other in among if other.method == method and other.identity.recipe == cell.identity.recipe]
    return found[0] if len(found) == 1 else None


def _difference(cell: Cell, baseline: Cell | None) -> Difference:
    if baseline is None or baseline is cell:
        return Difference()
    return paired_difference(cell.scores, baseline.scores)


def _with_holm(family: list[Standing]) -> list[Standing]:
    scratch, kd = holm([s.scratch.p for s in family]), holm([s.kd.p for s in family])
    return [
        replace(s, scratch=replace(s.scratch, p=p), kd=replace(s.kd, p=q))
        for s, p, q in zip(family, scratch, kd, strict=True)
    ]


def _ranks(group: Group) -> dict[int, int]:
    """Ranks of the complete cells by their means over the table's seeds; equal means share the better rank."""
    means = {id(cell): group.mean(cell) for cell in group.complete}
    return {key: 1 + sum(other > mean for other in means.values()) for key, mean in means.items()}
