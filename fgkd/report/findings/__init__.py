"""What all tables of a results folder tell together, as the page ``results/findings.md``.

Who beats `kd`, what a method adds to another, how firm the order of the methods is, what each costs to train, and what
teaching together has saved. A function of the records alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from fgkd.report.comparison import Comparison
from fgkd.report.findings.contrasts import bought, contrasts
from fgkd.report.findings.costs import costs, savings
from fgkd.report.findings.devices import mixed_devices
from fgkd.report.findings.leaders import leaders, methods
from fgkd.report.findings.orders import between_tables, within_tables
from fgkd.report.findings.pooled import pooled_spreads
from fgkd.report.findings.rates import rates
from fgkd.report.findings.searches import searches
from fgkd.report.findings.tables import WIDE, tables_of

__all__ = ["findings", "searches"]

_HEAD = f"""\
# Findings across tables

Generated from the records of all suites by `fgkd board`; edits here are lost. Tables have letters, those that compare
at least {WIDE} methods the first ones: means over settings are of these alone. Differences are in points of a table's
metric, mean and 95 % t-interval over runs with equal seeds; with one pair there is no interval. Tables that differ by
their epochs or their recipe alone are one setting, and count once, as their mean; an interval over settings is one of
such means.
"""


def findings(suites: Sequence[Comparison]) -> str:
    """The page, ending in a newline; `suites` are held apart, as their boards are."""
    search = searches(suite.records[0].suite for suite in suites)
    tables = tables_of([suite for suite in suites if suite.records[0].suite not in search])
    sections = [
        _HEAD,
        leaders(tables),
        pooled_spreads(tables),
        methods(tables),
        contrasts(tables),
        mixed_devices(tables),
        bought(tables),
        within_tables(tables),
        between_tables(tables),
        rates(suites),
        costs(tables),
        savings(suites),
    ]
    return "\n".join(section for section in sections if section)
