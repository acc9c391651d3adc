"""All pairs of near fingerprints, without comparing every picture with every other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fgkd.data.check.fingerprint import BITS
from fgkd.data.seeds import permutation

# Of the 57 million pairs within 2,889 birds, 8,144 cars, 5,421 groceries and 3,000 drawn birds, those of up to 36 bits
# were looked at: up to 24 they are one photograph, or two taken within a second; from 30 on strangers are among them.
NEAR = 24
WORD = 16  # bits
CROWD = 64  # followers that a row is compared with: it bounds the work where most pictures share a plain word
BLOCK = 1 << 20  # pairs compared at once, 64 MB


def near_pairs(fingerprints: np.ndarray, most: int = NEAR) -> np.ndarray:
    """Pairs of rows that differ in at most `most` bits.

    Two rows of 256 bits that differ in fewer than 32 have at least one of 16 words with at most one difference: they
    meet when rows are grouped by each word with each of its bits left out. Words are drawn from all over the picture,
    since neighbouring bits of plain skies and studio walls agree in too many pictures. In groups that are crowded all
    the same, a row is compared with the next `CROWD` rows only; most near pairs meet in another group.

    Args:
        fingerprints: (n, 32) uint8, all different.
        most: 0 to 31.

    Returns:
        (m, 2) int64, the smaller row first, sorted.
    """
    assert most < 2 * BITS // WORD
    shuffled = _shuffled(fingerprints)
    words, quads = shuffled.view(np.uint16), shuffled.view(np.uint64)
    found: list[np.ndarray] = []
    for column in range(words.shape[1]):
        for bit in range(WORD):
            keys = words[:, column] & np.uint16(~(1 << bit) & 0xFFFF)
            for first, second in _meetings(keys):
                apart = np.bitwise_count(quads[first] ^ quads[second]).sum(axis=1)
                near = apart <= most
                found.append(np.stack([first[near], second[near]], axis=1))
    pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _shuffled(fingerprints: np.ndarray) -> np.ndarray:
    bits = np.unpackbits(fingerprints, axis=1)
    return np.ascontiguousarray(np.packbits(bits[:, permutation(0, BITS)], axis=1))


def _meetings(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions of all pairs with equal keys, in blocks: every row with its 1st, 2nd, ... follower of the same key."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    rows = np.arange(len(keys))
    for step in range(1, CROWD):
        rows = rows[: np.searchsorted(rows, len(keys) - step)]
        rows = rows[ranked[rows] == ranked[rows + step]]
        if not len(rows):
            return
        for begin in range(0, len(rows), BLOCK):
            part = rows[begin : begin + BLOCK]
            yield order[part], order[part + step]
