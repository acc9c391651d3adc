"""Whatever people write into names, notes and reasons, no output obeys it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from fgkd.cli.board import draw_board
from fgkd.cli.main import main
from fgkd.facts import DataFacts, Environment, TeacherFacts
from fgkd.leaderboard import print_board, write_boards
from fgkd.record import RunRecord, pack_predictions, write_record
from fgkd.report.text import csv_text, one_line
from fgkd.report.truth import Truth, write_truth
from fgkd.spec import BackboneSpec, DatasetSpec, Feed, MethodPart, MethodSpec, RunSpec, TeacherSpec
from tests.board_factory import record

HOSTILE = {
    "html": "<script>alert(1)</script>",
    "attribute": "\"'><img src=x onerror=alert(1)>",
    "table": "</td></table><h1>forged</h1>",
    "ansi": "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "c1": "\x9b31mred\x85next",
    "formula": '=HYPERLINK("http://a.b","c")',
    "plus": "+1",
    "minus": "-1+1",
    "at": "@SUM(A1)",
    "tab": "\t=1",
    "return": "\r=1",
    "wide": "\uff1d1+1",
    "lines": "a\nb\n\n# forged\n| x | y |",
    "separators": "a\u2028b\u2029c",
    "nul": "a\x00b",
    "override": "a\u202egnp.exe",
    "isolate": "a\u2066b\u2069",
    "hidden": "a\u200bb\ufeffc",
    "no character": "a\uffffb",
    "rich": "[bold red]x[/bold red] [/nothing]",
    "rich link": "[link=file:///x]y[/link]",
    "pipes": "a|b\\|c",
    "link": "[x](javascript:alert(1)) ![y](http://a.b/c.png)",
    "code": "`a` ``b`` ~c~ **d** $e$ # f",
    "template": "{{ 7 * 7 }} {% raw %} ${x}",
    "entity": "&lt;b&gt; &amp;",
    "csv": 'a","b\r\n"=1',
    "long": "x" * 2000,
}
UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]"
)


def hostile_record(text: str, seed: int = 0) -> RunRecord:
    """A record whose every free text is `text`."""
    spec = RunSpec(
        feed=Feed(
            dataset=DatasetSpec(name=text, protocol=text),
            teacher=TeacherSpec(backbone=BackboneSpec(name=text, weights=text), label=text),
        ),
        student=BackboneSpec(name=text, kwargs={text: text}),
        method=MethodSpec(label=text, parts=(MethodPart(name=text, params={text: text}),)),
        seed=seed,
    )
    scores = {"top1": 0.5, "top5": 0.75, f"top1/{text}": 0.5}
    failed = seed == 2
    return record(
        spec,
        suite=text,
        suite_version=text,
        status="failed" if failed else "ok",
        reason=text if failed else None,
        data=DataFacts(name=text, protocol=text, revision="r1", classes=2, counts={text: 3}),
        teacher=TeacherFacts(name=text, run_id=text, weights_hash=text, test_top1=0.5, notes=(text,)),
        metrics={} if failed else {"test_last": scores, "holdout_last": scores},
        curve=[{"epoch": 0, text: 0.5}],
        diagnostics={text: text},
        environment=Environment(device=text, torch=text, code_commit=text, precision=text, started=text),
        predictions=pack_predictions(np.array([0, 1, 0])),
    )


@pytest.fixture(params=HOSTILE.values(), ids=list(HOSTILE))
def text(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def suite(text: str, tmp_path: Path) -> Path:
    """A suite's folder with three hostile records, hostile class names, and a broken record of a hostile name."""
    folder = tmp_path / "results" / "suite"
    for seed in range(3):
        write_record(hostile_record(text, seed), folder / "records")
    truth = Truth(
        dataset=text,
        protocol=text,
        revision="r1",
        class_names=(text, "b"),
        targets=pack_predictions(np.array([0, 1, 1])),
    )
    write_truth(folder, truth)
    name = text.replace("/", "").replace("\x00", "")[:60]
    (folder / "records" / f"{name}.json").write_text("{}", encoding="utf-8")
    return folder


def check_seen(shown: str) -> None:
    found = UNSEEN.search(shown)
    assert found is None, (found, shown[max(0, found.start() - 60) : found.end() + 60])


def test_csv(text: str, suite: Path) -> None:
    files = write_boards(suite)
    for path, rows in ((files.leaderboard, 3), (files.summary, 1)):
        content = path.read_bytes().decode()
        check_seen(content)
        table = list(csv.DictReader(io.StringIO(content, newline="")))
        assert len(table) == rows
        for cell in (cell for row in table for cell in row.values()):
            assert not re.match(r"[=+@\uff1d\uff0b\uff0d\uff20]|-(?![\d.]+$)", cell), cell
        assert table[0]["method"] == csv_text(text)


def test_markdown(text: str, suite: Path) -> None:
    page = write_boards(suite).readme.read_bytes().decode()
    check_seen(page)
    assert not re.search(r"<[a-z/!]", page, re.IGNORECASE)
    assert page.count("\n# ") + page.startswith("# ") == 1  # the title
    bare = re.sub(r"\\.", "", page)  # without what is escaped
    assert not re.search(r"\]\(|!\[", bare)
    tables = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", bare, re.MULTILINE)]
    assert len(tables) >= 2
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1, lines


@pytest.mark.parametrize("terminal", [True, False])
def test_terminal(text: str, suite: Path, terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, color_system="truecolor" if terminal else None)
    print_board([hostile_record(text, seed) for seed in range(3)], console)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) if terminal else out.getvalue()
    check_seen(plain)
    assert one_line(text)[:6] in plain  # shown, not obeyed
    assert "\x1b]8" not in out.getvalue()  # no link


def test_picture(text: str, tmp_path: Path) -> None:
    path = tmp_path / "board.svg"
    draw_board([hostile_record(text)], text, path)
    drawn = ElementTree.parse(path).getroot()
    check_seen(path.read_text(encoding="utf-8"))
    assert not {re.sub(r"\{.*\}", "", element.tag) for element in drawn.iter()} & {
        "script",
        "img",
        "a",
        "foreignObject",
    }


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "board": lambda suite: ["board", str(suite)],
    "board --runs": lambda suite: ["board", str(suite), "--runs"],
    "board --check": lambda suite: ["board", str(suite), "--check"],
    "board --per-class": lambda suite: ["board", str(suite), "--per-class", run_of(suite)],
}


def run_of(suite: Path) -> str:
    return next(path.stem for path in sorted((suite / "records").glob("*-*.json")) if path.stat().st_size > 10)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(suite: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(COMMANDS[command](suite)) in (0, 1)
    said = capsys.readouterr()
    check_seen(said.out)
    check_seen(said.err)


def test_json(text: str, suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["board", str(suite), "--json"])
    said = capsys.readouterr().out
    check_seen(said)
    assert json.loads(said)[0]["method"] == text  # data, for programs
    assert main(["board", str(suite), "--per-class", run_of(suite), "--json"]) == 0
    said = capsys.readouterr().out
    check_seen(said)
    assert text in {row["name"] for row in json.loads(said)}
