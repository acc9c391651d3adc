"""Which of a suite's runs this launch has to do, given what is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from fgkd.models.store import WeightStore
from fgkd.plan import Plan, asks_for_baselines, contest, is_baseline, longest_first, make_plan, with_ancestors
from fgkd.price import Pricer
from fgkd.record import find_record, recorded_ids, records_folder
from fgkd.runner.adoption import found_elsewhere
from fgkd.runner.at_hand import WeightsAtHand
from fgkd.runner.options import Options
from fgkd.runner.rerun import Rerun
from fgkd.runner.sizes import KnownSizes
from fgkd.spec import RunSpec
from fgkd.suite import Suite

CHECKPOINTS, CLAIMS = "checkpoints", "claims"  # in the cache


def plan_for(suite: Suite, runs: Sequence[RunSpec], options: Options) -> Plan:
    """What is missing of `runs`, in order, given the records and the weights at hand."""
    folder = records_folder(options.results, suite.name)
    stored = WeightsAtHand(WeightStore(options.cache / "weights"), folder)
    mine, recorded = part_to_do(runs, options.shard), recorded_ids(folder)
    if options.rerun:
        return make_plan(mine, recorded=rerun_of(suite, mine, options).done(recorded), stored=stored)
    recorded |= found_elsewhere(suite, mine, options).keys()
    failed = failed_ids(folder, mine, recorded)
    if options.retry_failed:
        retry = rerun_of(suite, mine, options)
        todo = retry.left if retry.name else failed
        return make_plan(mine, recorded=recorded - todo, stored=stored, failed=failed - todo)
    return make_plan(mine, recorded=recorded, stored=stored, failed=failed)


def in_order(plan: Plan, known: KnownSizes) -> Plan:
    """The plan in the order that several launches share it best in: by multiply-accumulates, see `longest_first`."""
    if len(plan.cohorts) < 3:
        return plan
    pricer = Pricer(lambda run: known[run.feed.dataset])
    try:
        return longest_first(plan, lambda planned: pricer.cohort(planned).macs)
    except Exception:  # a network that cannot be priced can be trained all the same
        return plan


def rerun_of(suite: Suite, runs: Sequence[RunSpec], options: Options) -> Rerun:
    """What an earlier launch of the same ``--rerun`` or ``--retry-failed`` left to do."""
    records, guard = records_folder(options.results, suite.name), options.cache / CLAIMS / "rerun.lock"
    kind = "rerun" if options.rerun else "retry"
    return Rerun(options.cache / CHECKPOINTS, guard, records, [run.run_id for run in runs], kind)


def failed_ids(folder: Path, runs: Iterable[RunSpec], recorded: set[str]) -> set[str]:
    """Of the runs and whatever they need, those whose records say that they did not end well.

    Weights at hand say nothing of that: they may be older than the failure.
    """
    needed = with_ancestors(runs).keys() & recorded
    return {run_id for run_id in needed if has_failed(folder, run_id)}


def has_failed(folder: Path, run_id: str) -> bool:
    """Does the record of a run say that it did not end well?"""
    record = find_record(folder, run_id)
    return record is not None and record.status != "ok"


def part_to_do(runs: Sequence[RunSpec], part: tuple[int, int] | None) -> list[RunSpec]:
    """A shard, and the runs from scratch that its teachers have to beat, which other shards may hold as well.

    Whoever comes first trains such a run, where results and cache are shared; elsewhere each part trains its own.
    """
    mine = shard(runs, part)
    contested = {contest(run) for run in mine if asks_for_baselines(run)}
    return list(dict.fromkeys([*mine, *(run for run in runs if is_baseline(run) and contest(run) in contested)]))


def shard(runs: Sequence[RunSpec], part: tuple[int, int] | None) -> list[RunSpec]:
    """The runs of every n-th feed, starting with the i-th; each run is in exactly one of the n parts."""
    if part is None:
        return list(runs)
    number, of = part
    feeds = {feed: index for index, feed in enumerate(dict.fromkeys(run.feed for run in runs))}
    return [run for run in runs if feeds[run.feed] % of == number]
