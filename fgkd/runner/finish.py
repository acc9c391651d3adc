"""Recording a cohort that has run. It may be interrupted anywhere and done again: nothing is lost or written twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fgkd.data import ImageData
from fgkd.models.store import WeightStore
from fgkd.record import recorded_ids, write_record
from fgkd.runner.admission import with_bar
from fgkd.runner.outcome import make_record, weight_facts
from fgkd.runner.rerun import Rerun
from fgkd.suite import Suite
from fgkd.teacher.gate import Bar
from fgkd.train.cohort import Cohort


def record_cohort(
    cohort: Cohort,
    data: ImageData,
    suite: Suite,
    *,
    store: WeightStore,
    folder: Path,
    bars: Mapping[str, Bar],
    rerun: Rerun | None,
) -> None:
    """Weights first, then records: a run that is recorded has its weights.

    Args:
        folder: of the suite's records.
        bars: by run id, what a learner's teacher had to exceed.
        rerun: replace the records that are there, and note that they were; None: leave them alone.
    """
    for learner in cohort.learners:
        record = make_record(learner, cohort, suite=suite, data=data, notes=suite.notes)
        record = with_bar(record, bars.get(learner.run_id))
        if learner.active:
            store.save(learner.run_id, learner.evaluated, weight_facts(learner, record, data))
        if rerun is not None or record.run_id not in recorded_ids(folder):
            write_record(record, folder, overwrite=rerun is not None)
        if rerun is not None:
            rerun.finish(record.run_id)
