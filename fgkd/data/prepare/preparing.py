"""Preparing a data set: survey, checksums, layout, room; then a draft, its opening, and one rename."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fgkd.data.card import Card, read_card
from fgkd.data.opening import open_dataset, problems
from fgkd.data.prepare.checksums import check_accepted, verify
from fgkd.data.prepare.classes import kin
from fgkd.data.prepare.draft import Draft
from fgkd.data.prepare.files import place_files
from fgkd.data.prepare.gather import forget_moved, gather, holders_of
from fgkd.data.prepare.hub_copy import hub_request, write_copy
from fgkd.data.prepare.loose import Mode
from fgkd.data.prepare.names import spell
from fgkd.data.prepare.progress import Progress
from fgkd.data.split import ImageData
from fgkd.errors import UserError
from fgkd.spec import DatasetSpec


@dataclass(frozen=True)
class Job:
    """What is to be prepared.

    Attributes:
        name: of a card.
        sources: paths of archives, folders and files; or ``hub``, ``hub:OWNER/NAME@REVISION``, ``hub:FOLDER``, alone.
        root: the data root.
        cache: for sets that must be written before they can be read.
        mode: what becomes of the files of folders: copied, linked, or moved.
        accepted: checksums that are taken although the card has others.
    """

    name: str
    sources: Sequence[str]
    root: Path
    cache: Path
    mode: Mode = "copy"
    accepted: Sequence[str] = ()
    progress: Progress = field(default_factory=Progress)


def prepare(job: Job) -> tuple[ImageData, bool]:
    """Bring a data set to where its card wants it, whole or not at all.

    Interrupted, it leaves a hidden draft beside the target, from which the same call continues.

    Returns:
        The data set, opened, and whether it was there before.

    Raises:
        UserError: sources that are missing, damaged, hostile, of other content than published, or that do not hold the
            layout; too little room; a target that exists and cannot be opened.
    """
    card = read_card(job.name)
    _refuse(job, card)
    draft = Draft(job.root, card.fgkd.folder)
    with draft.locked(job.progress):
        draft.drop_empty_target()
        if draft.target.exists():
            return _there(job, draft), True
        if job.sources[0].partition(":")[0] == "hub":
            _from_hub(job, card, draft)
        else:
            _from_files(job, card, draft)
        return _open(job, job.root), False


def _refuse(job: Job, card: Card) -> None:
    if not card.fgkd.folder:
        raise UserError(f"{card.name} needs no preparation: {card.fgkd.layout.strip()}")
    if not job.sources:
        raise UserError(f"--from: expected what to prepare {card.name} from. {card.fgkd.download.strip()}")
    hubs = [text for text in job.sources if text.partition(":")[0] == "hub"]
    if hubs and len(job.sources) > 1:
        raise UserError(f"--from: {hubs[0]} stands alone, found {len(job.sources)} sources")
    if hubs and job.mode != "copy":
        raise UserError(f"--{job.mode} is for folders; a hub copy is written anew")
    check_accepted(job.accepted)


def _there(job: Job, draft: Draft) -> ImageData:
    spec = DatasetSpec(name=job.name)
    if found := problems(spec, job.root):
        raise UserError(
            f"{draft.target} exists, but: {found[0]}\nMove it away, or prepare into another folder with --data-root; "
            "what it holds can be one of the sources"
        )
    draft.drop()
    return _open(job, job.root)


def _from_files(job: Job, card: Card, draft: Draft) -> None:
    holders = holders_of(job.sources, job.mode)
    found = gather(card, holders, draft.target.parent, job.progress)
    digests = [(holder.path, holder.digests) for holder in holders if holder.digests]
    published = [checksum for one in kin(card) for checksum in one.fgkd.checksums]
    verify(published, digests, job.accepted, job.progress)
    draft.begin(["files", job.mode, [_mark(holder.path) for holder in holders], sorted(found.placed)])
    place_files(found, draft.tree, job.progress)
    _appear(job, draft)
    forget_moved(found, job.mode, job.progress)


def _mark(path: Path) -> list[object]:
    stat = path.stat()
    return [str(path.resolve()), stat.st_size, stat.st_mtime_ns]


def _from_hub(job: Job, card: Card, draft: Draft) -> None:
    request = hub_request(card, job.sources[0], job.cache)
    draft.drop()  # the library keeps its downloads; writing them out starts afresh
    draft.begin(["hub", request.reference])
    try:
        write_copy(card, request, draft.tree, job.progress)
    except OSError as error:
        raise UserError(f"{draft.tree}: {error.strerror or spell(error)}") from error
    _appear(job, draft)


def _appear(job: Job, draft: Draft) -> None:
    """Open the draft as training would, and rename it only then."""
    try:
        _open(job, draft.root)
    except UserError as error:
        draft.drop()
        text = str(error).replace(str(draft.tree), str(draft.target))
        raise UserError(f"what was prepared is not {job.name}, and was removed again: {text}") from error
    draft.finish()


def _open(job: Job, root: Path) -> ImageData:
    return open_dataset(DatasetSpec(name=job.name), root, cache=job.cache)
