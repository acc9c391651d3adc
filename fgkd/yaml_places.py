"""YAML read safely, with the place of every value, and with its faults as a list instead of the first one only.

Only plain data: text, numbers, booleans, null, lists, mappings with text keys. Anchors, aliases and merge keys work,
within a bound on the size of what they expand to. No tag constructs anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]  # keys and list positions from the root: ("students", 1, "size")
MOST_VALUES = 20_000
MOST_CHARACTERS = 500_000
_TAG = "tag:yaml.org,2002:"
_SCALARS = {_TAG + kind for kind in ("str", "int", "float", "bool", "null")}


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, save that dates stay text and 1e-4 is a number (as in YAML 1.2)."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TAG + "timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_TAG + "float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789"))


@dataclass(frozen=True)
class Place:
    """A line and a column, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True)
class Fault:
    """What is wrong with the value at `path`."""

    path: Path
    text: str
    place: Place | None = None  # where known better than through the path


@dataclass
class Document:
    """The plain value of a YAML text, where its parts stand, and what is wrong with it."""

    value: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def place(self, path: Path) -> Place:
        """Where `path` stands, a dotted key also where it is written nested; else where the value around it stands."""
        if path not in self.places:
            nested = tuple(key for part in path for key in (part.split(".") if isinstance(part, str) else (part,)))
            path = nested if nested in self.places else path
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(1, 1))

    def describe(self, fault: Fault, file: str) -> str:
        """``file:line:column: key: text``."""
        where = f"{file}:{fault.place or self.place(fault.path)}"
        return f"{where}: {dotted(fault.path)}: {fault.text}" if fault.path else f"{where}: {fault.text}"


def dotted(path: Path) -> str:
    """A path as people write it.

    Example:
        >>> dotted(("students", 1, "kwargs", "pad_type"))
        'students[1].kwargs.pad_type'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def parse_yaml(text: str) -> Document:
    """Read one YAML document; never raises: what cannot be read is in `faults`.

    Example:
        >>> document = parse_yaml("a: 1\\nb: [2, 1e-4]\\na: 3\\n")
        >>> document.value, str(document.place(("b", 1)))
        ({'a': 1, 'b': [2, 0.0001]}, '2:8')
        >>> [document.describe(fault, "x.yaml") for fault in document.faults]
        ['x.yaml:3:1: a: the key stands twice; it was first at 1:1']
    """
    if len(text) > MOST_CHARACTERS:
        return _unreadable(f"expected at most {MOST_CHARACTERS} characters, found {len(text)}")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "cannot be read"
        hint = "; a text with a colon in it wants quotes" if reason == "mapping values are not allowed here" else ""
        return _unreadable(f"not valid YAML: {reason}{hint}", _place(mark) if mark else None)
    except yaml.YAMLError as error:
        return _unreadable(f"not valid YAML: {str(error).splitlines()[0]}")
    except RecursionError:
        return _unreadable("nested too deeply")
    reader = _Reader(loader)
    try:
        reader.document.value = None if node is None else reader.read(node, ())
    except _TooMuch as error:
        return _unreadable(str(error))
    return reader.document


def _unreadable(text: str, place: Place | None = None) -> Document:
    return Document(faults=[Fault((), text, place)])


def _place(mark: yaml.Mark) -> Place:
    return Place(mark.line + 1, mark.column + 1)


class _TooMuch(Exception):
    pass


class _Reader:
    """Turns a node graph into plain data, noting places and faults."""

    def __init__(self, loader: _Loader) -> None:
        self.loader = loader
        self.document = Document()
        self.count = 0

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.count += 1
        if self.count > MOST_VALUES:
            raise _TooMuch(f"expands to more than {MOST_VALUES} values; are aliases nested in aliases?")
        if len(path) > 50:
            raise _TooMuch("nested more than 50 deep, or an alias that holds itself")
        self.document.places.setdefault(path, _place(node.start_mark))
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.read(child, (*path, i)) for i, child in enumerate(node.value)]
        return self.scalar(node, path)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                merged = {**self.merge(value_node, path), **merged}
                continue
            key = self.scalar(key_node, path)
            if not isinstance(key, str):
                self.fault(key_node, path, f"a key must be text, found {key!r}; quote it")
            elif key in own:
                first = self.document.places[(*path, key)]
                self.fault(key_node, (*path, key), f"the key stands twice; it was first at {first}")
            else:
                self.document.places[(*path, key)] = _place(key_node.start_mark)
                own[key] = self.read(value_node, (*path, key))
        return {**merged, **own}

    def merge(self, node: yaml.Node, path: Path) -> Mapping[str, Any]:
        """What ``<<: *anchor`` brings in: one mapping, or a list of them, of which earlier ones win."""
        value = self.read(node, (*path, "<<"))
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            self.fault(node, (*path, "<<"), "expected a mapping to merge")
            return {}
        return {key: part[key] for part in reversed(parts) for key in part}

    def scalar(self, node: yaml.Node, path: Path) -> Any:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _SCALARS:
            self.fault(node, path, f"expected plain data, found {node.tag.replace(_TAG, '!!')}")
            return None
        try:
            value = self.loader.construct_object(node)
            str(value).encode()
        except (ValueError, OverflowError, LookupError, yaml.YAMLError):
            self.fault(node, path, f"cannot be read as {node.tag.removeprefix(_TAG)}: {node.value[:40]!r}")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.fault(node, path, f"expected a finite number, found {node.value}")
            return None
        return value

    def fault(self, node: yaml.Node, path: Path, text: str) -> None:
        self.document.faults.append(Fault(path, text, _place(node.start_mark)))
