"""What an examination of a data set found, as values that survive a JSON file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fgkd.data.check.kinds import KINDS, SEVERITIES, Finding, Severity

CHECKER = 1  # a verdict of another version is not used
MOST = 1000  # findings of a kind that are kept; totals count all


@dataclass(frozen=True)
class Classes:
    """Images per class in training, hold-out included.

    Attributes:
        num_classes: K.
        smallest, median, largest: images.
        imbalance: largest over smallest.
        singletons: names of the classes with one image.
    """

    num_classes: int
    smallest: int
    median: float
    largest: int
    imbalance: float
    singletons: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[str], targets: np.ndarray) -> Classes:
        """From labels (n,), those without a name left out; classes without images count as well."""
        known = targets[(targets >= 0) & (targets < len(names))]
        sizes = np.bincount(known, minlength=len(names))
        low, high = int(sizes.min()), int(sizes.max())
        alone = tuple(names[k] for k in np.flatnonzero(sizes == 1).tolist())
        return cls(len(names), low, float(np.median(sizes)), high, round(high / max(low, 1), 2), alone)


@dataclass(frozen=True)
class Report:
    """What was found in one data set under one protocol.

    Attributes:
        name, protocol: of the data set.
        mode: ``full``, or ``quick`` for headers alone.
        revision: the data's; empty where files are missing.
        counts: images per split of training.
        expected: images per published split by the card; empty where none states them.
        images: distinct files listed.
        examined: how many of them were looked at.
        seconds: it took.
        classes: the histogram of the training split.
        totals: findings by kind.
        findings: at most `MOST` of a kind, errors first.
    """

    name: str
    protocol: str
    mode: Literal["full", "quick"]
    revision: str
    counts: Mapping[str, int]
    expected: Mapping[str, int]
    images: int
    examined: int
    seconds: float
    classes: Classes
    totals: Mapping[str, int]
    findings: tuple[Finding, ...]

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    def number(self, severity: Severity) -> int:
        """How many findings of a severity there are, those not kept included."""
        return sum(count for kind, count in self.totals.items() if KINDS[kind].severity == severity)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``severities`` is there for readers alone."""
        values = {**vars(self), "classes": vars(self.classes) | {"singletons": list(self.classes.singletons)}}
        values |= {"counts": dict(self.counts), "expected": dict(self.expected), "totals": dict(self.totals)}
        values["severities"] = {severity: self.number(severity) for severity in SEVERITIES}
        return {"checker": CHECKER, **values, "findings": [finding.to_json() for finding in self.findings]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Report:
        """The report that `to_json` gave; KeyError, TypeError or ValueError where it is another thing."""
        known = {key: values[key] for key in cls.__dataclass_fields__}
        if values["checker"] != CHECKER or not set(known["totals"]) <= set(KINDS):
            raise ValueError("of another version")
        classes = Classes(**{**known["classes"], "singletons": tuple(known["classes"]["singletons"])})
        return cls(**{**known, "classes": classes, "findings": tuple(map(Finding.from_json, known["findings"]))})


def sorted_findings(findings: Iterable[Finding]) -> tuple[dict[str, int], tuple[Finding, ...]]:
    """Totals by kind, and at most `MOST` findings of each, in the order of `KINDS` and of paths."""
    by_kind: dict[str, list[Finding]] = {kind: [] for kind in KINDS}
    for finding in findings:
        by_kind[finding.kind].append(finding)
    kept = [f for group in by_kind.values() for f in sorted(group, key=lambda f: (f.path, f.split))[:MOST]]
    return {kind: len(group) for kind, group in by_kind.items() if group}, tuple(kept)
