"""Class-disjoint retrieval: trained on one half of the classes, tested on images of the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fgkd.data.sources import Listing
from fgkd.data.split import Split
from fgkd.errors import UserError

FEWEST = 4  # two classes to tell apart in training, two in testing


def class_disjoint(listing: Listing, where: Path) -> Listing:
    """The same images split by class: the first half of the classes for training, the others for testing.

    The official splits are joined before. Labels stay what they are; the test's continue those of training, and only
    say which images belong together.

    Args:
        listing: of a data set with K classes; the first K // 2 are trained on.
        where: the data set, for people.

    Raises:
        UserError: there are fewer than four classes.
    """
    names = listing.class_names
    if len(names) < FEWEST:
        raise UserError(f"{where}: retrieval needs at least {FEWEST} classes, half of them for testing; found {names}")
    half = len(names) // 2
    parts = [split for split in (listing.train, listing.val, listing.test) if split is not None]
    paths = tuple(path for split in parts for path in split.paths)
    whole = Split("whole", paths, np.concatenate([split.targets for split in parts]))
    train = whole.take(np.flatnonzero(whole.targets < half), "train")
    test = whole.take(np.flatnonzero(whole.targets >= half), "test")
    return Listing(names[:half], train, test, unseen=names[half:])
