"""``fgkd methods``: what methods there are, and the parameters of each, read off their classes."""

from __future__ import annotations

import inspect
import re
from argparse import Namespace
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fgkd.cli.print import console, print_json, table
from fgkd.errors import unknown_name

SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "length >=", "max_length": "length <="}


def methods(args: Namespace) -> int:
    """A table of all methods, or the parameters of those named."""
    entries = [method_entry(name, kind) for name, kind in _method_kinds().items()]
    if args.name is None:
        print_json(entries) if args.json else _print_methods(entries)
        return 0
    by_name = {entry["name"]: entry for entry in entries}
    chosen = []
    for name in args.name.split("+"):
        if name.strip() not in by_name:
            raise unknown_name("method", name.strip(), by_name)
        chosen.append(by_name[name.strip()])
    if args.json:
        print_json(chosen)
        return 0
    for entry in chosen:
        _print_method(entry)
    return 0


def _method_kinds() -> dict[str, type[BaseModel]]:
    from fgkd.methods import METHODS
    from fgkd.suite.method_entries import SH_KD, ShKD

    kinds: dict[str, type[BaseModel]] = {SH_KD: ShKD}
    kinds.update({name: METHODS.get(name) for name in METHODS})
    return {name: kinds[name] for name in sorted(kinds)}


def method_entry(name: str, kind: type[BaseModel]) -> dict[str, Any]:
    """What can be told of a method: family (its file), paper, needs, parameters; plain data."""
    text, about = inspect.getdoc(kind) or "", _attributes(kind)
    return {
        "name": name,
        "family": kind.__module__.rpartition(".")[2] if hasattr(kind, "paper") else "plan",
        "paper": getattr(kind, "paper", ""),
        "student_needs": _needs(kind, "student_needs"),
        "teacher_needs": _needs(kind, "teacher_needs"),
        "deploys_more": bool(_of_default(kind, "deploys_more")),
        "about": text.partition("\n")[0],
        "text": text.partition("\nAttributes:")[0].strip(),
        "parameters": [
            _parameter(key, info, about.get(key, "")) for key, info in kind.model_fields.items() if key != "method"
        ],
    }


def _of_default(kind: type[BaseModel], attribute: str) -> Any:
    """A class variable, or a property of the default parameters."""
    return getattr(kind(), attribute, None)


def _needs(kind: type[BaseModel], which: str) -> list[str]:
    needs = _of_default(kind, which)
    if not needs:
        return []
    names = [name for name in ("logits", "pooled", "final", "head") if getattr(needs, name)]
    return names + [f"stage {stage}" for stage in sorted(needs.stages)]


def _attributes(kind: type[BaseModel]) -> dict[str, str]:
    """What docstrings say of fields, a class's own before its bases'."""
    found: dict[str, str] = {}
    for base in reversed([base for base in kind.__mro__ if issubclass(base, BaseModel) and base.__doc__]):
        section = inspect.cleandoc(base.__doc__ or "").partition("\nAttributes:\n")[2].partition("\n\n")[0]
        entries = re.findall(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
        found |= {name: " ".join(text.split()) for names, text in entries for name in names.split(", ")}
    return found


def _parameter(name: str, info: FieldInfo, about: str) -> dict[str, Any]:
    bounds = [f"{sign} {getattr(m, key)}" for m in info.metadata for key, sign in SIGNS.items() if hasattr(m, key)]
    default = info.get_default(call_default_factory=True)
    kind = getattr(info.annotation, "__name__", str(info.annotation)) if "[" not in str(info.annotation) else ""
    return {
        "name": name,
        "type": kind or str(info.annotation).replace("typing.", ""),
        "range": ", ".join(bounds),
        "default": default if isinstance(default, str | int | float | bool | None) else str(default),
        "about": info.description or about,
    }


def _print_methods(entries: list[dict[str, Any]]) -> None:
    rows = []
    for entry in entries:
        more = "yes" if entry["deploys_more"] else ""
        asks = ", ".join(entry["teacher_needs"]).replace("stage -4, stage -3, stage -2, stage -1", "all stages")
        rows.append((entry["name"], entry["family"], entry["paper"].removeprefix("arXiv:"), asks, more, entry["about"]))
    console().print(table(("method", "family", "arXiv", "asks of teacher", "deploys more", "about"), rows))
    print("Sums work too: kd+crd. fgkd methods NAME shows the parameters.")


def _print_method(entry: dict[str, Any]) -> None:
    print(f"{entry['name']} ({entry['family']}) {entry['paper']}".rstrip())
    print(entry["text"])
    for who in ("student", "teacher"):
        print(f"asks of the {who}: {', '.join(entry[f'{who}_needs']) or 'nothing'}")
    rows = [(row["name"], row["type"], row["range"], str(row["default"]), row["about"]) for row in entry["parameters"]]
    if rows:
        console().print(table(("parameter", "type", "range", "default", "about"), rows, fold=True))
