"""From a run that was named to its record, as far as it can be exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fgkd.choosing import holders, suite_results, whole_id
from fgkd.errors import UserError
from fgkd.models.store import WeightStore
from fgkd.record import RunRecord, read_record, read_records, record_path


@dataclass(frozen=True)
class Chosen:
    """A record and the folder of records that it lies in."""

    record: RunRecord
    folder: Path

    def companions(self) -> list[RunRecord]:
        """All readable records of the same suite, this one among them."""
        return read_records(self.folder)[0]


def choose_run(run: str, results: Path, store: WeightStore, suite: str | None = None) -> Chosen:
    """The recorded run that ended well whose id is, or begins with, `run`, and whose weights are in `store`.

    Args:
        run: an id such as ``kd-3f2a9c51d0be``, its beginning, or the beginning of its hash.
        results: the folder of all suites' results, or of one suite.
        store: where weights lie.
        suite: only this suite's records.

    Raises:
        UserError: no such run, several, one without a result, or one without its weights here.
    """
    held = holders(suite_results(None, suite, results))
    run_id = whole_id(run, held)
    records = [folder / "records" for folder in held[run_id]]
    chosen = [Chosen(read_record(record_path(folder, run_id)), folder) for folder in records]
    well = [one for one in chosen if one.record.status == "ok" and one.record.student and one.record.data]
    if not well:
        record = chosen[0].record
        raise UserError(f"run {run_id} has no result to export: {record.status}, {record.reason}")
    if run_id not in store:
        raise no_weights(well[0].record, store)
    return _of_these_weights(well, str(store.facts(run_id)["weights_hash"]))


def _of_these_weights(well: list[Chosen], weights_hash: str) -> Chosen:
    """Several suites may hold the same run; the record must be of the weights that are here."""
    for one in well:
        assert one.record.student
        if one.record.student.weights_hash == weights_hash:
            return one
    raise UserError(
        f"run {well[0].record.run_id}: the weights in the cache are not those that its record speaks of (another "
        f"machine or an earlier run); {_again(well[0].record.suite)}"
    )


def no_weights(record: RunRecord, store: WeightStore) -> UserError:
    """The error for a recorded run whose weights are not in `store`."""
    return UserError(
        f"run {record.run_id} is recorded, but its weights are not in {store.folder}: it was run on another machine, "
        f"or with another cache; name that cache by --cache, or {_again(record.suite)}"
    )


def _again(suite: str) -> str:
    """How a run of a suite is run once more; those of `fgkd.distill` are in no file."""
    if suite.startswith("distill-"):
        return "run it here again: the same call of fgkd.distill with rerun=True"
    alone = "with --methods, --students and --seeds for this one alone"
    return f"run it here again: fgkd bench --suite {suite} --rerun, {alone}"
