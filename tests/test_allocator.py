"""Freed memory is kept where glibc is, and nothing breaks where it is not."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from fgkd.allocator import keep_freed_memory, return_freed_memory

PAGES = 16_384  # of 4 KiB: 64 MiB
STEPS = """
import ctypes, resource
from fgkd.allocator import keep_freed_memory, return_freed_memory

libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes, libc.memset.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        block = libc.malloc(PAGES * 4096)
        libc.memset(block, 1, PAGES * 4096)
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory(False)
handed_back = faults()
keep_freed_memory()
faults()  # the heap grows to it
kept = faults()
return_freed_memory()
print(handed_back, kept, faults())
"""


def test_pages_are_cleared_once_instead_of_at_every_step() -> None:
    """In a process of its own: a thread that shares the heap with others may be given one that cannot grow."""
    if not keep_freed_memory():
        pytest.skip("no glibc here")
    script = STEPS.replace("PAGES", str(PAGES))
    handed_back, kept, returned = map(int, subprocess.check_output([sys.executable, "-c", script], text=True).split())
    if handed_back < PAGES:
        pytest.skip("pages are huge here, or another allocator is preloaded")
    assert kept < PAGES <= returned


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
    return_freed_memory()


def test_a_linux_without_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ctypes.CDLL:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert not keep_freed_memory()
    return_freed_memory()
