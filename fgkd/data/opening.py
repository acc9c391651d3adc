"""From a `DatasetSpec` to an `ImageData`, and what stands in the way."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fgkd.data.cache import MANIFEST
from fgkd.data.card import Card, ProtocolCard, dataset_names, read_card
from fgkd.data.disjoint import class_disjoint
from fgkd.data.sources import SOURCES, Listing, Request, Source
from fgkd.data.sources.address import below, parse_address
from fgkd.data.split import ImageData, Split, carve, content_hash
from fgkd.errors import UserError, near_names
from fgkd.spec import DatasetSpec
from fgkd.text import count

PREFIXES = {"folder": "imagefolder", "table": "table", "hub": "hub"}
OWN_PROTOCOLS = ("default", "retrieval")  # of data without a card


@dataclass(frozen=True)
class _Place:
    """A spec resolved: who reads what, under which protocol."""

    source: Source
    request: Request
    protocol: str
    card: Card | None = None
    rules: ProtocolCard | None = None

    @property
    def where(self) -> Path:
        return self.request.folder

    @property
    def task(self) -> str:
        return self.protocol if self.rules is None else self.rules.task

    @property
    def key(self) -> object:
        """What two places have in common where the same lists are read."""
        asked = self.request
        return (
            self.card and self.card.name,
            self.protocol,
            asked.folder,
            repr(asked.options),
            asked.reference,
            asked.cache if self.source.slow else None,
        )


_KEPT: ContextVar[dict[object, tuple[Listing, str]] | None] = ContextVar("lists that were read", default=None)


@contextmanager
def lists_read_once() -> Iterator[None]:
    """Inside, a data set's lists are read when first asked for, and stay as they were then.

    A launch asks for them at every check, and then trains: those of a large folder take seconds each time, and what is
    trained is to be what was checked.
    """
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def open_dataset(spec: DatasetSpec, root: Path, *, cache: Path) -> ImageData:
    """The images of `spec`, found below `root`.

    ``folder:PATH``, ``table:PATH`` and ``hub:...`` open a user's own data without a card; PATH is relative to `root`.
    Options follow a question mark, as in ``table:birds.csv?path_column=file&label_column=species``.

    Args:
        spec: name, protocol and hold-out.
        root: the folder that holds data sets.
        cache: where sets that must be written first (drawn, unpacked, exported) are written, once.

    Raises:
        UserError: what `problems` would have said, files that are missing, or counts that differ from the card's.
    """
    place = _resolve(spec, root, cache)
    _refuse(place)
    listing, revision = _read(place)
    splits = _parted(listing, spec)
    counts = {split.name: len(split) for split in splits}
    return ImageData(spec.name, place.protocol, listing.class_names, *splits, revision, counts, unseen=listing.unseen)


@dataclass(frozen=True)
class Inventory:
    """What the lists of a data set say, whether or not its files are there and its counts are right.

    Attributes:
        protocol: the protocol's own name.
        class_names: K names of the classes that are trained on.
        unseen: those of the others, whose labels follow.
        official: the published splits.
        splits: those that are trained and tested on: train, holdout, test.
        below: the folder that paths in the revision are relative to.
        expected: images per published split by the card; empty where no card states them.
        fault: why `open_dataset` refuses the lists; empty when it does not.
    """

    protocol: str
    class_names: tuple[str, ...]
    unseen: tuple[str, ...]
    official: tuple[Split, ...]
    splits: tuple[Split, ...]
    below: Path
    expected: Mapping[str, int]
    fault: str


def take_inventory(spec: DatasetSpec, root: Path, *, cache: Path) -> Inventory:
    """The lists of a data set, for an examination of its files; arguments as for `open_dataset`.

    Raises:
        UserError: the lists are not there or cannot be read.
    """
    place = _resolve(spec, root, cache)
    _refuse(place)
    listing, fault = _listing(place), ""
    try:
        _check(listing, place)
    except UserError as error:
        fault = str(error)
    official, below = _official(listing), _base(place, listing)
    expected = {str(name): count for name, count in place.rules.counts.items()} if place.rules else {}
    splits = official if fault else _parted(listing, spec)
    names = (listing.class_names, listing.unseen)
    return Inventory(place.protocol, *names, official, splits, below, expected, fault)


def _official(listing: Listing) -> tuple[Split, ...]:
    return tuple(split for split in (listing.train, listing.val, listing.test) if split is not None)


def _parted(listing: Listing, spec: DatasetSpec) -> tuple[Split, Split, Split]:
    """Train, hold-out and test; the hold-out is the official validation split, or carved from train."""
    train, holdout = listing.train, listing.val
    if holdout is None:
        train, holdout = carve(train, spec.holdout, spec.holdout_seed, ("train", "holdout"))
    else:
        holdout = holdout.take(range(len(holdout)), "holdout")
    return train, holdout, listing.test


def problems(spec: DatasetSpec, root: Path) -> list[str]:
    """Why `spec` cannot be opened, as far as can be seen without reading images or writing; empty when it can."""
    try:
        place = _resolve(spec, root, root)
        _refuse(place)
        if not place.source.slow:
            _read(place)
    except UserError as error:
        return [str(error)]
    return []


def _refuse(place: _Place) -> None:
    if text := _absent(place):
        raise UserError(text)
    if place.source.check is not None:
        place.source.check(place.request)


def _read(place: _Place) -> tuple[Listing, str]:
    """The lists, found to be right, and their revision."""
    kept = _KEPT.get()
    if kept is not None and place.key in kept:
        return kept[place.key]
    listing = _listing(place)
    _check(listing, place)
    read = listing, content_hash(_official(listing), _base(place, listing))
    if kept is not None:
        kept[place.key] = read
    return read


def _listing(place: _Place) -> Listing:
    try:
        listing = place.source.read(place.request)
    except (LookupError, ValueError, OSError) as error:
        if isinstance(error, UserError):  # an unknown name is a KeyError as well
            raise
        what = f"{type(error).__name__}: {error}"
        raise UserError(f"{place.where}: its files do not fit together ({what}); unpack them again") from error
    if strange := [name for name in listing.class_names if not _is_text(name)]:
        names = ", ".join(map(ascii, strange[:3]))
        raise UserError(f"{place.where}: expected names of classes in UTF-8, found {names}; rename them")
    return class_disjoint(listing, place.where) if place.task == "retrieval" else listing


def _is_text(name: str) -> bool:
    """Whether records can hold it: the system gives names that are no UTF-8 as text with lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _resolve(spec: DatasetSpec, root: Path, cache: Path) -> _Place:
    prefix, colon, rest = spec.name.partition(":")
    if colon:
        return _own(spec, prefix, rest, root, cache)
    card = read_card(spec.name)
    name, rules = card.protocol(spec.protocol)
    options = {**card.fgkd.options, **rules.options}
    pinned = [f"{copy.id}@{copy.revision}" for copy in card.fgkd.hub if copy.revision]
    request = Request(root / card.fgkd.folder, cache, options, next(iter(pinned), ""))
    prepared = bool(card.fgkd.folder) and (request.folder / MANIFEST).is_file()  # from a copy, by fgkd data prepare
    return _Place(SOURCES.get("stored" if prepared else card.fgkd.source), request, name, card, rules)


