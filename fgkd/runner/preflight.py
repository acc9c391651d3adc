"""Everything checkable is checked before anything is trained, and all problems are reported together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from fgkd.data import open_dataset, read_card
from fgkd.data import problems as data_problems
from fgkd.errors import UserError, UserErrors
from fgkd.methods.base import Setting
from fgkd.methods.compose import build_method
from fgkd.models import create_backbone
from fgkd.models import problems as backbone_problems
from fgkd.runner.options import Options
from fgkd.signals import Head, SignalShapes
from fgkd.spec import BackboneSpec, DatasetSpec, RunSpec


def check(runs: Sequence[RunSpec], options: Options, folder: Path) -> None:
    """Raise one UserErrors with every problem of data, networks, pairs and folders that `runs` would meet.

    Args:
        folder: where the suite's records will be written.
    """
    problems = [*_folder_problems(folder), *_folder_problems(options.cache), *_precision_problems(runs)]
    datasets = list(dict.fromkeys(run.feed.dataset for run in runs))
    classes: dict[DatasetSpec, int] = {}
    for spec in datasets:
        problems += data_problems(spec, options.data_root)
        try:
            classes[spec] = sizes(spec, options)[0]
        except UserError:
            classes[spec] = 2  # reported already; the networks are still looked at
    networks = dict.fromkeys(_networks(runs, classes))
    for network, size, num_classes in networks:
        problems += backbone_problems(network, num_classes=num_classes, view_size=size, weights_folder=options.weights)
    if not problems:
        problems += pair_problems(runs, classes)
    if problems:
        raise UserErrors(
            problems, f"{len(set(problems))} problems to mend before training" if len(set(problems)) > 1 else ""
        )


def _precision_problems(runs: Iterable[RunSpec]) -> list[str]:
    wanted = sorted({run.feed.precision for run in runs})
    if len(wanted) > 1:
        return [f"precision: expected one for all runs of a launch, found {', '.join(wanted)}"]
    if wanted == ["fp16"] and not torch.cuda.is_available():
        return ["precision: fp16 needs a CUDA device, and there is none; use --mixed_precision bf16 or no"]
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


def sizes(spec: DatasetSpec, options: Options) -> tuple[int, int]:
    """(classes, training images after the hold-out) from the data, or from its card where the data is not there.

    Raises:
        UserError: no data, and no card that states counts.
    """
    if not (found := data_problems(spec, options.data_root)):
        data = open_dataset(spec, options.data_root, cache=options.cache)
        return data.num_classes, len(data.train)
    try:
        card = read_card(spec.name)
        counts = card.protocol(spec.protocol)[1].counts
        kept = counts["train"] if "val" in counts else round(counts["train"] * (1 - spec.holdout))
    except (UserError, KeyError):
        raise UserErrors(found) from None
    return card.num_classes(spec.protocol), kept


def _networks(runs: Iterable[RunSpec], classes: dict[DatasetSpec, int]) -> Iterable[tuple[BackboneSpec, int, int]]:
    for run in runs:
        size, num_classes = run.feed.view.size, classes[run.feed.dataset]
        yield run.student, size, num_classes
        if run.feed.teacher is not None:
            yield run.feed.teacher.backbone, size, num_classes


def pair_problems(runs: Iterable[RunSpec], classes: dict[DatasetSpec, int]) -> list[str]:
    """Why a method cannot work with a student and a teacher, for each distinct triple."""
    problems = []
    anatomy: dict[tuple[BackboneSpec, int, int], tuple[SignalShapes, Head]] = {}

    def known(spec: BackboneSpec, size: int, num_classes: int) -> tuple[SignalShapes, Head]:
        key = (spec, size, num_classes)
        if key not in anatomy:
            network = create_backbone(
                spec.model_copy(update={"weights": "none"}), num_classes=num_classes, view_size=size
            )
            anatomy[key] = network.shapes, network.head().detached()
        return anatomy[key]

    for run in {
        (r.student, r.method, r.feed.teacher, r.feed.view.size): r for r in runs if r.role == "student"
    }.values():
        size, num_classes = run.feed.view.size, classes[run.feed.dataset]
        shapes, _ = known(run.student, size, num_classes)
        setting = Setting(shapes, num_classes, torch.arange(num_classes).repeat_interleave(2))
        who = f"{run.method.label} on {run.student.name}"
        if run.feed.teacher is not None:
            teacher, head = known(run.feed.teacher.backbone, size, num_classes)
            setting = replace(setting, teacher=teacher, teacher_head=head)
            who += f" from {run.feed.teacher.name}"
        problems += [f"{who}: {problem}" for problem in build_method(run.method).problems(setting)]
    return problems
