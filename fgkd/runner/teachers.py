"""Teachers by themselves: which ones a suite has, and whether each of them would pass the gate now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from fgkd.data import EvalLoader, ImageData, open_dataset
from fgkd.data import problems as data_problems
from fgkd.errors import UserErrors
from fgkd.models import InputSpec, weights_hash
from fgkd.models import problems as backbone_problems
from fgkd.models.store import WeightStore
from fgkd.plan import contest
from fgkd.record import records_folder
from fgkd.runner.admission import Baselines
from fgkd.runner.check.qualms import teacher_problems
from fgkd.runner.options import Options
from fgkd.spec import Feed, RunSpec, TeacherSpec, teacher_run
from fgkd.suite import Suite
from fgkd.teacher.gate import Bar, bar_for, bar_problem
from fgkd.train.assemble import Workshop, open_teacher
from fgkd.train.clock import Clock
from fgkd.train.engine import Engine
from fgkd.train.evaluate import Examinee, evaluate


@dataclass(frozen=True)
class Judgement:
    """What the gate says of one teacher, for one student or for none in particular.

    Attributes:
        run_id: of the teacher's own run.
        verdict: ``unknown`` where it is not trained yet.
        holdout_top1: measured now, in [0, 1]; None where nothing was.
        bar: what it has to exceed.
        student: whose bar that is; None where no student was named.
        problem: why it does not pass.
    """

    teacher: str
    dataset: str
    run_id: str
    verdict: Literal["passes", "refused", "unknown"]
    holdout_top1: float | None = None
    bar: Bar | None = None
    student: str | None = None
    problem: str | None = None


def teachers_of(runs: Iterable[RunSpec]) -> list[RunSpec]:
    """The runs that make the teachers of `runs`, each once."""
    made = (teacher_run(feed) for feed in dict.fromkeys(run.feed for run in runs))
    return list({run.run_id: run for run in made if run is not None}.values())


def judge_suite(suite: Suite, runs: Sequence[RunSpec], options: Options) -> list[Judgement]:
    """The gate's word on every teacher of a suite, for every student that would learn from it."""
    baselines = Baselines(records_folder(options.results, suite.name), runs)
    pupils: dict[str, dict[object, RunSpec]] = {}
    for run in runs:
        if (own := teacher_run(run.feed)) is not None:
            pupils.setdefault(own.run_id, {}).setdefault(contest(run), run)
    every = [[*by_contest.values()] for by_contest in pupils.values()]
    return [word for those in every for word in judge_teacher(those[0].feed, options, those, baselines)]


def judge_teacher(
    feed: Feed, options: Options, pupils: Sequence[RunSpec] = (), baselines: Baselines | None = None
) -> list[Judgement]:
    """The gate's word on the teacher of `feed`, measured on the hold-out now, whatever was recorded.

    Args:
        pupils: one run for each student; the bar is nobody's in particular where there are none.
        baselines: what those students reach alone; None: nobody knows.

    Raises:
        UserErrors: data, network or weights cannot be had.
    """
    spec, own = feed.teacher, teacher_run(feed)
    assert spec is not None
    assert own is not None
    about = (spec.name, feed.dataset.name, own.run_id)
    store = WeightStore(options.cache / "weights")
    if spec.train is not None and own.run_id not in store:
        told = f"teacher {spec.name}: it is not trained yet; fgkd teacher train does that"
        return [Judgement(*about, "unknown", problem=told)]
    data = _data(feed, options, store)
    if problems := teacher_problems([own], {feed.dataset: data.num_classes}, options):
        return [Judgement(*about, "refused", problem=problem) for problem in problems]
    found, problem = _measured(feed, own, data, store, options)
    words = []
    for student, scratch in _standards(pupils, baselines):
        bar = bar_for(spec, scratch, data.num_classes)
        why = problem or bar_problem(spec.name, found, bar)
        words.append(Judgement(*about, "refused" if why else "passes", found, bar, student, why))
    return words


def _standards(pupils: Sequence[RunSpec], baselines: Baselines | None) -> Iterator[tuple[str | None, list[float]]]:
    """Students, and what they reach from scratch."""
    if not pupils:
        yield None, []
    for pupil in pupils:
        yield pupil.student.name, [] if baselines is None else baselines.of(pupil)


def _data(feed: Feed, options: Options, store: WeightStore) -> ImageData:
    """The data; UserErrors where it, or the network of an untrained teacher, cannot be had."""
    assert feed.teacher is not None
    if problems := data_problems(feed.dataset, options.data_root):
        raise UserErrors(problems)
    data = open_dataset(feed.dataset, options.data_root, cache=options.cache)
    if feed.teacher.train is None:
        problems = backbone_problems(
            store.resolved(feed.teacher.backbone),
            num_classes=data.num_classes,
            view_size=feed.view.size,
            weights_folder=options.weights,
        )
        if problems:
            raise UserErrors(problems)
    return data


def _measured(
    feed: Feed, own: RunSpec, data: ImageData, store: WeightStore, options: Options
) -> tuple[float, str | None]:
    """The teacher's top-1 on the hold-out in [0, 1], and what is wrong with its stored weights, if any are."""
    engine = Engine(feed.precision)
    targets = torch.as_tensor(data.train.targets, device=engine.device)
    workshop = Workshop(data.num_classes, targets, engine, store, options.weights)
    spec = feed.teacher
    assert spec is not None
    network, sight = _as_it_is(spec, feed.view.size, workshop) if spec.train is None else _stored(feed, own, workshop)
    problem = None
    if own.run_id in store and weights_hash(network) != store.facts(own.run_id)["weights_hash"]:
        problem = f"teacher {spec.name}: its weights are not those that were measured and recorded as {own.run_id}"
    outputs, _ = evaluate(
        EvalLoader(data.holdout, feed.view, batch_size=64, workers=options.workers or 0),
        [Examinee(network, sight)],
        device=engine.device,
        autocast=engine.autocast,
        gather=lambda rows: rows,  # every process sees the whole split
        clock=Clock(engine.device),
    )
    return float(outputs[0].samples["hit"].double().mean()), problem


def _stored(feed: Feed, own: RunSpec, workshop: Workshop) -> tuple[nn.Module, InputSpec]:
    teacher = open_teacher(own.model_copy(update={"feed": feed}), workshop)  # of which it reads the feed alone
    return teacher.network, teacher.sight


def _as_it_is(spec: TeacherSpec, view_size: int, workshop: Workshop) -> tuple[nn.Module, InputSpec]:
    network = workshop.backbone(spec.backbone, view_size).to(workshop.engine.device)
    return network, network.input
