"""The right answers to what a recorded run was tested on, for commands that judge its predictions."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from fgkd.errors import UserError
from fgkd.places import cache_folder, data_root
from fgkd.record import RunRecord
from fgkd.report.truth import Truth, read_truth


def truth_of(record: RunRecord, folders: Iterable[Path], args: Namespace) -> Truth:
    """The labels of the run's test split: kept in one of the suites' folders, or else of the data at hand.

    Raises:
        UserError: they are in neither, or the record does not say which data it was tested on.
    """
    revision = revision_of(record)
    for folder in folders:
        if kept := read_truth(folder, revision):
            return kept
    return _truth_of_data(record, args)


def revision_of(record: RunRecord) -> str:
    """The revision of the data that a run was tested on; UserError where its record does not tell."""
    if record.data is None or record.data.revision is None:
        raise UserError(f"run {record.run_id}: its record does not say which data it was tested on")
    return record.data.revision


def _truth_of_data(record: RunRecord, args: Namespace) -> Truth:
    """The right answers of records that are older than kept ones, from the data itself."""
    from fgkd.data import open_dataset

    spec, revision = record.spec.feed.dataset, revision_of(record)
    try:
        data = open_dataset(spec, data_root(args.data_root), cache=cache_folder(args.cache))
    except UserError as error:
        raise UserError(
            f"run {record.run_id}: the labels of its test split lie neither in truth/{revision}.json beside the "
            f"records nor in the data root (--data-root): {error}"
        ) from None
    if data.revision != revision:
        raise UserError(
            f"run {record.run_id}: was tested on revision {revision} of {spec.name}, but the data root holds "
            f"{data.revision}; name the folder of that copy by --data-root"
        )
    return Truth.of(data)
