"""Is a data set what it should be? Examined once by ``fgkd data check``, or quickly before the first training.

Names are imported on first use, so that the processes that decode files start quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fgkd.data.check.examination import examine, verdict_on
    from fgkd.data.check.kinds import KINDS, Finding
    from fgkd.data.check.report import Report

_HOMES = {
    "examine": "examination",
    "verdict_on": "examination",
    "KINDS": "kinds",
    "Finding": "kinds",
    "Report": "report",
}

__all__ = ["KINDS", "Finding", "Report", "examine", "verdict_on"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
