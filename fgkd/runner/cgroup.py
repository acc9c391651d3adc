"""What the control groups that this process is in, those of a container or of a cluster's job, leave it of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")  # lines of hierarchy:controllers:group


@dataclass(frozen=True)
class Version:
    """How one version of the kernel's interface names a group's limit, its use, and what of that is cached files."""

    limit: str
    used: str
    cached: str  # a key of memory.stat


V1 = Version("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = Version("memory.max", "memory.current", "inactive_file")


def left_in_groups(own: Path = OWN, mount: Path = MOUNT) -> int | None:
    """Bytes that the tightest limit leaves, of this process's groups and those around them; None without a limit.

    Files that were read and may be dropped count as used in a group, though the kernel drops them before it refuses
    memory: whoever has read a data set would seem to have used all of it up.

    Args:
        own: where the kernel lists a process's groups.
        mount: where groups are mounted.
    """
    known = [_left(folder, version) for folder, version in _groups(own, mount)]
    return min((left for left in known if left is not None), default=None)


def _groups(own: Path, mount: Path) -> Iterator[tuple[Path, Version]]:
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            yield from _upwards(mount, group, V2)
        elif "memory" in controllers.split(","):
            yield from _upwards(mount / "memory", group, V1)


def _upwards(root: Path, group: str, version: Version) -> Iterator[tuple[Path, Version]]:
    """The group and all around it; a container may see none but the root, which is its own group there."""
    folder = root / group.lstrip("/")
    for each in (folder, *folder.parents):
        yield each, version
        if each == root:
            return


def _left(folder: Path, version: Version) -> int | None:
    try:
        limit, used = ((folder / name).read_text(encoding="ascii").strip() for name in (version.limit, version.used))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):  # the root of version 2 has no limit, and a group may be gone
        return None
    if limit == "max":
        return None
    return max(0, int(limit) - int(used) + int(stat.get(version.cached, 0)))
