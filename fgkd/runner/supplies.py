"""What cohorts are made of: data, loaders, teachers, learners, each opened when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from fgkd.data import EvalLoader, ImageData, Split, TrainLoader, open_dataset
from fgkd.data.decoded import Decoded
from fgkd.data.decoded import find as find_decoded
from fgkd.models.store import WeightStore
from fgkd.plan import PlannedCohort
from fgkd.price import Pricer
from fgkd.processes import usable_cpus
from fgkd.runner.memory import free_memory
from fgkd.runner.options import Options
from fgkd.spec import Feed, RunSpec
from fgkd.teacher.live import Teacher
from fgkd.teacher.survey import TeacherSurvey
from fgkd.train.assemble import Workshop, assemble, open_teacher
from fgkd.train.cohort import Loaders
from fgkd.train.engine import Engine
from fgkd.train.learner import Learner


class Supplies:
    """One launch's, for all of its cohorts.

    Args:
        options: folders and loader processes.
        engine: the machine.
        store: trained weights.
        say: tells the user.
    """

    def __init__(self, options: Options, engine: Engine, store: WeightStore, say: Callable[[str], None]) -> None:
        self.options, self.engine, self.store, self.say = options, engine, store, say
        self._datasets: dict[object, ImageData] = {}
        self._caches: dict[object, Decoded | None] = {}
        self._pricers: dict[object, Pricer] = {}

    def data(self, feed: Feed) -> ImageData:
        """The feed's data set, opened once; the main process first, in case it has to be written."""
        if feed.dataset not in self._datasets:
            with self.engine.accelerator.main_process_first():
                self._datasets[feed.dataset] = open_dataset(
                    feed.dataset, self.options.data_root, cache=self.options.cache
                )
        return self._datasets[feed.dataset]

    def workshop(self, data: ImageData) -> Workshop:
        """What assembling learners of this data needs."""
        return Workshop(
            num_classes=data.num_classes,
            train_targets=torch.as_tensor(data.train.targets, device=self.engine.device),
            engine=self.engine,
            store=self.store,
            weights_folder=self.options.weights,
        )

    def learner(
        self, run: RunSpec, workshop: Workshop, teacher: Teacher | None, survey: TeacherSurvey | None, steps: int
    ) -> Learner:
        """One learner of a cohort; a run without a teacher gets none, whoever sits beside it."""
        own = teacher if run.feed.teacher else None
        return Learner(
            run,
            lambda: assemble(run, workshop, own, survey if own else None),
            prepare=self.engine.prepare,
            device=self.engine.device,
            epochs=max(1, run.feed.epochs),
            steps_per_epoch=steps,
            fp16=self.engine.fp16,
            replay=self.engine.replay if self.engine.replays else None,
        )

    def teacher(
        self, planned: PlannedCohort, workshop: Workshop, data: ImageData
    ) -> tuple[Teacher | None, TeacherSurvey | None]:
        """The cohort's teacher, once it has passed the gate, and its survey of the training split."""
        spec = planned.feed.teacher
        if spec is None:
            return None, None
        run = next(run for run in planned.runs if run.feed.teacher)
        teacher = open_teacher(run, workshop)
        assert teacher.credentials.run_id is not None
        feed = planned.feed
        specs = " ".join(part.canonical() for part in (feed.dataset, feed.view, spec.backbone))
        survey = TeacherSurvey(
            teacher,
            self.eval_loader(data.train, feed, alone=True),
            folder=self.options.cache / "fitted",
            data=f"{data.revision} {specs} {feed.precision}",
            device=self.engine.device,
        )
        return teacher, survey

    def fitting(self, planned: PlannedCohort, data: ImageData) -> list[PlannedCohort]:
        """The cohort, in parts where the memory would not hold all of it."""
        if len(planned.runs) == 1:
            return [planned]
        key = planned.feed.dataset
        if key not in self._pricers:
            self._pricers[key] = Pricer(lambda run: (data.num_classes, len(data.train)))
        free = self.options.memory or free_memory(self.engine.device, self._processes_here)
        budgets = self.engine.gather_values(free)
        budget = min((found for found in budgets if found is not None), default=None)
        try:
            parts = self._pricers[key].parts(planned, budget)
        except Exception as error:  # what cannot be priced can be trained; should it not fit, it is divided then
            self.say(f"  its memory cannot be predicted: {type(error).__name__}: {error}")
            return [planned]
        if len(parts) > 1 and budget is not None:
            sizes = " and ".join(str(len(part.runs)) for part in parts)
            self.say(f"  {len(planned.runs)} learners need more than {budget / 2**30:.3g} GiB: trained as {sizes}")
        return parts

    def loaders(self, feed: Feed, data: ImageData) -> Loaders:
        """Training lessons, and the two splits that are evaluated."""
        train = TrainLoader(
            data.train,
            feed.view,
            batch_size=feed.batch_size,
            data_seed=feed.data_seed,
            workers=self.workers,
            rank=self.engine.rank,
            world=self.engine.world,
            pin_memory=self.engine.device.type == "cuda",
            bank=feed.bank,
            sampler=feed.sampler,
            decoded=self.decoded(feed),
        )
        held_out, test = self.eval_loader(data.holdout, feed), self.eval_loader(data.test, feed)
        return Loaders(train, held_out, test, unseen=data.task == "retrieval")

    def eval_loader(self, split: Split, feed: Feed, *, alone: bool = False) -> EvalLoader:
        """A split in order; shared out over the processes unless each has to see all of it."""
        return EvalLoader(
            split,
            feed.view,
            batch_size=max(feed.batch_size, 64),
            workers=self.workers,
            rank=0 if alone else self.engine.rank,
            world=1 if alone else self.engine.world,
            pin_memory=self.engine.device.type == "cuda",
            decoded=self.decoded(feed),
        )

    def decoded(self, feed: Feed) -> Decoded | None:
        """The cache that spares decoding the feed's images, where there is a good one; looked for and told once."""
        key = feed.dataset, feed.view.shorter_side
        if key not in self._caches:
            self._caches[key], note = find_decoded(self.data(feed), feed.view, self.options.cache)
            self.say(note)
        return self._caches[key]

    @property
    def workers(self) -> int:
        """Loader processes: on a CPU they would compete with the training."""
        if self.options.workers is not None:
            return self.options.workers
        return 0 if self.engine.device.type == "cpu" else min(8, usable_cpus() // self._processes_here)

    @property
    def _processes_here(self) -> int:
        """Of this machine, those that train together."""
        return int(os.environ.get("LOCAL_WORLD_SIZE", self.engine.world))
