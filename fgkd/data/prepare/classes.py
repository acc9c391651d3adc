"""A copy's own order of classes, put into the card's by name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fgkd.data.card import Card, card_folder, dataset_names, read_card
from fgkd.data.prepare.names import spell
from fgkd.errors import UserError, near_names


def kin(card: Card) -> list[Card]:
    """The card, and all that read the same folder: what is written there serves them all."""
    others = [read_card(name) for name in dataset_names() if name != card.name]
    return [card, *(other for other in others if other.fgkd.folder == card.fgkd.folder)]


def class_names(card: Card) -> tuple[str, ...] | None:
    """The class names by label, from ``dataset_cards/class_names/``; of the whole set where the card is of a part."""
    lists = [card_folder() / "class_names" / f"{one.name}.txt" for one in kin(card)]
    found = next((path for path in lists if path.is_file()), None)
    if found is None:
        return None
    return tuple(line.strip() for line in found.read_text(encoding="utf-8").splitlines() if line.strip())


def in_order(names: Sequence[str], official: Sequence[str], where: str) -> list[int]:
    """The official label of every one of a copy's labels.

    Spelling may differ in case, punctuation and a number in front: ``001.Black_footed_Albatross`` is ``Black footed
    Albatross``, and ``Ram C/V`` is ``Ram C-V``.

    Args:
        names: the copy's, by its labels.
        official: by ours.
        where: what errors call the copy.

    Raises:
        UserError: the names are not the official ones.
    """
    by_name = {_plain(name): label for label, name in enumerate(official)}
    labels = [by_name.get(_plain(name)) for name in names]
    unknown = [name for name, label in zip(names, labels, strict=True) if label is None]
    if unknown or len(set(labels)) != len(official) or len(by_name) != len(official):
        near = near_names(unknown[0], official)[:1] if unknown else []
        first = f"; the first unknown is {spell(unknown[0])!r}" if unknown else ""
        hint = f", which resembles {near[0]!r}" if near else ""
        raise UserError(
            f"{where}: expected the card's {len(official)} class names, found {len(set(names))}, of which "
            f"{len(unknown)} are unknown{first}{hint}; labels cannot be matched, so this copy is not used"
        )
    return [label for label in labels if label is not None]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^\d+\.", "", name.strip().lower()))
