"""How much memory a cohort may take on this machine."""

from __future__ import annotations

from pathlib import Path

import torch

SHARE = 0.9  # of what is free: estimates are rough, and allocators leave gaps
CGROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int | None:
    """Bytes that a cohort may take: most of what is free now on the device; None where nobody knows."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # what this process holds without using it is free too
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    else:
        known = [found for found in (_available(), _left_in_group()) if found is not None]
        if not known:
            return None
        free = min(known)
    return int(SHARE * free)


def _available() -> int | None:
    """What Linux could give without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None


def _left_in_group() -> int | None:
    """What the container's limit leaves."""
    try:
        limit, used = ((CGROUP / f"memory.{name}").read_text(encoding="ascii").strip() for name in ("max", "current"))
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))
