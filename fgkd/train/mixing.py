"""Mixup and cutmix of a batch, drawn from the random stream of the one learner that asked for them."""

from __future__ import annotations

from collections.abc import Callable

from timm.data import Mixup
from torch import Tensor

from fgkd.spec import Recipe

# (B, 3, S, S) images, (B,) labels -> mixed images, and (B, K) shares of the classes
Mixing = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def make_mixing(recipe: Recipe, num_classes: int) -> Mixing | None:
    """timm's mixing of each image with its mirror place in the batch; None where the recipe asks for none.

    With both alphas, each batch takes one of the two, evenly. Draws come from NumPy's global generator, which inside a
    learner's step is the learner's own. A process mixes its own rows, so with several the pairs depend on their number.
    """
    if not (recipe.mixup or recipe.cutmix):
        return None
    mixup = Mixup(recipe.mixup, recipe.cutmix, label_smoothing=0.0, num_classes=num_classes)

    def mix(image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        mixed, shares = mixup(image.clone(), target)  # it writes in place, and others see the same image
        return mixed, shares

    return mix
