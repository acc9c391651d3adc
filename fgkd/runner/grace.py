"""Signals: the first request to stop waits for a good moment, the second does not."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from fgkd.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPING = b"\nfgkd: saving after this step, then stopping; once more to stop at once\n"


class Grace:
    """While entered, SIGINT and SIGTERM raise `Stopped`; inside `patience` the first one is only noted.

    Attributes:
        asked: number of the signal that was noted, None before.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self._patient, self._pid = False, os.getpid()
        self._speak = os.environ.get("RANK", "0") == "0"  # one of the processes of a launch
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Grace:
        if threading.current_thread() is threading.main_thread():  # Python takes handlers from nobody else
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    @contextmanager
    def patience(self) -> Iterator[None]:
        """Inside, whoever can be left at a good moment looks at `asked`.

        Raises:
            Stopped: at the end, where a signal came and nobody has acted on it.
        """
        self._patient = True
        try:
            yield
        except Exception as error:
            if self.asked is not None:  # what fell over may have been killed by the same signal: a loader, a neighbour
                raise Stopped(self.asked) from error
            raise
        finally:
            self._patient = False
        if self.asked is not None:
            raise Stopped(self.asked)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a loader process, forked with this handler: it ends with its parent
            return
        if self._patient and self.asked is None:
            self.asked = number
            if self._speak:
                os.write(2, STOPPING)  # not print: a signal may come in the middle of one
            return
        raise Stopped(number)
