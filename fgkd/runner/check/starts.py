"""A record speaks of the weights that a run started from: files that hold others now make another run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from fgkd.errors import UserError
from fgkd.models.store import WeightStore
from fgkd.models.weights import digest_of, start_files
from fgkd.plan import with_ancestors
from fgkd.record import find_record
from fgkd.runner.options import Options
from fgkd.spec import BackboneSpec, RunSpec


def start_problems(runs: Sequence[RunSpec], folder: Path, options: Options) -> Iterable[str]:
    """One line for each recorded run, teachers too, whose own weight files have changed since.

    Args:
        folder: of the suite's records.
    """
    for run_id, run in with_ancestors(runs).items():
        now = _now(run.student, options)
        if now and _recorded(folder, run_id) not in (None, now):
            yield (
                f"weights {run.student.weights or run.student.name}: have changed since run {run_id} was recorded; "
                "train again what started from them (--rerun, rerun=True), give the file another name, or record into "
                "another folder (--results)"
            )


def _recorded(folder: Path, run_id: str) -> str | None:
    record = find_record(folder, run_id)
    return record.student.start_digest if record and record.student else None


def _now(network: BackboneSpec, options: Options) -> str | None:
    """None where the files are not here: nobody needs them who has the record."""
    try:
        return digest_of(start_files(WeightStore(options.cache / "weights").resolved(network), options.weights))
    except UserError:
        return None
