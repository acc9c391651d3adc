"""Everything that decides a run's result, as frozen values with a JSON form and an id.

    RunSpec = Feed (what runs can share) + BackboneSpec (student) + MethodSpec + Recipe + seed

Two runs with equal feeds can sit in one cohort. A `run_id` is a hash of the canonical JSON: equal specs, equal ids,
on any machine. No torch here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

Precision = Literal["no", "bf16", "fp16"]
Sampler = Literal["shuffle", "sqrt", "balanced"]
BankPrecision = Literal["fp16", "fp32"]
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))  # once: boards ask for thousands of ids
Whole = Annotated[int, Field(lt=2**63)]  # what tables, other languages and random generators can hold


class Spec(BaseModel):
    """A frozen value; unknown fields are refused; `digest` names its content.

    Fields at their defaults do not enter the digest, so that a field added later leaves the ids of old runs alone. In
    return a default, once released, never changes its meaning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def canonical(self) -> str:
        """JSON of all that is not at its default, with sorted keys: equal for equal values."""
        return _CANONICAL.encode(self.model_dump(mode="json", exclude_defaults=True))

    def __hash__(self) -> int:  # by content: some fields are dicts, which have no hash of their own
        return hash(self.canonical())

    def digest(self, length: int = 12) -> str:
        """The first `length` hex digits of SHA-256 of `canonical()`."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:length]


def one_side(value: Any) -> Any:
    """The side of a square given as 96, [96, 96] or [3, 96, 96]; ValueError, with a square, for any other rectangle.

    Example:
        >>> one_side([3, 96, 96]), one_side("other things are left alone")
        (96, 'other things are left alone')
    """
    sides = value[-2:] if isinstance(value, list | tuple) and len(value) in (2, 3) else None
    if sides is None or not all(isinstance(side, int) and side > 0 for side in sides):
        return value
    height, width = sides
    if height == width:
        return height
    nearest = max(32, 32 * round((height * width) ** 0.5 / 32))
    raise ValueError(
        f"expected one number of px, found {height} x {width}: all networks of a cohort see the same squares; the "
        f"nearest size, in the steps of 32 px that most networks need, is {nearest}"
    )


Side = Annotated[int, BeforeValidator(one_side)]


class BackboneSpec(Spec):
    """A timm network and where its weights come from.

    A name with a tag (``resnet18.a1_in1k``) asks for timm's weights of that tag, ``hf-hub:owner/name`` and
    ``local-dir:PATH`` for those found there; a plain name starts from scratch; ``weights: none`` forces scratch; any
    other `weights` is a .safetensors file, by path or by its name in the weights folder. The name of such a file alone
    is a spelling too, where it begins with the network's: ``resnet18.birds.safetensors``.

    `size`, `mean`, `std`, `interpolation` override what timm says of the model; size defaults to the view's.
    `crop_pct` is the share of a picture's shorter side that this network is shown in evaluation, where it is less than
    the view shows.
    """

    name: str = Field(min_length=1)
    kwargs: dict[str, Any] = {}
    weights: str | None = None
    size: Annotated[Side | None, Field(ge=16, le=2048)] = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    interpolation: Literal["bilinear", "bicubic"] | None = None
    crop_pct: float | None = Field(None, ge=0.01, le=1)

    @model_validator(mode="before")
    @classmethod
    def _spellings(cls, value: Any) -> Any:
        """Accept a bare name or file, ``backbone:`` for ``name:``, and a single number for mean or std."""
        if isinstance(value, str):
            value = {"name": value}
        if isinstance(value, dict):
            value = dict(value)
            if {"backbone", "name"} <= value.keys():
                raise ValueError("name: is the same as backbone here, found both; leave one out")
            if "backbone" in value:
                value["name"] = value.pop("backbone")
            file = str(value.get("name", ""))
            if file.endswith(".safetensors") and value.get("weights") is None:
                value |= {"name": PurePath(file).name.partition(".")[0], "weights": file}
            for key in ("mean", "std"):
                if isinstance(value.get(key), int | float):
                    value[key] = (value[key],) * 3
        return value

    @field_validator("mean", "std")
    @classmethod
    def _of_shares(cls, value: tuple[float, float, float] | None, info: ValidationInfo) -> tuple[float, ...] | None:
        """Of pixels in [0, 1]; those of other libraries are of 0 to 255, and a deviation of 0 gives no number."""
        mean = info.field_name == "mean"
        if value and not all(0 <= part <= 1 and (mean or part) for part in value):
            raise ValueError(
                f"expected numbers from 0 to 1{'' if mean else ', above 0'}, of pixels in [0, 1], found "
                f"{', '.join(f'{part:g}' for part in value)}; divide those of pixels in 0 to 255 by 255"
            )
        return value

    @property
    def source(self) -> Literal["scratch", "timm", "file"]:
        """Where the weights come from."""
        if self.weights is None:
            return "timm" if "." in self.name.split("/")[-1] or ":" in self.name else "scratch"
        return {"none": "scratch", "timm": "timm"}.get(self.weights, "file")  # type: ignore[return-value]

    def bare(self) -> BackboneSpec:
        """The same network from random weights."""
        return self.model_copy(update={"weights": "none"})


class ViewSpec(Spec):
    """How an image becomes the uint8 square that travels: augmented in training, else resized and cropped.

    With `shorter_side`, pictures larger than that are first brought to it, which lets files be decoded at reduced scale
    or come from a decoded cache; None shows them at their full size.
    """

    size: Side = Field(224, ge=16, le=1024)
    augment: str = "standard"
    crop_pct: float = Field(0.875, ge=0.01, le=1)
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    shorter_side: int | None = Field(None, ge=16, le=4096)

    @property
    def eval_side(self) -> int:
        """Shorter side in px to which evaluation resizes, before it cuts out the centre."""
        return int(self.size / self.crop_pct)

    @model_validator(mode="after")
    def _enough_for_evaluation(self) -> ViewSpec:
        if self.shorter_side is not None and self.shorter_side < self.eval_side:
            raise ValueError(
                f"expected a shorter_side of at least {self.eval_side}, for evaluation resizes pictures to size / "
                f"crop_pct = {self.size} / {self.crop_pct:g} before it cuts out the centre; found {self.shorter_side}, "
                "from which they would be enlarged"
            )
        return self


class DatasetSpec(Spec):
    """A data set by its card's name, and one of the card's protocols."""

    name: str = Field(min_length=1)
    protocol: str = "default"
    holdout: float = Field(0.15, ge=0.01, le=0.5, description="share of train carved out, stratified, for selection")
    holdout_seed: Whole = Field(0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Recipe(Spec):
    """The learner's optimisation. `lr` is for the recipe's own batch size; nothing is rescaled silently."""

    optimizer: str = "sgd"
    lr: float = Field(0.05, gt=0)
    weight_decay: float = Field(5e-4, ge=0)
    decay_all: bool = Field(False, description="decay biases and norms too, as the CIFAR recipes of the field do")
    momentum: float = Field(0.9, ge=0, lt=1)
    schedule: Literal["cosine", "step", "constant", "linear", "tanh", "wsd"] = "cosine"
    milestones: tuple[float, ...] = ()  # epochs, for schedule: step
    decay_rate: float = Field(0.1, gt=0, le=1)
    warmup_epochs: float = Field(0.0, ge=0)
    clip_grad: float | None = Field(None, gt=0)
    ema: float | None = Field(None, gt=0, lt=1)
    head_lr_scale: float = Field(1.0, gt=0, description="multiplies lr for the classifier, as in fine-tuning")
    layer_decay: float | None = Field(None, gt=0, le=1, description="multiplies lr once per layer below the classifier")
    learns: Literal["all", "classifier"] = Field("all", description="classifier: a linear probe; the trunk is frozen")
    mixup: float = Field(0.0, ge=0, description="alpha; 0: no mixup. With cutmix too, each batch takes one of the two")
    cutmix: float = Field(0.0, ge=0, description="alpha; 0: no cutmix")


class MethodPart(Spec):
    """One registered method with all its parameters spelt out."""

    name: str
    params: dict[str, Any] = {}


class MethodSpec(Spec):
    """One method or a sum of several (``kd+crd``).

    `label` is the name on the board. `weights` multiplies terms by name, on top of the methods' own weights.
    """

    label: str
    parts: tuple[MethodPart, ...] = Field(min_length=1)
    weights: dict[str, float] = {}


class TeacherSpec(Spec):
    """A teacher: a backbone fine-tuned inside the suite, or one whose weights are used as they are.

    Attributes:
        train: how it is fine-tuned; None means that its weights already classify this data set.
        seed: of the fine-tuning.
        gate: hold-out top-1 (in [0, 1]) that it must exceed before anyone learns from it; None: that of the student
            trained from scratch; where there is no such run, three times chance, or of four classes or fewer midway
            from chance to certainty.
        head_from: SH-KD: the student run whose head is copied into the teacher and frozen.
        projector: SH-KD: what brings the teacher's width to that head's.
    """

    backbone: BackboneSpec
    train: TeacherTraining | None = None
    seed: Whole = Field(0, ge=0)
    gate: float | None = Field(None, ge=0, lt=1)
    head_from: RunSpec | None = None
    projector: str = "auto"
    label: str | None = None

    @property
    def name(self) -> str:
        """What the board calls it."""
        return self.label or self.backbone.name


class TeacherTraining(Spec):
    """The fine-tuning of a teacher: of the whole network, or of its classifier alone (`mode` ``linear_probe``)."""

    mode: Literal["full", "linear_probe"] = "full"
    epochs: Whole = Field(30, ge=1)
    batch_size: Whole = Field(64, ge=2)
    recipe: Recipe = Recipe(lr=0.01, weight_decay=1e-4)
    augment: str | None = None  # the suite's own where None
    label_smoothing: float = Field(0.0, ge=0, lt=1)

    @property
    def whole_recipe(self) -> Recipe:
        """The recipe with the mode in it."""
        return self.recipe.model_copy(update={"learns": "classifier"}) if self.mode == "linear_probe" else self.recipe


class Feed(Spec):
    """All that the runs of a cohort share; runs with equal feeds get the same lessons."""

    dataset: DatasetSpec
    view: ViewSpec = ViewSpec()
    teacher: TeacherSpec | None = None
    batch_size: Whole = Field(128, ge=2)
    epochs: Whole = Field(100, ge=0, description="0: the weights are evaluated as they are")
    data_seed: Whole = Field(0, ge=0)
    precision: Precision = "no"
    bank: Whole | None = Field(None, ge=1, description="number of fixed views per image replayed from a bank")
    bank_precision: BankPrecision = Field("fp16", description="in which a bank keeps the teacher's outputs")
    sampler: Sampler = Field("shuffle", description="how often a class is shown, see fgkd.data.sampler")

    def without_teacher(self) -> Feed:
        """The feed of a run that asks nothing of a teacher; such a run may sit in any cohort that shares this."""
        return self.model_copy(update={"teacher": None})


class RunSpec(Spec):
    """One learner's whole determination."""

    feed: Feed
    student: BackboneSpec
    method: MethodSpec
    recipe: Recipe = Recipe()
    seed: Whole = Field(0, ge=0)
    role: Literal["student", "teacher"] = "student"
    head_from: RunSpec | None = Field(None, description="SH-KD teachers: the run whose head is taken and frozen")

    @cached_property
    def run_id(self) -> str:
        """For example ``kd-3f2a9c51d0be``: the label (for people) and the digest (for identity)."""
        kind = "teacher" if self.role == "teacher" else self.method.label
        safe = re.sub(r"[^A-Za-z0-9_]+", "-", kind).strip("-")[:40]
        return f"{safe or 'run'}-{self.digest()}"

    @cached_property
    def without_seeds(self) -> str:
        """JSON of all but `seed` and the feed's `data_seed`: equal for the runs of one configuration."""
        return self.model_dump_json(exclude={"seed": True, "feed": {"data_seed"}})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with an id of its own, not with the one that was found for this run."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("run_id", "without_seeds"):
            copied.__dict__.pop(name, None)
        return copied

    @field_validator("feed")
    @classmethod
    def _bank_needs_teacher(cls, feed: Feed) -> Feed:
        if feed.bank is not None and feed.teacher is None:
            raise ValueError("bank: stores a teacher's outputs, but this run has no teacher")
        if feed.bank is None and feed.bank_precision != "fp16":
            raise ValueError("bank_precision: is of a bank's numbers, but this run has no bank; set bank: VIEWS")
        return feed

    @field_validator("recipe")
    @classmethod
    def _nobody_mixes_beside_a_teacher(cls, recipe: Recipe, info: ValidationInfo) -> Recipe:
        feed = info.data.get("feed")
        if (recipe.mixup or recipe.cutmix) and feed is not None and feed.teacher is not None:
            raise ValueError(
                "mixup and cutmix are for runs without a teacher: one pass of the teacher over the unmixed batch serves"
                " all who learn from it, so it would speak of other images than a mixing student sees; put them into "
                "the teacher's own train.recipe, or override the recipe of the methods that have no teacher"
            )
        return recipe


