"""glibc's allocator, told to keep what a training step frees.

A step on a CPU asks for the same blocks again and again. glibc hands the large ones back to the kernel at once, which
has to clear their pages anew when they are asked for a moment later: a sixth of a MobileNetV2's step at 128 px.
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # mallopt's parameters, as malloc.h numbers them
MIB = 1024**2


def keep_freed_memory(keep: bool = True) -> bool:
    """Let this process keep freed memory for its next allocation. Numbers do not change; peaks are as high as before.

    Args:
        keep: False for glibc's own way, with its thresholds where they end up in a process of large blocks.

    Returns:
        Whether there is a glibc that took it; where another allocator was preloaded, it goes its own way.
    """
    glibc = _glibc()
    if glibc is None:
        return False
    options = (
        {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1}
        if keep
        else {MMAP_MAX: 65_536, MMAP_THRESHOLD: 32 * MIB, TRIM_THRESHOLD: 64 * MIB}
    )
    return all(glibc.mallopt(option, value) == 1 for option, value in options.items())


def return_freed_memory() -> None:
    """Give the kernel what this process has kept: a cohort that has ended is not in the way of the next one's plan."""
    glibc = _glibc()
    if glibc is not None:
        glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:  # musl
        return None
    return library if hasattr(library, "mallopt") else None
