"""When the state of a cohort is saved, and how a cohort is stopped between two steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from fgkd.errors import Stopped
from fgkd.train.checkpoint import Generation, Shelf
from fgkd.train.engine import Engine

if TYPE_CHECKING:
    from fgkd.train.cohort import Cohort


class Request(Protocol):
    """Somebody who may have asked this process to stop."""

    asked: int | None  # the signal's number


class Nobody:
    """Never asks."""

    asked: int | None = None


class Keeper:
    """Saves a cohort every so many seconds, when it is asked to stop, and when its training ends.

    With several processes all of them save the same step: the main one's watch counts, and a stop that one of them
    was asked for holds for all. They agree on it where the loop says that they stand together.

    Args:
        engine: the processes.
        shelf: where to; None: nothing is saved.
        every: seconds between two savings.
        request: who may ask to stop.
        say: told when a state could not be saved.
    """

    def __init__(
        self,
        engine: Engine,
        shelf: Shelf | None = None,
        *,
        every: float = 300.0,
        request: Request | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.engine, self.shelf, self.every, self.say = engine, shelf, every, say
        self.request: Request = request or Nobody()
        self._last = time.monotonic()
        self._tried = (0, 0)  # where the last saving was, whether it could be written or not

    @property
    def stopping(self) -> bool:
        """Whether this process was asked to stop."""
        return self.request.asked is not None

    def look(self, cohort: Cohort, *, together: bool) -> None:
        """Between two batches: save if it is time, stop if it was asked for.

        Args:
            together: whether all processes look at this point.

        Raises:
            Stopped: after the state was saved.
        """
        asked, due = self.request.asked, time.monotonic() - self._last >= self.every
        if self.engine.world > 1:
            if not together:
                return
            everyone = self.engine.gather_values((asked, due))
            asked, due = next((signum for signum, _ in everyone if signum is not None), None), everyone[0][1]
        if due or asked is not None:
            self.save(cohort)
        if asked is not None:
            raise Stopped(asked)

    def save(self, cohort: Cohort) -> None:
        """Save the cohort where it stands, unless it stands where it was saved last."""
        if self.shelf is None or cohort.position == self._tried:
            return
        self._tried, written = cohort.position, False
        try:
            learners = {learner.run_id: learner.state_dict() for learner in cohort.learners}
            self.shelf.save(cohort.position, cohort.state_dict(), learners)
            written = True
        except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
            self.say(f"the state of the cohort could not be saved in {self.shelf.folder}: {error}; training goes on")
        self.engine.wait()  # nobody removes an older generation before everybody has the new one
        if written:
            self.shelf.prune()
        self._last = time.monotonic()

    def restore(self, cohort: Cohort, generation: Generation) -> None:
        """Bring a fresh cohort to where it was saved."""
        cohort.load_state_dict(generation.manifest["cohort"])
        for learner in cohort.learners:
            learner.load_state_dict(generation.learner(learner.run_id))
        cohort.position = generation.position
        self._tried = generation.position
