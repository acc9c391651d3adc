"""Says in a file how far this process is, for ``fgkd watch``."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fgkd.plan import Plan, PlannedCohort
from fgkd.report.live.status import CohortStatus, LearnerStatus, ProcessStatus, progress_file, seen_in
from fgkd.runner.observers.onlookers import Onlooker
from fgkd.train.cohort import Cohort
from fgkd.train.learner import Learner

EVERY = 1.0  # seconds


class Beacon(Onlooker):
    """Writes the process's status at most once a second while a cohort trains, and removes it at the end.

    Args:
        suite_folder: ``results/<suite>``.
        say: told once if the file cannot be written; the training goes on.
        clock: seconds since 1970.
    """

    def __init__(self, suite_folder: Path, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self.folder, self.say, self.clock = suite_folder, say, clock
        host, pid = socket.gethostname(), os.getpid()
        self.path = progress_file(suite_folder, host, pid)
        self._process: dict[str, Any] = {"host": host, "pid": pid, "suite": suite_folder.name, "begun": clock()}
        self._cohort: dict[str, Any] = {}
        self._written = -math.inf
        self._told = False

    def begin(self, plan: Plan) -> None:
        """Remove what processes of this machine left that were killed, and say that this one is there."""
        with suppress(OSError):
            for seen in seen_in(self.folder, self.clock())[0]:
                if seen.state == "gone":
                    seen.path.unlink(missing_ok=True)
        self._process["runs"] = len(plan.runs) + len(plan.recorded)
        self._cohorts = len(plan.cohorts)
        self._write()

    def start_cohort(self, number: int, planned: PlannedCohort, steps_per_epoch: int) -> None:
        """A cohort begins."""
        feed = planned.feed
        self._begun, self._images, self._first, self._waited = self.clock(), 0, 0, 0.0
        self._cohort = {
            "number": number,
            "of": self._cohorts,
            "dataset": feed.dataset.name,
            "teacher": feed.teacher and feed.teacher.name,
            "epochs": feed.epochs,
            "steps": steps_per_epoch,
            "epoch": 0,
            "step": 0,
            "phase": "training" if feed.epochs else "test",
            "learners": [
                LearnerStatus(run_id=run.run_id, method=run.method.label, student=run.student.name)
                for run in planned.runs
            ],
        }
        self._write()

    def resume_cohort(self, cohort: Cohort) -> None:
        """The cohort stands where an earlier launch left it."""
        epoch, step = cohort.position
        self._cohort |= {"epoch": epoch, "step": step, "learners": [_learner(learner) for learner in cohort.learners]}
        self._first = self._lessons
        self._waited = cohort.clock.seconds().get("load", 0.0)
        self._write()

    def batch(self, cohort: Cohort, epoch: int, images: int) -> None:
        """A lesson is done."""
        self._images += images
        self._cohort["step"] += 1
        last = self._cohort["step"] >= self._cohort["steps"]
        self._cohort["phase"] = "hold-out" if last else "training"
        if last or self.clock() - self._written >= EVERY:
            self._write()

    def epoch(self, cohort: Cohort, epoch: int) -> None:
        """An epoch is done."""
        wall = max(self.clock() - self._begun, 1e-9)
        waited = cohort.clock.seconds().get("load", 0.0) - self._waited
        self._cohort |= {
            "epoch": epoch + 1,
            "step": 0,
            "phase": "test" if epoch + 1 == self._cohort["epochs"] else "training",
            "waiting": min(1.0, max(0.0, waited / wall)),
            "learners": [_learner(learner) for learner in cohort.learners],
        }
        self._write()

    def end(self) -> None:
        """Take the file away, and the folder with the last one."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
            self.path.parent.rmdir()

    @property
    def _lessons(self) -> int:
        return self._cohort["epoch"] * self._cohort["steps"] + self._cohort["step"]

    def _pace(self) -> dict[str, float]:
        """Images per second and seconds left, once something was done."""
        wall, done = self.clock() - self._begun, self._lessons - self._first
        if wall <= 0 or done <= 0:
            return {}
        left = self._cohort["epochs"] * self._cohort["steps"] - self._lessons
        return {"images_per_second": self._images / wall, "seconds_left": wall / done * left}

    def _write(self) -> None:
        """Replace the file. Nothing waits for the disk: after a power cut nobody needs it."""
        self._written = self.clock()
        cohort = CohortStatus(**self._cohort, **self._pace()) if self._cohort else None
        status = ProcessStatus(**self._process, updated=self._written, cohort=cohort)
        part = self.path.with_suffix(".tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(status.model_dump_json(), encoding="utf-8")
            os.replace(part, self.path)
        except OSError as error:
            if not self._told:
                self.say(
                    f"cannot say in {self.path.parent} how far this is ({error.strerror}); fgkd watch will not know"
                )
            self._told = True


def _learner(learner: Learner) -> LearnerStatus:
    point = learner.curve[-1] if learner.curve else {}
    figure = lambda name: value if isinstance(value := point.get(name), float) and math.isfinite(value) else None
    return LearnerStatus(
        run_id=learner.run_id,
        method=learner.spec.method.label,
        student=learner.spec.student.name,
        status=learner.status,
        loss=figure("loss"),
        holdout_top1=figure("holdout_top1"),
    )
