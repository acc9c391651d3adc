"""The only training loop: one data pass and one teacher forward per batch, for all learners of a cohort."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial, reduce
from operator import or_
from typing import Any, Protocol, TypeVar

from torch import Tensor

from fgkd.models.eyes import Eyes
from fgkd.signals import Batch, Lesson, Lessons, Needs, Progress, Signals
from fgkd.spec import Feed
from fgkd.teacher.bank import Service
from fgkd.teacher.live import Teacher
from fgkd.train.clock import Clock
from fgkd.train.engine import Engine
from fgkd.train.evaluate import HITS, Examinee, Keep, Outputs, evaluate
from fgkd.train.exam import Sheet, accuracies, examine
from fgkd.train.faults import Blamed, Crowded, device_lost, out_of_memory, told
from fgkd.train.keeper import Keeper
from fgkd.train.learner import Learner

T = TypeVar("T")
CHECK_EVERY = 50  # steps between looks at the learners' not-finite flags, the only thing the host waits for


class Watch(Protocol):
    """Someone who looks on: a progress bar, a log, a tracker."""

    def batch(self, cohort: Cohort, epoch: int, images: int) -> None:
        """A lesson is done."""

    def epoch(self, cohort: Cohort, epoch: int) -> None:
        """An epoch and its hold-out pass are done; every learner's curve has a new point."""


@dataclass(frozen=True)
class Loaders:
    """The three ways into a data set; where test's classes are `unseen` in training, it judges embeddings alone.

    `service` says who serves the teacher's word in training, where the feed has a bank.
    """

    train: Lessons
    holdout: Iterable[Batch]
    test: Iterable[Batch]
    unseen: bool = False
    service: Service | None = None


@dataclass
class Result:
    """What a cohort found out about one of its learners.

    `metrics` maps test_last, test_best, holdout_last, holdout_best to figures by name, fractions in [0, 1]; `profiles`
    and `predictions` (N,) are of test with the last weights.
    """

    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    profiles: dict[str, list[list[float]]] = field(default_factory=dict)
    predictions: Tensor | None = None

    def add(self, which: str, sheet: Sheet) -> None:
        """What the weights of `which` epoch, last or best, were worth."""
        self.metrics |= {f"holdout_{which}": sheet.holdout, f"test_{which}": sheet.test}
        if which == "last":
            self.profiles, self.predictions = sheet.profiles, sheet.predictions


