"""From runs to cohorts in an order that works: who sits together, who waits for whom, what is done already.

A cohort is a set of runs with equal feeds. A run that asks nothing of a teacher joins a cohort that shares its data, so
that `scratch` costs no data pass of its own. Teachers are runs in cohorts of their own, placed before whoever needs
them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from fgkd.spec import Feed, RunSpec, teacher_run


@dataclass(frozen=True)
class PlannedCohort:
    """Runs that will be trained together.

    Attributes:
        feed: what they share, the teacher included.
        runs: by run id, in the suite's order.
        waits_for: run ids whose weights must exist before this cohort starts.
    """

    feed: Feed
    runs: tuple[RunSpec, ...]
    waits_for: frozenset[str] = frozenset()

    @property
    def cohort_id(self) -> str:
        """A name from the content: the feed and the runs."""
        return f"{self.feed.dataset.name}-{self.feed.digest(8)}"


@dataclass(frozen=True)
class Plan:
    """Cohorts in the order in which they can run, and the runs that are recorded already."""

    cohorts: tuple[PlannedCohort, ...]
    recorded: tuple[RunSpec, ...] = field(default=())

    @property
    def runs(self) -> list[RunSpec]:
        """All runs still to do."""
        return [run for cohort in self.cohorts for run in cohort.runs]


def dependencies(run: RunSpec) -> list[RunSpec]:
    """The runs whose weights `run` needs before it can start: its teacher, and where its head is taken from."""
    needed = [] if (teacher := teacher_run(run.feed)) is None else [teacher]
    if run.head_from is not None:
        needed.append(run.head_from)
    return needed


def ancestors(run: RunSpec) -> dict[str, RunSpec]:
    """Everything that must exist before `run`, at any distance, by run id."""
    found: dict[str, RunSpec] = {}
    for needed in dependencies(run):
        found |= {needed.run_id: needed} | ancestors(needed)
    return found


def missing_runs(runs: Iterable[RunSpec], recorded: Container[str], stored: Container[str]) -> dict[str, RunSpec]:
    """Runs to do, by id: those without a record, and every run they need whose weights (or record) are absent."""
    todo: dict[str, RunSpec] = {}
    for run in runs:
        if run.run_id in recorded:
            continue
        todo[run.run_id] = run
        queue = dependencies(run)
        while queue:
            needed = queue.pop()
            if needed.run_id not in stored or needed.run_id not in recorded:
                todo[needed.run_id] = needed
                queue += dependencies(needed)
    return todo


def make_plan(
    runs: Sequence[RunSpec], *, recorded: Container[str] = frozenset(), stored: Container[str] = frozenset()
) -> Plan:
    """The plan for what is missing.

    Args:
        runs: of a suite; repeats are dropped.
        recorded: ids of runs that have a record; they are not run again.
        stored: ids of runs whose weights are at hand; a recorded teacher without weights is trained again.
    """
    todo = missing_runs(runs, recorded, stored)
    done = {run.run_id: run for run in runs if run.run_id not in todo}
    groups = _groups(todo)
    cohorts = [
        PlannedCohort(group.feed, tuple(group.runs), frozenset(group.waits_for & todo.keys())) for group in groups
    ]
    order = TopologicalSorter(_graph(groups)).static_order()
    return Plan(tuple(cohorts[number] for number in order), tuple(done.values()))


@dataclass
class _Group:
    feed: Feed
    runs: list[RunSpec]

    @property
    def waits_for(self) -> set[str]:
        return {needed.run_id for run in self.runs for needed in dependencies(run)}

    def takes(self, run: RunSpec) -> bool:
        """Are this group's lessons the run's lessons? One that asks for no teacher does not mind one."""
        return self.feed == run.feed or (run.feed.teacher is None and self.feed.without_teacher() == run.feed)


def _groups(todo: Mapping[str, RunSpec]) -> list[_Group]:
    """Each run in the first group that takes it; runs with a teacher found the groups, so that the others can join
    them.

    Only a run that waits, or that others wait for, can make groups wait for each other in a circle; such runs are
    few, and each of them founds a group of its own where joining would.
    """
    groups: list[_Group] = []
    unplaced = dict(todo)
    awaited = {needed.run_id for run in todo.values() for needed in dependencies(run)}
    for run in sorted(todo.values(), key=lambda run: (run.feed.teacher is None, len(ancestors(run)))):
        del unplaced[run.run_id]
        for group in groups:
            if group.takes(run):
                group.runs.append(run)
                if run.run_id not in awaited or not _circular(
                    [*groups, *(_Group(r.feed, [r]) for r in unplaced.values())]
                ):
                    break
                group.runs.pop()
        else:
            groups.append(_Group(run.feed, [run]))
    return groups


def _graph(groups: Sequence[_Group]) -> dict[int, set[int]]:
    home = {run.run_id: number for number, group in enumerate(groups) for run in group.runs}
    return {
        number: {home[run_id] for run_id in group.waits_for if run_id in home} for number, group in enumerate(groups)
    }


def _circular(groups: Sequence[_Group]) -> bool:
    try:
        TopologicalSorter(_graph(groups)).prepare()
    except CycleError:
        return True
    return False
