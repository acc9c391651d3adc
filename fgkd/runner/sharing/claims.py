"""Each run is trained by one launch at a time, however many share a folder of records or a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

from fgkd.runner.sharing.ledger import STALE, Holder, Ledger


class Claims:
    """The runs that one launch holds; a context manager, at whose end it holds none.

    A run is claimed in every folder: those who share records with this launch may have a cache of their own, and those
    who share the cache may run another suite. A teacher's run is a run like any other.

    Args:
        folders: shared with other launches; the same order for everybody, or two of them would wait for each other.
        say: tells the user.
        stale: seconds of silence after which a launch on another machine counts as dead.
    """

    def __init__(self, folders: Sequence[Path], say: Callable[[str], None], *, stale: float = STALE) -> None:
        self.folders, self.say, self.stale = folders, say, stale
        self.mine: set[str] = set()
        self._ledgers: list[Ledger] = []
        self._over = Event()

    def __enter__(self) -> Claims:
        self._ledgers = [Ledger(folder, self.stale) for folder in self.folders]
        Thread(target=self._beat, name="claims", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for ledger in self._ledgers:
            ledger.close()

    def take(self, wanted: Iterable[str]) -> set[str]:
        """Claim those of the runs that nobody else holds; which they are."""
        with self._guarded():
            taken = set(wanted) - self._elsewhere().keys()
            self._hold(self.mine | taken)
        return taken

    def give_back(self, runs: Iterable[str]) -> None:
        """Others may have these runs."""
        with self._guarded():
            self._hold(self.mine - set(runs))

    def elsewhere(self) -> dict[str, Holder]:
        """Run id -> the other launch that holds it."""
        with self._guarded():
            return self._elsewhere()

    def _guarded(self) -> ExitStack:
        stack = ExitStack()
        for ledger in self._ledgers:
            stack.enter_context(ledger.guarded())
        return stack

    def _hold(self, runs: set[str]) -> None:
        if runs != self.mine:
            for ledger in self._ledgers:
                ledger.write(runs)
            self.mine = runs

    def _elsewhere(self) -> dict[str, Holder]:
        held: dict[str, Holder] = {}
        died: dict[str, Holder] = {}
        for ledger in self._ledgers:
            living, dead = ledger.others()
            held |= {run_id: holder for holder in living for run_id in holder.runs}
            died |= {str(holder): holder for holder in dead if holder.runs}
        for name, holder in died.items():
            self.say(f"{name} has died; the {len(holder.runs)} runs that it held are free again")
        return held

    def _beat(self) -> None:
        while not self._over.wait(self.stale / 10):
            for ledger in self._ledgers:
                ledger.beat()
