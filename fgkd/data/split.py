"""Splits of a data set, and the stratified hold-out carved from its training split."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from fgkd.data.seeds import mix, permutation
from fgkd.errors import UserError


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels, in a fixed order.

    Attributes:
        name: ``train``, ``holdout`` or ``test``.
        paths: n image files.
        targets: (n,) int64, labels from 0.
    """

    name: str
    paths: tuple[Path, ...]
    targets: np.ndarray

    def __post_init__(self) -> None:
        assert self.targets.shape == (len(self.paths),), "a split needs one label per image"
        assert self.targets.dtype == np.int64, "labels are int64"

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, positions: Sequence[int] | np.ndarray, name: str | None = None) -> Split:
        """The images at `positions`, in that order, as a split called `name` (this one's name by default)."""
        positions = np.asarray(positions, dtype=np.int64)
        return Split(name or self.name, tuple(self.paths[i] for i in positions), self.targets[positions])


def as_split(name: str, rows: Iterable[tuple[Path, int]]) -> Split:
    """A split from (image, label) pairs."""
    rows = list(rows)
    return Split(name, tuple(path for path, _ in rows), np.array([label for _, label in rows], dtype=np.int64))


@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set opened under one protocol.

    Attributes:
        name: as in the spec.
        protocol: the protocol's own name, where the spec may have said ``default``.
        class_names: K names; label k is called ``class_names[k]``.
        train: what is trained on, after the hold-out was carved out of it.
        holdout: for selection.
        test: read once, at the end.
        revision: 12 hex digits naming the content: relative paths, labels, file sizes and the official split.
        counts: images per split.
        unseen: names of the test split's classes where training has none of them; their labels are K and above. Then
            test is for retrieval: a classifier has nothing to say about it.
    """

    name: str
    protocol: str
    class_names: tuple[str, ...]
    train: Split
    holdout: Split
    test: Split
    revision: str
    counts: Mapping[str, int]
    unseen: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    @property
    def task(self) -> Literal["classification", "retrieval"]:
        """What the test split is for."""
        return "retrieval" if self.unseen else "classification"


def carve(split: Split, share: float, seed: int, names: tuple[str, str]) -> tuple[Split, Split]:
    """Part `split` in two, class by class: what stays, and a `share` of every class that leaves.

    Every class gives its share rounded down, but at least one image and never its last (so a class of one image gives
    none); what is then lacking of the share of the whole comes from the classes that the rounding favoured most. Which
    images leave depends on `seed` and on their order within the class. Both parts keep the split's order.

    Args:
        split: what to part.
        share: in (0, 1).
        seed: >= 0.
        names: of the two parts.
    """
    leaves = np.zeros(len(split), dtype=bool)
    for label, count in enumerate(_quotas(np.bincount(split.targets), share, seed)):
        members = np.flatnonzero(split.targets == label)
        leaves[members[permutation(mix("carve", seed, label), len(members))[:count]]] = True
    return split.take(np.flatnonzero(~leaves), names[0]), split.take(np.flatnonzero(leaves), names[1])


def _quotas(sizes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """How many of each class leave; their sum is the share of all, rounded, unless the small classes force another."""
    wished, most = sizes * share, np.maximum(sizes - 1, 0)
    quotas = np.clip(np.floor(wished).astype(np.int64), np.minimum(1, most), most)
    lacking = max(round(float(wished.sum())) - int(quotas.sum()), 0)
    ties = permutation(mix("quotas", seed), len(sizes))
    owing = ties[np.argsort(-(wished - quotas)[ties], kind="stable")]
    quotas[owing[(quotas < most)[owing]][:lacking]] += 1
    return quotas


def content_hash(splits: Sequence[Split], below: Path) -> str:
    """12 hex digits of the sorted (split, path below `below`, label, size in bytes) of every image.

    Raises:
        UserError: files are missing.
    """
    rows, missing = [], []
    home = os.path.join(below, "")
    for split in splits:
        for path, target in zip(split.paths, split.targets.tolist(), strict=True):
            try:
                size = path.stat().st_size
            except OSError:
                missing.append(path)
                continue
            rows.append(f"{split.name}\t{_inside(path, home)}\t{target}\t{size}")
    if missing:
        raise UserError(
            f"{len(missing)} of {len(missing) + len(rows)} images listed are not there, the first is {missing[0]}; "
            "the copy is incomplete: unpack or download it again"
        )
    return hashlib.sha256("\n".join(sorted(rows)).encode(errors="surrogateescape")).hexdigest()[:12]


def _inside(path: Path, home: str) -> str:
    """`path`, relative to the folder that `home` ends in a separator for; the same on every system."""
    text = str(path)
    plain = text.startswith(home) and ".." not in path.parts  # as usual: relpath looks at each part
    text = text[len(home) :] if plain else os.path.relpath(text, home)
    return Path(text).as_posix() if os.sep != "/" else text
