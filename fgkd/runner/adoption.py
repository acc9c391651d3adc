"""What another suite of the same results has recorded is not trained again: a run is known by its id."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from fgkd.data import open_dataset
from fgkd.data import problems as data_problems
from fgkd.errors import UserError
from fgkd.models.store import WeightStore
from fgkd.plan import with_ancestors
from fgkd.record import RunRecord, find_record, recorded_ids, records_folder, write_record
from fgkd.report.truth import read_truth, write_truth
from fgkd.runner.options import Options
from fgkd.spec import DatasetSpec, RunSpec
from fgkd.suite import Suite


def found_elsewhere(suite: Suite, runs: Sequence[RunSpec], options: Options) -> dict[str, RunRecord]:
    """By id, those of the runs, and of what they need, that a sibling suite recorded as ok, where this one has not.

    Only of the data as it is here now, and with their very weights in the cache: others may have to learn from them.
    """
    store, folder = WeightStore(options.cache / "weights"), records_folder(options.results, suite.name)
    missing = {run_id for run_id in with_ancestors(runs).keys() - recorded_ids(folder) if run_id in store}
    siblings = sorted(path for path in options.results.glob("*/records") if path != folder) if missing else []
    found = {run_id: _recorded(run_id, siblings, store) for run_id in sorted(missing)}
    revision = cache(lambda spec: _revision(spec, options))
    return {
        run_id: record
        for run_id, record in found.items()
        if record is not None and record.data and record.data.revision == revision(record.spec.feed.dataset)
    }


def _revision(spec: DatasetSpec, options: Options) -> str:
    """Of the data as it is now; "" where it is not at hand."""
    if data_problems(spec, options.data_root):
        return ""
    return open_dataset(spec, options.data_root, cache=options.cache).revision


def _recorded(run_id: str, folders: Sequence[Path], store: WeightStore) -> RunRecord | None:
    """The first whole record of a run whose weights are those in the store."""
    for record in (find_record(folder, run_id) for folder in folders):
        weights = record.student.weights_hash if record and record.status == "ok" and record.student else None
        if weights is not None and weights == store.facts(run_id).get("weights_hash"):
            return record
    return None


def _bring_truth(record: RunRecord, from_suite: Path, to_suite: Path) -> None:
    """The labels that the record's predictions are compared with, where this suite has none of that data yet."""
    revision = record.data.revision if record.data is not None else None
    with suppress(UserError):  # theirs is damaged; what is shown of classes is then missing here as it is there
        if revision is not None and (truth := read_truth(from_suite, revision)) is not None:
            write_truth(to_suite, truth)


def adopt(suite: Suite, runs: Sequence[RunSpec], options: Options) -> list[str]:
    """Record those runs here, under this suite's name; one line for each suite that they were taken from."""
    folder, taken = records_folder(options.results, suite.name), dict[str, list[str]]()
    for run_id, record in found_elsewhere(suite, runs, options).items():
        ours = record.model_copy(update={"suite": suite.name, "suite_version": suite.version})
        try:
            write_record(ours, folder)
        except UserError:  # another launch was faster
            continue
        _bring_truth(record, options.results / record.suite, folder.parent)
        taken.setdefault(record.suite, []).append(run_id)
    return [f"taken over from {other}, where they are recorded: {', '.join(ids)}" for other, ids in taken.items()]
