"""Data sets that `fgkd data prepare` wrote from a hub copy: images by split and label, and a manifest."""

from __future__ import annotations

from fgkd.data.cache import MANIFEST, read_store
from fgkd.data.sources.base import Listing, Request, source
from fgkd.data.split import Split, as_split, carve
from fgkd.errors import UserError


@source("stored", (MANIFEST,))
def read_stored(request: Request) -> Listing:
    """What was written, under the options of the card's own source.

    Options: `classes`, the first so many only; `test_share` and `test_seed`, a test split drawn from train; `val`, keep
    the validation split out of training.
    """
    names, splits = read_store(request.folder)
    options = request.options
    keep = options.get("classes", len(names))
    splits = {name: split.take((split.targets < keep).nonzero()[0]) for name, split in splits.items()}
    train, val = splits["train"], splits.get("val")
    if "test_share" in options:
        train, test = carve(train, options["test_share"], options["test_seed"], ("train", "test"))
        return Listing(names[:keep], train, test)
    if "test" not in splits:
        if val is None:
            raise UserError(f"{request.folder}: its copy has no test split, which the card's protocol needs")
        return Listing(names[:keep], train, val.take(range(len(val)), "test"))
    if val is None or options.get("val"):
        return Listing(names[:keep], train, splits["test"], val)
    return Listing(names[:keep], _joined(train, val), splits["test"])


def _joined(one: Split, other: Split) -> Split:
    paths, targets = one.paths + other.paths, [*one.targets.tolist(), *other.targets.tolist()]
    return as_split("train", zip(paths, targets, strict=True))
