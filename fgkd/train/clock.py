"""Where the time of a cohort goes, without making the device wait for the host."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")


class Clock:
    """Seconds spent under names.

    On the CPU a span is wall time. On a CUDA device it is a pair of events, which cost no synchronisation; they are
    turned into seconds when `seconds` is read, which waits for the device once.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._seconds: dict[str, float] = defaultdict(float)
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def span(self, name: str, *, host: bool = False) -> Iterator[None]:
        """Count the time inside under `name`; ``host=True`` for work that the host waits for (loading)."""
        if self._cuda and not host:
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            try:
                yield
            finally:
                end.record()
                self._events.append((name, start, end))
            return
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] += time.perf_counter() - begun

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """`items`, counting the host's waiting for the next one under `name`."""
        iterator = iter(items)
        while True:
            with self.span(name, host=True):
                item = next(iterator, None)
            if item is None:
                return
            yield item

    def seconds(self) -> dict[str, float]:
        """All names and their seconds so far; synchronises a CUDA device, so read it at an epoch's end."""
        if self._events:
            torch.cuda.synchronize()
            for name, start, end in self._events:
                self._seconds[name] += start.elapsed_time(end) / 1000
            self._events.clear()
        return dict(self._seconds)

    def known(self, name: str) -> float:
        """Seconds under a name, without those that only the device knows; waits for nobody."""
        return self._seconds.get(name, 0.0)

    def state_dict(self) -> dict[str, float]:
        """The seconds so far."""
        return self.seconds()

    def load_state_dict(self, seconds: Mapping[str, float]) -> None:
        """Go on counting from these seconds."""
        self._seconds = defaultdict(float, seconds)
