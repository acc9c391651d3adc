"""What goes wrong while learners share a device, and whose fault it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


class Crowded(Exception):
    """The memory did not suffice for something that a cohort shares; a smaller one may do."""


class Blamed(Exception):
    """A network that is evaluated beside others raised an error.

    Args:
        name: of the examinee.
        error: what it raised.
    """

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"{name}: {error}")
        self.name, self.error = name, error


@contextmanager
def blaming(name: str) -> Iterator[None]:
    """What is raised inside is this examinee's fault; a lack of memory is nobody's.

    Raises:
        Blamed: in place of anything else.
    """
    try:
        yield
    except Exception as error:
        if out_of_memory(error):
            raise
        raise Blamed(name, error) from error


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on whatever device; only CUDA has an error of its own for that."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def device_lost(error: BaseException) -> bool:
    """Whether the device refuses everything from now on, so that no learner is to blame."""
    return isinstance(error, torch.AcceleratorError) and not out_of_memory(error)


def told(error: BaseException) -> str:
    """An error in a line of a record."""
    return f"{type(error).__name__}: {error}".strip().removesuffix(":")
