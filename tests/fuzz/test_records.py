"""Records as a trainer leaves them, damaged; and boards of those that are accepted all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from fgkd.leaderboard import check_boards, write_boards
from fgkd.record import read_records, recorded_ids, write_record
from fgkd.spec import RunSpec
from tests.board_factory import record, run_spec, suite_records
from tests.fuzz.mutants import damaged, fuzz, mutants

OTHERS = suite_records()
VICTIM = record(run_spec("kd", seed=7))
FIELDS = json.loads(VICTIM.to_json())


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "tiny"
    for other in OTHERS[:4]:
        write_record(other, folder / "records")
    return folder


def board_of(suite: Path, name: str, text: str) -> int:
    """Make the board with one more file among the records; how many records are in it?"""
    file = suite / "records" / f"{name}.json"
    file.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    try:
        records, problems = read_records(suite / "records")
        assert len(records) + len(problems) == 5
        recorded_ids(suite / "records")
        if not problems:  # what boards say of refused files is told in tests/test_untrusted.py
            assert not write_boards(suite).problems
            assert not check_boards(suite)
        return len(records)
    finally:
        file.unlink()


@fuzz
@given(damaged(VICTIM.to_json()))
def test_damaged_text(suite: Path, text: str) -> None:
    assert board_of(suite, VICTIM.run_id, text) >= 4


@fuzz
@given(mutants(FIELDS))
def test_damaged_values(suite: Path, fields: object) -> None:
    name = VICTIM.run_id
    try:  # whoever edits a record by program may name it after what it holds then
        own = RunSpec.model_validate(fields["spec"]).run_id  # type: ignore[index]
        if own not in {other.run_id for other in OTHERS}:
            name = fields["run_id"] = own  # type: ignore[index]
    except Exception:
        pass
    assert board_of(suite, name, json.dumps(fields)) >= 4
