"""Records: what is written reads back, what is broken is named, nothing is lost."""

from __future__ import annotations

import gc
import json
import math
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

import fgkd.files
import fgkd.record
from fgkd.errors import UserError
from fgkd.facts import Costs, Number, TeacherFacts
from fgkd.record import (
    RunRecord,
    migrate,
    pack_predictions,
    read_record,
    read_records,
    record_path,
    recorded_ids,
    records_folder,
    unpack_predictions,
    write_record,
)
from tests.board_factory import record, run_spec

NUMBER = TypeAdapter(Number)


def test_a_written_record_reads_back_equal(tmp_path):
    folder = records_folder(tmp_path, "tiny")
    ours = record(metrics={"test_last": {"top1": 0.1 + 0.2, "top1/teacher_head": 1 / 3}})
    path = write_record(ours, folder)
    assert path == tmp_path / "tiny" / "records" / f"{ours.run_id}.json"
    records, problems = read_records(folder)
    assert records == [ours]
    assert problems == []
    assert records[0].metric("top1") == 0.1 + 0.2  # the same bits


def test_the_file_is_for_people_and_for_diffs(tmp_path):
    text = write_record(record(), tmp_path).read_bytes().decode()
    assert text.endswith("}\n")
    assert "\r" not in text
    assert text == record().to_json()
    fields = json.loads(text)
    assert list(fields) == sorted(fields)
    assert '\n    {"epoch": 1, "holdout/top1": 0.25, "lr": 0.05, "train/ce": 0.3333333333333333},\n' in text
    assert '\n  "costs": {\n    "eval_seconds": null,\n' in text


def test_the_file_is_readable_by_others(tmp_path):
    mode = stat.S_IMODE(write_record(record(), tmp_path).stat().st_mode)
    (tmp_path / "plain").write_text("")
    assert mode == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@given(st.floats())
def test_every_float_keeps_its_bits_and_no_number_is_null(value):
    ours = record(curve=[{"epoch": 0, "train/ce": value}])
    back = RunRecord.model_validate(json.loads(ours.to_json()))
    expected = value if math.isfinite(value) else None
    assert back.curve[0]["train/ce"] == expected
    assert repr(back.curve[0]["train/ce"]) == repr(expected)  # tells -0.0 from 0.0


def test_what_is_not_a_number_is_missing_not_zero():
    assert Costs(train_seconds=math.nan).train_seconds is None
    for text in ("NaN", "Infinity", "-Infinity", "1e999"):
        assert NUMBER.validate_python(from_json(text)) is None
        with pytest.raises(ValidationError):  # so that the reading of records turns to the values
            NUMBER.validate_json(text)


@pytest.mark.parametrize("read", [lambda t: TeacherFacts(**json.loads(t)), TeacherFacts.model_validate_json])
@pytest.mark.parametrize("value", ["1.5", "-0.1", "2", "-1", "1e999", '"x"', "[]"])
def test_shares_lie_within_their_bounds_however_they_are_read(read, value):
    if value != "1e999" or read is TeacherFacts.model_validate_json:  # Python's infinity is no number, so null
        with pytest.raises(ValidationError):
            read(f'{{"name": "x", "test_top1": {value}}}')
    for fine in ("0", "1", "0.5", "null"):
        assert read(f'{{"name": "x", "test_top1": {fine}}}').test_top1 == json.loads(fine)


@pytest.mark.parametrize("read", [lambda t: Costs(**json.loads(t)), Costs.model_validate_json])
def test_seconds_are_not_negative_however_they_are_read(read):
    assert read('{"train_seconds": 1e6, "load_seconds": 3}').train_seconds == 1e6
    for wrong in ("-1", "-0.5"):
        with pytest.raises(ValidationError):
            read(f'{{"train_seconds": {wrong}}}')


@pytest.mark.parametrize("value", [0, 1, -7, 2**63 - 1, -(2**63), 0.0, 1.0, -0.1, 1e300, None])
def test_numbers_of_json_and_of_python_are_the_same(tmp_path, value):
    written = write_record(record(metrics={"test_last": {"nll": value}}), tmp_path)
    found = read_record(written).metrics["test_last"]["nll"]
    assert found == value
    assert type(found) is type(value)
    assert record(metrics={"test_last": {"top1": math.inf}}).metric("top1") is None
    assert record().metric("map_at_r") is None
    assert record().metric("top1", "holdout_best") is None


@pytest.mark.parametrize("name", fgkd.record.FRACTIONS)
@pytest.mark.parametrize("value", [87.5, -0.1])
def test_a_percentage_where_a_fraction_belongs_is_refused(name, value):
    with pytest.raises(ValidationError, match=f"test_best.{name}: expected a fraction"):
        record(metrics={"test_best": {name: value}})


@pytest.mark.parametrize(
    "changes", [{"surprise": 1}, {"status": "fine"}, {"metrics": {"train": {}}}, {"epochs_done": -1}]
)
def test_unknown_fields_and_values_are_refused(changes):
    with pytest.raises(ValidationError):
        record(**changes)


def test_a_record_is_not_overwritten_unasked(tmp_path):
    write_record(record(), tmp_path)
    again = record(top1=0.9)
    with pytest.raises(UserError, match="exists"):
        write_record(again, tmp_path)
    assert read_records(tmp_path)[0] == [record()]
    write_record(again, tmp_path, overwrite=True)
    assert read_records(tmp_path)[0] == [again]


