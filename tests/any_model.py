"""Any value of a pydantic model: strategies read off the annotations and bounds of its fields."""

from __future__ import annotations

import math
import types
from contextlib import suppress
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from hypothesis import assume
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from fgkd.spec import RunSpec

TEXT = st.text(min_size=1, max_size=12)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=5
)


@st.composite
def any_of(draw: st.DrawFn, model: type[BaseModel], depth: int = 1, **given: st.SearchStrategy[Any]) -> Any:
    """A value of `model` with every field drawn, or its defaults where its validators refuse them together.

    Args:
        depth: how many runs may stand within each other: a teacher's head is another run's.
        given: fields with a strategy of their own.
    """
    values = {
        name: draw(given[name] if name in given else of_field(field, depth))
        for name, field in model.model_fields.items()
    }
    required = {name: value for name, value in values.items() if model.model_fields[name].is_required()}
    for attempt in (values, required):
        with suppress(ValidationError):
            return model.model_validate(attempt)
    return assume(False)


def of_field(field: FieldInfo, depth: int) -> st.SearchStrategy[Any]:
    """Whatever a field may hold."""
    return of_type(field.annotation, list(field.metadata), depth)


def of_type(kind: Any, bounds: list[Any], depth: int) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    """Whatever an annotation allows."""
    parts, origin = get_args(kind), get_origin(kind)
    inner = lambda part: of_type(part, bounds, depth)
    if origin is Annotated:
        further = [m for meta in parts[1:] for m in (meta.metadata if isinstance(meta, FieldInfo) else [meta])]
        return of_type(parts[0], [*bounds, *further], depth)
    if origin in (Union, types.UnionType):
        return st.one_of([inner(part) for part in parts])
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (tuple, list) and (origin is list or parts[-1] is Ellipsis):
        least = next((b.min_length for b in bounds if isinstance(b, MinLen)), 0)
        return st.lists(of_type(parts[0], [], depth), min_size=least, max_size=3).map(origin)
    if origin is tuple:
        return st.tuples(*map(inner, parts))
    if origin is dict:
        keys, values = (of_type(part, [], depth) for part in parts)
        return st.dictionaries(keys, values, max_size=3)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        left = depth - issubclass(kind, RunSpec)
        return any_of(kind, left) if left >= 0 else st.nothing()
    return _scalar(kind, bounds)


def _scalar(kind: Any, bounds: list[Any]) -> st.SearchStrategy[Any]:
    low = next((b.ge for b in bounds if isinstance(b, Ge)), None)
    high = next((b.le for b in bounds if isinstance(b, Le)), None)
    above = next((b.gt for b in bounds if isinstance(b, Gt)), None)
    below = next((b.lt for b in bounds if isinstance(b, Lt)), None)
    if kind is int:
        least = low if low is not None else -(2**63) if above is None else math.floor(above) + 1
        most = high if high is not None else 2**63 - 1 if below is None else math.ceil(below) - 1
        return st.integers(least, most)
    if kind is float:
        least, most = low if low is not None else above, high if high is not None else below
        return st.floats(
            least,
            most,
            exclude_min=low is None and above is not None,
            exclude_max=high is None and below is not None,
            allow_nan=False,
            allow_infinity=False,
        )
    return {str: TEXT, bool: st.booleans(), type(None): st.none(), Any: PLAIN}[kind]
