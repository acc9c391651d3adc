"""Merging records of several machines is dropping files into a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fgkd.cli.main import main
from fgkd.leaderboard import check_boards, write_boards
from fgkd.record import RunRecord, record_path, write_record
from tests.board_factory import suite_records


def written(folder: Path, records: list[RunRecord]) -> Path:
    for ours in records:
        write_record(ours, folder / "records")
    return folder


def board_bytes(suite: Path) -> dict[str, bytes]:
    write_boards(suite)
    return {path.name: path.read_bytes() for path in suite.iterdir() if path.is_file()}


def test_the_union_of_two_halves_is_the_whole_byte_for_byte(tmp_path: Path) -> None:
    records = suite_records()
    whole = board_bytes(written(tmp_path / "whole" / "tiny", records))
    one = written(tmp_path / "one" / "tiny", records[::2])
    two = written(tmp_path / "two" / "tiny", records[1::2])
    assert board_bytes(one) != whole
    assert board_bytes(two) != whole
    for path in (two / "records").iterdir():
        shutil.copy(path, one / "records")
    assert check_boards(one)  # out of date until it is regenerated
    assert board_bytes(one) == whole
    assert check_boards(one) == []


def test_a_duplicate_with_other_content_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = written(tmp_path / "tiny", suite_records())
    plain = board_bytes(suite)
    ours = suite_records()[0]
    path = record_path(suite / "records", ours.run_id)
    name = f"{ours.run_id} (1).json"
    (path.parent / name).write_bytes(path.read_bytes())
    (problem,) = write_boards(suite).problems
    assert problem == f"{name}: a copy of {path.name}; remove it"
    other = ours.model_copy(update={"metrics": {"test_last": {"top1": 0.75}}, "epochs_done": 9})
    (path.parent / name).write_text(other.to_json())
    (problem,) = check_boards(suite)[:1]
    assert problem.startswith(f"{name}: run {ours.run_id} once more, with other content than {path.name} (")
    assert "(epochs_done, metrics)" in problem
    assert main(["board", str(suite)]) == 1
    assert "once more, with other content" in capsys.readouterr().err
    (path.parent / name).unlink()
    assert board_bytes(suite) == plain  # which record counts never depended on the copy


def test_a_folder_dropped_among_the_records_is_named(tmp_path: Path) -> None:
    suite = written(tmp_path / "tiny", suite_records()[:2])
    written(suite / "records" / "second machine", suite_records()[2:])
    (suite / "records" / ".claims").mkdir()
    (problem,) = write_boards(suite).problems
    assert problem == "second machine: a folder, which is not read; move its records up into records"


def test_a_broken_file_keeps_its_own_message(tmp_path: Path) -> None:
    suite = written(tmp_path / "tiny", suite_records()[:1])
    (suite / "records" / "kd-000000000000.json").write_text("{")
    (problem,) = write_boards(suite).problems
    assert "expected a record" in problem
