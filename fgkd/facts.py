"""What a record states about data, teacher, student, cost and machine: the parts of `fgkd.record.RunRecord`.

Shares are fractions in [0, 1]; what was not measured, or is not a finite number, is null. No torch here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from fgkd.spec import Whole

Task = Literal["classification", "retrieval"]


def _finite(value: Any) -> Any:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("expected a number of at most 63 bits")
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class _Finite:
    """Numbers from `low` to `high`, or None, as `_finite` has it; but from JSON without a call of Python.

    A board reads millions of them. From JSON, what is not finite or larger than 63 bits is refused, and `fgkd.record`
    then looks at the values instead.
    """

    low: int | None = None
    high: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        low, high = self.low, self.high
        either = [core_schema.int_schema(ge=low, le=high), core_schema.float_schema(ge=low, le=high)]
        python = core_schema.nullable_schema(core_schema.union_schema([*either]))
        least, most = -(2**63) if low is None else low, 2**63 - 1 if high is None else high
        whole = core_schema.int_schema(strict=True, ge=least, le=most)
        real = core_schema.float_schema(strict=True, allow_inf_nan=False, ge=least, le=high, lt=2.0**63)
        quick = core_schema.union_schema([whole, real], mode="left_to_right")
        return core_schema.json_or_python_schema(
            json_schema=core_schema.nullable_schema(quick),
            python_schema=core_schema.no_info_before_validator_function(_finite, python),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema["python_schema"])


Number = Annotated[int | float | None, _Finite()]
Share = Annotated[int | float | None, _Finite(0, 1)]
Amount = Annotated[int | float | None, _Finite(0)]


class Part(BaseModel):
    """A part of a record: fixed once it is made, and without fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataFacts(Part):
    """The data that was read.

    Attributes:
        classes: how many are trained on.
        counts: images by split.
        task: what the test split is for; under ``retrieval`` its classes are not those of training, so that it has no
            metrics of classification.
    """

    name: str
    protocol: str
    # the length apart from the pattern: counted there, it takes 50 ms to compile at every import
    revision: str | None = Field(None, pattern=r"^[\w.+@-]+$", max_length=200)
    classes: Whole = Field(ge=1)
    counts: dict[str, Whole] = {}
    task: Task = "classification"


class TeacherFacts(Part):
    """The teacher that was learnt from; `run_id` is of the run that trained it, None for weights used as they are.

    `bar` is the hold-out top-1 that it had to exceed, `bar_kind` where that comes from (see `fgkd.teacher.gate.Bar`).
    `metrics`, of ``holdout`` and ``test``, are of its answers to what its students see, as in `RunRecord`; the two
    top-1 are those that it was admitted by. `notes` are what a reader of the board has to know of it, for example that
    its pre-training saw test images.
    """

    name: str
    run_id: str | None = None
    weights_hash: str | None = None
    holdout_top1: Share = None
    test_top1: Share = None
    bar: Share = None
    bar_kind: Literal["stated", "scratch", "chance"] | None = None
    notes: tuple[str, ...] = ()
    metrics: dict[Literal["holdout", "test"], dict[str, Number]] = {}


class StudentFacts(Part):
    """The network as it is deployed.

    Attributes:
        param_count: parameters, plain count.
        macs: multiply-accumulates of one image at `img_size`.
        size_bytes: of its weights as stored, parameters and statistics.
        deployed_extra: whether the method added layers that stay in the student.
        start_digest: of the content of the weight files that it started from, where they are the user's own.
    """

    img_size: Whole = Field(ge=1)
    param_count: Whole = Field(ge=0)
    macs: Whole | None = Field(None, ge=0)
    size_bytes: Whole | None = Field(None, ge=0)
    crop_pct: float | None = Field(None, gt=0, le=2)
    interpolation: str | None = None
    weights_hash: str | None = None
    deployed_extra: bool = False
    start_digest: str | None = None


class Costs(Part):
    """What the run costs alone: `train_seconds` are its own, `shared_seconds` loading and teacher together.

    Where torch compiles students, a run's first step, in which it does, is not counted.
    """

    train_seconds: Amount = None
    shared_seconds: Amount = None
    load_seconds: Amount = None
    teacher_seconds: Amount = None
    eval_seconds: Amount = None
    images_seen: Whole | None = Field(None, ge=0)
    images_per_second: Amount = None


class CohortFacts(Part):
    """Who else took the same lessons: nothing that changes a result, only what the run's share of the cost was.

    `bank` says how the word of a teacher with fixed views came: ``replayed``, or ``live: `` and why.
    """

    size: Whole = Field(1, ge=1)
    id: str | None = None
    bank: str | None = None


class Environment(Part):
    """Where the numbers were made: versions, device, code; `started` and `finished` are ISO 8601 in UTC.

    `code_commit` ends in ``-dirty`` where the working tree differed from the commit. `compiled`: torch compiled the
    student for training, so that its numbers may differ by rounding from those of one that was not. `processor`: what
    the CPU is sold as; None in records from before it was kept.
    """

    device: str | None = None
    processor: str | None = None
    python: str | None = None
    torch: str | None = None
    timm: str | None = None
    accelerate: str | None = None
    albumentations: str | None = None
    fgkd: str | None = None
    precision: str | None = None
    num_processes: Whole = Field(1, ge=1)
    compiled: bool = False
    code_commit: str | None = None
    started: str | None = None
    finished: str | None = None
