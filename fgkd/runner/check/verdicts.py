"""What the examination of a data set's files means for training."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from fgkd.data import open_dataset
from fgkd.data.check import Report, verdict_on
from fgkd.errors import UserError
from fgkd.places import data_root
from fgkd.spec import DatasetSpec
from fgkd.text import printable

TOLD = 10  # files that a refusal names


def verdict_problems(spec: DatasetSpec, root: Path, cache: Path, say: Callable[[str], None]) -> list[str]:
    """Why training on a data set would stop at some file; empty when nothing is known against it.

    Where ``fgkd data check`` has not examined the files yet, their headers are looked at, and the result is kept.

    Args:
        spec, root: as for `open_dataset`.
        cache: where verdicts are kept.
        say: is told what was looked at, and what was found that does not stop training.
    """
    try:
        data = open_dataset(spec, root, cache=cache)
    except UserError as error:
        return [str(error)]
    report, fresh = verdict_on(data, spec, root, cache=cache)
    if report.number("error"):
        return [_refusal(spec.name, report, _command(spec, root))]
    if fresh and report.mode == "quick":
        many = f"{report.examined:,} of {report.images:,}" if report.examined < report.images else f"{report.images:,}"
        say(f"{spec.name}: the headers of {many} images are fine; {_command(spec, root)} reads them whole")
    if warnings := report.number("warning"):
        say(f"{spec.name}: {_command(spec, root)} tells {warnings} warning{'s' * (warnings > 1)}")
    return []


def _refusal(name: str, report: Report, command: str) -> str:
    errors = report.of("error")
    lines = [f"{printable(error.path)}: {error.kind} {printable(error.detail)}".rstrip() for error in errors[:TOLD]]
    if (more := report.number("error") - len(lines)) > 0:
        lines.append(f"and {more} more")
    files = f"{report.number('error')} files" if report.number("error") > 1 else "a file"
    listed = "".join(f"\n    {line}" for line in lines)
    return (
        f"data set {name}: {files} would stop training; replace what is broken (a damaged download is best "
        f"fetched anew), or take it out of the set; {command} tells all:{listed}"
    )


def _command(spec: DatasetSpec, root: Path) -> str:
    """What to type to have the files examined: a verdict is of one place, whoever asks from wherever."""
    protocol = [] if spec.protocol == "default" else ["--protocol", spec.protocol]
    elsewhere = [] if root == data_root(None) else ["--data-root", str(root)]
    return shlex.join(["fgkd", "data", "check", spec.name, *protocol, *elsewhere])
