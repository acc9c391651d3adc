"""This process and others of its machine."""

from __future__ import annotations

import os


def usable_cpus() -> int:
    """CPUs that this process may use; of many, a job of a cluster is often given few."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_exists(pid: int) -> bool:
    """Whether this machine has a process of that number, anybody's; never for numbers that name no single process."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