TeacherSpec.model_rebuild()
RunSpec.model_rebuild()


def _classification(teacher: TeacherSpec, label_smoothing: float) -> MethodSpec:
    smoothed = MethodPart(name="label_smoothing", params={"smoothing": label_smoothing})
    parts = [smoothed if label_smoothing else MethodPart(name="scratch")]
    if teacher.head_from is not None:
        parts.append(MethodPart(name="frozen_head", params={"projector": teacher.projector}))
    return MethodSpec(label="teacher", parts=tuple(parts))


def teacher_run(feed: Feed) -> RunSpec | None:
    """The run that makes `feed`'s teacher; None where the feed has none.

    It is an ordinary run: no teacher of its own, cross-entropy (smoothed where asked), the fine-tuning recipe, the
    same data and view. A teacher whose weights are used as they are is a run of zero epochs: measured and recorded, not
    trained.
    """
    teacher = feed.teacher
    if teacher is None:
        return None
    training = teacher.train or TeacherTraining(batch_size=feed.batch_size)
    view = feed.view.model_copy(update={"augment": training.augment or feed.view.augment})
    return RunSpec(
        feed=feed.model_copy(
            update={
                "teacher": None,
                "bank": None,
                "bank_precision": "fp16",
                "view": view,
                "batch_size": training.batch_size,
                "epochs": training.epochs if teacher.train else 0,
                "data_seed": 0,
            }
        ),
        student=teacher.backbone,
        method=_classification(teacher, training.label_smoothing),
        recipe=training.whole_recipe,
        seed=teacher.seed,
        role="teacher",
        head_from=teacher.head_from,
    )
