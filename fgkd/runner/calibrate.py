"""How long a plan takes on this machine, from a few real steps of each of its cohorts.

The networks start from random weights, and data that is not at hand is stood in for by drawn birds of the same size:
neither changes how long a step takes, except for the reading of files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from fgkd.data import ImageData, open_dataset, read_card
from fgkd.data import problems as data_problems
from fgkd.errors import UserError
from fgkd.methods.compose import method_spec
from fgkd.models import cost
from fgkd.models.reshaped import head_of
from fgkd.models.store import WeightStore
from fgkd.plan import PlannedCohort
from fgkd.runner.banks import live_reason
from fgkd.runner.options import Options
from fgkd.runner.sizes import KnownSizes
from fgkd.runner.supplies import Supplies
from fgkd.signals import Batch, Progress
from fgkd.spec import DatasetSpec, Feed, RunSpec
from fgkd.teacher.live import Credentials, Teacher
from fgkd.teacher.survey import TeacherSurvey
from fgkd.train.assemble import Workshop
from fgkd.train.cohort import Cohort
from fgkd.train.engine import Engine
from fgkd.train.evaluate import Examinee, Keep

STEPS, WARM = 20, 4  # of which so many are not counted: memory is first asked for, kernels are chosen
SHOWN = 4  # batches for what is no step
DRAWN = DatasetSpec(name="synthetic_birds")


@dataclass(frozen=True)
class Pace:
    """Measured seconds of one cohort.

    Attributes:
        building: of learners and loaders, once.
        step: one lesson for all of them, loading included.
        asking: of that, what a bank spares; 0 where the teacher speaks live.
        telling: one image of a bank, loading included.
        marking: one image of the hold-out, all of them; `examining`: one image of the last examination.
        recording: all of them, once.
    """

    building: float
    step: float
    marking: float
    examining: float
    recording: float
    asking: float = 0.0
    telling: float = 0.0

    def whole(self, steps: int, epochs: int, holdout: int, test: int, banked: int = 0) -> float:
        """Seconds of a training of so many steps; the last examination is of the last and of the best weights.

        Args:
            banked: images that a bank is built of, each view counted.
        """
        evaluating = epochs * holdout * self.marking + 2 * (holdout + test) * self.examining
        training = steps * (self.step - self.asking) + banked * self.telling
        return self.building + training + evaluating + self.recording


class Calibration:
    """Measures cohorts.

    Args:
        options: where data lies, loader processes.
        engine: the machine.
        known: sizes of the cohorts' data sets.
    """

    def __init__(self, options: Options, engine: Engine, known: KnownSizes) -> None:
        self.options, self.engine, self.known = options, engine, known
        self.supplies = Supplies(options, engine, WeightStore(options.cache / "weights"), lambda text: None)

    def seconds(self, planned: PlannedCohort) -> float:
        """Of the whole cohort, predicted."""
        feed = planned.feed
        images = self.known[feed.dataset].images
        holdout, test = self._others(feed.dataset, images)
        steps = images // feed.batch_size * feed.epochs
        with TemporaryDirectory() as folder:
            pace = self._pace(planned, max(1, images // feed.batch_size), Path(folder))
        self.engine.release()
        return pace.whole(steps, feed.epochs, holdout, test, images * (feed.bank or 0))

    def _others(self, spec: DatasetSpec, train: int) -> tuple[int, int]:
        """Images of (hold-out, test)."""
        if not data_problems(spec, self.options.data_root):
            data = open_dataset(spec, self.options.data_root, cache=self.options.cache)
            return len(data.holdout), len(data.test)
        counts = read_card(spec.name).protocol(spec.protocol)[1].counts
        return counts.get("val", max(0, counts.get("train", train) - train)), counts.get("test", 0)

    def _feed(self, feed: Feed) -> Feed:
        """The feed, on drawn images where its own are not at hand, in batches that they suffice for."""
        if not data_problems(feed.dataset, self.options.data_root):
            return feed
        drawn = open_dataset(DRAWN, self.options.data_root, cache=self.options.cache)
        return feed.model_copy(update={"dataset": DRAWN, "batch_size": min(feed.batch_size, len(drawn.train))})

    def _pace(self, planned: PlannedCohort, per_epoch: int, folder: Path) -> Pace:
        feed = self._feed(planned.feed)
        data = self.supplies.data(feed)
        begun = time.perf_counter()
        cohort = self._cohort(planned, feed, data, folder)
        building = time.perf_counter() - begun
        step = self._step(cohort, per_epoch) if planned.feed.epochs else 0.0
        examinees = [learner.examinee() for learner in cohort.learners]
        teacher = None if cohort.teacher is None else Examinee(cohort.teacher.network, cohort.teacher.sight)
        shown = list(islice(cohort.loaders.test, SHOWN))
        images = sum(len(batch.target) for batch in shown)
        again = lambda: islice(cohort.loaders.test, SHOWN)  # loading is a part of it
        marking = self._took(lambda: cohort.answers(again(), examinees)) / images
        keep = Keep(samples=True, logits=True)
        examining = self._took(lambda: cohort.answers(again(), examinees, teacher, keep)) / images
        recording = self._took(lambda: [cost(x.evaluated, x.belongings.sight.size) for x in cohort.learners])
        asking, telling = self._bank(cohort) if feed.bank and not live_reason(planned.runs) else (0.0, 0.0)
        more = planned.feed.batch_size / feed.batch_size
        return Pace(building, step * more, marking, examining, recording, asking * more, telling)

    def _bank(self, cohort: Cohort) -> tuple[float, float]:
        """Seconds that the teacher takes for a batch, and for one image of a bank, whose loading counts too."""
        start = Progress(0, 1, cohort.feed.epochs)
        some = lambda: islice(cohort.loaders.train.epoch(0), SHOWN)
        shown = list(some())
        asking = self._took(lambda: [cohort.lesson(batch, start) for batch in shown])
        telling = self._took(lambda: [cohort.lesson(batch, start) for batch in some()])
        return asking / len(shown), telling / sum(len(batch.target) for batch in shown)

    def _cohort(self, planned: PlannedCohort, feed: Feed, data: ImageData, folder: Path) -> Cohort:
        workshop, loaders = self.supplies.workshop(data), self.supplies.loaders(feed, data)
        teacher = None if feed.teacher is None else self._teacher(feed, workshop)
        survey = None
        if teacher is not None:
            clean = self.supplies.eval_loader(data.train, feed, alone=True)
            survey = TeacherSurvey(teacher, clean, folder=folder, data="", device=self.engine.device)
        learners = [
            self.supplies.learner(_untrained(run), workshop, teacher, survey, loaders.train.steps_per_epoch)
            for run in planned.runs
        ]
        return Cohort(feed, learners, teacher, loaders, self.engine)

    def _teacher(self, feed: Feed, workshop: Workshop) -> Teacher:
        assert feed.teacher is not None
        network = workshop.backbone(feed.teacher.backbone.bare(), feed.view.size)
        return Teacher(
            network,
            sight=network.input,
            shapes=network.shapes,
            head=head_of(network),
            credentials=Credentials(feed.teacher.name, None, "", 0.0),
            device=self.engine.device,
            autocast=self.engine.autocast,
        )

    def _step(self, cohort: Cohort, per_epoch: int) -> float:
        """Mean seconds of a step; the steps are spread over the training, for methods that work in stages."""
        epochs = cohort.feed.epochs
        batches: Iterator[Batch] = chain.from_iterable(cohort.loaders.train.epoch(0) for _ in repeat(None))
        moments = [Progress(i * per_epoch * epochs // STEPS, per_epoch, epochs) for i in range(STEPS)]

        def teach(some: Sequence[Progress]) -> None:
            for moment in some:
                cohort.teach(next(batches), moment)

        teach(moments[:WARM])
        took = self._took(lambda: teach(moments[WARM:]))
        cohort.check()
        for learner in cohort.learners:
            if learner.status in ("failed", "oom"):
                raise UserError(f"{learner.spec.method.label}, a step of the calibration: {learner.reason}")
        return took / (STEPS - WARM)

    def _took(self, action: Callable[[], object]) -> float:
        wait = torch.cuda.synchronize if self.engine.device.type == "cuda" else lambda: None
        wait()
        begun = time.perf_counter()
        action()
        wait()
        return time.perf_counter() - begun


def _untrained(run: RunSpec) -> RunSpec:
    """The run from random weights; a teacher that would wear a student's head costs what it costs with its own."""
    update: dict[str, object] = {"student": run.student.bare()}
    if run.head_from is not None:
        update |= {"head_from": None, "method": method_spec("scratch")}
    return run.model_copy(update=update)
