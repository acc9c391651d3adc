"""A whole data set: counts, surplus, classes, and the verdict that is kept."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from fgkd.data import open_dataset
from fgkd.data.check import examination, examine, verdict_on
from fgkd.data.check.look import Look
from fgkd.data.check.report import MOST, Report, sorted_findings
from fgkd.data.check.verdict import read_verdict
from fgkd.spec import DatasetSpec
from fgkd.text import printable
from tests.data.check.specimens import HOLE, SPECIMENS

MINE = DatasetSpec(name="folder:mine")
HOSTILE = "a\x1b[31mred\n[bold]\u202e.jpg"


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch) -> None:
    """Starting processes takes seconds; `test_sweep.py` does it."""
    monkeypatch.setattr(
        examination, "sweep", lambda files, workers: ((number, examination_look(path)) for number, path in files)
    )


def examination_look(path: Path) -> Look:
    from fgkd.data.check.look import look

    return look(path)


def full(root: Path, **options) -> Report:
    return examine(MINE, root, cache=root / "cache", workers=1, **options)


def test_a_clean_set(root: Path) -> None:
    done = []
    report = full(root, watch=lambda seen, of: done.append((seen, of)))
    assert (report.totals, report.findings) == ({}, ())
    assert (report.mode, report.images, report.examined) == ("full", 24, 24)
    assert report.counts == {"train": 17, "holdout": 3, "test": 4}
    assert report.revision == open_dataset(MINE, root, cache=root).revision
    assert done == [(i, 24) for i in range(1, 25)]
    assert (report.classes.smallest, report.classes.imbalance, report.classes.singletons) == (10, 1.0, ())


def test_every_specimen_in_one_set(root: Path) -> None:
    for name, (write, _) in SPECIMENS.items():
        if "." in name and name != "folder.jpg":
            write(root / "mine/train/wren" / name)
    wanted = {name: kinds for name, (_, kinds) in SPECIMENS.items() if kinds}
    found: dict[str, set[str]] = {}
    for finding in full(root).findings:
        found.setdefault(Path(finding.path).name, set()).add(finding.kind)
    named = {name: found.get(name, set()) - {"duplicate", "near-duplicate"} for name in wanted}
    del named["folder.jpg"], wanted["folder.jpg"]
    loose = {"pipe.jpg", "dangling.jpg", "loop.jpg"}  # no regular files: an image folder does not list them
    assert {n: k for n, k in named.items() if n not in loose} == {n: k for n, k in wanted.items() if n not in loose}
    assert len([kinds for kinds in wanted.values() if kinds]) >= 15


def test_listed_files_that_are_missing(root: Path) -> None:
    rows = [f"mine/{p.relative_to(root / 'mine').as_posix()},{p.parent.name}" for p in sorted(root.rglob("*.jpg"))]
    (root / "t.csv").write_text("\n".join(["path,label", *rows, "mine/gone.jpg,wren", rows[0]]) + "\n")
    report = examine(DatasetSpec(name="table:t.csv"), root, cache=root / "cache")
    assert report.totals["missing"] == 1
    assert report.of("error")[0].path == "mine/gone.jpg"
    assert report.revision == ""
    assert not list((root / "cache").rglob("*.json")), "there is no revision to keep it by"
    assert report.images == len(rows) + 1, "a row that is repeated counts once"


def test_lists_that_are_not_the_cards(shared_data: Path, tmp_path: Path) -> None:
    lists = tmp_path / "CUB_200_2011"
    shutil.copytree(shared_data / "CUB_200_2011", lists, ignore=shutil.ignore_patterns("*.jpg"))
    rows = (lists / "images.txt").read_text().splitlines(keepends=True)
    (lists / "images.txt").write_text("".join(rows[:-1]))
    report = examine(DatasetSpec(name="cub50"), tmp_path, cache=tmp_path / "cache")
    assert report.totals == {"protocol": 1, "missing": 2888}
    assert "expected train 1500, test 1389" in report.findings[0].detail
    assert report.expected == {"train": 1500, "test": 1389}


def test_surplus_is_told_unless_it_is_hidden_or_elsewhere(root: Path) -> None:
    for name in ("mine/test/robin/new.heic", "mine/train/wren/.hidden.jpg", "mine/train/wren/notes.txt"):
        (root / name).write_bytes(b"x")
    (root / "other").mkdir()
    shutil.copy(root / "mine/train/wren/0.jpg", root / "other/elsewhere.jpg")
    report = full(root)
    assert [(f.kind, f.path) for f in report.findings] == [("surplus", "test/robin/new.heic")]


def test_classes_with_one_image(root: Path) -> None:
    for i in range(1, 10):
        (root / f"mine/train/wren/{i}.jpg").unlink()
    classes = full(root).classes
    assert (classes.smallest, classes.median, classes.largest, classes.imbalance) == (1, 5.5, 10, 10.0)
    assert classes.singletons == ("wren",)


def test_a_report_survives_json(root: Path) -> None:
    (root / "mine/train/wren/1.jpg").write_bytes(b"")
    shutil.copy(root / "mine/train/wren/2.jpg", root / "mine/test/wren/2.jpg")
    (root / "mine/train/wren" / os.fsdecode(b"\xff.jpg")).write_bytes(HOLE)
    report = full(root)
    values = json.loads(json.dumps(report.to_json()))
    assert Report.from_json(values) == report
    assert values["severities"] == {"error": 1, "warning": 1, "note": 0}
    assert values["totals"] == {"zero-byte": 1, "duplicate-across-splits": 1}


def test_many_findings_are_counted_and_some_are_kept() -> None:
    from fgkd.data.check import Finding

    totals, kept = sorted_findings(Finding("cmyk", f"{i:05d}") for i in reversed(range(MOST + 5)))
    assert totals == {"cmyk": MOST + 5}
    assert (len(kept), kept[0].path) == (MOST, "00000")


def verdict(root: Path) -> tuple[Report, bool]:
    data = open_dataset(MINE, root, cache=root / "cache")
    return verdict_on(data, MINE, root, cache=root / "cache")


def test_without_a_verdict_headers_are_looked_at_once(root: Path) -> None:
    report, fresh = verdict(root)
    assert (report.mode, report.examined, fresh) == ("quick", 24, True)
    assert verdict(root) == (report, False)


def test_a_full_verdict_is_used_and_not_replaced(root: Path) -> None:
    verdict(root)
    report = full(root)
    assert verdict(root) == (report, False)
    full(root, quick=True)
    assert verdict(root)[0].mode == "full"


def test_files_changed_in_place_are_looked_at_again(root: Path) -> None:
    path = root / "mine/train/wren/3.jpg"
    whole = path.read_bytes()
    revision = full(root).revision
    path.write_bytes(bytes(len(whole)))  # the same size, so the same revision
    os.utime(path, ns=(1, 1))
    report, fresh = verdict(root)
    assert report.revision == revision
    assert (fresh, report.totals) == (True, {"unreadable": 1})
    path.write_bytes(whole)
    assert verdict(root)[0].totals == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"checker": 0}'])
def test_a_verdict_that_cannot_be_used_is_made_anew(root: Path, text: str) -> None:
    verdict(root)
    (path,) = (root / "cache/checks").glob("*.json")
    path.write_text(text)
    assert read_verdict(path) is None
    assert verdict(root)[1]
    assert read_verdict(path)


def test_hostile_names_are_spelt_out() -> None:
    safe = printable(HOSTILE + os.fsdecode(b"\xff"))
    assert safe == r"a\x1b[31mred\n[bold]\u202e.jpg\udcff"
    assert printable("Gr\u00fcnfink 3.jpg") == "Gr\u00fcnfink 3.jpg"
