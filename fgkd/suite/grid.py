"""The grid of a suite: the cross product of its lists, narrowed and changed by overrides. Plain data in and out.

Axes are chosen in the order of `AXES`. After each choice the settings are made anew: the suite's own, then every
override whose conditions all hold, in the order written, so that a later one wins. An override may therefore replace
the list of an axis that is chosen after all that it depends on: the students of a data set, the methods for a student.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

AXES = ("dataset", "teacher", "student", "method", "data_seed", "seed")
LISTS = {f"{axis}s": axis for axis in AXES}
ENTRY_AXES = ("dataset", "teacher", "student", "method")  # whose entries are mappings that an override may reach into
Settings = dict[str, Any]
NameOf = Callable[[str, Any], Any]  # (axis, entry) -> what conditions and filters call it
Keep = Callable[[str, Any], bool]  # (axis, name) -> whether a filter lets it through


@dataclass(frozen=True)
class Override:
    """Settings by dotted key, for the cells in which every axis of `when` has one of its values."""

    set: Mapping[str, Any]
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def holds(self, names: Mapping[str, Any]) -> bool:
        """Whether all conditions are chosen already and met."""
        return all(
            axis in names and any(matches(names[axis], value) for value in values) for axis, values in self.when.items()
        )

    def too_late(self) -> list[tuple[str, str]]:
        """(list key, axis) where the list is chosen before the axis that it would depend on, or with it."""
        later = {axis: AXES[i:] for i, axis in enumerate(AXES)}  # the axis itself, and those after it
        lists = [key for key in self.set if key in LISTS]
        return [(key, axis) for key in lists for axis in self.when if axis in later[LISTS[key]]]


@dataclass(frozen=True)
class Cell:
    """One choice on every axis: the entries chosen, what they are called, and the settings that hold there."""

    chosen: Mapping[str, Any]
    names: Mapping[str, Any]
    settings: Settings


def cells(
    base: Settings, overrides: Sequence[Override], name_of: NameOf, keep: Keep, last: str = AXES[-1]
) -> Iterator[Cell]:
    """Every cell of the grid that `keep` lets through, axis by axis in the order of `AXES`, up to the axis `last`."""

    def grow(chosen: Mapping[str, Any], axes: Sequence[str]) -> Iterator[Cell]:
        here = cell(base, overrides, name_of, chosen)
        if not axes:
            yield here
            return
        for entry in here.settings.get(f"{axes[0]}s") or [None]:
            if keep(axes[0], name_of(axes[0], entry)):
                yield from grow({**chosen, axes[0]: entry}, axes[1:])

    yield from grow({}, AXES[: AXES.index(last) + 1])


def cell(base: Settings, overrides: Sequence[Override], name_of: NameOf, chosen: Mapping[str, Any]) -> Cell:
    """The settings where the axes in `chosen` have these entries, each found there under the axis's name."""
    settings = {**copy.deepcopy(base), **{axis: entry_form(axis, entry) for axis, entry in chosen.items()}}
    names = {axis: name_of(axis, entry) for axis, entry in chosen.items()}
    for override in overrides:
        if override.holds(names):
            for key, value in override.set.items():
                if key.split(".")[0] not in AXES or settings.get(key.split(".")[0]) is not None:
                    put(settings, key, value)
    return Cell(chosen, names, settings)


def put(settings: Settings, key: str, value: Any) -> None:
    """Set a dotted key, making the mappings on the way; where one is null (an untrained teacher's `train`), do nothing.

    Example:
        >>> settings = {"recipe": {"lr": 0.1}}
        >>> put(settings, "recipe.ema", 0.99)
        >>> settings
        {'recipe': {'lr': 0.1, 'ema': 0.99}}
    """
    *parents, last = key.split(".")
    for parent in parents:
        if parent in settings and settings[parent] is None:
            return
        if not isinstance(settings.get(parent), dict):
            settings[parent] = {}
        settings = settings[parent]
    settings[last] = copy.deepcopy(value)


def matches(name: Any, pattern: Any) -> bool:
    """Whether a name is meant: equal as text, or fits a shell pattern such as ``vit_*``; a protocol may be left out.

    Example:
        >>> matches("vit_tiny", "vit_*"), matches(0, "0"), matches("cub200@random", "cub200"), matches("dkd", "kd")
        (True, True, True, False)
    """
    spellings = {str(name), str(name).partition("@")[0]}
    return any(text == str(pattern) or fnmatchcase(text, str(pattern)) for text in spellings)


def entry_name(axis: str, entry: Any) -> Any:
    """What an entry of an axis other than `method` is called, with a data set's protocol unless it is the default.

    Example:
        >>> entry_name("dataset", {"name": "cub200", "protocol": "random"}), entry_name("seed", 1)
        ('cub200@random', 1)
    """
    form = entry_form(axis, entry)
    if not isinstance(form, dict):
        return form
    if axis == "dataset" and form.get("protocol", "default") != "default":
        return f"{form.get('name')}@{form['protocol']}"
    return form.get("name") or form.get("backbone")


def entry_form(axis: str, entry: Any) -> Any:
    """An entry of a list as a mapping that dotted keys can reach into; other axes' entries as they are.

    Example:
        >>> entry_form("student", "resnet18")
        {'name': 'resnet18'}
        >>> entry_form("teacher", {"backbone": "resnet50", "recipe": "finetune"})
        {'backbone': 'resnet50', 'train': {}}
        >>> entry_form("method", "kd+crd")
        {'method': 'kd+crd'}
    """
    if axis not in ENTRY_AXES or entry is None:
        return entry
    key = {"teacher": "backbone", "method": "method"}.get(axis, "name")
    form = {key: entry} if isinstance(entry, str) else copy.deepcopy(entry)
    if not isinstance(form, dict):
        return form
    if axis == "student" and "name" not in form and "backbone" in form:
        form["name"] = form.pop("backbone")
    if axis == "teacher" and "train" not in form and form.get("recipe", "finetune") == "finetune":
        form.pop("recipe", None)
        form["train"] = {}
    return form
