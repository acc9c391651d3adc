"""Everything checkable is checked before anything is trained, and all problems are reported together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from fgkd.data import open_dataset
from fgkd.data import problems as data_problems
from fgkd.errors import UserError, UserErrors
from fgkd.models import problems as backbone_problems
from fgkd.models.hub import forget_answers
from fgkd.models.store import WeightStore
from fgkd.runner.check.pairs import pair_problems
from fgkd.runner.check.qualms import batch_problems, recipe_problems, teacher_problems
from fgkd.runner.check.revisions import revision_problems
from fgkd.runner.check.starts import start_problems
from fgkd.runner.check.verdicts import verdict_problems
from fgkd.runner.observers.tracking import tracker_problems
from fgkd.runner.options import Options
from fgkd.runner.sizes import KnownSizes, Size, size_of
from fgkd.spec import BackboneSpec, DatasetSpec, RunSpec

SOME = 2  # classes, where a data set is not to be had: its networks are looked at all the same


def check(
    runs: Sequence[RunSpec], options: Options, folder: Path, say: Callable[[str], None] = lambda text: None
) -> KnownSizes:
    """The sizes of the runs' data sets, where nothing stands in the way of `runs`.

    Args:
        folder: where the suite's records will be written.
        say: is told what is good to know and stops nothing.

    Raises:
        UserErrors: every problem of data, networks, pairs and folders that `runs` would meet.
    """
    forget_answers()
    problems = [*_folder_problems(folder), *_folder_problems(options.cache), *_precision_problems(runs)]
    problems += _compiler_problems() if options.compile else []
    problems += _graph_problems(options) if options.cuda_graphs else []
    problems += tracker_problems(options.track)
    if options.workers is not None and options.workers < 0:
        problems.append(f"workers: expected a number of processes from 0, found {options.workers}")
    datasets = list(dict.fromkeys(run.feed.dataset for run in runs))
    known: dict[DatasetSpec, Size] = {}
    for spec in datasets:
        found = data_problems(spec, options.data_root)
        if not found and not _folder_problems(options.cache):
            found = verdict_problems(spec, options.data_root, options.cache, say)
        problems += found
        try:
            known[spec] = size_of(spec, options)
        except UserError as error:
            if not problems:  # or it is told already
                problems.append(str(error))
    classes = {spec: known[spec].classes if spec in known else SOME for spec in datasets}
    if not problems and not options.rerun:
        present = {spec: open_dataset(spec, options.data_root, cache=options.cache).revision for spec in datasets}
        problems += [*revision_problems(folder, present), *start_problems(runs, folder, options)]
    problems += [*network_problems(runs, classes, options), *recipe_problems(runs), *batch_problems(runs, known)]
    if not problems:
        problems += [*teacher_problems(runs, classes, options), *pair_problems(runs, classes)]
    if problems:
        raise UserErrors(
            problems, f"{len(set(problems))} problems to mend before training" if len(set(problems)) > 1 else ""
        )
    return known


def _precision_problems(runs: Iterable[RunSpec]) -> list[str]:
    wanted = sorted({run.feed.precision for run in runs})
    if len(wanted) > 1:
        return [f"precision: expected one for all runs of a launch, found {', '.join(wanted)}"]
    if wanted == ["fp16"] and not torch.cuda.is_available():
        return ["precision: fp16 needs a CUDA device, and there is none; use --mixed_precision bf16 or no"]
    return []


def _graph_problems(options: Options) -> list[str]:
    """Can passes be captured here?"""
    problems = []
    if not torch.cuda.is_available():
        problems.append("--cuda-graphs: expected a CUDA device, found none; leave it out")
    if options.compile:
        problems.append(
            "--cuda-graphs: expected no --compile beside it, for both change how a student runs; choose one"
        )
    return problems


def _compiler_problems() -> list[str]:
    """Can torch compile here? It needs a C++ compiler on a CPU, Triton on a GPU."""
    try:
        torch.compile(lambda x: x + 1)(torch.ones(2, device="cuda" if torch.cuda.is_available() else "cpu"))
    except Exception as error:  # whatever the compiler raises: it is the answer
        return [f"--compile: expected torch to be able to compile here, found {type(error).__name__}; leave it out"]
    return []


def _folder_problems(folder: Path) -> list[str]:
    """Can files be made here?"""
    probe = folder / f".fgkd-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        found = f"expected to be able to write there, found: {error.strerror}"
        return [f"folder {folder}: {found}; choose another with --results or --cache"]
    return []


def network_problems(
    runs: Sequence[RunSpec], classes: dict[DatasetSpec, int], options: Options, *, with_weights: bool = True
) -> list[str]:
    """Why a student or a teacher of `runs` cannot be built, fed, or filled with its weights; each network once.

    Args:
        classes: of each data set.
        with_weights: whether the weights must be within reach.
    """
    problems = list(dict.fromkeys(_crop_problems(runs)))
    store = WeightStore(options.cache / "weights")
    for named, size, num_classes in dict.fromkeys(_networks(runs, classes)):
        try:
            network = store.resolved(named) if with_weights else named
        except UserError as error:
            problems.append(f"backbone {named.name}: {error}")
            continue
        problems += backbone_problems(
            network,
            num_classes=num_classes,
            view_size=size,
            weights_folder=options.weights,
            with_weights=with_weights,
        )
    return problems


def _crop_problems(runs: Iterable[RunSpec]) -> Iterable[str]:
    for run in runs:
        shown = run.feed.view.crop_pct
        for network in (run.student, *([run.feed.teacher.backbone] if run.feed.teacher else [])):
            if network.crop_pct is not None and network.crop_pct > shown:
                yield (
                    f"backbone {network.name}: crop_pct: expected at most the view's {shown:g}, which cuts the rest of "
                    f"a picture away, found {network.crop_pct:g}; raise view.crop_pct to it"
                )


def _networks(runs: Iterable[RunSpec], classes: dict[DatasetSpec, int]) -> Iterable[tuple[BackboneSpec, int, int]]:
    for run in runs:
        size, num_classes = run.feed.view.size, classes[run.feed.dataset]
        yield run.student, size, num_classes
        if run.feed.teacher is not None:
            yield run.feed.teacher.backbone, size, num_classes
