"""How much memory a cohort may take on this machine."""

from __future__ import annotations

from pathlib import Path

import torch

from fgkd.allocator import return_freed_memory
from fgkd.runner.cgroup import left_in_groups

SHARE = 0.9  # of what is free: estimates are rough, and allocators leave gaps


def free_memory(device: torch.device, processes: int = 1) -> int | None:
    """Bytes that a process's cohort may take: most of what is free now on the device; None where nobody knows.

    Args:
        device: where the cohort trains.
        processes: of this machine that train together; on a CPU they share its memory.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # what this process holds without using it is free too
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    else:
        return_freed_memory()
        known = [found for found in (_available(), left_in_groups()) if found is not None]
        if not known:
            return None
        free = min(known) // processes
    return int(SHARE * free)


def _available() -> int | None:
    """What Linux could give without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None
