"""``fgkd schema``: the formats of records, suites and cards as JSON Schema, for editors and for other programs.

A schema tells the form of a file. What depends on several values, on names or on other files, fgkd alone checks.
"""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT: Schema = {"type": "string", "minLength": 1}
SQUARE: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3}
NUMBER: Schema = {"type": "number"}


def schema(args: Namespace) -> int:
    """Print one of the schemas."""
    print(schema_text(args.format), end="")
    return 0


def schema_text(name: str) -> str:
    """The schema of `record`, `suite` or `card` as its file in docs/ has it."""
    made = {"record": record, "suite": suite, "card": card}[name]()
    return json.dumps({"$schema": DIALECT, "title": f"fgkd {name}", **made}, indent=1) + "\n"


def record() -> Schema:
    """Of a run's record, results/SUITE/records/RUN_ID.json."""
    from fgkd.record import RunRecord

    return _plain(RunRecord.model_json_schema())


def card() -> Schema:
    """Of the front matter of a data set's card."""
    from fgkd.data.card import Card

    made = _plain(Card.model_json_schema())
    for key in ("name", "text"):  # the file's name, and what stands below the front matter
        del made["properties"][key]
        made["required"].remove(key)
    return made


def suite() -> Schema:
    """Of a suite file, with all the spellings that it may use."""
    from fgkd.suite.form import SuiteForm

    made = _plain(SuiteForm.model_json_schema())
    forms, properties = made["$defs"], made["properties"]
    _spell_backbone(forms["BackboneSpec"])
    forms["DatasetSpec"] = {"anyOf": [TEXT, forms["DatasetSpec"]]}
    forms["Teacher"] = _teacher(forms)
    forms["BackboneSpec"] = {"anyOf": [TEXT, forms["BackboneSpec"]]}
    forms["Method"] = {"anyOf": [TEXT, {"type": "object", "properties": {"method": TEXT}, "required": ["method"]}]}
    forms["ViewSpec"]["properties"]["size"] = {"anyOf": [forms["ViewSpec"]["properties"]["size"], SQUARE]}
    properties["teachers"]["items"] = {"$ref": "#/$defs/Teacher"}
    properties["methods"]["items"] = {"$ref": "#/$defs/Method"}
    properties["notes"] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    properties["overrides"] = {"anyOf": [properties["overrides"], {"type": "null"}]}
    return _reachable(made)


def _spell_backbone(form: Schema) -> None:
    """``backbone`` for ``name``, a square for a side, one number for three."""
    properties = form["properties"]
    properties["backbone"] = TEXT
    for key in ("mean", "std"):
        properties[key]["anyOf"].append(NUMBER)
    properties["size"]["anyOf"].append(SQUARE)
    del form["required"]
    form["anyOf"] = [{"required": ["name"]}, {"required": ["backbone"]}]


def _teacher(forms: Schema) -> Schema:
    """A teacher as suites write it: the keys of its network and of its training side by side."""
    own, network = forms["TeacherSpec"]["properties"], forms["BackboneSpec"]["properties"]
    properties = {
        **{key: network[key] for key in network if key != "name"},
        "name": own["label"],
        "recipe": {"const": "finetune"},
        **{key: own[key] for key in ("train", "gate", "seed")},
    }
    form = {"type": "object", "additionalProperties": False, "properties": properties, "required": ["backbone"]}
    return {"anyOf": [TEXT, {"description": forms["TeacherSpec"]["description"], **form}]}


def _plain(value: Any, *, names: bool = False) -> Any:
    """Without the titles that pydantic makes of names, and without keywords that JSON Schema does not know.

    Args:
        names: whether the keys of `value` are names of properties, not keywords.
    """
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    dropped = set() if names else {"title", "ge", "le"}
    naming = {"properties", "$defs", "default"}
    return {key: _plain(part, names=key in naming) for key, part in value.items() if key not in dropped}


def _reachable(made: Schema) -> Schema:
    """Without definitions that nothing refers to."""
    forms = made.pop("$defs")
    wanted: list[Schema] = [made]
    kept: dict[str, Schema] = {}
    while wanted:
        text = json.dumps(wanted.pop())
        for name in sorted(set(forms) - set(kept)):
            if f'"#/$defs/{name}"' in text:
                kept[name] = forms[name]
                wanted.append(forms[name])
    return {**made, "$defs": dict(sorted(kept.items()))}
