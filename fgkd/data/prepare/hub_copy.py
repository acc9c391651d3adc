"""A copy from the Hugging Face hub (or in its formats) as the image files of a card's data set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fgkd.data.cache import Encoded, write_store
from fgkd.data.card import Card
from fgkd.data.prepare.classes import class_names, in_order, kin
from fgkd.data.prepare.progress import Advance, Progress
from fgkd.data.sources.address import parse_address
from fgkd.data.sources.base import Request
from fgkd.data.sources.hub import OPTIONS, find_columns, images_of, names_of
from fgkd.data.sources.hub_tables import check_reference, load_tables
from fgkd.errors import UserError


def hub_request(card: Card, text: str, cache: Path) -> Request:
    """What ``hub`` (the copy pinned on the card) or ``hub:...`` asks for.

    Raises:
        UserError: the card pins none, or what is given is neither pinned nor a place.
    """
    reference, options = parse_address(text.partition(":")[2], Path(), OPTIONS)
    if not reference:
        pinned = [copy for one in kin(card) for copy in one.fgkd.hub if copy.revision]
        if not pinned:
            raise UserError(
                f"the card of {card.name} pins no copy; name one as hub:OWNER/NAME@REVISION, or give archives"
            )
        reference, options = f"{pinned[0].id}@{pinned[0].revision}", {**pinned[0].options, **options}
    request = Request(Path(reference).expanduser(), cache, options, reference)
    check_reference(request)
    return request


def write_copy(card: Card, request: Request, folder: Path, progress: Progress) -> None:
    """Write every image of the copy below `folder`, under the card's labels, and last the manifest.

    Raises:
        UserError: it cannot be loaded, or its classes are not the card's.
    """
    splits, where = load_tables(request), f"hub:{request.reference}"
    image, label = find_columns(request, splits["train"].features)
    own = names_of(request, splits, label)
    official = class_names(card)
    if official is None:
        progress.note(f"{where}: the card lists no class names, so their order is the copy's own and was not compared")
        official = own
    labels = in_order(own, official, where)
    with progress.stage(f"writing {card.name}", sum(map(len, splits.values())), "images") as advance:
        parts = {
            name: _relabelled(images_of(table, image, label, own), labels, advance) for name, table in splits.items()
        }
        (folder / "origin.json").write_text(json.dumps({"hub": request.reference, **_plain(request.options)}))
        write_store(folder, official, parts)


def _relabelled(images: Iterator[Encoded], labels: Sequence[int], advance: Advance) -> Iterator[Encoded]:
    for data, extension, label in images:
        yield data, extension, labels[label]
        advance(1)


def _plain(options: Any) -> dict[str, str]:
    return {key: str(value) for key, value in options.items()}
