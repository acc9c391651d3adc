"""How students were optimised, in words: what two tables of one pair may differ by."""

from __future__ import annotations

from collections.abc import Iterable

from fgkd.spec import Recipe

_PLAIN = Recipe()
_WORDS = {  # of what few recipes set, told where it is set
    "milestones": "at epochs {}",
    "decay_rate": "decay rate {}",
    "momentum": "momentum {}",
    "decay_all": "decaying norms too",
    "warmup_epochs": "{}-epoch warm-up",
    "clip_grad": "gradients clipped at norm {}",
    "ema": "averaged with decay {}",
    "head_lr_scale": "{} times the rate for the classifier",
    "layer_decay": "{} times the rate per layer",
    "learns": "only the {}",
    "mixup": "mixup {}",
    "cutmix": "cutmix {}",
}


def recipe_text(recipe: Recipe) -> str:
    """Optimiser, rate, decay and schedule, then what is not at its default.

    Example:
        >>> recipe_text(Recipe(lr=0.2, clip_grad=5))
        'sgd at 0.2, weight decay 0.0005, cosine, gradients clipped at norm 5'
        >>> recipe_text(Recipe(schedule="step", milestones=(30, 60), decay_rate=0.5))
        'sgd at 0.05, weight decay 0.0005, step, at epochs 30, 60, decay rate 0.5'
    """
    plain = f"{recipe.optimizer} at {recipe.lr:g}, weight decay {recipe.weight_decay:g}, {recipe.schedule}"
    set_ = {name: value for name in _WORDS if (value := getattr(recipe, name)) != getattr(_PLAIN, name)}
    return ", ".join([plain, *(_WORDS[name].format(_text(value)) for name, value in set_.items())])


def recipes_text(recipes: Iterable[Recipe]) -> str:
    """The recipe that runs share, or how many they have."""
    found = list(dict.fromkeys(recipes))
    return recipe_text(found[0]) if len(found) == 1 else f"{len(found)} recipes"


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
