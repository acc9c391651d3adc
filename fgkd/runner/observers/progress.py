"""What a person sees while a suite runs: bars with time left in a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fgkd.plan import Plan, PlannedCohort
from fgkd.runner.observers.onlookers import Onlooker
from fgkd.text import count
from fgkd.train.cohort import Cohort

LOOK_EVERY = 1.0  # seconds between two notes beside the bar
FEW = 8  # methods whose figures are read in one line; records and `fgkd watch` have those of all


def lessons(cohort: PlannedCohort) -> int:
    """The work of a cohort in epochs times learners, the unit of the suite's bar."""
    return max(1, cohort.feed.epochs) * len(cohort.runs)


class SuiteProgress:
    """Shows a plan being run; a context manager.

    The suite's bar counts learner-epochs over all cohorts; the cohort's bar counts images of the running epoch's
    cohort. Beside them stand images per second and the share of time spent waiting for data.

    Args:
        onlookers: are told what happens too.
    """

    def __init__(self, plan: Plan, console: Console, *, enabled: bool, onlookers: Sequence[Onlooker] = ()) -> None:
        self.console, self.enabled, self.onlookers = console, enabled, onlookers
        self._plan = plan
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not (enabled and console.is_terminal),
        )
        self._suite = self._bars.add_task("suite", total=sum(map(lessons, plan.cohorts)), note="")
        self._cohort: TaskID | None = None
        self._begun = time.perf_counter()

    def __enter__(self) -> SuiteProgress:
        self._bars.start()
        for onlooker in self.onlookers:
            onlooker.begin(self._plan)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for onlooker in self.onlookers:
            onlooker.end()
        self._bars.stop()

    def say(self, text: str, style: str | None = None) -> None:
        """One line above the bars."""
        if self.enabled:
            self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar of its own for work before a cohort; yields what is called with the number of things done."""
        task = self._bars.add_task(what, total=total, note="")
        try:
            yield lambda count: self._bars.advance(task, count)
        finally:
            self._bars.remove_task(task)

    def start_cohort(self, number: int, planned: PlannedCohort, steps_per_epoch: int) -> None:
        """A cohort begins."""
        feed = planned.feed
        teacher = f", teacher {feed.teacher.name}" if feed.teacher else ""
        learners = ", ".join(_counted([run.method.label for run in planned.runs]))
        place = f"{number}/{len(self._plan.cohorts)}"
        self.say(
            f"[{place}] {feed.dataset.name}: {count(len(planned.runs), 'learner')} ({learners}){teacher}, "
            f"{count(feed.epochs, 'epoch')} of {count(steps_per_epoch, 'step')} at batch {feed.batch_size}"
        )
        if self._cohort is not None:
            self._bars.remove_task(self._cohort)
        total = feed.epochs * steps_per_epoch
        self._cohort = self._bars.add_task(f"cohort {number}", total=total or None, note="")
        self._begun, self._images, self._waited, self._steps = time.perf_counter(), 0, 0.0, 0
        self._looked = self._begun
        for onlooker in self.onlookers:
            onlooker.start_cohort(number, planned, steps_per_epoch)

    def resume_cohort(self, cohort: Cohort) -> None:
        """The cohort stands where an earlier launch left it."""
        epoch, step = cohort.position
        self._steps = epoch * cohort.loaders.train.steps_per_epoch + step
        self._images, self._waited = cohort.images, cohort.clock.known("load")
        self._bars.advance(self._suite, epoch * len(cohort.learners))
        if self._cohort is not None:
            self._bars.advance(self._cohort, self._steps)
        for onlooker in self.onlookers:
            onlooker.resume_cohort(cohort)

    def batch(self, cohort: Cohort, epoch: int, images: int) -> None:
        """A lesson is done."""
        if self._cohort is not None:
            self._bars.advance(self._cohort)
            if self.console.is_terminal and time.perf_counter() - self._looked > LOOK_EVERY:
                self._looked = time.perf_counter()
                self._bars.update(self._cohort, note=self._pace(cohort))
        for onlooker in self.onlookers:
            onlooker.batch(cohort, epoch, images)

    def epoch(self, cohort: Cohort, epoch: int) -> None:
        """An epoch is done."""
        wall, note = time.perf_counter() - self._begun, self._pace(cohort)
        self._bars.advance(self._suite, len(cohort.learners))
        if self._cohort is not None:
            self._bars.update(self._cohort, note=note)
        if not self.console.is_terminal or epoch + 1 == cohort.feed.epochs:
            done, todo = (n * cohort.loaders.train.steps_per_epoch for n in (epoch + 1, cohort.feed.epochs - epoch - 1))
            left = wall / max(1, done - self._steps) * todo
            self.say(f"  epoch {epoch + 1}/{cohort.feed.epochs}: {_standing(cohort)}; {note}, {left:.0f} s left")
        for onlooker in self.onlookers:
            onlooker.epoch(cohort, epoch)

    def _pace(self, cohort: Cohort) -> str:
        """Images per second since the cohort began here, and the share of that time spent waiting for data."""
        wall = max(time.perf_counter() - self._begun, 1e-9)
        waited = cohort.clock.known("load") - self._waited
        return f"{(cohort.images - self._images) / wall:.0f} img/s, {waited / wall:.0%} waiting for data"


def _counted(labels: list[str]) -> list[str]:
    return [f"{label} x{labels.count(label)}" if labels.count(label) > 1 else label for label in dict.fromkeys(labels)]


def _standing(cohort: Cohort) -> str:
    """What `standing` tells of a cohort's last epoch."""
    points = [(r.spec.method.label, r.curve[-1]["holdout_top1"], r.curve[-1]["loss"]) for r in cohort.active]
    return standing(points, lost=len(cohort.learners) - len(cohort.active))


def standing(points: Sequence[tuple[str, float, float]], *, lost: int = 0) -> str:
    """Mean hold-out top-1 by method, in percent, of few methods with their training losses, of many the outermost.

    Args:
        points: (method, hold-out top-1 as a fraction, mean training loss) of each learner.
        lost: learners that stopped.

    Example:
        >>> standing([("kd", 0.5, 1.25), ("kd", 0.7, 1.5), ("scratch", 0.4, 2.0)], lost=1)
        'hold-out top-1 kd 60.0 (loss 1.25, 1.5), scratch 40.0 (loss 2); 1 stopped'
        >>> standing([(f"m{i}", i / 100, 1.0) for i in range(20)])
        'hold-out top-1 of 20 methods: best m19 19.0, m18 18.0, m17 17.0; median 9.5; worst m0 0.0, m1 1.0'
    """
    by_label: dict[str, list[tuple[float, float]]] = {}
    for label, top1, loss in points:
        by_label.setdefault(label, []).append((top1, loss))
    means = {label: 100 * sum(top1 for top1, _ in found) / len(found) for label, found in by_label.items()}
    stopped = f"; {lost} stopped" if lost else ""
    if len(means) <= FEW:
        losses = {label: ", ".join(f"{loss:.3g}" for _, loss in found) for label, found in by_label.items()}
        return "hold-out top-1 " + ", ".join(f"{k} {v:.1f} (loss {losses[k]})" for k, v in means.items()) + stopped
    ordered = [f"{label} {top1:.1f}" for label, top1 in sorted(means.items(), key=lambda item: -item[1])]
    outermost = (
        f"best {', '.join(ordered[:3])}; median {median(means.values()):.1f}; worst {', '.join(ordered[:-3:-1])}"
    )
    return f"hold-out top-1 of {len(means)} methods: {outermost}{stopped}"
