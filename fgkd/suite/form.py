"""What a suite file may hold, as a pydantic model, and its faults in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from fgkd.errors import near_names
from fgkd.spec import (
    BackboneSpec,
    BankPrecision,
    DatasetSpec,
    Feed,
    Recipe,
    Sampler,
    Spec,
    TeacherSpec,
    TeacherTraining,
    ViewSpec,
)
from fgkd.suite.grid import AXES, ENTRY_AXES, LISTS, entry_form
from fgkd.yaml_places import Fault, Path

BACKBONE_KEYS = set(BackboneSpec.model_fields) - {"name"}
TEACHER_KEYS = BACKBONE_KEYS | {"backbone", "name", "train", "recipe", "gate", "seed"}
SECTIONS = {"view": ViewSpec, "recipe": Recipe}
SETTABLE = {*LISTS, "epochs", "batch_size", "bank", "bank_precision", "sampler", "holdout", *SECTIONS, *ENTRY_AXES}


def teacher_form(entry: Any) -> Any:
    """A teacher as a suite writes it, flat, in the nested form of `TeacherSpec`."""
    form = entry_form("teacher", entry)
    if not isinstance(form, dict):
        return form
    if "recipe" in form:
        raise ValueError("recipe: expected finetune, without train; or write train: {epochs, batch_size, recipe, ...}")
    if foreign := set(form) & (set(TeacherSpec.model_fields) - TEACHER_KEYS):
        raise ValueError(f"unknown key {sorted(foreign)[0]!r}; known: {', '.join(sorted(TEACHER_KEYS))}")
    rest = {"label" if key == "name" else key: form[key] for key in form if key not in BACKBONE_KEYS | {"backbone"}}
    backbone = {key: form[key] for key in form if key in BACKBONE_KEYS}
    return {"backbone": {"name": form["backbone"], **backbone} if "backbone" in form else backbone, **rest}


Text = Annotated[str, Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Notes = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
TeacherEntry = Annotated[TeacherSpec, BeforeValidator(teacher_form)]


class OverrideForm(Spec):
    """Settings by dotted key, for the cells that meet all conditions of `when`."""

    when: dict[str, Any] = {}
    set: dict[str, Any] = Field(min_length=1)


class SuiteForm(Spec):
    """A suite file. The cross product of the lists is the grid; `overrides` narrow and change it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    version: int = Field(ge=1)
    description: str = ""
    notes: Notes = ()
    datasets: list[DatasetSpec] = Field(min_length=1)
    teachers: list[TeacherEntry] = []
    students: list[BackboneSpec] = Field(min_length=1)
    methods: list[Any] = Field(min_length=1)
    view: ViewSpec = ViewSpec()
    recipe: Recipe = Recipe()
    epochs: int = Field(Feed.model_fields["epochs"].default, ge=1)
    batch_size: int = Field(Feed.model_fields["batch_size"].default, ge=2)
    bank: int | None = Field(None, ge=1)
    bank_precision: BankPrecision = Feed.model_fields["bank_precision"].default
    sampler: Sampler = Feed.model_fields["sampler"].default
    holdout: float | None = Field(None, ge=0.01, le=0.5)
    seeds: list[Seed] = Field([0], min_length=1)
    data_seeds: list[Seed] = Field([0], min_length=1)
    overrides: list[OverrideForm] = []


KNOWN_KEYS = {
    "datasets": set(DatasetSpec.model_fields),
    "teachers": TEACHER_KEYS,
    "students": set(BackboneSpec.model_fields) | {"backbone"},
    "view": set(ViewSpec.model_fields),
    "recipe": set(Recipe.model_fields),
    "train": set(TeacherTraining.model_fields),
    "overrides": set(OverrideForm.model_fields),
    "when": set(AXES),
    "": set(SuiteForm.model_fields),
}

BOOLEANS = {
    key
    for form in (Recipe, ViewSpec, TeacherTraining)
    for key, field in form.model_fields.items()
    if field.annotation is bool
}

COMPARISONS = {  # the longer words first
    "greater than or equal to": ">=",
    "less than or equal to": "<=",
    "greater than": ">",
    "less than": "<",
}


def form_faults(value: Any) -> list[Fault]:
    """What pydantic, and a look for stray booleans, finds wrong with a suite's plain value."""
    faults = {fault.path: fault for fault in _stray_booleans(value)}
    try:
        SuiteForm.model_validate(value)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            path = _as_written(details["loc"])
            faults.setdefault(path, Fault(path, explain(details)))
    return list(faults.values())


def explain(details: ErrorDetails) -> str:
    """One pydantic error as "expected X, found Y"."""
    path, found = _as_written(details["loc"]), _brief(details["input"])
    match details["type"]:
        case "extra_forbidden":
            return unknown_key(path)
        case "missing":
            return "missing"
        case "too_short":
            return "expected at least one entry, found none"
        case "value_error":
            return details["msg"].removeprefix("Value error, ")
    if "dictionary" in details["msg"]:
        return f"expected a mapping, found {found}"
    text = details["msg"].replace("Input should be", "expected").partition(", unable to parse")[0]
    if isinstance(details["input"], str):
        text = text.replace("a valid list", f"a list, such as [{found[1:-1]}]")
    for words, sign in COMPARISONS.items():
        text = text.replace(words, sign)
    return f"{text}, found {found}"


def unknown_key(path: Path) -> str:
    """The text for a key that nothing reads, with near names or all that are known there."""
    section = next((part for part in reversed(path[:-1]) if isinstance(part, str)), "")
    known = KNOWN_KEYS.get(section, set())
    near = near_names(str(path[-1]), known)
    return (
        f"unknown key; did you mean {' or '.join(near)}?" if near else f"unknown key; known: {', '.join(sorted(known))}"
    )


def _as_written(loc: tuple[int | str, ...]) -> Path:
    """A pydantic location as the file spells it: teachers are flat there."""
    if loc[:1] == ("teachers",) and loc[2:3] == ("backbone",) and len(loc) > 3:
        return (*loc[:2], "backbone" if loc[3] == "name" else loc[3], *loc[4:])
    return ("teachers", loc[1], "name") if loc[:1] == ("teachers",) and loc[2:] == ("label",) else loc


def _brief(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value) if len(repr(value)) < 60 else repr(value)[:57] + "..."


def _stray_booleans(value: Any, path: Path = ()) -> Iterator[Fault]:
    """Pydantic would read yes, no, on and off as 1 and 0. Only free parameters and true switches may be booleans."""
    if isinstance(value, bool):
        if path and path[-1] in BOOLEANS:
            return
        yield Fault(
            path, f"expected a number or text, found {str(value).lower()} (quote yes, no, on, off to mean text)"
        )
    elif path and path[-1] in {"kwargs", "methods", "set"}:
        return
    elif isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _stray_booleans(part, (*path, key))
