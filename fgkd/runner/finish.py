"""What runs leave behind is written here. It may be interrupted anywhere and done again: nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fgkd.data import ImageData
from fgkd.models.store import WeightStore
from fgkd.record import RunRecord, record_path, recorded_ids, write_record
from fgkd.report.truth import Truth, write_truth
from fgkd.runner.admission import with_bar
from fgkd.runner.check.space import refused_by_disk
from fgkd.runner.outcome import Fault, bare_record, make_record, weight_facts
from fgkd.runner.rerun import Rerun
from fgkd.spec import RunSpec
from fgkd.suite import Suite
from fgkd.teacher.gate import Bar
from fgkd.train.cohort import Cohort
from fgkd.train.engine import Engine
from fgkd.train.faults import device_lost, out_of_memory, told
from fgkd.train.learner import Learner


@dataclass
class Recorder:
    """Writes weights first, then records: a run that is recorded has its weights.

    Attributes:
        folder: of the suite's records.
        rerun: whose runs replace the records that are there; None: those are left alone.
        bars: by run id, what a learner's teacher had to exceed.
    """

    suite: Suite
    store: WeightStore
    folder: Path
    engine: Engine
    rerun: Rerun | None = None
    bars: Mapping[str, Bar] = field(default_factory=dict)

    def cohort(self, cohort: Cohort, data: ImageData, *, alone: bool) -> list[RunSpec]:
        """Record the learners of a cohort that has run.

        Args:
            alone: whether the cohort is a single learner, so that no smaller one would need less memory.

        Returns:
            Those who ran out of memory beside others, of whom nothing is written.
        """
        if data.task == "classification":
            write_truth(self.folder.parent, Truth.of(data))
        crowded = []
        for learner in cohort.learners:
            record = None if learner.status == "oom" and not alone else self._record(learner, cohort, data)
            if record is None or (learner.status == "oom" and not alone):  # making the record may be what it lacks
                crowded.append(learner.spec)
                continue
            if learner.active:
                self.store.save(learner.run_id, learner.evaluated, weight_facts(learner, record, data))
            self._write(with_bar(record, self.bars.get(learner.run_id)))
        return crowded

    def faults(self, faults: Iterable[Fault], data: ImageData) -> None:
        """Record runs that never became learners."""
        for fault in faults:
            self._write(bare_record(fault, self.suite, data, self.engine))

    def _record(self, learner: Learner, cohort: Cohort, data: ImageData) -> RunRecord:
        """The learner's record; one that says so where a method's diagnostics, or the network's price, fail."""
        try:
            return make_record(learner, cohort, suite=self.suite, data=data)
        except Exception as error:
            if device_lost(error) or refused_by_disk(error):
                raise
            if learner.active:
                learner.stop("oom" if out_of_memory(error) else "failed", f"in diagnostics: {told(error)}")
            fault = Fault(learner.spec, learner.status, learner.reason)
            return bare_record(fault, self.suite, data, self.engine)

    def _write(self, record: RunRecord) -> None:
        replace = self.rerun is not None and record.run_id in self.rerun.left
        if replace or record.run_id not in recorded_ids(self.folder):
            torn = record_path(self.folder, record.run_id).exists()  # and no record: it was cut short
            write_record(record, self.folder, overwrite=replace or torn)
        if self.rerun is not None:
            self.rerun.finish(record.run_id)
