"""Run a suite's plan, cohort by cohort."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from rich.console import Console

from fgkd.data import ImageData, lists_read_once
from fgkd.errors import UserError, UserErrors
from fgkd.files import sweep
from fgkd.leaderboard import print_board, write_boards
from fgkd.models.store import WeightStore
from fgkd.plan import PlannedCohort, dependencies, part_of
from fgkd.plan_view import plan_json, print_plan
from fgkd.price import Pricer
from fgkd.record import recorded_ids, records_folder
from fgkd.report.published import published_or_problem
from fgkd.runner.admission import Baselines, judge
from fgkd.runner.adoption import adopt
from fgkd.runner.at_hand import WeightsAtHand
from fgkd.runner.banks import live_reason
from fgkd.runner.calibrate import Calibration
from fgkd.runner.check.forecast import forecasts
from fgkd.runner.check.preflight import check, network_problems
from fgkd.runner.check.qualms import batch_problems, long_warmups, twins
from fgkd.runner.check.space import check_space, disk_told, needs, refused_by_disk
from fgkd.runner.finish import Recorder
from fgkd.runner.grace import Grace
from fgkd.runner.observers.following import followers
from fgkd.runner.observers.onlookers import Onlooker
from fgkd.runner.observers.progress import SuiteProgress
from fgkd.runner.options import Options
from fgkd.runner.outcome import code_commit
from fgkd.runner.planning import CHECKPOINTS, CLAIMS, has_failed, in_order, part_to_do, plan_for, rerun_of
from fgkd.runner.resume import Checkpoints
from fgkd.runner.sharing.claims import Claims
from fgkd.runner.sharing.ledger import Holder, locked
from fgkd.runner.sharing.turns import Turn, Turns
from fgkd.runner.sizes import size_of
from fgkd.runner.summary import failures, still_running
from fgkd.runner.supplies import Supplies
from fgkd.runner.training import Training
from fgkd.spec import RunSpec, teacher_run
from fgkd.suite import Suite
from fgkd.teacher.gate import Bar
from fgkd.text import count
from fgkd.train.engine import Engine
from fgkd.train.faults import device_lost, told
from fgkd.yardstick import Yardstick, measure


@lists_read_once()
def dry_run(
    suite: Suite,
    runs: Sequence[RunSpec],
    options: Options,
    console: Console | None = None,
    *,
    calibrate: bool = False,
) -> dict[str, Any]:
    """Expand and price a suite; nothing is trained, no data or weights are needed.

    Args:
        console: where the table is printed; nowhere if None.
        calibrate: take a few steps of each cohort to tell how long it takes.

    Returns:
        The priced plan as plain values.
    """
    plan = plan_for(suite, runs, options)
    known = {spec: size_of(spec, options) for spec in dict.fromkeys(run.feed.dataset for run in plan.runs)}
    classes = {spec: size.classes for spec, size in known.items()}
    problems = network_problems(plan.runs, classes, options, with_weights=False)
    if problems := [*problems, *batch_problems(plan.runs, known)]:
        raise UserErrors(problems)
    plan = in_order(plan, known)
    sized = lambda run: known[run.feed.dataset]
    prices = Pricer(sized, replays=lambda planned: not live_reason(planned.runs)).plan(plan)
    banks = forecasts(plan.cohorts, sized, options.cache)
    by: Yardstick | list[float] = []
    if plan.runs and calibrate:
        calibration = Calibration(options, Engine(plan.runs[0].feed.precision), known)
        by = [calibration.seconds(planned) for planned in plan.cohorts]
    elif plan.runs:
        by = measure(Accelerator().device)
    if console is not None:
        print_plan(plan, prices, by, console)
        for bank in banks:
            console.print(str(bank), highlight=False, markup=False, soft_wrap=True)
    return {**plan_json(plan, prices, by), "banks": [bank.plain() for bank in banks]}


@lists_read_once()
def bench(suite: Suite, runs: Sequence[RunSpec], options: Options, console: Console | None = None) -> int:
    """Run what is missing of a suite and write its boards.

    Returns:
        0 when every run of the suite is recorded as ok, 1 when some failed, 2 when some could not be run because of
        something that the user can mend.

    Raises:
        UserError: something that the user can mend before training.
    """
    with Grace() as grace, disk_told([options.cache, records_folder(options.results, suite.name)]):
        return _Session(suite, runs, options, console or Console(), grace).run()


def main_process() -> bool:
    """Whether this is the first process of the launch; before the engine knows."""
    return int(os.environ.get("RANK", "0")) == 0


class _Session:
    """One invocation: what its cohorts share."""

    def __init__(self, suite: Suite, runs: Sequence[RunSpec], options: Options, console: Console, grace: Grace) -> None:
        self.suite, self.runs, self.options, self.console, self.grace = suite, list(runs), options, console, grace
        self.folder = records_folder(options.results, suite.name)
        code_commit()  # what records will tell: the checkout may have moved on when they are written
        if main_process() and not options.rerun:
            for line in adopt(suite, part_to_do(runs, options.shard), options):
                self.say(line)
        self.plan = plan_for(suite, runs, options)
        if self.plan.runs:
            known = check(self.plan.runs, options, self.folder, self.say)
            self.plan = in_order(self.plan, known)
            check_space(needs(self.plan, options, self.folder, known), self.say)
        self.engine = Engine(runs[0].feed.precision, compiles=options.compile, replays=options.cuda_graphs)
        self.plan = self.engine.gather_values(self.plan)[0]  # another launch may have recorded a run between two looks
        self.store = WeightStore(options.cache / "weights")
        self.at_hand = WeightsAtHand(self.store, self.folder)
        self.supplies = Supplies(options, self.engine, self.store, self.say)
        self.refused: list[str] = []  # what the user can mend
        self.broken: list[str] = []  # what nobody foresaw
        self.left_to_others: dict[str, Holder] = {}
        self.baselines = Baselines(self.folder, self.runs)
        self.bars: dict[str, Bar] = {}  # by run id
        self.mine = part_to_do(runs, options.shard)
        self.rerun = rerun_of(suite, self.mine, options) if options.rerun or options.retry_failed else None

    def say(self, text: str) -> None:
        """One line, told by the first process."""
        if main_process():
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def run(self) -> int:
        """All cohorts, then the boards."""
        with SuiteProgress(self.plan, self.console, enabled=self.engine.main, onlookers=self.onlookers()) as progress:
            self.announce(progress)
            self.tidy()
            self.equip(progress)
            with Claims(self.shared_folders if self.engine.main else [], progress.say) as claims:
                turns = Turns(
                    self.plan,
                    claims,
                    settled=self.settled,
                    agree=lambda choice: self.engine.gather_values(choice)[0],
                    main=self.engine.main,
                    say=progress.say,
                )
                while (turn := turns.next()) is not None:
                    self.attempt(turn, progress)
                    turns.end(turn)
                self.left_to_others = turns.elsewhere()
        return self.report()

    def onlookers(self) -> list[Onlooker]:
        """Who follows beside the bars."""
        rerun = lambda: self.rerun.name if self.rerun else ""
        return followers(self.folder.parent, self.options, self.say, main=self.engine.main, rerun=rerun)

    @property
    def shared_folders(self) -> list[Path]:
        """Where launches tell each other what they train."""
        return [self.folder.parent / ".claims", self.options.cache / CLAIMS]

    def attempt(self, turn: Turn, progress: SuiteProgress) -> None:
        """Run a cohort; whatever is wrong with it, the others are run too."""
        name = turn.cohort.feed.dataset.name
        try:
            self.run_cohort(turn.number, turn.cohort, progress)
        except UserError as error:
            if self.engine.world > 1:  # what one process meets, the others may be waiting for
                raise
            self.refused.append(str(error))
            progress.say(f"{name}: {error}", style="red")
        except Exception as error:
            if self.engine.world > 1 or device_lost(error) or refused_by_disk(error):
                raise
            of_them = len(turn.cohort.runs)
            unrecorded = count(of_them, f"run on {name} is", f"runs on {name} are")
            self.broken.append(f"{unrecorded} not recorded: {told(error)}; the same command tries them again")
            progress.say(
                f"{count(of_them, 'run')} on {name} stopped by an error:\n{traceback.format_exc()}", style="red"
            )
        self.engine.release()

    def announce(self, progress: SuiteProgress) -> None:
        """Say what is done already or doubtful."""
        for warning in [*twins(self.plan.runs), *long_warmups(self.plan.runs)]:
            progress.say(warning, style="yellow")
        done = len(self.plan.recorded)
        if self.rerun is not None and self.rerun.under_way:
            note = self.rerun
            progress.say(f"continuing the {note.kind} begun {note.begun}; remove {note.path} to begin a new one")
        elif done:
            progress.say(f"{self.suite.name}: {count(done, 'run is', 'runs are')} recorded already")

    def tidy(self) -> None:
        """Remove what launches that were killed left behind, and note what a rerun is to replace."""
        with self.engine.accelerator.main_process_first():
            if self.engine.main:
                sweep(self.folder)
            if self.rerun is not None:  # the others read what the main process noted
                self.rerun.look()
                self.rerun.begin(self.to_replace())

    def equip(self, progress: SuiteProgress) -> None:
        """Make what cohorts are trained with; of states of earlier launches, only those of runs to do are kept."""
        self.checkpoints = Checkpoints(
            self.options.cache / CHECKPOINTS,
            self.engine,
            every=self.options.checkpoint_every,
            grace=self.grace,
            say=progress.say,
            records=self.folder,
            rerun=self.rerun.name if self.rerun else "",
        )
        self.checkpoints.forget(self.done)
        recorder = Recorder(self.suite, self.store, self.folder, self.engine, self.rerun, self.bars)
        self.training = Training(self.supplies, self.checkpoints, recorder, self.grace, progress, self.refused)

    def to_replace(self) -> set[str]:
        """What a rerun or a retry replaces, if it is begun now."""
        todo = {run.run_id for run in self.plan.runs}
        if self.options.retry_failed:
            return {run_id for run_id in todo & recorded_ids(self.folder) if has_failed(self.folder, run_id)}
        return todo

    @property
    def done(self) -> set[str]:
        """Runs that this command need not run any more."""
        recorded = recorded_ids(self.folder)
        if self.rerun is None:
            return recorded
        self.rerun.look()
        return self.rerun.done(recorded)

    def settled(self, runs: Iterable[str]) -> set[str]:
        """Those of the runs that need no training here: recorded, and with weights at hand if others wait for them."""
        awaited = frozenset().union(*(cohort.waits_for for cohort in self.plan.cohorts))
        awaited |= {run.run_id for run in self.plan.runs if run.role == "teacher"}
        done = self.done & set(runs)
        return {r for r in done if r not in awaited or r in self.at_hand or has_failed(self.folder, r)}

    def report(self) -> int:
        """Write and print the boards; what is the exit code?"""
        self.engine.wait()
        if not self.engine.main:
            return 0
        with locked(self.shared_folders[0] / "boards.lock"):  # the last one to write has seen all records
            files = write_boards(self.folder.parent)
        records, published = files.compared.records, published_or_problem(self.folder.absolute().parents[1])[0]
        print_board(records, self.console, published, files.compared)
        wanted = {run.run_id for run in [*self.mine, *self.plan.runs]}
        lost = failures(records, wanted)
        for problem in [*files.problems, *lost, *self.broken, *self.refused]:
            self.console.print(problem, style="red", highlight=False, markup=False)
        for line in still_running(self.left_to_others):
            self.console.print(line, highlight=False, markup=False)
        if self.refused:
            return 2
        ok = {record.run_id for record in records if record.status == "ok"}
        return 0 if wanted <= ok | self.left_to_others.keys() and not self.broken else 1

    def run_cohort(self, number: int, planned: PlannedCohort, progress: SuiteProgress) -> None:
        """Train, examine and record those of one cohort who have what they need, and a teacher who is one."""
        absent = {d.run_id for run in planned.runs for d in dependencies(run) if not self.can_serve(d.run_id)}
        waiting = [run for run in planned.runs if not absent.isdisjoint(d.run_id for d in dependencies(run))]
        for run_id in sorted(absent):
            mine = [run for run in waiting if run_id in {d.run_id for d in dependencies(run)}]
            waits = f"{count(len(mine), 'run waits', 'runs wait')} for {run_id}, which"
            if has_failed(self.folder, run_id):
                self.refused.append(f"{waits} did not end well; see its record, and --retry-failed")
                progress.say(self.refused[-1], style="red")
            else:
                progress.say(f"{waits} was not trained, see above; the same command tries again", style="red")
        ready = [run for run in planned.runs if run not in waiting]
        if not ready:
            return
        data = self.supplies.data(planned.feed)
        if (admitted := self.admitted(part_of(planned, ready), data, progress)) is not None:
            self.training.run(number, admitted, data)
            self.checkpoints.forget(self.done)

    def can_serve(self, run_id: str) -> bool:
        """Are a run's weights at hand, and did it end well? Where it failed, they are those of an earlier training."""
        return run_id in self.at_hand and not has_failed(self.folder, run_id)

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
