"""What the banks of a plan would take, told before anything is trained."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fgkd.models import meta_backbone
from fgkd.plan import PlannedCohort
from fgkd.price import Sizes
from fgkd.runner.banks import live_reason
from fgkd.spec import Feed
from fgkd.teacher.bank import bank_bytes


@dataclass(frozen=True)
class Forecast:
    """The bank that a feed asks for.

    Attributes:
        size: in bytes; `free`: bytes on the disk of the cache.
        live: why the teacher will speak live instead; empty where it will not.
    """

    dataset: str
    teacher: str
    views: int
    images: int
    precision: str
    size: int
    free: int
    live: str

    def __str__(self) -> str:
        about = f"bank of {self.teacher} on {self.dataset}: {self.views} views of {self.images:,} images"
        if self.live:
            return f"{about} is not used, the teacher speaks live on them: {self.live}"
        return f"{about}, {self.size / 1e6:,.1f} MB ({self.precision}) of {self.free / 1e9:,.1f} GB free"

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def forecasts(cohorts: Sequence[PlannedCohort], sizes: Sizes, cache: Path) -> list[Forecast]:
    """One for each bank, and one for each cohort that has to do without; none where no feed has a bank."""
    return list(dict.fromkeys(_each(cohorts, sizes, cache)))


def _each(cohorts: Sequence[PlannedCohort], sizes: Sizes, cache: Path) -> Iterator[Forecast]:
    for planned in cohorts:
        feed = planned.feed
        if feed.bank is None or feed.teacher is None:
            continue
        classes, images = sizes(planned.runs[0])
        size = bank_bytes(images, feed.bank, classes, _width(feed, classes), feed.bank_precision)
        free = shutil.disk_usage(_existing(cache)).free
        live = live_reason(planned.runs)
        if size > free and not live:
            live = f"it takes {size / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free below {cache}"
        yield Forecast(feed.dataset.name, feed.teacher.name, feed.bank, images, feed.bank_precision, size, free, live)


def _width(feed: Feed, classes: int) -> int:
    """D of the teacher; one with a student's head is as wide as that student."""
    assert feed.teacher is not None
    worn = feed.teacher.head_from
    spec = worn.student if worn is not None else feed.teacher.backbone
    return meta_backbone(spec, num_classes=classes, view_size=feed.view.size).shapes.pooled


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in [folder.absolute(), *folder.absolute().parents] if path.is_dir())
