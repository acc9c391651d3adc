"""The faults of a suite's plain value: its form, its names, its overrides; all of them, not the first."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fgkd.errors import UserError, unknown_name
from fgkd.suite.form import SECTIONS, SETTABLE, form_faults, unknown_key
from fgkd.suite.grid import AXES, ENTRY_AXES, LISTS, Override, Settings, entry_form, entry_name, matches, put
from fgkd.suite.method_entries import MethodTable
from fgkd.yaml_places import Fault, Path


@dataclass(frozen=True)
class Known:
    """Names that other parts of the package know, for misspellings to be met early; None leaves a kind unchecked."""

    datasets: Collection[str] | None = None
    augments: Collection[str] | None = None


def check_suite(value: Any, stem: str, known: Known, methods: MethodTable) -> list[Fault]:
    """Every fault of a suite's plain value.

    Args:
        value: what the YAML holds.
        stem: the file's name without .yaml, which the suite's name must be.
        known: names to check against.
        methods: resolves method entries.
    """
    if not isinstance(value, dict):
        return [Fault((), "expected a mapping with name, version, datasets, students, methods, ...")]
    faults = form_faults(value)
    if isinstance(value.get("name"), str) and value["name"] != stem:
        faults.append(Fault(("name",), f"expected {stem}, as the file is called, found {value['name']}"))
    overrides = [override_of(entry) for entry in _list(value, "overrides")]
    settings = {key: value[key] for key in value if key != "overrides"}
    faults += _names(settings, known, methods)
    faults += check_overrides(settings, overrides, known, methods)
    faults += _teachers_and_heads(settings, overrides, methods)
    return faults


def override_of(entry: Any) -> Override:
    """An override as the file writes it: conditions as tuples, nested settings as dotted keys."""
    form = entry if isinstance(entry, dict) else {}
    when = form.get("when") if isinstance(form.get("when"), dict) else {}
    values = {axis: tuple(value) if isinstance(value, list) else (value,) for axis, value in (when or {}).items()}
    return Override(dict(_flat(form.get("set"))), values)


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    reaches_in = {*SECTIONS, *ENTRY_AXES}
    if isinstance(value, dict) and (not path or (path[0].split(".")[0] in reaches_in and path[-1] != "kwargs")):
        for key, part in value.items():
            yield from _flat(part, (*path, key))
    elif path:
        yield ".".join(path), value


def check_overrides(
    settings: Settings, overrides: Sequence[Override], known: Known, methods: MethodTable
) -> list[Fault]:
    """Faults of overrides: keys, values in their place, names, conditions; paths begin with ("overrides", i)."""
    before = set(form_faults(_whole(settings)))
    names = {axis: _all_names(axis, settings, overrides, methods) for axis in AXES}
    faults = []
    for i, override in enumerate(overrides):
        keys = list(_keys(override))
        after = [] if keys else form_faults(_whole(_tried(settings, override)))
        found = [Fault(("set", *_set_path(override, f.path)), f.text) for f in after if f not in before]
        found += [Fault(("set", *f.path), f.text) for f in _names(override.set, known, methods)]
        found += [*keys, *_order(override), *_conditions(override, names)]
        found += _parameters(settings, override, methods)
        faults += [Fault(("overrides", i, *fault.path), fault.text) for fault in found]
    return faults


def _whole(settings: Settings) -> Settings:
    return {"name": "x", "version": 1, **settings}


def _keys(override: Override) -> Iterator[Fault]:
    for key in override.set:
        root, *rest = key.split(".")
        if root not in SETTABLE or (rest and root not in {*SECTIONS, *ENTRY_AXES}):
            known = sorted(SETTABLE | {f"{section}.*" for section in (*SECTIONS, *ENTRY_AXES)})
            yield Fault(("set", key), str(unknown_name("setting", key, known)))
        elif not rest and root in ENTRY_AXES:
            yield Fault(("set", key), f"expected a key of it, such as {root}.name, or the whole list, {root}s")


def _parameters(settings: Settings, override: Override, methods: MethodTable) -> Iterator[Fault]:
    """What is wrong with parameters of methods, tried on each method of the suite that they are for."""
    given = {key.partition(".")[2]: value for key, value in override.set.items() if key.startswith("method.")}
    if not given:
        return
    for entry in _list(settings, "methods"):
        meant = override.when.get("method", ("*",))
        if methods.problems(entry) or not any(matches(methods.label(entry), pattern) for pattern in meant):
            continue
        form = entry_form("method", entry)
        for key, value in given.items():
            put(form, key, value)
        for problem in methods.problems(form):
            yield Fault(("set", f"method.{next(iter(given))}"), problem)


def _order(override: Override) -> Iterator[Fault]:
    for key, axis in override.too_late():
        order = ", ".join(AXES)
        yield Fault(("set", key), f"cannot depend on the {axis}: choices are made in the order {order}")


def _conditions(override: Override, names: Mapping[str, list[str] | None]) -> Iterator[Fault]:
    for axis, values in override.when.items():
        if axis not in AXES:
            yield Fault(("when", axis), unknown_key(("when", axis)))
            continue
        known = names[axis]
        for value in values:
            if known is not None and not any(matches(name, value) for name in known):
                yield Fault(("when", axis), str(unknown_name(axis, str(value), known)))


def _tried(settings: Settings, override: Override) -> Settings:
    """The settings with the override in force everywhere."""
    tried = copy.deepcopy(settings)
    for key, value in sorted(override.set.items(), key=lambda item: item[0] not in LISTS):
        root, _, rest = key.partition(".")
        if root not in ENTRY_AXES:
            put(tried, key, value)
            continue
        tried[f"{root}s"] = [entry_form(root, entry) for entry in _list(tried, f"{root}s")]
        for entry in tried[f"{root}s"]:
            if isinstance(entry, dict):
                put(entry, rest, value)
    return tried


def _set_path(override: Override, path: Path) -> Path:
    """Which key of the override a fault in the tried settings comes from, and what lies below it."""
    if path and path[0] in override.set:
        return path
    written = (LISTS[str(path[0])], *path[2:]) if path and path[0] in LISTS else path
    for key in override.set:
        parts = tuple(key.split("."))
        if written[: len(parts)] == parts[: len(written)]:
            return (key, *written[len(parts) :])
    return ()


def _names(settings: Mapping[str, Any], known: Known, methods: MethodTable) -> Iterator[Fault]:
    """Unknown names and repeated ones, in the suite's own settings or in an override's."""
    for i, entry in enumerate(_list(settings, "datasets")):
        name = entry.get("name") if isinstance(entry, dict) else entry
        if known.datasets is None or not isinstance(name, str) or ":" in name:  # folder:PATH needs no card
            continue
        if name not in known.datasets:
            yield Fault(("datasets", i), str(unknown_name("data set", name, known.datasets)))
    if known.augments is not None:
        for path, augment in _augments(settings):
            if isinstance(augment, str) and augment not in known.augments:
                yield Fault(path, str(unknown_name("augmentation", augment, known.augments)))
    for i, entry in enumerate(_list(settings, "methods")):
        for problem in methods.problems(entry):
            yield Fault(("methods", i), problem)
    for key, axis in LISTS.items():
        yield from _repeats(key, axis, _list(settings, key), methods)


def _augments(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if str(key).split(".")[-1] == "augment":
                yield (*path, key), part
            elif key not in {"kwargs", "methods"}:
                yield from _augments(part, (*path, key))


def _repeats(key: str, axis: str, entries: Sequence[Any], methods: MethodTable) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for i, entry in enumerate(entries):
        name = _name(axis, entry, methods)
        if name is None or name not in first:
            first.setdefault(str(name), i)
            continue
        same = json.dumps(entry_form(axis, entry), sort_keys=True, default=str) == json.dumps(
            entry_form(axis, entries[first[name]]), sort_keys=True, default=str
        )
        other = (
            ""
            if same
            else ", with other content" + ("; give one of them a name" if axis in {"teacher", "method"} else "")
        )
        yield Fault((key, i), f"{name} is listed already, as {key}[{first[name]}]{other}")


def _name(axis: str, entry: Any, methods: MethodTable) -> str | None:
    """What an entry is called; None where it has no name to speak of."""
    if axis != "method":
        name = entry_name(axis, entry)
        return str(name) if isinstance(name, str | int) else None
    try:
        return methods.label(entry)
    except UserError:
        return None


def _all_names(axis: str, settings: Settings, overrides: Sequence[Override], methods: MethodTable) -> list[str] | None:
    """Every name on an axis, of the suite's list and of overrides'; None where none can be told."""
    key = f"{axis}s"
    entries = _list({"seeds": [0], "data_seeds": [0], **settings}, key)
    entries = entries + [entry for override in overrides for entry in _list(override.set, key)]
    return [name for name in (_name(axis, entry, methods) for entry in entries) if name is not None] or None


def _teachers_and_heads(settings: Settings, overrides: Sequence[Override], methods: MethodTable) -> Iterator[Fault]:
    """Methods that need a teacher where none is listed; SH-KD's head students that are none of the suite's."""
    students = _all_names("student", settings, overrides, methods) or []
    teachers = _all_names("teacher", settings, overrides, methods)
    for i, entry in enumerate(_list(settings, "methods")):
        if methods.problems(entry):
            continue
        taught = methods.of(entry)
        if taught.needs_teacher and not teachers:
            yield Fault(("methods", i), f"{taught.spec.label} needs a teacher, but the suite lists no teachers")
        head = taught.student_aware.head_student if taught.student_aware else None
        if head is not None and head not in students:
            yield Fault(("methods", i, "head_student"), str(unknown_name("student of this suite", head, students)))


def _list(settings: Mapping[str, Any], key: str) -> list[Any]:
    value = settings.get(key)
    return value if isinstance(value, list) else []
