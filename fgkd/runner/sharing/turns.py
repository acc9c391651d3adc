"""Which cohort a launch trains next, where other launches may train some of the same suite."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fgkd.plan import Plan, PlannedCohort, part_of
from fgkd.runner.sharing.claims import Claims
from fgkd.runner.sharing.ledger import Holder

PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds between two looks while others are at work


@dataclass(frozen=True)
class Turn:
    """A cohort, or what is left of it, that is this launch's alone until it is given back."""

    number: int
    cohort: PlannedCohort


class Turns:
    """Goes through a plan in its order; what others hold is left to them, and taken over where they die.

    Args:
        plan: what this launch has to do.
        claims: who does it; only asked by the main process.
        settled: of the run ids given, those that need no training any more.
        agree: the main process's value, for all processes.
        main: whether this is the main process.
        say: tells the user.
    """

    def __init__(
        self,
        plan: Plan,
        claims: Claims,
        *,
        settled: Callable[[Iterable[str]], set[str]],
        agree: Callable[[object], object],
        main: bool,
        say: Callable[[str], None],
    ) -> None:
        self.plan, self.claims, self.settled, self.agree, self.main, self.say = plan, claims, settled, agree, main, say
        self._tried: set[str] = set()  # whatever came of it: not again in this launch
        self._todo: dict[int, set[str]] = {
            number: {run.run_id for run in cohort.runs} for number, cohort in enumerate(plan.cohorts)
        }

    def next(self) -> Turn | None:
        """The next cohort whose teachers are done; waits for those that others train. None: nothing is left to do."""
        pause = PAUSE
        while (choice := self.agree(self._choice() if self.main else None)) == "wait":
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        if choice is None:
            return None
        assert isinstance(choice, tuple)
        number, ids = choice
        self._tried |= set(ids)
        planned = self.plan.cohorts[number]
        return Turn(number + 1, part_of(planned, [run for run in planned.runs if run.run_id in ids]))

    def end(self, turn: Turn) -> None:
        """The cohort has been dealt with, one way or another."""
        if self.main:
            self.claims.give_back(run.run_id for run in turn.cohort.runs)

    def elsewhere(self) -> dict[str, Holder]:
        """Runs of the plan that others are still training."""
        self._look()
        left = set().union(*self._todo.values())
        return {run_id: holder for run_id, holder in self.claims.elsewhere().items() if run_id in left}

    def _choice(self) -> tuple[int, list[str]] | str | None:
        """The number of a cohort and the runs of it that were claimed; ``wait``; None."""
        self._look()
        held = self.claims.elsewhere()
        waiting = set()
        left = set().union(*self._todo.values())
        for number, ids in self._todo.items():
            planned = self.plan.cohorts[number]
            if not (free := ids - held.keys()):
                continue
            if (planned.waits_for | planned.after) & left:
                waiting |= free
            elif mine := self._claimed(free):
                return number, sorted(mine)
        if waiting:
            self._tell(held, waiting)
            return "wait"
        return None

    def _claimed(self, ids: set[str]) -> set[str]:
        """Those of the runs that are ours now and still to do: another launch may have recorded one meanwhile."""
        taken = self.claims.take(ids)
        done = self.settled(taken)
        self.claims.give_back(done)
        return taken - done

    def _look(self) -> None:
        done = self.settled(run_id for ids in self._todo.values() for run_id in ids) | self._tried
        self._todo = {number: ids - done for number, ids in self._todo.items()}

    def _tell(self, held: dict[str, Holder], waiting: set[str]) -> None:
        holders = ", ".join(sorted({str(holder) for holder in held.values()})) or "nobody"
        text = f"{len(waiting)} runs wait for what {holders} trains"
        if text != getattr(self, "_told", ""):
            self._told = text
            self.say(text)
