"""How preparing tells what it does, without knowing of a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]  # so many bytes (or images) more


class Progress:
    """Says nothing; the command line has one that draws bars."""

    @contextmanager
    def stage(self, text: str, total: int, unit: str = "bytes") -> Iterator[Advance]:
        """A stretch of work of `total` units, advanced by calling what is given."""
        yield lambda amount: None

    def note(self, text: str) -> None:
        """One line worth telling."""
