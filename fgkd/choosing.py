"""Which suite and which run are meant, among what is recorded: every command goes by these rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from fgkd.errors import UnknownNameError, UserError, near_names, unknown_hint
from fgkd.record import RunRecord, read_record, record_path, recorded_ids

SHOWN = 6  # of the runs that begin alike


def suite_name(given: str) -> str:
    """The name of a suite that was given as its name or as the path of its file.

    Example:
        >>> suite_name("benchmarks/quickstart.yaml"), suite_name("quickstart")
        ('quickstart', 'quickstart')
    """
    return given.removesuffix(".yaml").rpartition("/")[2]


def suite_results(folder: Path | None, suite: str | None, results: Path) -> list[Path]:
    """The folders, one per suite, that hold records: one named suite, one folder, or all below a results folder.

    Raises:
        UserError: there are none.
    """
    top = folder or results
    if not top.is_dir():
        raise UserError(f"results folder {top}: does not exist; fgkd bench makes it, --results names another")
    if suite is None and (top / "records").is_dir():
        return [top]
    found = {path.parent.name: path.parent for path in sorted(top.glob("*/records")) if path.is_dir()}
    if suite is not None:
        name = suite_name(suite)
        if name not in found:
            raise UnknownNameError(f"no records below {top} of suite {name!r}; {unknown_hint(name, found)}")
        return [found[name]]
    if not found:
        raise UserError(f"no records below {top}; expected {top}/SUITE/records/*.json, which fgkd bench writes")
    return list(found.values())


def find_run(wanted: str, folders: Sequence[Path]) -> tuple[Path, RunRecord]:
    """The run that is meant, and the suite's folder that holds it; the last one where several do.

    Args:
        wanted: an id such as ``kd-3f2a9c51d0be``, its beginning, or the beginning of its hash.
        folders: of suites, see `suite_results`.

    Raises:
        UserError: nothing, or several runs, are meant; or the record cannot be read.
    """
    held = holders(folders)
    run_id = whole_id(wanted, held)
    folder = held[run_id][-1]
    return folder, read_record(record_path(folder / "records", run_id))


def holders(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Of every run that is recorded, by its id, the folders of the suites that hold it."""
    held: dict[str, list[Path]] = {}
    for folder in folders:
        for run_id in recorded_ids(folder / "records"):
            held.setdefault(run_id, []).append(folder)
    return held


def whole_id(wanted: str, run_ids: Iterable[str]) -> str:
    """The one id that is meant, see `meant`.

    Raises:
        UserError: nothing, or several runs, are meant.
    """
    known = sorted(run_ids)
    found = meant(wanted, known)
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
        raise UserError(
            f"run {wanted!r}: expected the beginning of one id, but {len(found)} runs begin so: {shown}; write more of "
            "the one meant"
        )
    hint = (
        f"did you mean {' or '.join(near)}?" if (near := near_names(wanted, known)) else "fgkd board --runs lists them"
    )
    raise UnknownNameError(f"unknown run {wanted!r} among {len(known)} recorded ones; {hint}")


def meant(wanted: str, run_ids: Iterable[str]) -> list[str]:
    """The ids that `wanted` is, or else those that begin with it, or whose hash does.

    Example:
        >>> meant("kd-3", ["kd-3f2a", "at-3f2b"]), meant("3f2", ["kd-3f2a", "at-3f2b"])
        (['kd-3f2a'], ['kd-3f2a', 'at-3f2b'])
    """
    known = list(run_ids)
    if wanted in known:
        return [wanted]
    return [run_id for run_id in known if _begins(run_id, wanted)] if wanted else []


def _begins(run_id: str, wanted: str) -> bool:
    return run_id.startswith(wanted) or run_id.rpartition("-")[2].startswith(wanted)
