"""Run a suite's plan, cohort by cohort."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console

from fgkd.data import EvalLoader, ImageData, Split, TrainLoader, open_dataset
from fgkd.data.decoded import Decoded
from fgkd.data.decoded import find as find_decoded
from fgkd.errors import UserError
from fgkd.leaderboard import print_board, write_boards
from fgkd.models.store import WeightStore
from fgkd.plan import Plan, PlannedCohort, make_plan
from fgkd.plan_view import plan_json, print_plan
from fgkd.price import Pricer, machine_speed
from fgkd.record import read_records, recorded_ids, records_folder, write_record
from fgkd.runner.options import Options
from fgkd.runner.outcome import make_record, weight_facts
from fgkd.runner.preflight import check, sizes
from fgkd.runner.progress import SuiteProgress
from fgkd.spec import Feed, RunSpec
from fgkd.suite import Suite
from fgkd.teacher.gate import pass_gate
from fgkd.teacher.live import Teacher
from fgkd.teacher.survey import TeacherSurvey
from fgkd.train.assemble import Workshop, assemble, open_teacher
from fgkd.train.cohort import Cohort, Loaders
from fgkd.train.engine import Engine
from fgkd.train.learner import Learner


def plan_for(suite: Suite, runs: Sequence[RunSpec], options: Options) -> Plan:
    """What is missing of `runs`, in order, given the records and the weights at hand."""
    recorded = set() if options.rerun else recorded_ids(records_folder(options.results, suite.name))
    store = WeightStore(options.cache / "weights")
    return make_plan(shard(runs, options.shard), recorded=recorded, stored=store)


def shard(runs: Sequence[RunSpec], part: tuple[int, int] | None) -> list[RunSpec]:
    """The runs of every n-th feed, starting with the i-th; runs without a teacher go with the first."""
    if part is None:
        return list(runs)
    number, of = part
    feeds = list(dict.fromkeys(run.feed for run in runs))
    return [run for run in runs if feeds.index(run.feed) % of == number]


def dry_run(suite: Suite, runs: Sequence[RunSpec], options: Options, console: Console | None = None) -> dict[str, Any]:
    """Expand and price a suite; nothing is trained, no data or weights are needed.

    Args:
        console: where the table is printed; nowhere if None.

    Returns:
        The priced plan as plain values.
    """
    plan = plan_for(suite, runs, options)
    prices = Pricer(lambda run: sizes(run.feed.dataset, options)).plan(plan)
    speed = machine_speed(Accelerator().device)
    if console is not None:
        print_plan(plan, prices, speed, console)
    return plan_json(plan, prices, speed)


def bench(suite: Suite, runs: Sequence[RunSpec], options: Options, console: Console | None = None) -> int:
    """Run what is missing of a suite and write its boards.

    Returns:
        0 when every run of the suite is recorded as ok, 1 when some failed, 2 when some could not be run because of
        something that the user can mend.

    Raises:
        UserError: something that the user can mend before training.
    """
    session = _Session(suite, runs, options, console or Console())
    return session.run()


class _Session:
    """One invocation: what its cohorts share."""

    def __init__(self, suite: Suite, runs: Sequence[RunSpec], options: Options, console: Console) -> None:
        self.suite, self.runs, self.options, self.console = suite, list(runs), options, console
        self.folder = records_folder(options.results, suite.name)
        self.plan = plan_for(suite, runs, options)
        if self.plan.runs:
            check(self.plan.runs, options, self.folder)
        self.engine = Engine(runs[0].feed.precision)
        self.store = WeightStore(options.cache / "weights")
        self.datasets: dict[object, ImageData] = {}
        self.caches: dict[object, Decoded | None] = {}
        self.refused: list[str] = []

    def run(self) -> int:
        """All cohorts, then the boards."""
        with SuiteProgress(self.plan, self.console, enabled=self.engine.main) as progress:
            if self.plan.recorded:
                progress.say(f"{len(self.plan.recorded)} runs of {self.suite.name} are recorded already")
            for number, planned in enumerate(self.plan.cohorts, 1):
                try:
                    self.run_cohort(number, planned, progress)
                except UserError as error:
                    self.refused.append(str(error))
                    progress.say(f"{planned.feed.dataset.name}: {error}", style="red")
                self.engine.release()
        return self.report()

    def report(self) -> int:
        """Write and print the boards; what is the exit code?"""
        self.engine.wait()
        if not self.engine.main:
            return 0
        records, problems = read_records(self.folder)
        wanted = {run.run_id for run in self.runs}
        write_boards(self.folder.parent)
        print_board(records, self.console)
        for problem in [*problems, *self.refused]:
            self.console.print(problem, style="red", highlight=False, markup=False)
        ok = {record.run_id for record in records if record.status == "ok"}
        complete = wanted <= ok or self.options.shard is not None
        return 2 if self.refused else 0 if complete else 1

    def data(self, feed: Feed) -> ImageData:
        """The feed's data set, opened once; the main process first, in case it has to be written."""
        if feed.dataset not in self.datasets:
            with self.engine.accelerator.main_process_first():
                self.datasets[feed.dataset] = open_dataset(
                    feed.dataset, self.options.data_root, cache=self.options.cache
                )
        return self.datasets[feed.dataset]

    def run_cohort(self, number: int, planned: PlannedCohort, progress: SuiteProgress) -> None:
        """Train, examine and record one cohort."""
        started = datetime.now(UTC)
        if absent := [run_id for run_id in sorted(planned.waits_for) if run_id not in self.store]:
            raise UserError(
                f"{len(planned.runs)} runs wait for {', '.join(absent)}, which did not end well; see its record"
            )
        data, feed = self.data(planned.feed), planned.feed
        loaders = self.loaders(feed, data)
        workshop = Workshop(
            num_classes=data.num_classes,
            train_targets=torch.as_tensor(data.train.targets, device=self.engine.device),
            engine=self.engine,
            store=self.store,
            weights_folder=self.options.weights,
        )
        teacher, survey = self.teacher(planned, workshop, data)
        steps = loaders.train.steps_per_epoch
        learners = [self.learner(run, workshop, teacher, survey, steps) for run in planned.runs]
        progress.start_cohort(number, planned, steps)
        cohort = Cohort(feed, learners, teacher, loaders, self.engine, watch=progress)
        cohort.run()
        self.record(cohort, data, started)

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
        pass_gate(spec, self.store.facts(teacher.credentials.run_id), num_classes=data.num_classes)
        view = planned.feed.view
        survey = TeacherSurvey(
            teacher,
            self.eval_loader(data.train, planned.feed, alone=True),
            folder=self.options.cache / "fitted",
            data=f"{data.revision} {planned.feed.dataset.canonical()} {view.canonical()}",
            device=self.engine.device,
        )
        return teacher, survey

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
        if key not in self.caches:
            self.caches[key], note = find_decoded(self.data(feed), feed.view, self.options.cache)
            if self.engine.main:
                self.console.print(note, highlight=False, markup=False, soft_wrap=True)
        return self.caches[key]

    @property
    def workers(self) -> int:
        """Loader processes: on a CPU they would compete with the training."""
        if self.options.workers is not None:
            return self.options.workers
        return 0 if self.engine.device.type == "cpu" else min(8, (os.cpu_count() or 1) // self.engine.world)

    def record(self, cohort: Cohort, data: ImageData, started: datetime) -> None:
        """Weights first, then records: a run that is recorded has its weights."""
        if self.engine.main:
            for learner in cohort.learners:
                record = make_record(
                    learner, cohort, suite=self.suite, data=data, notes=self.suite.notes, started=started
                )
                if learner.active:
                    self.store.save(learner.run_id, learner.evaluated, weight_facts(learner, record, data))
                recorded = record.run_id in recorded_ids(self.folder)
                if not recorded or self.options.rerun:
                    write_record(record, self.folder, overwrite=self.options.rerun)
        self.engine.wait()