def test_a_record_is_not_overwritten_without_hard_links_either(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError("no hard links here")

    monkeypatch.setattr(fgkd.files.os, "link", no_links)
    write_record(record(), tmp_path)
    with pytest.raises(UserError, match="exists"):
        write_record(record(top1=0.9), tmp_path)
    assert read_records(tmp_path)[0] == [record()]


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_crash_while_writing_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, overwrite):
    write_record(record(), tmp_path)

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(fgkd.files.os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        write_record(record(top1=0.9), tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == [f"{record().run_id}.json"]
    assert read_records(tmp_path)[0] == [record()]


def test_a_record_must_be_named_after_its_spec(tmp_path):
    with pytest.raises(AssertionError):
        write_record(record(run_id="kd-000000000000"), tmp_path)


def test_ids_come_from_whole_files_only(tmp_path):
    ours = record()
    assert recorded_ids(tmp_path / "nowhere") == set()
    path = write_record(ours, tmp_path)
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / f".{ours.run_id}.json.1234.tmp").write_text("{")
    (tmp_path / "kd-0123456789ab.json").write_text(path.read_text()[:500])
    (tmp_path / "kd-ba9876543210.json").write_text("")
    assert recorded_ids(tmp_path) == {ours.run_id}


BROKEN = {
    "cut short": (lambda text: text[: len(text) // 2], "expected a record"),
    "empty": (lambda text: "", "expected a record"),
    "not text": (lambda text: "\x00\x01", "expected a record"),
    "a list": (lambda text: "[]", "found no schema_version"),
    "no version": (lambda text: text.replace("schema_version", "version"), "found no schema_version"),
    "newer": (lambda text: text.replace('"schema_version": 1', '"schema_version": 99'), "newer than 1"),
    "older": (lambda text: text.replace('"schema_version": 1', '"schema_version": 0'), "nothing migrates"),
    "bad field": (lambda text: text.replace('"status": "ok"', '"status": "fine"'), "status"),
    "edited spec": (
        lambda text: text.replace('"lr": 0.05,\n      "milestones"', '"lr": 0.5,\n      "milestones"'),
        "edited",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_one_broken_record_is_named_and_spares_the_others(tmp_path, kind):
    good, bad = record(), record(run_spec(seed=1))
    write_record(good, tmp_path)
    path = write_record(bad, tmp_path)
    spoil, words = BROKEN[kind]
    assert spoil(path.read_text()) != path.read_text()
    path.write_text(spoil(path.read_text()))
    records, problems = read_records(tmp_path)
    assert records == [good]
    assert len(problems) == 1
    assert problems[0].startswith(f"{bad.run_id}.json: ")
    assert words in problems[0]


@pytest.mark.parametrize("busy", [True, False])
def test_reading_leaves_the_garbage_collector_as_it_was(tmp_path, busy):
    (tmp_path / "broken.json").write_text("{")
    try:
        gc.enable() if busy else gc.disable()
        read_records(tmp_path)
        assert gc.isenabled() == busy
    finally:
        gc.enable()


@pytest.mark.parametrize("packed", ["no base64", pack_predictions(np.array([1, 2]))[:-4], "eNr7/5+ZAQAHAwIC"])
def test_damaged_predictions_are_a_problem_of_their_file_alone(tmp_path, packed):
    write_record(record(), tmp_path)
    bad = record(spec=run_spec(seed=1), run_id=run_spec(seed=1).run_id)
    path = write_record(bad, tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"predictions": packed}))
    records, problems = read_records(tmp_path)
    assert [r.run_id for r in records] == [record().run_id]
    assert len(problems) == 1
    assert problems[0].startswith(f"{bad.run_id}.json: predictions")


def test_a_record_under_another_runs_name_is_a_problem(tmp_path):
    path = write_record(record(), tmp_path)
    path.rename(record_path(tmp_path, run_spec(seed=1).run_id))
    records, problems = read_records(tmp_path)
    assert records == []
    assert "holds run" in problems[0]


def test_older_schemas_are_migrated_step_by_step(monkeypatch):
    steps = {0: lambda f: f | {"status": f["outcome"]}, 1: lambda f: {k: v for k, v in f.items() if k != "outcome"}}
    monkeypatch.setattr(fgkd.record, "MIGRATIONS", steps)
    monkeypatch.setattr(fgkd.record, "SCHEMA_VERSION", 2)
    old = {"schema_version": 0, "outcome": "ok"}
    assert migrate(old) == {"schema_version": 2, "status": "ok"}
    assert old == {"schema_version": 0, "outcome": "ok"}


def test_a_field_that_specs_gained_later_does_not_spoil_old_records(tmp_path):
    path = write_record(record(), tmp_path)
    fields = json.loads(path.read_text())
    del fields["spec"]["role"]  # as written before specs had roles
    path.write_text(json.dumps(fields))
    records, problems = read_records(tmp_path)
    assert problems == []
    assert records[0].spec.role == "student"


@pytest.mark.parametrize("classes", [[], [0], [32767, 0, 5], list(range(1000)) * 3])
def test_predictions_survive_packing(classes):
    packed = pack_predictions(np.array(classes, dtype=np.int64))
    assert packed.isascii()
    assert unpack_predictions(packed).tolist() == classes


@pytest.mark.parametrize("classes", [np.array([-1]), np.array([32768]), np.zeros((2, 2), dtype=np.int64)])
def test_predictions_that_do_not_fit_are_refused(classes):
    with pytest.raises(ValueError, match="expected class indices"):
        pack_predictions(classes)


@pytest.mark.parametrize("text", ["no base64!", "AAAA", "eNr7/5+ZAQAHAwIC"])  # the last: -1, 3
def test_what_is_no_packed_prediction_is_refused(text):
    with pytest.raises(ValueError, match="expected base64 of zlib"):
        unpack_predictions(text)


def test_the_schema_describes_the_record():
    schema = RunRecord.model_json_schema()
    assert set(record().model_dump()) == set(schema["properties"])
    assert {"run_id", "spec", "suite", "suite_version", "status"} <= set(schema["required"])
