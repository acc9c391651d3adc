"""Those who follow a suite while it runs, beside the bars on the console."""

from __future__ import annotations

from fgkd.plan import Plan, PlannedCohort
from fgkd.train.cohort import Cohort


class Onlooker:
    """Is told what happens, in the order of the methods; one that is not overridden looks away.

    An onlooker changes nothing, raises nothing, and never makes the host wait for the device but at an epoch's end.
    """

    def begin(self, plan: Plan) -> None:
        """A launch begins."""

    def start_cohort(self, number: int, planned: PlannedCohort, steps_per_epoch: int) -> None:
        """A cohort begins; the one before it has come to its end."""

    def resume_cohort(self, cohort: Cohort) -> None:
        """The cohort stands where an earlier launch left it."""

    def batch(self, cohort: Cohort, epoch: int, images: int) -> None:
        """A lesson is done."""

    def epoch(self, cohort: Cohort, epoch: int) -> None:
        """An epoch and its hold-out pass are done."""

    def end(self) -> None:
        """The launch ends, whether well or not."""
