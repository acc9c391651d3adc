"""The published schemas are those of the code, and every committed file keeps to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from fgkd.cli.main import main
from fgkd.cli.schema import schema_text
from fgkd.data.card import card_folder
from fgkd.suite.reading import suite_names, suite_path
from fgkd.yaml_places import parse_yaml
from tests.board_factory import suite_records

ROOT = Path(__file__).resolve().parents[1]
FORMATS = ("record", "suite", "card")


def validator(name: str) -> Draft202012Validator:
    schema = json.loads(schema_text(name))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


VALIDATORS = {name: validator(name) for name in FORMATS}


def refused(name: str, value: Any) -> bool:
    return not VALIDATORS[name].is_valid(value)


@pytest.mark.parametrize("name", FORMATS)
def test_published_schemas_are_up_to_date(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", name]) == 0
    published = ROOT / "docs" / f"{name}.schema.json"
    assert published.read_text(encoding="utf-8") == capsys.readouterr().out, f"fgkd schema {name} > {published}"


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_keeps_to_its_schema(name: str) -> None:
    VALIDATORS["suite"].validate(parse_yaml(suite_path(name).read_text(encoding="utf-8")).value)


@pytest.mark.parametrize("path", sorted(card_folder().glob("*.md")), ids=lambda path: path.stem)
def test_every_card_keeps_to_its_schema(path: Path) -> None:
    VALIDATORS["card"].validate(yaml.safe_load(path.read_text(encoding="utf-8").split("---\n")[1]))


@pytest.mark.parametrize("suite", sorted(path.parent.name for path in ROOT.glob("results/*/records")))
def test_every_record_keeps_to_its_schema(suite: str) -> None:
    for path in sorted((ROOT / "results" / suite / "records").glob("*.json")):
        VALIDATORS["record"].validate(json.loads(path.read_text(encoding="utf-8")))


def test_records_of_every_kind_keep_to_their_schema() -> None:
    for record in suite_records():
        VALIDATORS["record"].validate(json.loads(record.to_json()))


SPELLINGS: dict[str, Any] = {
    "datasets": [{"name": "cub50", "protocol": "retrieval"}],
    "teachers": [
        "resnet50.a1_in1k",
        {"backbone": "vit", "name": "probe", "gate": 0.5, "mean": 0.5, "train": {"mode": "linear_probe"}},
        {"backbone": "own", "weights": "own.safetensors", "train": None},
        {"backbone": "own", "recipe": "finetune", "size": [3, 96, 96]},
    ],
    "students": ["resnet18", {"backbone": "vit", "std": 0.5}, {"name": "vit", "kwargs": {"depth": 2}}],
    "methods": ["kd+crd", {"method": "sh_kd", "base": "kd"}],
    "notes": "one",
    "view": {"size": [96, 96]},
    "overrides": [{"when": {"teacher": "vit*"}, "set": {"teacher.train.epochs": 2}}],
}
SMALL = {"name": "x", "version": 1, "datasets": ["cub50"], "students": ["resnet18"], "methods": ["scratch"]}


@pytest.mark.parametrize("key", SPELLINGS)
def test_suites_may_use_every_spelling(key: str) -> None:
    VALIDATORS["suite"].validate({**SMALL, key: SPELLINGS[key]})


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a b"},
        {"version": 0},
        {"students": []},
        {"students": [{"weights": "none"}]},
        {"teachers": [{"name": "resnet50"}]},
        {"teachers": [{"backbone": "resnet50", "recipe": {"lr": 1}}]},
        {"methods": [{"temperature": 4}]},
        {"recipe": {"lr": 0}},
        {"recipe": {"learning_rate": 0.1}},
        {"overrides": [{"when": {}}]},
        {"surprise": 1},
    ],
)
def test_malformed_suites_are_refused(changes: dict[str, Any]) -> None:
    assert refused("suite", {**SMALL, **changes})


def test_malformed_records_and_cards_are_refused() -> None:
    fields = json.loads(suite_records()[0].to_json())
    assert not refused("record", fields)
    assert refused("record", {**fields, "status": "fine"})
    assert refused("record", {**fields, "schema_version": 2})
    front = yaml.safe_load((card_folder() / "cub200.md").read_text(encoding="utf-8").split("---\n")[1])
    assert refused("card", {**front, "fgkd": {**front["fgkd"], "num_classes": 1}})
