"""A board in the terminal: it fits, the best is bold, ties are marked, and files and pipes get plain text."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from fgkd.cli.main import main
from fgkd.leaderboard import print_board
from fgkd.record import RunRecord, write_record
from fgkd.spec import TeacherSpec
from tests.board_factory import record, run_spec, suite_records

NAMES = ("crd", "kd", "scratch")


def shown(records: list[RunRecord], width: int = 100, *, terminal: bool = False) -> str:
    out = io.StringIO()
    colours = "standard" if terminal else None
    print_board(records, Console(file=out, width=width, force_terminal=terminal, color_system=colours))
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_long_names_fit(width: int) -> None:
    teacher = TeacherSpec(backbone="vit_huge_patch14_clip_336." + "x" * 60)
    spec = run_spec("kd+" + "very_long_method_name_" * 4, teacher=teacher, student="mobilenetv4_" + "y" * 60)
    text = shown([*suite_records(), record(spec, 0.5)], width)
    assert max(map(len, text.splitlines())) <= min(width, 100)
    assert text.replace("\n", "").replace(" ", "").count("y" * 60) == 1  # folded, not cut


def test_files_and_pipes_get_plain_ascii() -> None:
    assert shown(suite_records()).isascii()
    assert "\x1b" not in shown(suite_records())
    assert "─" in shown(suite_records(), terminal=True)


def test_the_best_is_bold_and_ties_are_marked() -> None:
    lines = shown(suite_records(), terminal=True).splitlines()
    crd, kd, scratch = (next(line for line in lines if re.search(rf"(?<!vs ){name}\b", line)) for name in NAMES)
    assert "\x1b[1m" in crd
    assert "\x1b[1m" not in kd + scratch
    assert " ~" not in crd
    assert " ~" in kd  # 56.00 +- 4.30 against 62.33 +- 7.99
    assert " ~" not in scratch  # 51.00 +- 2.48 ends below


def test_a_suite_folder_is_shown_from_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = tmp_path / "tiny"
    write_record(record(), suite / "records")
    pairs = "[{teacher: big_net, student: small_net, top1: {kd: 99.75}}]"
    source = '{paper: P, table: T, url: "https://example.org"}'
    (tmp_path / "published.yaml").write_text(f"tables: [{{dataset: cub200, source: {source}, pairs: {pairs}}}]")
    assert main(["board", str(suite)]) == 0
    assert "99.75" in capsys.readouterr().out
    monkeypatch.chdir(suite)
    assert main(["board", os.curdir]) == 0
    assert "99.75" in capsys.readouterr().out
    assert "99.75" in (suite / "README.md").read_text()