def _own(spec: DatasetSpec, prefix: str, rest: str, root: Path, cache: Path) -> _Place:
    if prefix not in PREFIXES:
        near = near_names(prefix, PREFIXES) or list(PREFIXES)
        raise UserError(f"data set {spec.name!r}: expected {' or '.join(f'{p}:...' for p in near)}, or a card's name")
    if spec.protocol not in OWN_PROTOCOLS:
        known = " and ".join(OWN_PROTOCOLS)
        raise UserError(f"data set {spec.name!r}: has no card, so its protocols are {known}, not {spec.protocol!r}")
    if not rest:
        raise UserError(f"data set {spec.name!r}: expected a place after the colon")
    source = SOURCES.get(PREFIXES[prefix])
    where, options = parse_address(rest, root, source.options)
    request = Request(below(root, where), cache, options, where)
    return _Place(source, request, spec.protocol)


def _absent(place: _Place) -> str:
    """What is not there at all, and where it comes from; empty when all is."""
    request, card = place.request, place.card
    if card is None:
        return "" if place.source is SOURCES.get("hub") else _own_absent(place)
    if not card.fgkd.folder:
        return ""
    missing = place.source.missing(request.folder)
    if request.folder.is_dir() and not missing:
        return ""
    found = f"lacks {', '.join(missing)}" if request.folder.is_dir() else "does not exist"
    text = f"data set {card.name}: {request.folder} {found}. Expected there: {card.fgkd.layout.strip()}\n"
    text += f"Origin: {card.fgkd.origin}. {card.fgkd.download.strip()}"
    text += f"\nfgkd data prepare {card.name} --from FILE... puts archives or folders in place"
    return text + (f"; --from hub takes the copy hub:{request.reference}" if request.reference else "")


