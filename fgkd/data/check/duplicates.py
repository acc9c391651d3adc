"""Pictures that occur more than once, and what that does to a protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fgkd.data.check.kinds import Finding
from fgkd.data.check.look import Look
from fgkd.data.check.similar import near_pairs

TOLD = 20  # files of a group that a finding names


@dataclass(frozen=True)
class Entry:
    """A listed file: where, in which split, with which class."""

    path: str
    split: str
    label: str


def duplicates(entries: Sequence[Entry], looks: Sequence[Look | None]) -> Iterator[Finding]:
    """Findings of the kinds duplicate, near-duplicate and conflicting-labels; one of each per group of files.

    Args:
        entries: n listed files.
        looks: what was seen of each; None where it was not looked at.
    """
    same = _grouped([look.digest if look else b"" for look in looks])
    for group in same:
        yield from _told([entries[i] for i in group], "duplicate", "the same file")
    for group in _similar([look.fingerprint if look else b"" for look in looks]):
        if len({look.digest for i in group if (look := looks[i])}) > 1:
            yield from _told([entries[i] for i in group], "near-duplicate", "almost the same picture")


def _grouped(keys: Sequence[bytes]) -> list[list[int]]:
    """Positions with equal keys, two or more; empty keys are nobody's equal."""
    places: dict[bytes, list[int]] = {}
    for position, key in enumerate(keys):
        if key:
            places.setdefault(key, []).append(position)
    return [group for group in places.values() if len(group) > 1]


def _similar(fingerprints: Sequence[bytes]) -> list[list[int]]:
    """Positions whose fingerprints are near, or linked by others that are."""
    known = [i for i, value in enumerate(fingerprints) if value]
    if not known:
        return []
    table = np.frombuffer(b"".join(fingerprints[i] for i in known), np.uint8).reshape(len(known), -1)
    distinct, row = np.unique(table, axis=0, return_inverse=True)
    pairs = near_pairs(distinct)
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(distinct),) * 2)
    component = connected_components(links, directed=False)[1][row.ravel()]
    groups = _grouped([int(number).to_bytes(8, "big") for number in component])
    return [[known[i] for i in group] for group in groups]


def _told(group: Sequence[Entry], kind: str, words: str) -> Iterator[Finding]:
    first, *others = group
    names = tuple(f"{entry.split}: {entry.path}" for entry in others[:TOLD])
    splits, labels = _distinct(e.split for e in group), _distinct(e.label for e in group)
    detail = f"{words}, {len(group)} times" + (f", in {', '.join(splits)}" if len(splits) > 1 else "")
    across = "-across-splits" if len(splits) > 1 else ""
    yield Finding(kind + across, first.path, first.split, detail, names)
    if len(labels) > 1:
        some = " / ".join(labels[:TOLD])
        yield Finding("conflicting-labels", first.path, first.split, f"{words}, labelled {some}", names)


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
