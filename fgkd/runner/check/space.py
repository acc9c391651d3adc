"""Whether the disks have room for what a plan will write, and what to say when one of them has not."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fgkd.data import read_card
from fgkd.errors import UserError, UserErrors
from fgkd.models import meta_backbone
from fgkd.plan import Plan, PlannedCohort
from fgkd.price import STATES
from fgkd.runner.options import Options
from fgkd.runner.sizes import KnownSizes
from fgkd.spec import BackboneSpec, DatasetSpec

RECORD = 64 * 1024  # bytes of a record, its predictions and its share of the boards, rather more than less
WRITTEN = {"synthetic_birds": 8192, "cifar100": 4096}  # bytes of an image, of sets that are written into the cache
LAYERS_BESIDE = 1.2  # what methods add to a student's state, in most cases
GENERATIONS = 3  # of a cohort's state: two are kept while the next is written
TIGHT = 0.8  # of what is free: from there on it is said
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
WORDS = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122", "Read-only file system")


@dataclass(frozen=True)
class Need:
    """So many bytes of something, in a folder."""

    folder: Path
    what: str
    bytes: int


def needs(plan: Plan, options: Options, folder: Path, known: KnownSizes) -> list[Need]:
    """What a plan will write, rather more than less.

    Args:
        folder: of the records.
        known: sizes of the plan's data sets.
    """
    weigh = lambda run: _bytes(run.student, known[run.feed.dataset].classes, run.feed.view.size)
    weights = sum(weigh(run) for run in plan.runs)
    states = round(LAYERS_BESIDE * max((_state(c, weigh) for c in plan.cohorts), default=0))
    kept = GENERATIONS if options.checkpoint_every else 0
    drawn = sum(_drawn(spec, options.cache) for spec in dict.fromkeys(run.feed.dataset for run in plan.runs))
    found = [
        Need(options.cache, "weights", weights),
        Need(options.cache, "states of cohorts (--checkpoint-every off: none)", states * kept),
        Need(options.cache, "data sets", drawn),
        Need(folder, "records", len(plan.runs) * RECORD),
    ]
    return [need for need in found if need.bytes]


def _state(cohort: PlannedCohort, weigh: Callable[..., int]) -> int:
    """Weights, the best weights, the average and the optimiser's states of all learners."""
    copies = lambda recipe: 2 + STATES.get(recipe.optimizer, 2) + (recipe.ema is not None)
    return sum(weigh(run) * copies(run.recipe) for run in cohort.runs)


@cache
def _bytes(spec: BackboneSpec, num_classes: int, view_size: int) -> int:
    """Of a network's weights in a file."""
    network = meta_backbone(spec, num_classes=num_classes, view_size=view_size)
    return sum(value.numel() * value.element_size() for value in network.state_dict().values())


def _drawn(spec: DatasetSpec, folder: Path) -> int:
    """Bytes of a data set that has yet to be written into the cache."""
    each = WRITTEN.get(spec.name, 0)
    if not each or any(folder.glob(f"{spec.name}-*")):
        return 0
    try:
        return each * sum(read_card(spec.name).protocol(spec.protocol)[1].counts.values())
    except UserError:  # told elsewhere
        return 0


def check_space(wanted: Iterable[Need], say: Callable[[str], None] = lambda text: None) -> None:
    """Refuse what cannot fit, and say what only just does; folders on one disk are taken together.

    Raises:
        UserErrors: one text for each disk that is too small.
    """
    disks: dict[int, list[Need]] = {}
    for need in wanted:
        disks.setdefault(_existing(need.folder).stat().st_dev, []).append(need)
    problems = []
    for found in disks.values():
        total, free = sum(need.bytes for need in found), free_bytes(found[0].folder)
        folders = " and ".join(dict.fromkeys(str(need.folder) for need in found))
        parts = ", ".join(f"{size(need.bytes)} of {need.what}" for need in found)
        if total > free:
            problems.append(
                f"folder {folders}: expected {size(total)} free on the disk ({parts}), found {size(free)}; free some, "
                "or choose another disk with --cache or --results"
            )
        elif total > TIGHT * free:
            say(f"folder {folders}: the disk is nearly full: {size(total)} will be written, {size(free)} are free")
    if problems:
        raise UserErrors(problems)


def free_bytes(folder: Path) -> int:
    """What this user may still write where the folder is, or will be."""
    return shutil.disk_usage(_existing(folder)).free


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def size(number: float) -> str:
    """Bytes for people.

    Example:
        >>> size(1_500_000)
        '1.5 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def refused_by_disk(error: BaseException) -> bool:
    """Whether the disk is full, a quota used up, or a file system read-only; not every library tells by errno."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in REFUSALS
    return any(word in str(error) for word in WORDS)


@contextmanager
def disk_told(folders: Iterable[Path]) -> Iterator[None]:
    """Where a disk refuses, say which and what to do.

    Args:
        folders: that are written to.

    Raises:
        UserError: in place of what the disk's refusal became.
    """
    try:
        yield
    except Exception as error:
        if not refused_by_disk(error):
            raise
        named = getattr(error, "filename", None)
        places = [Path(named).parent] if named else list(folders)
        told = " and ".join(f"{place} ({size(free_bytes(place))} free)" for place in places)
        raise UserError(
            f"{told} cannot be written to: {getattr(error, 'strerror', None) or error}; make room, or mend the folder, "
            "or choose another with --cache and --results. What is recorded is whole, and the same command continues"
        ) from error