def _own_absent(place: _Place) -> str:
    request = place.request
    if not os.path.exists(request.folder):  # also where the name is too long for a file
        return f"{request.folder}: does not exist{_root_told(request.reference)}"
    if place.source is SOURCES.get("imagefolder") and not request.folder.is_dir():
        return f"{request.folder}: expected a folder, found a file; a list of images is named table:FILE"
    return ""


def _root_told(where: str) -> str:
    return "" if Path(where).expanduser().is_absolute() else " (a relative path starts at the data root)"


def _check(listing: Listing, place: _Place) -> None:
    num_classes = len(listing.class_names)
    if num_classes < 2:
        raise UserError(
            f"{place.where}: expected two classes or more, found {', '.join(listing.class_names) or 'none'}"
        )
    if alike := [name for name, times in Counter([*listing.class_names, *listing.unseen]).items() if times > 1]:
        told = count(len(alike), "name stands", "names stand")
        raise UserError(f"{place.where}: {told} for two classes or more, first {alike[0]!r}")
    seen, unseen = range(num_classes), range(num_classes, num_classes + len(listing.unseen))
    parts = {"train": listing.train, "val": listing.val, "test": listing.test}
    found = {name: split for name, split in parts.items() if split is not None}
    for name, split in found.items():
        _check_labels(split, name, unseen if name == "test" and unseen else seen, place.where)
    if absent := sorted(set(range(num_classes)) - set(np.unique(listing.train.targets).tolist())):
        names = ", ".join(listing.class_names[label] for label in absent[:3])
        raise UserError(f"{place.where}: {len(absent)} classes have no training image, the first are {names}")
    if listing.val is None and np.bincount(listing.train.targets).max() == 1:
        raise UserError(f"{place.where}: every class has a single training image, which leaves none to select by")
    if place.card is not None and place.rules is not None:
        counts = {name: len(split) for name, split in found.items()}
        _check_counts(counts, num_classes + len(unseen), place.card, place)


def _check_labels(split: Split, name: str, allowed: range, where: Path) -> None:
    if not len(split):
        raise UserError(f"{where}: the {name} split is empty")
    low, high = int(split.targets.min()), int(split.targets.max())
    if low not in allowed or high not in allowed:
        found = f"{name} labels run from {low} to {high}"
        raise UserError(f"{where}: {found}, expected {allowed.start} to {allowed.stop - 1}")


def _check_counts(found: dict[str, int], num_classes: int, card: Card, place: _Place) -> None:
    assert place.rules is not None
    if num_classes != card.fgkd.num_classes:
        fits = [n for n in dataset_names() if _reads(read_card(n), card.fgkd.folder, num_classes)]
        hint = f"; that is the data set {' or '.join(fits)}" if fits else ""
        raise UserError(
            f"{place.where}: expected {card.fgkd.num_classes} classes of {card.name}, found {num_classes}{hint}"
        )
    expected = {str(name): count for name, count in place.rules.counts.items()}
    if place.rules.exact and expected and found != expected:
        raise UserError(
            f"{place.where}: expected {_spell(expected)} images of {card.name}, found {_spell(found)}; the copy is not "
            "the published set: get it anew, or open it as folder:... or table:... if that is meant"
        )


def _reads(card: Card, folder: str, num_classes: int) -> bool:
    return card.fgkd.folder == folder and card.fgkd.num_classes == num_classes


def _spell(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _base(place: _Place, listing: Listing) -> Path:
    """The folder that paths in the revision are relative to, so that a copy elsewhere has the same revision."""
    if place.source.slow:
        cache = place.request.cache
        return cache / listing.train.paths[0].relative_to(cache).parts[0]
    return place.where if place.where.is_dir() else place.where.parent
