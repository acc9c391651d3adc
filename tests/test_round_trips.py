"""Whatever a spec or a record holds survives its file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from fgkd.cli.schema import schema_text
from fgkd.record import FRACTIONS, RunRecord, read_record, write_record
from fgkd.spec import RunSpec, TeacherSpec
from tests.any_model import TEXT, any_of

thorough = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
SPECS = any_of(RunSpec)
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats()
SHARES = st.dictionaries(st.sampled_from(FRACTIONS), st.none() | st.floats(0, 1), max_size=4)
FIGURES = st.builds(lambda shares, others: {**others, **shares}, SHARES, st.dictionaries(TEXT, NUMBERS, max_size=3))
SETS = st.sampled_from(["test_last", "test_best", "holdout_last", "holdout_best"])
RECORDS = any_of(
    RunRecord,
    spec=SPECS,
    metrics=st.dictionaries(SETS, FIGURES, max_size=2),
    schema_version=st.just(1),
)


@thorough
@given(SPECS)
def test_any_spec_survives_json_with_its_id(spec: RunSpec) -> None:
    for text in (spec.model_dump_json(), json.dumps(spec.model_dump(mode="json")), spec.canonical()):
        again = RunSpec.model_validate_json(text)
        assert again == spec
        assert again.run_id == spec.run_id
        assert RunSpec.model_validate(json.loads(text)).canonical() == spec.canonical()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records")


@thorough
@given(RECORDS)
def test_any_record_survives_its_file_bit_for_bit(folder: Path, record: RunRecord) -> None:
    record = record.model_copy(update={"run_id": record.spec.run_id})
    path = write_record(record, folder, overwrite=True)
    try:
        again = read_record(path)
        assert again == record
        assert again.to_json() == record.to_json() == path.read_text(encoding="utf-8")  # tells -0.0 from 0.0
    finally:
        path.unlink()


SCHEMA = Draft202012Validator(json.loads(schema_text("record")))


@settings(thorough, max_examples=25)
@given(RECORDS)
def test_the_schema_admits_any_record(record: RunRecord) -> None:
    SCHEMA.validate(json.loads(record.to_json()))


def fields(model: type[BaseModel], value: Any) -> Iterator[tuple[type, str]]:
    """The fields of `value`, and of the models in it, that are not at their default."""
    for name, field in model.model_fields.items():
        part = getattr(value, name)
        if field.is_required() or part != field.default:
            yield model, name
        if isinstance(part, BaseModel):
            yield from fields(type(part), part)


def test_every_field_of_a_spec_is_drawn() -> None:
    """The strategies leave nothing out: over some draws each field is away from its default."""
    seen: set[tuple[type, str]] = set()

    # the same draws each time, and enough of them that another version's would not miss a field by chance
    @settings(thorough, max_examples=80, database=None, derandomize=True)
    @given(SPECS)
    def collect(spec: RunSpec) -> None:
        seen.update(fields(RunSpec, spec))

    collect()
    wanted = {(model, name) for model in (RunSpec, TeacherSpec) for name in model.model_fields}
    assert wanted <= seen, wanted - seen
