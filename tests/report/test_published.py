"""Published numbers stand beside measured ones: matched by pair, with their sources, in no rank and no mean."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from fgkd.data import read_card
from fgkd.errors import UserError
from fgkd.leaderboard import check_boards, leaderboard, print_board, summary, write_boards
from fgkd.record import write_record
from fgkd.report.comparison import Comparison
from fgkd.report.markdown import board_markdown
from fgkd.report.published import NOT_MEASURED, NOTHING, Published, published_rows, read_published
from fgkd.spec import BackboneSpec
from tests.board_factory import record, run_spec, suite_records

ROOT = Path(__file__).resolve().parents[2]
FILE = """
tables:
  - dataset: cub200
    source: {paper: "A | <b>Paper</b>, 2020", table: table 1, url: "https://example.org/a", remarks: [chosen on test]}
    pairs:
      - teacher: big_net
        student: small_net
        top1: {kd: 99.75, AT2: {mean: 12.5, sd: 0.25, n: 5}, scratch: 1.5}
"""


@pytest.fixture
def published(tmp_path: Path) -> Published:
    (tmp_path / "published.yaml").write_text(FILE)
    return read_published(tmp_path)


def rows_for(published: Published, **changes: object) -> list[str]:
    groups = Comparison([record(run_spec("kd", **changes))]).tables
    return [row.method for group in groups for row in published_rows(published, group)]


def test_rows_are_for_one_data_set_protocol_teacher_and_student(published: Published) -> None:
    assert rows_for(published) == ["scratch", "AT2", "kd"]
    assert rows_for(published, student="other_net") == []
    assert rows_for(published, dataset="cub50") == []
    assert rows_for(published, dataset={"name": "cub200", "protocol": "half"}) == []
    assert rows_for(published, teacher=None) == []
    spec = run_spec("kd").feed.teacher
    assert spec is not None
    relabelled = spec.model_copy(update={"label": "mine"})
    assert rows_for(published, teacher=relabelled) == ["scratch", "AT2", "kd"]
    renamed = spec.model_copy(update={"backbone": BackboneSpec(name="other_net"), "label": "big_net"})
    assert rows_for(published, teacher=renamed) == []


def test_the_page_shows_them_apart_with_source_and_remarks(published: Published) -> None:
    page = board_markdown(suite_records(), [], title="tiny", published=published)
    without = board_markdown(suite_records(), [], title="tiny")
    start = page.index(f"### Published for this pair, {NOT_MEASURED}")
    section = page[start : page.index("\n## ", start)]
    assert page.replace(section + "\n", "") == without  # nothing else moved: no rank, no mean, no bold
    assert "| *AT2* | *12.50 (sd 0.25, n 5)* | \\[1\\] |" in section
    assert "| *kd* | *99.75* |" in section
    assert "A \\| &lt;b&gt;Paper&lt;/b&gt;, 2020; table 1, https://example.org/a (chosen on test)" in section
    assert not re.search(r"\*\*|\+-", section)


def test_the_terminal_shows_them_apart(published: Published) -> None:
    out = io.StringIO()
    print_board(suite_records(), Console(file=out, width=100), published)
    text = " ".join(out.getvalue().split())
    assert f"published for this pair, {NOT_MEASURED}: scratch 1.50[1], AT2 12.50 (sd 0.25, n 5)[1], kd 99.75[1]" in text
    assert "[1] A | <b>Paper</b>, 2020, https://example.org/a" in text
    assert max(map(len, out.getvalue().splitlines())) <= 100
    out = io.StringIO()
    print_board(suite_records(), Console(file=out, width=100), NOTHING)
    assert "published" not in out.getvalue()


def test_no_sheet_holds_them_and_check_covers_them(tmp_path: Path) -> None:
    suite = tmp_path / "tiny"
    for ours in suite_records():
        write_record(ours, suite / "records")
    (tmp_path / "published.yaml").write_text(FILE)
    files = write_boards(suite)
    assert "99.75" in files.readme.read_text()
    assert "99.75" not in files.leaderboard.read_text() + files.summary.read_text()
    assert 99.75 not in [*leaderboard(suite_records()).top1, *summary(suite_records()).top1_mean]
    assert check_boards(suite) == []
    (tmp_path / "published.yaml").write_text(FILE.replace("99.75", "99.5"))
    assert any("README.md: differs" in problem for problem in check_boards(suite))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kd: 99.75", "kd: 101", r"tables\.0\.pairs\.0\.top1\.kd"),
        ("https://", "javascript:", r"source\.url"),
        ("table: table 1, ", "", r"source\.table: Field required"),
        ("pairs:", "pears:", "pears"),
        ("tables:", "tables: [", "expected YAML"),
        (FILE, "- 1", "published.yaml"),
        (FILE, "[" * 5000, "expected YAML"),
    ],
)
def test_a_wrong_file_is_named_and_costs_no_board(tmp_path: Path, old: str, new: str, told: str) -> None:
    (tmp_path / "published.yaml").write_text(FILE.replace(old, new))
    with pytest.raises(UserError, match=told):
        read_published(tmp_path)
    write_record(record(), tmp_path / "tiny" / "records")
    files = write_boards(tmp_path / "tiny")
    assert any(problem.startswith("published.yaml: ") for problem in files.problems)
    assert "| **kd** |" in files.readme.read_text()


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert read_published(tmp_path) == NOTHING


def test_the_committed_file_names_data_and_networks_that_exist() -> None:
    from fgkd.suite import load_suite

    published = read_published(ROOT / "results")
    pairs = {(t.dataset, p.teacher, p.student) for t in published.tables for p in t.pairs}
    assert {dataset for dataset, *_ in pairs} <= {"cifar100", "imagenet", "cub200"}
    for dataset in {dataset for dataset, *_ in pairs}:
        read_card(dataset)
    ours = {
        (r.feed.dataset.name, r.feed.teacher.backbone.name, r.student.name)
        for suite in ("cifar100", "imagenet")
        for r in load_suite(suite).runs()
        if r.feed.teacher
    }
    assert {pair for pair in pairs if pair[0] != "cub200"} <= ours


def test_the_committed_numbers_are_those_of_their_sources() -> None:
    def said(dataset: str, teacher: str, student: str, method: str) -> list[str]:
        spec = run_spec("kd").feed.teacher
        assert spec is not None
        taught = spec.model_copy(update={"backbone": BackboneSpec(name=teacher)})
        (group,) = Comparison([record(run_spec("kd", dataset=dataset, teacher=taught, student=student))]).tables
        rows = published_rows(read_published(ROOT / "results"), group)
        return [row.text for row in rows if row.method == method]

    pair = ("cifar100", "cifar_resnet32x4", "cifar_resnet8x4")
    assert said(*pair, "teacher") == ["79.42"]
    assert said(*pair, "kd") == ["73.33"]
    assert said(*pair, "letkd") == ["77.09 (sd 0.18, n 5)"]
    assert said("cifar100", "cifar_vgg13", "cifar_vgg8", "crd") == ["73.94"]
    assert said("cub200", "cifar_vgg13", "cifar_vgg8", "kd") == ["64.18"]
    assert said("imagenet", "resnet34.tv_in1k", "resnet18", "wttm") == ["72.19"]
