"""Who serves the teacher's word on fixed views: a bank where it can, else the teacher itself, with the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_

from fgkd.data import ImageData, ViewLoader
from fgkd.methods.compose import build_method
from fgkd.runner.observers.progress import SuiteProgress
from fgkd.runner.supplies import Supplies
from fgkd.signals import Needs
from fgkd.spec import Feed, RunSpec
from fgkd.teacher.bank import SERVED, Bank, BankKey, NoRoom, Replay, Service, SteadyTeacher, build
from fgkd.teacher.live import Teacher
from fgkd.train.cohort import Loaders
from fgkd.train.learner import Learner


def live_reason(runs: Iterable[RunSpec]) -> str:
    """Why a cohort of these runs has to ask its teacher live, bank or no bank; empty where it need not."""
    return _reason({run.method.label: build_method(run.method).teacher_needs for run in runs if run.feed.teacher})


def _reason(asked: Mapping[str, Needs]) -> str:
    """The same, by the needs of each method."""
    maps = [f"{label} needs its {_maps(needs)}" for label, needs in asked.items() if needs | SERVED != SERVED]
    return f"{'; '.join(maps)}, too large to be kept" if maps else ""


def _maps(needs: Needs) -> str:
    stages = ", ".join(str(stage) for stage in sorted(needs.stages))
    return " and ".join([*(["final map"] if needs.final else []), *([f"maps of stages {stages}"] if stages else [])])


@dataclass(frozen=True)
class Banks:
    """The banks of a launch: found or built in its cache when a cohort first asks for them."""

    supplies: Supplies
    progress: SuiteProgress

    def serve(
        self, feed: Feed, data: ImageData, teacher: Teacher | None, learners: Sequence[Learner], loaders: Loaders
    ) -> tuple[Teacher | None, Loaders]:
        """The teacher and the loaders that a cohort is to train with.

        One learner who needs maps makes the teacher speak live for all, and so does a disk without room. What it says
        then is what the bank would hold.

        Raises:
            UserError: a bank that is there is damaged or stale, or none can be written.
        """
        asked = {learner.spec.method.label: learner.belongings.teacher_needs for learner in learners}
        if feed.bank is None or teacher is None or not any(asked.values()):
            return teacher, loaders
        steady = SteadyTeacher(teacher, feed.bank_precision)
        if not (reason := _reason(asked)):
            try:
                bank = self._bank(feed, data, steady)
            except NoRoom as error:
                reason = str(error)
            else:
                return steady, self._replayed(bank, loaders, steady, reduce(or_, asked.values()))
        self.progress.say(f"bank: not used, the teacher speaks live on {feed.bank} fixed views: {reason}", "yellow")
        return steady, replace(loaders, service=Service(f"live: {reason}"))

    def _bank(self, feed: Feed, data: ImageData, teacher: SteadyTeacher) -> Bank:
        key, options = BankKey.of(feed, data, teacher), self.supplies.options
        loader = ViewLoader(
            data.train,
            feed.view,
            data_seed=feed.data_seed,
            workers=self.supplies.workers,
            pin_memory=teacher.device.type == "cuda",
            decoded=self.supplies.decoded(feed),
        )
        with self.progress.counting("bank", key.rows) as advance:
            return build(key, teacher, loader, options.cache, advance=advance, say=self.progress.say)

    def _replayed(self, bank: Bank, loaders: Loaders, teacher: Teacher, needs: Needs) -> Loaders:
        pin = teacher.device.type == "cuda"
        lessons = Replay(loaders.train, bank, needs, head=teacher.head, pin_memory=pin)
        return replace(loaders, train=lessons, service=Service("replayed", bank.manifest.seconds))
