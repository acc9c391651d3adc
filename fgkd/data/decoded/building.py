"""Decode a data set once, on all cores, into a folder that is a cache only when it is whole."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from fgkd.data.decoded import layout
from fgkd.data.decoded.draft import Chunk, Draft, chunks_of
from fgkd.data.decoded.sizing import Advance, Survey, each
from fgkd.data.decoded.store import Decoded, open_decoded
from fgkd.data.images import fingerprint, read_image
from fgkd.errors import UserError, UserErrors
from fgkd.files import alone, draft_folder, write_text
from fgkd.text import byte_size

Say = Callable[[str], object]


def build(
    plan: Survey, *, threads: int | None = None, advance: Advance = lambda _: None, say: Say = lambda _: None
) -> Decoded:
    """Write the cache that was surveyed, unless a good one is there; go on with one that was interrupted.

    Args:
        plan: what to build.
        threads: as for `survey`.
        advance: called with the number of pictures done since the last call.
        say: called with a line worth telling.

    Raises:
        UserErrors: every file that cannot be decoded; nothing is kept then.
        UserError: too little space on the disk, or it cannot be written.
    """
    with alone(plan.folder, say):
        decoded = _usable(plan, say)
        if decoded is None:
            _write(plan, threads, advance)
            decoded = open_decoded(plan.data, plan.side, plan.cache)
        else:
            advance(len(plan.names))
    assert decoded is not None, "what was written is there"
    return decoded


def _usable(plan: Survey, say: Say) -> Decoded | None:
    try:
        return open_decoded(plan.data, plan.side, plan.cache)
    except UserError as error:
        say(f"{error}; it is built anew")
        return None


def _write(plan: Survey, threads: int | None, advance: Advance) -> None:
    folder = draft_folder(plan.folder)
    try:
        draft = Draft(folder, plan.digest(), plan.size)
        if (missing := plan.size - plan.free - draft.held) > 0:
            draft.discard()
            raise UserError(
                f"{plan.data.name} at {plan.side} px takes {byte_size(plan.size)}, {byte_size(missing)} more than are "
                f"free below {plan.cache}; free some space, choose another folder with --cache, or a smaller --size"
            )
        shapes = _decode_all(plan, draft, threads, advance)
        _finish(plan, draft, shapes)
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror}; mend it, and the same command goes on where it stopped"
        ) from error


def _decode_all(plan: Survey, draft: Draft, threads: int | None, advance: Advance) -> np.ndarray:
    """(n, 2) int64 heights and widths, once every chunk is in the draft."""
    shapes, faults = [], []
    for part, wrong in each(lambda chunk: _decode_chunk(plan, draft, chunk), chunks_of(plan.sizes), threads):
        shapes.append(part)
        faults += wrong
        advance(len(part))
    if faults:
        draft.discard()
        title = f"{len(faults)} of {len(plan.names)} images of {plan.data.name} cannot be decoded"
        raise UserErrors(faults, title if len(faults) > 1 else "")
    return np.concatenate(shapes)


def _decode_chunk(plan: Survey, draft: Draft, chunk: Chunk) -> tuple[np.ndarray, list[str]]:
    """Heights and widths, and what is wrong with which files; a chunk with a broken file is not kept."""
    if (known := draft.get(chunk)) is not None:
        return known, []
    pixels, at = np.empty(chunk.size, np.uint8), 0
    shapes, faults = [], []
    for path, size in zip(plan.files[chunk.first : chunk.stop], plan.sizes[chunk.first : chunk.stop], strict=True):
        try:
            picture = read_image(path, plan.side)
            if picture.size != size:
                raise UserError(f"{path}: its picture is not of the size that its header states; replace the file")
            pixels[at : at + size] = picture.reshape(-1)
            shapes.append(picture.shape[:2])
        except UserError as error:
            shapes.append((0, 0))
            faults.append(str(error))
        at += size
    if not faults:
        draft.put(chunk, pixels, shapes)
    return np.array(shapes, dtype=np.int64), faults


def _finish(plan: Survey, draft: Draft, shapes: np.ndarray) -> None:
    """Index, then manifest, then the name under which it is looked for."""
    offsets = np.cumsum(plan.sizes) - plan.sizes
    np.save(draft.folder / layout.INDEX, np.column_stack([offsets, shapes]))
    write_text(draft.folder / layout.NAMES, json.dumps(plan.names))
    draft.settle()
    manifest = layout.Manifest(
        name=plan.data.name,
        protocol=plan.data.protocol,
        revision=plan.data.revision,
        side=plan.side,
        decoder=fingerprint(),
        images=len(plan.names),
        size=plan.size,
        index=layout.index_digest(draft.folder),
        built=plan.taken,
    )
    write_text(draft.folder / layout.MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    layout.clear(plan.folder)
    draft.folder.rename(plan.folder)
