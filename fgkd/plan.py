"""From runs to cohorts in an order that works: who sits together, who waits for whom, what is done already.

A cohort is a set of runs with equal feeds. A run that asks nothing of a teacher joins a cohort that shares its data, so
that it costs no data pass of its own. Teachers are runs in cohorts of their own, placed before whoever needs them. So
are students from scratch, where a teacher has no stated gate: it must be better than they are before anyone learns from
it. Nobody needs their weights, so that one that fails holds up nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from fgkd.spec import Feed, RunSpec, teacher_run


@dataclass(frozen=True)
class PlannedCohort:
    """Runs that will be trained together.

    Attributes:
        feed: what they share, the teacher included.
        runs: those with a teacher first, of these and of the others those first who need fewer runs before them; else
            in the suite's order.
        waits_for: run ids whose weights must exist before this cohort starts.
        after: run ids of the scratch runs that its teacher will be compared with, whether they end well or not.
    """

    feed: Feed
    runs: tuple[RunSpec, ...]
    waits_for: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()

    @property
    def cohort_id(self) -> str:
        """A name from the feed alone; parts of a cohort that share its teacher have it in common."""
        return f"{self.feed.dataset.name}-{self.feed.digest(8)}"


def part_of(planned: PlannedCohort, runs: Sequence[RunSpec]) -> PlannedCohort:
    """The cohort with these of its runs alone, and without a teacher where none of them asks for one."""
    taught = any(run.feed.teacher is not None for run in runs)
    return replace(planned, feed=planned.feed if taught else planned.feed.without_teacher(), runs=tuple(runs))


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


def is_baseline(run: RunSpec) -> bool:
    """Is it a student trained from scratch, with nothing but labels?"""
    alone = run.feed.teacher is None and run.head_from is None
    return run.role == "student" and alone and [part.name for part in run.method.parts] == ["scratch"]


def contest(run: RunSpec) -> tuple[Hashable, ...]:
    """What a run and its baselines have in common: data, view, epochs and student."""
    return run.feed.dataset, run.feed.view, run.feed.epochs, run.student


def asks_for_baselines(run: RunSpec) -> bool:
    """Does the gate of its teacher depend on the student's own accuracy from scratch?"""
    return run.role == "student" and run.feed.teacher is not None and run.feed.teacher.gate is None


def ancestors(run: RunSpec) -> dict[str, RunSpec]:
    """Everything that must exist before `run`, at any distance, by run id."""
    found: dict[str, RunSpec] = {}
    for needed in dependencies(run):
        found |= {needed.run_id: needed} | ancestors(needed)
    return found


def with_ancestors(runs: Iterable[RunSpec]) -> dict[str, RunSpec]:
    """The runs, and after them everything that must exist before one of them, each once, by run id."""
    found = {run.run_id: run for run in runs}
    for run in list(found.values()):
        found |= ancestors(run)
    return found


def missing_runs(
    runs: Iterable[RunSpec], recorded: Container[str], stored: Container[str], failed: Container[str] = frozenset()
) -> dict[str, RunSpec]:
    """Runs to do, by id: those without a record, and every teacher or run they need whose weights are absent too."""
    todo: dict[str, RunSpec] = {}
    for run in runs:
        if (run.run_id in recorded and (run.role == "student" or run.run_id in stored)) or run.run_id in failed:
            continue
        todo[run.run_id] = run
        queue = dependencies(run)
        while queue:
            needed = queue.pop()
            if needed.run_id not in failed and (needed.run_id not in stored or needed.run_id not in recorded):
                todo[needed.run_id] = needed
                queue += dependencies(needed)
    return todo


