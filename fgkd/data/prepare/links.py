"""Links inside an archive, which become copies of what they lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fgkd.data.prepare.holder import Member
from fgkd.data.prepare.names import outside, spell

MOST_STEPS = 8


def resolve(files: Sequence[Member], links: Mapping[str, str], archive: Path) -> list[Member]:
    """The files, the last where a name comes twice, and every link as one more name of the file it leads to.

    Args:
        files: in the archive's order.
        links: name -> name of what it leads to.
        archive: what errors call it.

    Raises:
        UserError: a link leads to no file of the archive, or round in a circle.
    """
    by_name = {member.name: member for member in files}
    found = dict(by_name)
    for name in links:
        target, steps = links[name], 0
        while target in links and target not in by_name and steps < MOST_STEPS:
            target, steps = links[target], steps + 1
        if target not in by_name:
            raise outside(name, archive, f"is a link to {spell(target)!r}, which is no file of the archive")
        found.setdefault(name, Member(name, by_name[target].size, by_name[target].position))
    return list(found.values())
