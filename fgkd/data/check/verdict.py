"""The verdict on a data set's files, kept in the cache for training to use."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from fgkd.data.check.report import CHECKER, Report
from fgkd.files import write_text


def verdict_path(cache: Path, revision: str, paths: Iterable[Path]) -> Path:
    """Where the verdict on these files lies.

    The revision names paths, labels and sizes. Times of change are part of the key as well, so that a file mended or
    spoilt in place is looked at again. However a path is spelt, its verdict is the same.
    """
    stamps = sorted(f"{os.path.abspath(path)!r}\t{_changed(path)}" for path in paths)
    key = hashlib.sha256("\n".join([str(CHECKER), revision, *stamps]).encode()).hexdigest()[:20]
    return cache / "checks" / f"{key}.json"


def _changed(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_size} {found.st_mtime_ns}"


def read_verdict(path: Path) -> Report | None:
    """The report kept there; None where there is none that can be used."""
    try:
        return Report.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep_verdict(path: Path, report: Report) -> None:
    """Write a report; the headers' verdict never replaces one on whole files."""
    kept = read_verdict(path)
    if kept is None or report.mode == "full" or kept.mode == "quick":
        write_text(path, json.dumps(report.to_json()) + "\n")
