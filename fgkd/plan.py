"""From runs to cohorts in an order that works: who sits together, who waits for whom, what is done already.

A cohort is a set of runs with equal feeds. A run that asks nothing of a teacher joins a cohort that shares its data, so
that `scratch` costs no data pass of its own. Teachers are runs in cohorts of their own, placed before whoever needs them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

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
    """The runs whose weights `run` needs before it can start: its teacher's, and the one whose head its teacher takes."""
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
    """Runs to do, by id: those asked for without a record, and every run they need whose weights (or record) are absent."""
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
    groups = _group(todo.values())
    cohorts = {
        key: PlannedCohort(
            feed=key,
            runs=tuple(group),
            waits_for=frozenset(d.run_id for run in group for d in dependencies(run) if d.run_id in todo),
        )
        for key, group in groups.items()
    }
    return Plan(tuple(_in_order(cohorts)), tuple(done.values()))


def _group(runs: Iterable[RunSpec]) -> dict[Feed, list[RunSpec]]:
    """Runs by feed; teacher-free ones join the first cohort of the same data that does not itself wait for them."""
    groups: dict[Feed, list[RunSpec]] = {}
    free: list[RunSpec] = []
    for run in runs:
        if run.feed.teacher is None:
            free.append(run)
        else:
            groups.setdefault(run.feed, []).append(run)
    hosts = sorted(groups, key=lambda feed: len(_behind(groups[feed])))
    for run in free:
        host = next((f for f in hosts if f.without_teacher() == run.feed and not _closes_a_circle(run, groups[f])), run.feed)
        groups.setdefault(host, []).append(run)
    return groups


def _behind(group: Iterable[RunSpec]) -> set[str]:
    return {run_id for run in group for run_id in ancestors(run)}


def _closes_a_circle(run: RunSpec, group: Sequence[RunSpec]) -> bool:
    """Would `run` in `group` make the group wait for itself, directly or through others?"""
    return run.run_id in _behind(group) or bool(_behind([run]) & {member.run_id for member in group})


def _in_order(cohorts: dict[Feed, PlannedCohort]) -> Iterator[PlannedCohort]:
    home = {run.run_id: key for key, cohort in cohorts.items() for run in cohort.runs}
    graph = {key: {home[run_id] for run_id in cohort.waits_for} for key, cohort in cohorts.items()}
    return (cohorts[key] for key in TopologicalSorter(graph).static_order())
