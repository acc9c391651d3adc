"""Suites that look for recipes: what they chose is run in another suite, and counts there."""

from __future__ import annotations

from collections.abc import Iterable

_BEHIND = "_tuning"


def searches(names: Iterable[str]) -> frozenset[str]:
    """Of these suites, those that look for recipes for another of them: called after it, with ``_tuning`` behind.

    Example:
        >>> sorted(searches(["cub50", "cub50_tuning_low", "my_fine_tuning"]))
        ['cub50_tuning_low']
    """
    known = list(names)
    return frozenset(name for name in known if any(name.startswith(served + _BEHIND) for served in known))
