"""``fgkd board --per-class RUN_ID``: the classes of a run, worst first."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from fgkd.cli.places import cache_folder, data_root
from fgkd.cli.print import console, print_json, table
from fgkd.errors import UserError, unknown_name
from fgkd.record import RunRecord, read_record, recorded_ids
from fgkd.report.per_class import ClassScore, class_scores, mean_class_accuracy, predictions_of, worst_first
from fgkd.report.truth import Truth, read_truth


def per_class(args: Namespace, folders: Sequence[Path]) -> int:
    """Print how a recorded run fares on each class.

    Raises:
        UserError: no such run; or the right answers are neither beside the records nor in the data root.
    """
    folder, run_id = find_run(args.per_class, folders)
    record = read_record(folder / "records" / f"{run_id}.json")
    predictions_of(record)  # before the right answers are looked for
    scores = class_scores(record, read_truth(folder, revision_of(record)) or truth_of_data(record, args))
    if args.json:
        print_json([{**vars(score), "accuracy": score.accuracy} for score in scores])
        return 0
    shown = worst_first(scores)
    rows = [_row(score) for score in shown[: args.limit or None]]
    console().print(table(("class", "images", "right", "top-1 %", "mostly taken for"), rows))
    right, images = (sum(getattr(score, name) for score in shown) for name in ("right", "images"))
    print(
        f"{run_id}: {len(rows)} of {len(shown)} classes, worst first; top-1 {100 * right / images:.2f} %, "
        f"mean over classes {100 * mean_class_accuracy(scores):.2f} %"
    )
    return 0


def _row(score: ClassScore) -> tuple[str, ...]:
    taken = f"{score.taken_for} ({score.taken})" if score.taken else ""
    return score.name, str(score.images), str(score.right), f"{100 * (score.accuracy or 0):.1f}", taken


def find_run(wanted: str, folders: Sequence[Path]) -> tuple[Path, str]:
    """The folder and the id of a run, by its id or the beginning of it.

    Raises:
        UserError: nothing, or several runs, are meant.
    """
    ids = {run_id: folder for folder in folders for run_id in sorted(recorded_ids(folder / "records"))}
    meant = [wanted] if wanted in ids else [run_id for run_id in ids if run_id.startswith(wanted)]
    if not meant:
        raise unknown_name("run", wanted, ids)
    if len(meant) > 1:
        raise UserError(f"run {wanted}: expected the beginning of one id, found that of {', '.join(meant[:4])}")
    return ids[meant[0]], meant[0]


def revision_of(record: RunRecord) -> str:
    """The revision of the data that a run was tested on; UserError where its record does not tell."""
    if record.data is None or record.data.revision is None:
        raise UserError(f"run {record.run_id}: its record does not say which data it was tested on")
    return record.data.revision


def truth_of_data(record: RunRecord, args: Namespace) -> Truth:
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
