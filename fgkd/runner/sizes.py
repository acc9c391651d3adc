"""How large data sets are, as far as checks and prices ask: found once for a launch, for opening reads whole lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fgkd.data import open_dataset, read_card
from fgkd.data import problems as data_problems
from fgkd.errors import UserError, UserErrors
from fgkd.runner.options import Options
from fgkd.spec import DatasetSpec


class Size(NamedTuple):
    """Of a data set.

    Attributes:
        classes: that are trained on.
        images: of the training split, after the hold-out.
    """

    classes: int
    images: int


KnownSizes = Mapping[DatasetSpec, Size]


def size_of(spec: DatasetSpec, options: Options) -> Size:
    """From the data, or from its card where the data is not there.

    Raises:
        UserError: no data, and no card that states counts.
    """
    if not (found := data_problems(spec, options.data_root)):
        data = open_dataset(spec, options.data_root, cache=options.cache)
        return Size(data.num_classes, len(data.train))
    try:
        card = read_card(spec.name)
        counts = card.protocol(spec.protocol)[1].counts
        kept = counts["train"] if "val" in counts else round(counts["train"] * (1 - spec.holdout))
    except (UserError, KeyError):
        raise UserErrors(found) from None
    return Size(card.num_classes(spec.protocol), kept)
