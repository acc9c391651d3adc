"""Which of a suite's runs this launch has to do, given what is recorded."""

from __future__ import annotations

from collections.abc import Sequence

from fgkd.models.store import WeightStore
from fgkd.plan import Plan, make_plan
from fgkd.record import recorded_ids, records_folder
from fgkd.runner.options import Options
from fgkd.runner.rerun import Rerun
from fgkd.spec import RunSpec
from fgkd.suite import Suite

CHECKPOINTS = "checkpoints"  # in the cache


def plan_for(suite: Suite, runs: Sequence[RunSpec], options: Options) -> Plan:
    """What is missing of `runs`, in order, given the records and the weights at hand."""
    mine, recorded = shard(runs, options.shard), recorded_ids(records_folder(options.results, suite.name))
    if options.rerun:
        recorded = rerun_of(suite, mine, options).done(recorded)
    return make_plan(mine, recorded=recorded, stored=WeightStore(options.cache / "weights"))


def rerun_of(suite: Suite, runs: Sequence[RunSpec], options: Options) -> Rerun:
    """What an earlier launch of the same ``--rerun`` left to do."""
    records = records_folder(options.results, suite.name)
    return Rerun(options.cache / CHECKPOINTS, records, [run.run_id for run in runs])


def shard(runs: Sequence[RunSpec], part: tuple[int, int] | None) -> list[RunSpec]:
    """The runs of every n-th feed, starting with the i-th; runs without a teacher go with the first."""
    if part is None:
        return list(runs)
    number, of = part
    feeds = list(dict.fromkeys(run.feed for run in runs))
    return [run for run in runs if feeds.index(run.feed) % of == number]