def make_plan(
    runs: Sequence[RunSpec],
    *,
    recorded: Container[str] = frozenset(),
    stored: Container[str] = frozenset(),
    failed: Container[str] = frozenset(),
) -> Plan:
    """The plan for what is missing.

    Args:
        runs: of a suite; repeats are dropped.
        recorded: ids of runs that have a record; they are not run again.
        stored: ids of runs whose weights are at hand; a recorded teacher without weights is trained again.
        failed: ids of runs whose record says that they did not end well; not even such a teacher is trained again.
    """
    todo = missing_runs(runs, recorded, stored, failed)
    done = {run.run_id: run for run in runs if run.run_id not in todo}
    needed, compared = _needed(todo), _compared(todo)
    groups = _groups(todo, {run_id: needed[run_id] | compared[run_id] for run_id in todo})
    union = lambda sets, group: frozenset().union(*(sets[run.run_id] for run in group.runs))
    cohorts = [
        PlannedCohort(group.feed, tuple(group.runs), union(needed, group), union(compared, group)) for group in groups
    ]
    order = TopologicalSorter(_graph(groups)).static_order()
    return Plan(tuple(cohorts[number] for number in order), tuple(done.values()))


def longest_first(plan: Plan, length: Callable[[PlannedCohort], float]) -> Plan:
    """The same cohorts, for several launches at once: first those that others wait for, and of these, as of the others,
    the one at whose head the longest chain of work stands. Nobody comes before what it waits for.

    Args:
        length: of a cohort, >= 0, in any unit.
    """
    home = {run.run_id: number for number, cohort in enumerate(plan.cohorts) for run in cohort.runs}
    followers: dict[int, set[int]] = defaultdict(set)
    for number, cohort in enumerate(plan.cohorts):
        for run_id in cohort.waits_for | cohort.after:
            if home.get(run_id, number) != number:
                followers[home[run_id]].add(number)
    chain: dict[int, float] = {}
    for number in reversed(range(len(plan.cohorts))):  # followers come later in a plan
        chain[number] = length(plan.cohorts[number]) + max((chain[f] for f in followers[number]), default=0.0)
    order = sorted(chain, key=lambda number: (not followers[number], -chain[number], number))
    return replace(plan, cohorts=tuple(plan.cohorts[number] for number in order))


Before = Mapping[str, frozenset[str]]  # run id -> ids of the runs to do that come before it


def _needed(todo: Mapping[str, RunSpec]) -> Before:
    return {
        run_id: frozenset(needed.run_id for needed in dependencies(run)) & todo.keys() for run_id, run in todo.items()
    }


def _compared(todo: Mapping[str, RunSpec]) -> Before:
    baselines: dict[tuple[Hashable, ...], set[str]] = defaultdict(set)
    for run_id, run in todo.items():
        if is_baseline(run):
            baselines[contest(run)].add(run_id)
    return {
        run_id: frozenset(baselines.get(contest(run), ()) if asks_for_baselines(run) else ())
        for run_id, run in todo.items()
    }


@dataclass
class _Group:
    feed: Feed
    runs: list[RunSpec]
    waits_for: set[str]

    def takes(self, run: RunSpec) -> bool:
        """Are this group's lessons the run's lessons? One that asks for no teacher does not mind one."""
        return self.feed == run.feed or (run.feed.teacher is None and self.feed.without_teacher() == run.feed)


def _groups(todo: Mapping[str, RunSpec], before: Before) -> list[_Group]:
    """Each run in the first group that takes it; runs with a teacher found the groups, so that the others can join
    them.

    Only a run that others wait for, or that wears the head of another, can make groups wait for each other in a circle;
    such runs are few, and each of them founds a group of its own where joining would.
    """
    groups: list[_Group] = []
    unplaced = dict(todo)
    awaited = frozenset().union(*before.values())
    founded = lambda run: _Group(run.feed, [run], set(before[run.run_id]))
    for run in sorted(todo.values(), key=lambda run: (run.feed.teacher is None, len(ancestors(run)))):
        del unplaced[run.run_id]
        for group in groups:
            if run.run_id in group.waits_for or not group.takes(run):
                continue
            joined = _Group(group.feed, [*group.runs, run], group.waits_for | before[run.run_id])
            others = [other for other in groups if other is not group]
            harmless = run.run_id not in awaited and run.head_from is None
            if harmless or not _circular([joined, *others, *map(founded, unplaced.values())]):
                group.runs, group.waits_for = joined.runs, joined.waits_for
                break
        else:
            groups.append(founded(run))
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
