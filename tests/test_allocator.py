"""Freed memory is kept where glibc is, and nothing breaks where it is not."""

from __future__ import annotations

import ctypes
import resource
import sys

import pytest
import torch

from fgkd.allocator import keep_freed_memory

PAGES = 16_384  # of 4 KiB: 64 MiB
ROUNDS = 8


@pytest.fixture(autouse=True)
def _kept_afterwards():
    yield
    keep_freed_memory()


def faults() -> int:
    """Pages that the kernel has to clear while 64 MiB are asked for, written and freed again and again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(ROUNDS):
        torch.ones(PAGES * 1024)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_pages_are_cleared_once_instead_of_at_every_step() -> None:
    if not keep_freed_memory(False):
        pytest.skip("no glibc here")
    if faults() < PAGES:
        pytest.skip("pages are huge here, or another allocator is preloaded")
    assert keep_freed_memory()
    faults()  # the heap grows to it
    assert faults() < PAGES


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()


def test_a_linux_without_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ctypes.CDLL:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert not keep_freed_memory()
