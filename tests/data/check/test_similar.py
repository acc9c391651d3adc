"""Near fingerprints: the quick search against comparing all with all."""

from __future__ import annotations

import numpy as np
import pytest

from fgkd.data.check import similar
from fgkd.data.check.duplicates import Entry, duplicates
from fgkd.data.check.look import Look
from fgkd.data.check.similar import NEAR, near_pairs


def prints(rng: np.random.Generator, strangers: int, copies: int, most: int) -> np.ndarray:
    """Random fingerprints, and copies of some with up to `most` bits turned."""
    bits = rng.integers(0, 2, (strangers, 256), dtype=np.uint8)
    more = bits[rng.integers(0, strangers, copies)]
    for row in more:
        row[rng.permutation(256)[: rng.integers(1, most + 1)]] ^= 1
    return np.unique(np.packbits(np.concatenate([bits, more]), axis=1), axis=0)


def all_pairs(table: np.ndarray, most: int) -> np.ndarray:
    bits = np.unpackbits(table, axis=1).astype(np.int32)
    apart = (bits[:, None] != bits[None]).sum(-1)
    return np.argwhere(np.triu(apart <= most, 1))


@pytest.mark.parametrize("most", [0, 1, NEAR, 31])
def test_the_search_finds_exactly_the_near_pairs(most):
    table = prints(np.random.default_rng(most), 200, 150, 40)
    wanted = all_pairs(table, most)
    assert len(wanted) > 20 or most < 2
    assert near_pairs(table, most).tolist() == wanted.tolist()


def test_plain_pictures_crowd_together_and_are_found_all_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    bits = np.unpackbits(prints(rng, 300, 200, NEAR), axis=1)
    bits[:, :190] = 0  # three quarters of every picture are sky
    table = np.unique(np.packbits(bits, axis=1), axis=0)
    wanted = {tuple(pair) for pair in all_pairs(table, 8).tolist()}
    found = {tuple(pair) for pair in near_pairs(table, 8).tolist()}
    assert found == wanted
    monkeypatch.setattr(similar, "CROWD", 4)
    few = {tuple(pair) for pair in near_pairs(table, 8).tolist()}
    assert few <= wanted
    assert len(few) > 0.9 * len(wanted)


def test_work_is_not_quadratic(monkeypatch):
    compared = []
    meetings = similar._meetings
    monkeypatch.setattr(similar, "_meetings", lambda keys: [compared.append(len(p[0])) or p for p in meetings(keys)])
    near_pairs(prints(np.random.default_rng(0), 4000, 0, 1))
    assert sum(compared) < 4000 * 4000 / 4


def looks(*values: tuple[bytes, int]) -> list[Look]:
    """From (digest, number of bits set) pairs."""
    rows = [np.packbits(np.arange(256) < bits).tobytes() for _, bits in values]
    return [Look((), digest, row) for (digest, _), row in zip(values, rows, strict=True)]


def test_duplicates_are_told_by_group_split_and_label():
    entries = [
        Entry("a.jpg", "train", "robin"),
        Entry("b.jpg", "test", "robin"),  # the same file as a
        Entry("c.jpg", "train", "wren"),
        Entry("d.jpg", "train", "finch"),  # almost as c
        Entry("e.jpg", "train", "wren"),
        Entry("f.jpg", "train", "wren"),  # the same file as e
        Entry("g.jpg", "train", "wren"),
        Entry("h.jpg", "test", "wren"),  # not looked at
    ]
    seen = looks((b"a", 0), (b"a", 0), (b"c", 60), (b"d", 80), (b"e", 130), (b"e", 130), (b"g", 200))
    found = list(duplicates(entries, [*seen, None]))
    assert [(f.kind, f.path, f.others) for f in found] == [
        ("duplicate-across-splits", "a.jpg", ("test: b.jpg",)),
        ("duplicate", "e.jpg", ("train: f.jpg",)),
        ("near-duplicate", "c.jpg", ("train: d.jpg",)),
        ("conflicting-labels", "c.jpg", ("train: d.jpg",)),
    ]
    assert "wren / finch" in found[-1].detail


def test_a_chain_is_one_group():
    entries = [Entry(f"{i}.jpg", "train" if i else "test", "x") for i in range(4)]
    (found,) = duplicates(entries, looks(*((bytes([i + 1]), 20 * i) for i in range(4))))
    assert (found.kind, len(found.others)) == ("near-duplicate-across-splits", 3)
    assert list(duplicates(entries, looks(*((bytes([i + 1]), 40 * i) for i in range(4))))) == []


def test_pictures_without_a_look_are_nobodys_duplicates():
    entries = [Entry(f"{i}.jpg", "train", "x") for i in range(3)]
    assert list(duplicates(entries, [Look()] * 3)) == []
    assert near_pairs(np.empty((0, 32), np.uint8)).shape == (0, 2)
