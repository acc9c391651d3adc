"""Trains a planned cohort in as many parts as the memory asks for, whatever goes wrong with some of its learners."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from typing import Any

from fgkd.collective import together
from fgkd.data import ImageData
from fgkd.errors import UserError
from fgkd.plan import PlannedCohort, part_of
from fgkd.runner.banks import Banks
from fgkd.runner.check.space import refused_by_disk
from fgkd.runner.finish import Recorder
from fgkd.runner.grace import Grace
from fgkd.runner.observers.progress import SuiteProgress
from fgkd.runner.outcome import Fault
from fgkd.runner.resume import Checkpoints, facts_of
from fgkd.runner.supplies import Supplies
from fgkd.spec import RunSpec
from fgkd.teacher.live import Teacher
from fgkd.train.cohort import Cohort, Loaders
from fgkd.train.faults import Crowded, device_lost, out_of_memory, told
from fgkd.train.keeper import Keeper
from fgkd.train.learner import Learner


def divided(group: list[RunSpec], left: list[RunSpec]) -> list[list[RunSpec]]:
    """How those of a group whose memory did not suffice are tried again: by themselves, or, where all are left, halved.

    Every part is smaller than the group was, so that in the end somebody is alone.
    """
    if len(left) < len(group):
        return [left] if left else []
    middle = len(left) // 2
    return [left[:middle], left[middle:]]


@dataclass
class Training:
    """What all cohorts of a launch share.

    Attributes:
        refused: what the user can mend is added to it.
    """

    supplies: Supplies
    checkpoints: Checkpoints
    recorder: Recorder
    grace: Grace
    progress: SuiteProgress
    refused: list[str] = field(default_factory=list)

    def run(self, number: int, planned: PlannedCohort, data: ImageData) -> None:
        """Train, examine and record every run of a cohort, in smaller cohorts where the memory does not suffice.

        A learner's result does not depend on its neighbours, so that dividing changes none.
        """
        groups = [list(part.runs) for part in self.supplies.fitting(planned, data)]
        while groups:
            group = groups.pop(0)
            left = self._group(number, part_of(planned, group), data)
            gc.collect()  # a cohort and its learners know each other
            self.supplies.engine.release()
            if parts := divided(group, left):
                sizes = " and ".join(str(len(part)) for part in parts)
                self._warn(f"  out of memory: {len(left)} of {len(group)} learners are trained again, as {sizes}")
            groups = parts + groups

    def _group(self, number: int, planned: PlannedCohort, data: ImageData) -> list[RunSpec]:
        """Train these runs together; whose memory did not suffice beside the others."""
        alone = len(planned.runs) == 1
        loaders = self.supplies.loaders(planned.feed, data)
        teacher, learners, faults = self._assembled(planned, data, loaders.train.steps_per_epoch)
        crowded = [fault.run for fault in faults if fault.status == "oom" and not alone]
        faults = [fault for fault in faults if fault.run not in crowded]
        if self.supplies.engine.main:
            self.recorder.faults(faults, data)
        for fault in faults:
            self._warn(f"  {fault.run.run_id}: {fault.status}: {fault.reason}")
        if not learners:
            return crowded
        teacher, loaders = Banks(self.supplies, self.progress).serve(planned.feed, data, teacher, learners, loaders)
        self.progress.start_cohort(number, planned, loaders.train.steps_per_epoch)
        return crowded + self._train(planned, teacher, learners, loaders, data)

    def _assembled(
        self, planned: PlannedCohort, data: ImageData, steps: int
    ) -> tuple[Teacher | None, list[Learner], list[Fault]]:
        """The teacher, the learners that could be built, and what became of the others."""
        workshop = self.supplies.workshop(data)
        learners: list[Learner] = []
        faults: list[Fault] = []
        try:
            teacher, survey = self.supplies.teacher(planned, workshop, data)
        except Exception as error:
            self._raise_where_shared(error)
            if not out_of_memory(error):
                raise
            return None, [], [Fault(run, "oom", f"in loading the teacher: {told(error)}") for run in planned.runs]
        for run in planned.runs:
            try:
                learners.append(self.supplies.learner(run, workshop, teacher, survey, steps))
            except UserError as error:
                self._raise_where_shared(error)
                self.refused.append(str(error))
                self._warn(str(error))
            except Exception as error:
                self._raise_where_shared(error)
                faults.append(Fault(run, "oom" if out_of_memory(error) else "failed", f"in building: {told(error)}"))
        return teacher, learners, faults

    def _raise_where_shared(self, error: Exception) -> None:
        """No learner is to blame for a device or a disk; and several processes would wait for one that goes on."""
        if self.supplies.engine.world > 1 or device_lost(error) or refused_by_disk(error):
            raise error

    def _train(
        self,
        planned: PlannedCohort,
        teacher: Teacher | None,
        learners: list[Learner],
        loaders: Loaders,
        data: ImageData,
    ) -> list[RunSpec]:
        facts = {learner.run_id: self._facts(learner.spec, data) for learner in learners}
        alone = len(planned.runs) == 1
        with self.checkpoints.keeper(planned, facts) as keeper, self.grace.patience():
            cohort = self._cohort(planned, teacher, learners, loaders, keeper)
            if self.checkpoints.resume(cohort, facts):
                self.progress.resume_cohort(cohort)
            try:
                with together():
                    cohort.run()
            except Crowded as crowded:
                for learner in cohort.active:
                    learner.stop("oom", str(crowded))
            self._tell_stopped(cohort)
            left = self.recorder.cohort(cohort, data, alone=alone) if self.supplies.engine.main else []
            self.supplies.engine.wait()
        return left

    def _cohort(
        self,
        planned: PlannedCohort,
        teacher: Teacher | None,
        learners: list[Learner],
        loaders: Loaders,
        keeper: Keeper,
    ) -> Cohort:
        engine = self.supplies.engine
        return Cohort(planned.feed, learners, teacher, loaders, engine, watch=self.progress, keeper=keeper)

    def _facts(self, run: RunSpec, data: ImageData) -> dict[str, Any]:
        """What a saved state of a run belongs to; one of a run that is run again, to that rerun alone."""
        own, rerun = facts_of(run, data, self.supplies.store, self.supplies.engine), self.recorder.rerun
        return {**own, "rerun": rerun.name} if rerun is not None and run.run_id in rerun.left else own

    def _tell_stopped(self, cohort: Cohort) -> None:
        for learner in cohort.learners:
            if not learner.active:
                self._warn(f"  {learner.run_id}: {learner.status}: {learner.reason}")

    def _warn(self, text: str) -> None:
        self.progress.say(text, style="yellow")
