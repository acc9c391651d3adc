"""Damage as people and machines do it, to plain values and to text."""

from __future__ import annotations

import copy
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FGKD_FUZZ", "60"))
fuzz = settings(
    max_examples=EXAMPLES,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)

Path = tuple[str | int, ...]
NUMBERS = [0, -1, 1, 2**31, 2**63, 10**30, 10**400, 1e-300, 1e308, -1e308, 0.5, -0.0, float("inf"), float("nan")]
TEXTS = [
    "",
    " ",
    "none",
    "null",
    "a.b",
    "*",
    "kd",
    "kd+kd",
    "=1+1",
    "\x1b[2J",
    "\u202e",
    "a\nb",
    "\x00",
    "../..",
    "1e9",
    "[",
    "x" * 3000,
]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NUMBERS),
    st.integers(),
    st.sampled_from(TEXTS),
    st.text(max_size=6),
    st.just([]),
    st.just({}),
    st.lists(st.sampled_from([0, -1, "kd", None, [], {}]), max_size=3),
    st.dictionaries(
        st.sampled_from(["name", "method", "backbone", "set", "a.b", "", "\u00e4"]),
        st.sampled_from([0, "", None, [], {}]),
        max_size=2,
    ),
)


def spots(value: Any, path: Path = ()) -> list[Path]:
    """Where the parts of a plain value stand."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, part in items for spot in spots(part, (*path, key)))]


@st.composite
def mutants(draw: st.DrawFn, value: Any, most: int = 4) -> Any:
    """`value` with up to `most` of its parts deleted, repeated, retyped, renamed or moved."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, most))):
        everywhere = spots(value)[1:]
        if not everywhere:
            return draw(ODD)
        *inner, last = draw(st.sampled_from(everywhere))
        parent: Any = value
        for key in inner:
            parent = parent[key]
        _damage(draw, parent, last)
    return value


def _damage(draw: st.DrawFn, parent: Any, key: Any) -> None:
    kind = draw(st.sampled_from(["odd", "odd", "delete", "repeat", "rename", "wrap", "spell"]))
    if kind == "delete":
        del parent[key]
    elif kind == "repeat" and isinstance(parent, list):
        parent.insert(draw(st.integers(0, len(parent))), copy.deepcopy(parent[key]))
    elif kind in ("rename", "repeat") and isinstance(parent, dict):
        name = draw(st.sampled_from([f"{key}s", f"{key}"[:-1], f"{key}.x", "name"]) | st.text(max_size=4))
        parent[name] = copy.deepcopy(parent[key])
        if kind == "rename" and name != key:
            del parent[key]
    elif kind == "wrap":
        parent[key] = draw(st.sampled_from([[parent[key]], {"name": parent[key]}, {"a": {"b": parent[key]}}]))
    elif kind == "spell" and isinstance(parent[key], str):
        parent[key] = draw(damaged(parent[key]))
    else:
        parent[key] = draw(ODD)


@st.composite
def damaged(draw: st.DrawFn, text: str, most: int = 3) -> str:
    """`text` with up to `most` stretches cut out, repeated or overwritten."""
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, len(text)))
        until = min(len(text), at + draw(st.sampled_from([0, 1, 2, 5, 40, 400])))
        syntax = st.text("\n :-[]{}&*!|>'\"%@`,#?~0a\t.<=", max_size=5)
        piece = draw(syntax | st.text(max_size=3) | st.sampled_from(TEXTS) | st.just(text[at:until] * 2))
        text = text[:at] + piece + text[until:]
    return text
