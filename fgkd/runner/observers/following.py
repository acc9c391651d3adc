"""Who follows a launch: the file for ``fgkd watch``, and the trackers that were asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fgkd.runner.observers.beacon import Beacon
from fgkd.runner.observers.onlookers import Onlooker
from fgkd.runner.observers.tracking import FOLDER, Place, Trackers
from fgkd.runner.options import Options


def followers(
    suite_folder: Path, options: Options, say: Callable[[str], None], *, main: bool, rerun: Callable[[], str]
) -> list[Onlooker]:
    """The onlookers of a launch; one process tells for all, the others have none.

    Args:
        suite_folder: ``results/<suite>``.
        rerun: the name of the rerun that this launch belongs to, "" for none; asked once the launch has begun.
    """
    if not main:
        return []
    place = Place(suite_folder.name, suite_folder / FOLDER, rerun)
    return [Beacon(suite_folder, say), *([Trackers(options.track, place, say)] if options.track else [])]
