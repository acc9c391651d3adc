"""A suite from plain values, with the checks of a file; for callers that make one up as they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fgkd.errors import UserErrors
from fgkd.suite.check import Known, check_suite
from fgkd.suite.method_entries import MethodTable
from fgkd.suite.reading import Suite, suite_of
from fgkd.yaml_places import dotted


def make_suite(value: Mapping[str, Any], known: Known | None = None) -> Suite:
    """The suite that a file with this content would be.

    Args:
        value: name, version, datasets, teachers, students, methods, ... as in benchmarks/*.yaml.
        known: names of data sets and augmentations to check against.

    Raises:
        UserErrors: every fault, each with the key that it is at.

    Example:
        >>> make_suite({"name": "one", "version": 1, "datasets": ["cub200"], "students": ["resnet18"], "methods": []})
        Traceback (most recent call last):
        fgkd.errors.UserErrors: methods: expected at least one entry, found none
    """
    known, methods = known or Known(), MethodTable()
    faults = check_suite(dict(value), str(value.get("name")), known, methods)
    if faults:
        raise UserErrors([f"{dotted(fault.path)}: {fault.text}" if fault.path else fault.text for fault in faults])
    return suite_of(value, known, methods)