class Cohort:
    """Learners that share their lessons.

    Args:
        feed: what they share.
        learners: at least one.
        teacher: None where nobody asks for one.
        loaders: of the feed's data.
        engine: devices, precision, processes.
        watch: looks on.
        keeper: saves the state now and then, and passes on a request to stop; by default nothing is saved.

    Attributes:
        position: (epochs closed, lessons of the running epoch).
        images: shown so far, over all processes.
        size: learners that started together; not all of them are here where some were recorded before a restart.
        feed_id: of the feed that they started in, by the same token.
        started: ISO 8601, UTC; of the first launch.
        reference: what the teacher's own answers were worth, once the cohort was examined; None without one.
    """

    def __init__(
        self,
        feed: Feed,
        learners: Sequence[Learner],
        teacher: Teacher | None,
        loaders: Loaders,
        engine: Engine,
        *,
        watch: Watch | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.feed, self.learners, self.teacher, self.loaders = feed, list(learners), teacher, loaders
        self.engine, self.watch, self.keeper = engine, watch, keeper or Keeper(engine)
        self.clock = Clock(engine.device)
        self.position, self.images = (0, 0), 0
        self.size, self.feed_id = len(self.learners), feed.digest()
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.results: dict[str, Result] = {learner.run_id: Result() for learner in learners}
        self.reference: Sheet | None = None
        self._stepped: set[str] = set()  # in this process

    @property
    def active(self) -> list[Learner]:
        """The learners that still learn."""
        return [learner for learner in self.learners if learner.active]

    def run(self) -> dict[str, Result]:
        """Train to the end, then read the test split once; a result per run id.

        Raises:
            Crowded: the memory did not suffice for what all share; where states are kept, this one was.
        """
        while self.position[0] < self.feed.epochs and self.active:
            epoch, start = self.position
            self.train_epoch(epoch, start)
            self.end_epoch(epoch)
            self.position = (epoch + 1, 0)
            self.keeper.look(self, together=True)
        self.keeper.save(self)
        self.examine()
        return self.results

    # state

    def state_dict(self) -> dict[str, Any]:
        """What belongs to no learner, as plain values; the position apart."""
        return {
            "images": self.images,
            "seconds": self.clock.state_dict(),
            "size": self.size,
            "feed_id": self.feed_id,
            "started": self.started,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave."""
        self.size, self.feed_id, self.started = state["size"], state["feed_id"], state["started"]
        self.images = state["images"]
        self.clock.load_state_dict(state["seconds"])

    # training

    def train_epoch(self, epoch: int, start: int = 0) -> None:
        """The lessons of one epoch, from the `start`-th on."""
        steps = self.loaders.train.steps_per_epoch
        batches = iter(self.loaders.train.epoch(epoch, start))
        for step in range(epoch * steps + start, (epoch + 1) * steps):
            with self.clock.span("load", host=True):
                batch = next(batches)
            self.teach(batch, Progress(step, steps, self.feed.epochs))
            checking = (step + 1) % CHECK_EVERY == 0
            if checking:
                self.check()
            if not self.active:
                return
            self.position = (epoch, step + 1 - epoch * steps)
            self.keeper.look(self, together=checking)

    def teach(self, batch: Batch, progress: Progress) -> None:
        """One lesson for every active learner."""
        with self.sharing():
            eyes, lesson = self.lesson(batch, progress)
        for learner in self.active:
            with self.clock.span(self._account(learner)):
                self.attempt(learner, lambda: learner.step(eyes, lesson))  # noqa: B023  called at once
        rows = batch.global_size or len(batch.target)
        self.images += rows
        if self.watch is not None:
            self.watch.batch(self, progress.step // progress.steps_per_epoch, rows)

    def _account(self, learner: Learner) -> str:
        """Whose seconds a step's are: the compiler's are no learner's, or the first of a kind would pay for all."""
        first = learner.run_id not in self._stepped
        self._stepped.add(learner.run_id)
        return "compile" if first and self.engine.compiles else learner.run_id

    def needs(self, progress: Progress) -> Needs:
        """What of the teacher the active learners read at this point, together."""
        return reduce(or_, (learner.asks(progress) for learner in self.active), Needs())

    def lesson(self, batch: Batch, progress: Progress) -> tuple[Eyes, Lesson]:
        """The batch on the device, as eyes for every way of seeing it, and with the teacher's word on it."""
        with self.clock.span("load"):
            batch = self.engine.to_device(batch)
            eyes = Eyes(batch.image)
        needs = self.needs(progress)
        if batch.taught is not None:
            return eyes, Lesson(batch, batch.taught, progress)
        signals = Signals()
        if self.teacher is not None and needs:
            with self.clock.span("teacher"):
                signals = self.teacher.signals(eyes, needs)
        return eyes, Lesson(batch, signals, progress)

    # faults

    def attempt(self, learner: Learner, action: Callable[[], None]) -> None:
        """Run `action`; if it raises, the learner stops with the reason and its neighbours go on."""
        try:
            action()
        except Exception as error:
            self.give_up(learner, error)

    def give_up(self, learner: Learner, error: Exception, where: str = "") -> None:
        """Stop a learner because of `error`.

        With several processes an exception on one of them would leave the others waiting in a collective, so there
        it is raised, and the launcher ends the job. So it is where nobody here is to blame: the device is lost, or
        whoever ends this process has ended its loaders already.
        """
        if self.engine.world > 1 or self.keeper.stopping or device_lost(error):
            raise error
        learner.stop("oom" if out_of_memory(error) else "failed", where + told(error))

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """What is done inside is done for all, and changes none of them."""
        try:
            yield
        except Exception as error:
            if self.engine.world > 1 or not out_of_memory(error):
                raise
            self.keeper.save(self)
            raise Crowded(told(error)) from error

    def without_culprits(self, exam: Callable[[], T]) -> T:
        """`exam`, repeated without whoever makes it fail: an evaluation changes nothing, so it can be."""
        while True:
            try:
                with self.sharing():
                    return exam()
            except Blamed as blamed:
                culprit = next((learner for learner in self.active if learner.run_id == blamed.name), None)
                if culprit is None:  # the teacher
                    raise blamed.error from None
                self.give_up(culprit, blamed.error, "in evaluation: ")

    def check(self) -> None:
        """Look for losses that are not finite. The flags agree on all processes, or ranks would wait for each other."""
        for learner in self.active:
            learner.check(self.engine.agree)

    # evaluation

    def end_epoch(self, epoch: int) -> None:
        """Hold-out figures for every learner from one shared pass, and their curves' next points."""
        self.check()
        if not self.active:
            return
        for learner, answer in self.without_culprits(self._holdout_answers):
            self.attempt(learner, lambda: learner.end_epoch(epoch, accuracies(answer), self.engine.mean))  # noqa: B023
        if self.watch is not None:
            self.watch.epoch(self, epoch)

    def _holdout_answers(self) -> list[tuple[Learner, Outputs]]:
        learners = self.active
        outputs, _ = self.answers(self.loaders.holdout, [learner.examinee() for learner in learners])
        return list(zip(learners, outputs, strict=True))

    def answers(
        self,
        batches: Iterable[Batch],
        examinees: Sequence[Examinee],
        teacher: Examinee | None = None,
        keep: Keep = HITS,
    ) -> tuple[list[Outputs], Tensor]:
        """`evaluate` with this cohort's engine."""
        engine = self.engine
        engine.average_statistics([e.network for e in examinees])
        with engine.uncompiled():
            return evaluate(
                self._looking(batches),
                examinees,
                device=engine.device,
                autocast=engine.autocast,
                gather=engine.gather,
                clock=self.clock,
                teacher=teacher,
                keep=keep,
            )

    def _looking(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """`batches`, with a look at the keeper after each: an evaluation changes nothing, so it can be left."""
        for batch in batches:
            yield batch
            self.keeper.look(self, together=False)

    def examine(self) -> None:
        """Last and best weights of every learner on hold-out and test; the only reading of the test split."""
        for learner in self.active:
            learner.check_weights(self.engine.agree)
        self.without_culprits(self._examine)

    def _examine(self) -> None:
        if not (learners := self.active):
            return
        early = [learner for learner in learners if learner.best.epoch not in (-1, len(learner.curve) - 1)]
        sitting = [
            *(("last", learner, learner.examinee()) for learner in learners),
            *(("best", learner, learner.examinee(learner.best_network())) for learner in early),
        ]
        sheets = examine(
            [examinee for *_, examinee in sitting],
            None if self.teacher is None else Examinee(self.teacher.network, self.teacher.sight),
            holdout=partial(self.answers, self.loaders.holdout),
            test=partial(self.answers, self.loaders.test),
            unseen=self.loaders.unseen,
        )
        self.reference = sheets.pop(0) if self.teacher is not None else None
        for (which, learner, _), sheet in zip(sitting, sheets, strict=True):
            self.results[learner.run_id].add(which, sheet)
        for metrics in (self.results[learner.run_id].metrics for learner in learners if learner not in early):
            metrics |= {f"{split}_best": metrics[f"{split}_last"] for split in ("test", "holdout")}
