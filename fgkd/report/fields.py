"""A spec spelt out for boards, whose digests must not move when specs get new fields."""

from __future__ import annotations

from typing import Any

from fgkd.spec import Spec

# The fields of the first committed boards, spelt out even at their defaults; a younger one counts once it is set.
FIRST: dict[str, tuple[str, ...]] = {
    "RunSpec": ("feed", "student", "method", "recipe", "seed", "role", "head_from"),
    "Feed": ("dataset", "view", "teacher", "batch_size", "epochs", "data_seed", "precision", "bank"),
    "DatasetSpec": ("name", "protocol", "holdout", "holdout_seed"),
    "ViewSpec": ("size", "augment", "crop_pct", "interpolation"),
    "BackboneSpec": ("name", "kwargs", "weights", "size", "mean", "std", "interpolation"),
    "TeacherSpec": ("backbone", "train", "seed", "gate", "head_from", "projector", "label"),
    "TeacherTraining": ("epochs", "batch_size", "recipe", "augment", "label_smoothing"),
    "MethodSpec": ("label", "parts", "weights"),
    "MethodPart": ("name", "params"),
    "Recipe": (
        *("optimizer", "lr", "weight_decay", "decay_all", "momentum", "schedule", "milestones", "decay_rate"),
        *("warmup_epochs", "clip_grad", "ema", "head_lr_scale"),
    ),
}


def spelt_out(value: Any) -> Any:
    """A spec (and the specs in it) as a mapping of its `FIRST` fields and of the others that are not at a default."""
    if isinstance(value, tuple):
        return [spelt_out(part) for part in value]
    if not isinstance(value, Spec):
        return value
    first = FIRST.get(type(value).__name__, ())
    told = {name: getattr(value, name) for name in type(value).model_fields}
    defaults = {name: field.default for name, field in type(value).model_fields.items()}
    return {name: spelt_out(part) for name, part in told.items() if name in first or part != defaults[name]}
