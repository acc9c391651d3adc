"""Run a suite's plan, cohort by cohort."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from accelerate import Accelerator
from rich.console import Console

from fgkd.data import ImageData
from fgkd.collective import together
from fgkd.errors import UserError, UserErrors
from fgkd.files import sweep
from fgkd.leaderboard import print_board, write_boards
from fgkd.models.store import WeightStore
from fgkd.plan import PlannedCohort
from fgkd.plan_view import plan_json, print_plan
from fgkd.price import Pricer, machine_speed
from fgkd.record import recorded_ids, records_folder
from fgkd.report.truth import Truth, write_truth
from fgkd.runner.admission import Baselines, judge
from fgkd.runner.finish import record_cohort
from fgkd.runner.grace import Grace
from fgkd.runner.options import Options
from fgkd.runner.planning import CHECKPOINTS, plan_for, rerun_of, shard
from fgkd.runner.preflight import check, network_problems, sizes
from fgkd.runner.progress import SuiteProgress
from fgkd.runner.qualms import twins
from fgkd.runner.resume import Checkpoints, facts_of
from fgkd.runner.supplies import Supplies
from fgkd.spec import RunSpec, teacher_run
from fgkd.suite import Suite
from fgkd.teacher.gate import Bar
from fgkd.train.cohort import Cohort
from fgkd.train.engine import Engine


def dry_run(suite: Suite, runs: Sequence[RunSpec], options: Options, console: Console | None = None) -> dict[str, Any]:
    """Expand and price a suite; nothing is trained, no data or weights are needed.

    Args:
        console: where the table is printed; nowhere if None.

    Returns:
        The priced plan as plain values.
    """
    plan = plan_for(suite, runs, options)
    classes = {spec: sizes(spec, options)[0] for spec in dict.fromkeys(run.feed.dataset for run in plan.runs)}
    if problems := network_problems(plan.runs, classes, options, with_weights=False):
        raise UserErrors(problems)
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
    with Grace() as grace:
        return _Session(suite, runs, options, console or Console(), grace).run()


class _Session:
    """One invocation: what its cohorts share."""

    def __init__(self, suite: Suite, runs: Sequence[RunSpec], options: Options, console: Console, grace: Grace) -> None:
        self.suite, self.runs, self.options, self.console, self.grace = suite, list(runs), options, console, grace
        self.folder = records_folder(options.results, suite.name)
        self.plan = plan_for(suite, runs, options)
        if self.plan.runs:
            check(self.plan.runs, options, self.folder, self.say)
        self.engine = Engine(runs[0].feed.precision, compiles=options.compile)
        self.store = WeightStore(options.cache / "weights")
        self.supplies = Supplies(options, self.engine, self.store, self.say)
        self.refused: list[str] = []
        self.baselines = Baselines(self.folder, self.runs)
        self.bars: dict[str, Bar] = {}  # by run id
        self.rerun = rerun_of(suite, shard(runs, options.shard), options) if options.rerun else None

    def say(self, text: str) -> None:
        """One line, told by the first process; before the engine knows which one it is."""
        if int(os.environ.get("RANK", "0")) == 0:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def run(self) -> int:
        """All cohorts, then the boards."""
        with SuiteProgress(self.plan, self.console, enabled=self.engine.main) as progress:
            self.tidy(progress)
            for number, planned in enumerate(self.plan.cohorts, 1):
                try:
                    self.run_cohort(number, planned, progress)
                except UserError as error:
                    self.refused.append(str(error))
                    progress.say(f"{planned.feed.dataset.name}: {error}", style="red")
                self.engine.release()
        return self.report()

    def tidy(self, progress: SuiteProgress) -> None:
        """Say what is done already or doubtful, and remove what launches that were killed left behind."""
        for warning in twins(self.plan.runs):
            progress.say(warning, style="yellow")
        done = len(self.plan.recorded)
        if self.rerun is not None and self.rerun.under_way:
            progress.say(f"continuing the rerun begun {self.rerun.begun}; remove {self.rerun.path} to begin a new one")
        elif done:
            progress.say(f"{done} runs of {self.suite.name} are recorded already")
        with self.engine.accelerator.main_process_first():
            if self.engine.main:
                sweep(self.folder)
            if self.rerun is not None:  # the others read what the main process noted
                self.rerun = rerun_of(self.suite, shard(self.runs, self.options.shard), self.options)
                self.rerun.begin(run.run_id for run in self.plan.runs)
        self.checkpoints = Checkpoints(
            self.options.cache / CHECKPOINTS,
            self.engine,
            every=self.options.checkpoint_every,
            grace=self.grace,
            say=progress.say,
            rerun=self.rerun.name if self.rerun else "",
        )
        self.checkpoints.forget(self.done)

    @property
    def done(self) -> set[str]:
        """Runs that this command need not run any more."""
        recorded = recorded_ids(self.folder)
        return recorded if self.rerun is None else self.rerun.done(recorded)

    def report(self) -> int:
        """Write and print the boards; what is the exit code?"""
        self.engine.wait()
        if not self.engine.main:
            return 0
        wanted = {run.run_id for run in self.runs}
        files = write_boards(self.folder.parent)
        print_board(files.records, self.console)
        for problem in [*files.problems, *self.refused]:
            self.console.print(problem, style="red", highlight=False, markup=False)
        ok = {record.run_id for record in files.records if record.status == "ok"}
        complete = wanted <= ok or self.options.shard is not None
        return 2 if self.refused else 0 if complete else 1

    def run_cohort(self, number: int, planned: PlannedCohort, progress: SuiteProgress) -> None:
        """Train, examine and record one cohort."""
        if absent := [run_id for run_id in sorted(planned.waits_for) if run_id not in self.store]:
            raise UserError(
                f"{len(planned.runs)} runs wait for {', '.join(absent)}, which did not end well; see its record"
            )
        data = self.supplies.data(planned.feed)
        admitted = self.admitted(planned, data, progress)
        if admitted is None:
            return
        planned, feed = admitted, admitted.feed
        loaders = self.supplies.loaders(feed, data)
        workshop = self.supplies.workshop(data)
        teacher, survey = self.supplies.teacher(planned, workshop, data)
        steps = loaders.train.steps_per_epoch
        learners = [self.supplies.learner(run, workshop, teacher, survey, steps) for run in planned.runs]
        progress.start_cohort(number, planned, steps)
        facts = {run.run_id: self.facts(run, data) for run in planned.runs}
        with self.checkpoints.keeper(planned, facts) as keeper, self.grace.patience():
            cohort = Cohort(feed, learners, teacher, loaders, self.engine, watch=progress, keeper=keeper)
            if self.checkpoints.resume(cohort, facts):
                progress.resume_cohort(cohort)
            with together():
                cohort.run()
            self.record(cohort, data)
        self.checkpoints.forget(self.done)

    def facts(self, run: RunSpec, data: ImageData) -> dict[str, Any]:
        """What a saved state of a run belongs to; one of a rerun to that rerun alone, which was asked for anew."""
        own = facts_of(run, data, self.store, self.engine)
        return own if self.rerun is None else {**own, "rerun": self.rerun.name}

    def admitted(self, planned: PlannedCohort, data: ImageData, progress: SuiteProgress) -> PlannedCohort | None:
        """Those of a cohort whose teacher is proven to be one; None where nobody is left."""
        own = teacher_run(planned.feed)
        if own is None:
            return planned
        ruling = judge(planned, self.store.facts(own.run_id), data.num_classes, self.baselines)
        for remark in ruling.remarks:
            progress.say(remark)
        for refusal in ruling.refusals:
            progress.say(refusal, style="red")
        self.refused += ruling.refusals
        self.bars |= ruling.bars
        return ruling.cohort

    def record(self, cohort: Cohort, data: ImageData) -> None:
        """Weights and records of a cohort, by the main process."""
        if self.engine.main:
            if data.task == "classification":
                write_truth(self.folder.parent, Truth.of(data))
            record_cohort(
                cohort, data, self.suite, store=self.store, folder=self.folder, bars=self.bars, rerun=self.rerun
            )
        self.engine.wait()
