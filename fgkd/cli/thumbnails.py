"""``fgkd board --thumbnails``: the page once more, with small copies of the images that most runs get wrong."""

from __future__ import annotations

import base64
import io
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fgkd.errors import UserError
from fgkd.files import write_text
from fgkd.places import cache_folder, data_root
from fgkd.record import RunRecord, read_records
from fgkd.report.html import report_page
from fgkd.report.html.folder import beside_of
from fgkd.report.html.mistakes import wanted_pictures
from fgkd.report.truth import Truth

if TYPE_CHECKING:
    from fgkd.data.split import ImageData

NAME = "report-thumbnails.html"  # ignored by git: the images are the user's, not ours to publish
SIDE = 120  # px


def thumbnail_page(args: Namespace, folder: Path) -> Path:
    """Write ``report-thumbnails.html`` beside a suite's board, from its records and the data at hand.

    Raises:
        UserError: no data set of the suite is at hand.
    """
    records, problems = read_records(folder / "records")
    beside, damaged = beside_of(folder)
    data = _opened(records, args)
    truths = {**beside.truths, **{revision: Truth.of(one) for revision, one in data.items()}}
    pictures = {
        (revision, position): thumbnail(data[revision].test.paths[position])
        for revision, positions in wanted_pictures(records, truths).items()
        if revision in data
        for position in positions
    }
    beside = replace(beside, truths=truths, pictures=pictures)
    write_text(folder / NAME, report_page(records, [*problems, *damaged], title=folder.name, beside=beside))
    return folder / NAME


def _opened(records: Sequence[RunRecord], args: Namespace) -> dict[str, ImageData]:
    """The data of the records by revision, as far as the same is at hand; what is not is told."""
    from fgkd.data import open_dataset

    specs = {
        record.spec.feed.dataset: record.data.revision for record in records if _classified(record) and record.data
    }
    found, missing = {}, []
    for spec, revision in specs.items():
        try:
            data = open_dataset(spec, data_root(args.data_root), cache=cache_folder(args.cache))
        except UserError as error:
            missing.append(f"{spec.name}: {error}")
            continue
        if data.revision == revision:
            found[data.revision] = data
        else:
            missing.append(f"{spec.name}: its runs saw revision {revision}, the data root holds {data.revision}")
    if not found:
        raise UserError("no images to show: " + "; ".join(missing or ["no run was tested by classification"]))
    for line in missing:
        print(f"without thumbnails of {line}", file=sys.stderr)
    return found


def _classified(record: RunRecord) -> bool:
    return record.predictions is not None and record.data is not None


def thumbnail(path: Path) -> str:
    """An image, at most `SIDE` pixels wide and high, as the data URI of a JPEG without metadata."""
    from PIL import Image

    from fgkd.data.images import read_image

    picture = Image.fromarray(read_image(path))
    picture.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
