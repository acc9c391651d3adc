"""Which settings two runs differ by, in the words of suite files."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

from fgkd.report.sheet import one_line
from fgkd.spec import MethodSpec, RunSpec

_ABSENT = object()


def settings_apart(first: RunSpec, second: RunSpec) -> list[tuple[str, str, str]]:
    """(dotted key, the first run's value, the second's) of every setting that is not the same.

    Example:
        >>> spec = RunSpec.model_validate({
        ...     "feed": {"dataset": "cub50"},
        ...     "student": "resnet18",
        ...     "method": {"label": "kd", "parts": [{"name": "kd", "params": {"temperature": 4.0}}]},
        ... })
        >>> other = spec.model_copy(update={"seed": 1, "recipe": spec.recipe.model_copy(update={"lr": 0.2})})
        >>> settings_apart(spec, other)
        [('recipe.lr', '0.05', '0.2'), ('seed', '0', '1')]
    """
    shared = {part.name for part in first.method.parts} & {part.name for part in second.method.parts}
    return [
        (key, _brief(one), _brief(other)) for key, one, other in _apart(_plain(first, shared), _plain(second, shared))
    ]


def _plain(spec: RunSpec, shared: Container[str]) -> dict[str, Any]:
    """As a suite writes it: without the level of the feed, methods by the parts of both, other runs by their ids."""
    plain = spec.model_dump(mode="json", exclude={"feed", "method", "head_from"})
    feed = spec.feed.model_dump(mode="json", exclude={"teacher": {"head_from"}})
    if (teacher := spec.feed.teacher) is not None:
        feed["teacher"]["head_from"] = teacher.head_from and teacher.head_from.run_id
    return {
        **feed,
        "method": _by_part(spec.method, shared),
        **plain,
        "head_from": spec.head_from and spec.head_from.run_id,
    }


def _by_part(method: MethodSpec, shared: Container[str]) -> dict[str, Any]:
    params = {part.name: dict(part.params) for part in method.parts if part.name in shared}
    parts = "+".join(part.name for part in method.parts)
    return {"name": method.label, "parts": parts, **params, "weights": method.weights}


def _apart(first: Any, second: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for name in dict.fromkeys([*first, *second]):
            yield from _apart(first.get(name, _ABSENT), second.get(name, _ABSENT), f"{key}.{name}" if key else name)
    elif first != second:
        yield key, first, second


def _brief(value: Any) -> str:
    """A value in a few words; of what the other run has no counterpart to, that it is there."""
    if value is None or value is _ABSENT:
        return "none"
    return "given" if isinstance(value, Mapping) else one_line(str(value))
