"""Experiment trackers: every learner's curve, under its run id, in whatever accelerate has a tracker for.

`tensorboard`, `wandb` and `trackio` get a run of their own for each learner, so that curves lie over each other. The
others hold one run for each launch, in which a learner's id stands before a figure's name. The step is the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers
from accelerate.utils import LoggerType

from fgkd.errors import near_names
from fgkd.plan import Plan, PlannedCohort
from fgkd.runner.observers.onlookers import Onlooker
from fgkd.spec import RunSpec
from fgkd.train.cohort import Cohort
from fgkd.train.learner import Learner

FOLDER = "tracking"  # below the suite's results; not for committing
APART = ("tensorboard", "wandb", "trackio")  # can hold several runs open at a time
PACKAGES = {"comet_ml": "comet-ml"}  # where a library is not called as its tracker


def tracker_problems(names: Iterable[str]) -> list[str]:
    """Why trackers cannot be used, one text each: nobody knows them, or they are not installed."""
    known, theirs = sorted(map(str, LOGGER_TYPE_TO_CLASS)), {str(kind.value) for kind in LoggerType}
    installed = {str(getattr(found, "value", found)) for found in get_available_trackers()}
    problems = []
    for name in names:
        if name not in known:
            near = near_names(name, known)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
            problems.append(f"--track: unknown tracker {name!r}; {hint}")
        elif name in theirs - installed:
            package = PACKAGES.get(name, name)
            problems.append(f"--track {name}: {package} is not installed; pip install {package}, or leave it away")
    return problems


@dataclass(frozen=True)
class Place:
    """Where the curves of a launch go.

    Attributes:
        suite: its name.
        folder: of the trackers that write files.
        rerun: tells which rerun the launch belongs to, "" for none; its curves are not those of the first run.
    """

    suite: str
    folder: Path
    rerun: Callable[[], str] = str

    def run_name(self, run_id: str) -> str:
        """What a run is called that may be run again."""
        return f"{run_id}-{name}" if (name := self.rerun()) else run_id


class Trackers(Onlooker):
    """Gives every learner's new point to every tracker, at the end of each epoch.

    A tracker that fails is told of once and gets nothing more; the training goes on.

    Args:
        names: of `LOGGER_TYPE_TO_CLASS`, without `tracker_problems`.
        say: tells the user.
    """

    def __init__(self, names: Sequence[str], place: Place, say: Callable[[str], None]) -> None:
        self.place, self.say = place, say
        self._books: dict[str, Book] = {name: Book(name, place) for name in dict.fromkeys(names)}

    def begin(self, plan: Plan) -> None:
        """Say where to look."""
        if "tensorboard" in self._books and plan.cohorts:
            self.say(f"curves: tensorboard --logdir {self.place.folder / 'tensorboard'}")

    def start_cohort(self, number: int, planned: PlannedCohort, steps_per_epoch: int) -> None:
        """The learners before have learnt all that they will."""
        self._with_each(lambda book: book.close_learners())

    def epoch(self, cohort: Cohort, epoch: int) -> None:
        """Every learner that took the epoch has a new point."""
        for learner in cohort.learners:
            if learner.curve and learner.curve[-1]["epoch"] == epoch:
                self._with_each(lambda book: book.note(learner, epoch))  # noqa: B023  called at once

    def end(self) -> None:
        """Close all books."""
        self._with_each(lambda book: book.close())

    def _with_each(self, action: Callable[[Book], None]) -> None:
        for name, book in list(self._books.items()):
            try:
                action(book)
            except Exception as error:  # whatever a library of others may raise
                del self._books[name]
                with suppress(Exception):
                    book.close()
                told = " ".join(str(error).split())[:300]
                self.say(
                    f"tracker {name} failed and gets nothing more; training goes on: {type(error).__name__}: {told}"
                )


class Book:
    """One tracker of accelerate's, with a run for each learner or one for all."""

    def __init__(self, name: str, place: Place) -> None:
        self.name, self.place, self.apart = name, place, name in APART
        self._open: dict[str, GeneralTracker] = {}

    def note(self, learner: Learner, epoch: int) -> None:
        """Write down the newest point of a curve, unless an earlier launch did."""
        run_name = self.place.run_name(learner.run_id)
        if self._noted(run_name) >= epoch:
            return
        tracker = self._tracker(learner.spec, epoch)
        values = figures(learner.curve[-1])
        tracker.log(values if self.apart else {f"{run_name}/{key}": v for key, v in values.items()}, step=epoch)
        self._note_down(run_name, epoch)

    def close_learners(self) -> None:
        """Finish the runs of single learners."""
        if self.apart:
            self.close()

    def close(self) -> None:
        """Finish all runs."""
        while self._open:
            self._open.popitem()[1].finish()

    def _tracker(self, run: RunSpec, epoch: int) -> GeneralTracker:
        key = run.run_id if self.apart else ""
        if key not in self._open:
            project, options = self._opening(run, epoch)
            kind = LOGGER_TYPE_TO_CLASS[self.name]
            where = {"logging_dir": self.place.folder / self.name} if kind.requires_logging_directory else {}
            tracker = kind(project, **where, **options)
            if hasattr(tracker, "start"):  # accelerate's older trackers start when they are made
                tracker.start()
            self._open[key] = tracker
        return self._open[key]

    def _opening(self, run: RunSpec, epoch: int) -> tuple[str, dict[str, Any]]:
        """The project and what its library needs to open, or to go on with, a learner's run."""
        project, name = f"fgkd-{self.place.suite}", self.place.run_name(run.run_id)
        if self.name == "tensorboard":  # points from this epoch on, of a launch that was killed, are forgotten
            return run.run_id, {"purge_step": epoch}
        if self.name == "wandb":
            again = {"resume": "allow", "reinit": "create_new", "dir": str(self.place.folder)}
            return project, {"name": name, "id": name, "config": configuration(run), **again}
        if self.name == "trackio":
            return project, {"name": name, "config": configuration(run), "resume": "allow", "embed": False}
        return project, {}

    def _noted(self, run_name: str) -> int:
        """The last epoch that the tracker has of a run, -1 for none; tensorboard replaces what it is told anew."""
        try:
            return -1 if self.name == "tensorboard" else int(self._ledger(run_name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return -1

    def _note_down(self, run_name: str, epoch: int) -> None:
        if self.name != "tensorboard":
            path = self._ledger(run_name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(epoch), encoding="ascii")

    def _ledger(self, run_name: str) -> Path:
        return self.place.folder / "noted" / self.name / run_name


def figures(point: Mapping[str, Any]) -> dict[str, float]:
    """A point of a curve as a tracker takes it: ``lr``, ``train/TERM``, ``holdout/METRIC``, what is finite of them.

    Example:
        >>> figures({"epoch": 3, "lr": 0.1, "kd": 1.5, "holdout_top1": 0.25, "loss": float("nan")})
        {'lr': 0.1, 'train/kd': 1.5, 'holdout/top1': 0.25}
    """
    return {
        _tag(name): float(value)
        for name, value in point.items()
        if name != "epoch" and isinstance(value, int | float) and math.isfinite(value)
    }


def _tag(name: str) -> str:
    if name == "lr":
        return name
    return f"holdout/{name.removeprefix('holdout_')}" if name.startswith("holdout_") else f"train/{name}"


def configuration(run: RunSpec) -> dict[str, str | int | float]:
    """What runs are filtered by."""
    feed, recipe = run.feed, run.recipe
    return {
        "run_id": run.run_id,
        "role": run.role,
        "dataset": feed.dataset.name,
        "protocol": feed.dataset.protocol,
        "teacher": feed.teacher.name if feed.teacher else "",
        "student": run.student.name,
        "method": run.method.label,
        "seed": run.seed,
        "data_seed": feed.data_seed,
        "epochs": feed.epochs,
        "batch_size": feed.batch_size,
        "optimizer": recipe.optimizer,
        "lr": recipe.lr,
    }
