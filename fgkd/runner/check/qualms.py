"""What is wrong, or only doubtful, with recipes and teachers, found before training and without running a network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from fgkd.data import open_dataset
from fgkd.methods.compose import build_method
from fgkd.models.store import WeightStore
from fgkd.runner.options import Options
from fgkd.runner.sizes import KnownSizes
from fgkd.spec import BackboneSpec, DatasetSpec, RunSpec
from fgkd.teacher.papers import paper_problems
from fgkd.train.optim import recipe_problem


def recipe_problems(runs: Iterable[RunSpec]) -> list[str]:
    """Recipes that no training can follow, each told once."""
    recipes = {(run.recipe, run.feed.epochs, run.feed.batch_size, run.method): run for run in runs if run.feed.epochs}
    return list(dict.fromkeys(problem for run in recipes.values() for problem in _recipe_problems(run)))


def _recipe_problems(run: RunSpec) -> Iterator[str]:
    recipe, method, who = run.recipe, build_method(run.method), f"{run.method.label}: recipe"
    if problem := recipe_problem(recipe, epochs=run.feed.epochs):
        yield f"{who}: {problem}"
    if recipe.learns == "classifier" and method.deploys_more:
        yield (
            f"{who}: a linear probe trains nothing but the network's own classifier, but {run.method.label} deploys "
            "more than that; use mode: full (learns: all)"
        )
    elif recipe.learns == "classifier" and method.teacher_needs and not method.teaches_classifier:
        yield (
            f"{who}: a linear probe trains nothing but the network's own classifier, which no term of "
            f"{run.method.label} but the cross-entropy reaches; use mode: full (learns: all), or a method on logits"
        )
    if not (recipe.mixup or recipe.cutmix):
        return
    if not method.takes_mixed_labels:
        yield f"{who}: {run.method.label} needs one label per image, but mixup and cutmix give shares of classes"
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if run.feed.batch_size % (2 * processes):
        yield (
            f"{who}: mixup and cutmix pair the images of a batch; expected a batch_size divisible by {2 * processes}, "
            f"found {run.feed.batch_size}"
        )


def batch_problems(runs: Iterable[RunSpec], known: KnownSizes) -> list[str]:
    """Batches that a training split cannot fill once, or processes cannot share evenly, each told once.

    Args:
        known: sizes, of those data sets that could be opened.
    """
    trained = dict.fromkeys(
        (run.feed.dataset, run.feed.batch_size, run.role)
        for run in runs
        if run.feed.epochs and run.feed.dataset in known
    )
    name = lambda role: "teacher.train.batch_size" if role == "teacher" else "batch_size"
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    uneven = {(batch_size, role) for _, batch_size, role in trained if batch_size % processes}
    return [
        f"{name(role)}: expected at most the {known[dataset].images} training images of {dataset.name}, found "
        f"{batch_size}; lower it"
        for dataset, batch_size, role in trained
        if batch_size > known[dataset].images
    ] + [
        f"{name(role)}: expected a number that {processes} processes can share evenly, found {batch_size}"
        for batch_size, role in sorted(uneven)
    ]


def teacher_problems(runs: Iterable[RunSpec], classes: Mapping[DatasetSpec, int], options: Options) -> list[str]:
    """Teachers whose weights, used as they are, are of the wrong kind by name, configuration or file header."""
    store, problems = WeightStore(options.cache / "weights"), []
    for backbone, dataset, size in dict.fromkeys(_untrained(runs)):
        problems += paper_problems(
            store.resolved(backbone),
            num_classes=classes[dataset],
            view_size=size,
            data=lambda: open_dataset(dataset, options.data_root, cache=options.cache),  # noqa: B023  called at once
            weights_folder=options.weights,
        )
    return problems


def _untrained(runs: Iterable[RunSpec]) -> Iterator[tuple[BackboneSpec, DatasetSpec, int]]:
    """Teachers that are used as they are: of a feed, or by a run of their own."""
    for run in runs:
        feed, teacher = run.feed, run.feed.teacher
        if teacher is not None and teacher.train is None:
            yield teacher.backbone, feed.dataset, feed.view.size
        if run.role == "teacher" and feed.epochs == 0:
            yield run.student, feed.dataset, feed.view.size


def twins(runs: Iterable[RunSpec]) -> list[str]:
    """Warnings for students that begin with the very weights that their trained teacher began with.

    A random stream is seeded by the seed's number alone, so that two networks of one architecture and one number draw
    the same weights, teacher or not. Such a pair is no independent one.
    """
    return list(
        dict.fromkeys(
            f"warning: {run.student.name} with seed {run.seed} begins with the same weights as its teacher "
            f"{run.feed.teacher.name}, which has that architecture and seed too; give the teacher another seed "
            "(teachers: {backbone: ..., seed: 1000})"
            for run in runs
            if run.feed.teacher is not None and _same_beginning(run)
        )
    )


def long_warmups(runs: Iterable[RunSpec]) -> list[str]:
    """Warnings for recipes whose rate is still rising when the training ends, as of a quick look with few epochs."""
    return list(
        dict.fromkeys(
            f"warning: {'teacher.train.' if run.role == 'teacher' else ''}recipe.warmup_epochs is "
            f"{run.recipe.warmup_epochs:g} of {run.feed.epochs} epochs, so that the learning rate never reaches "
            f"{run.recipe.lr:g}"
            for run in runs
            if run.feed.epochs and run.recipe.warmup_epochs >= run.feed.epochs
        )
    )


def _same_beginning(run: RunSpec) -> bool:
    teacher = run.feed.teacher
    assert teacher is not None
    drawn = lambda spec: (spec.name, spec.kwargs, spec.weights, spec.size or run.feed.view.size)
    return teacher.train is not None and teacher.seed == run.seed and drawn(teacher.backbone) == drawn(run.student)
