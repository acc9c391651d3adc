"""Writing files to their places, holder by holder."""

from __future__ import annotations

from pathlib import Path

from fgkd.data.prepare.fit import Fit
from fgkd.data.prepare.holder import Holder
from fgkd.data.prepare.names import spell
from fgkd.data.prepare.progress import Progress


def place_files(found: Fit, tree: Path, progress: Progress) -> None:
    """Fill `tree` with every file that is not there yet; what is there is whole, see `put`."""
    wanted: dict[Holder, dict[int, list[Path]]] = {}
    sizes: dict[Holder, int] = {}
    done = 0
    for path, (holder, member) in found.placed.items():
        target = tree / path
        if target.is_file() and target.stat().st_size == member.size:
            done += 1
            continue
        targets = wanted.setdefault(holder, {}).setdefault(member.position, [])
        sizes[holder] = sizes.get(holder, 0) + (0 if targets else member.size)
        targets.append(target)
    if done:
        progress.note(f"continuing: {done:,} of {len(found.placed):,} files are there from an earlier attempt")
    for holder, members in wanted.items():
        with progress.stage(f"unpacking {spell(holder.path.name)}", sizes[holder]) as advance:
            holder.deliver(members, advance)
