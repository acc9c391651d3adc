"""Epochs of a published recipe carried over to a training of another length."""

from __future__ import annotations

from fgkd.signals import Progress

RECIPE_EPOCHS = 240.0  # the CIFAR-100 recipe in which the published numbers of epochs were chosen


def carried_over(epochs: float, progress: Progress) -> float:
    """`epochs` as published, or the same share of this training where it is shorter than the published one.

    Example:
        >>> carried_over(30, Progress(0, 100, 240)), carried_over(30, Progress(0, 100, 40))
        (30.0, 5.0)
    """
    return min(float(epochs), epochs * progress.epochs / RECIPE_EPOCHS)


def in_first_stage(progress: Progress, epochs: float) -> bool:
    """Whether a two-stage method is still in its first stage, of `epochs` < `RECIPE_EPOCHS` published epochs."""
    return progress.epoch < carried_over(epochs, progress)
