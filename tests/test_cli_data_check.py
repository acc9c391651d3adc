"""``fgkd data check`` as people and programs see it, and training that heeds it."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from fgkd.cli.main import main
from fgkd.data.check import KINDS, examination
from fgkd.data.check.look import look
from fgkd.errors import UserErrors
from fgkd.runner.check.preflight import check
from fgkd.runner.check.verdicts import verdict_problems
from fgkd.runner.options import Options
from fgkd.spec import DatasetSpec
from fgkd.suite import load_suite
from tests.data.check.specimens import HOLE, JPEG, encoded, photo

HOSTILE = "\x1b[31mred\n[bold]\u202e"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data root with the set ``folder:mine``; files are looked at in this process, which saves seconds."""
    monkeypatch.setenv("FGKD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FGKD_DATA", str(tmp_path))
    monkeypatch.setattr(examination, "sweep", lambda files, workers: ((n, look(path)) for n, path in files))
    for k, kind in enumerate(("robin", "wren")):
        for split, count in (("train", 6), ("test", 2)):
            folder = tmp_path / "mine" / split / kind
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{i}.jpg").write_bytes(encoded(photo(seed=100 * k + i + 50 * (split == "test")), "JPEG"))
    return tmp_path


def test_a_clean_set_exits_with_0(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "folder:mine"]) == 0
    said = capsys.readouterr().out
    assert "folder:mine: 2 classes; train 10, holdout 2, test 4; protocol default; revision " in said
    assert "0 errors, 0 warnings, 0 notes; 16 images in " in said


def test_errors_exit_with_1_and_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "mine/train/wren/0.jpg").write_bytes(JPEG[:700])
    (root / "mine/train/wren/1.jpg").write_bytes(b"")
    assert main(["data", "check", "folder:mine"]) == 1
    said = capsys.readouterr().out
    assert "error truncated [train]: train/wren/0.jpg" in said
    assert "error zero-byte [train]: train/wren/1.jpg" in said
    assert "2 errors" in said
    assert "training will refuse this data set" in said


def test_warnings_and_notes_exit_with_0(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "mine/train/wren/0.jpg").write_bytes((root / "mine/test/robin/0.jpg").read_bytes())
    assert main(["data", "check", "folder:mine"]) == 0
    said = capsys.readouterr().out
    assert "warning duplicate-across-splits" in said
    assert "labelled wren / robin" in said


def test_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "mine/train/wren/0.jpg").write_bytes(b"")
    assert main(["data", "check", "folder:mine", "folder:mine/train", "--quick", "--json"]) == 1
    mine, part = json.loads(capsys.readouterr().out)
    assert (mine["name"], mine["mode"], part["images"], part["expected"]) == ("folder:mine", "quick", 12, {})
    wanted = {"name", "protocol", "mode", "revision", "counts", "expected", "images", "examined", "seconds", "classes"}
    assert set(mine) == wanted | {"totals", "findings", "severities", "checker"}
    (finding,) = mine["findings"]
    assert set(finding) == {"kind", "severity", "path", "split", "detail", "others"}
    assert finding["kind"] in KINDS
    assert (finding["severity"], finding["path"]) == ("error", "train/wren/0.jpg")


def test_hostile_names_reach_no_terminal(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "test"):
        (root / "mine" / split / "wren").rename(root / "mine" / split / (HOSTILE + "wren"))
    (root / f"mine/train/{HOSTILE}wren/{HOSTILE}.jpg").write_bytes(b"")
    (root / "mine/train/robin" / os.fsdecode(b"\xff\xfe.jpg")).write_bytes(HOLE[:300])
    assert main(["data", "check", "folder:mine"]) == 1
    said = capsys.readouterr().out
    assert not {c for c in said if c != "\n" and not c.isprintable()}
    assert r"\x1b[31mred\n[bold]\u202ewren/\x1b[31mred\n[bold]\u202e.jpg" in said
    assert main(["data", "check", "folder:mine", "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)[0]["findings"]) == 2


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["folder:nowhere"], "does not exist"),
        (["folder:mine", "--workers", "0"], "--workers: expected at least 1"),
        ([""], "expected a name, found nothing"),
        (["folder:mine", "--cache", "/dev/null/x"], "cannot write to /dev/null/x"),
    ],
)
def test_mistakes_exit_with_2(root: Path, capsys: pytest.CaptureFixture[str], argv: list[str], text: str) -> None:
    assert main(["data", "check", *argv]) == 2
    assert text in capsys.readouterr().err


def preflight(root: Path) -> list[str]:
    """Check a run on ``folder:mine``; what the console was told."""
    runs = load_suite("smoke").runs()
    spec, said = DatasetSpec(name="folder:mine"), []
    run = next(run for run in runs if run.feed.teacher is None)
    run = run.model_copy(update={"feed": run.feed.model_copy(update={"dataset": spec, "batch_size": 4})})
    check([run], Options(data_root=root, results=root / "results", cache=root / "cache"), root / "results", said.append)
    return said


def test_a_verdict_holds_however_the_root_is_spelt(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(photo(seed=9), "PNG")
    (root / "mine/train/wren/9.png").write_bytes(data[:400] + bytes(100) + data[500:])  # headers do not show it
    monkeypatch.chdir(root)
    assert main(["data", "check", "folder:mine", "--data-root", "."]) == 1
    with pytest.raises(UserErrors, match="fgkd data check"):
        preflight(root)


def test_the_command_that_is_told_can_be_typed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names with spaces are quoted, and it says where the data are, if that is not where it would look."""
    monkeypatch.delenv("FGKD_DATA")
    monkeypatch.chdir("/")
    (root / "mine").rename(root / "my images")
    said: list[str] = []
    assert verdict_problems(DatasetSpec(name="folder:my images"), root, root / "cache", said.append) == []
    typed = said[0].partition("; ")[2].removesuffix(" reads them whole")
    assert main(shlex.split(typed)[1:]) == 0
    assert "16 images" in capsys.readouterr().out


def test_training_looks_at_headers_once(root: Path) -> None:
    said = preflight(root)
    assert any("the headers of 16 images are fine; fgkd data check folder:mine reads them whole" in s for s in said)
    assert not [line for line in preflight(root) if "headers" in line]


def test_training_refuses_what_a_full_check_has_found(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / f"mine/train/wren/{HOSTILE}.png"
    data = encoded(photo(seed=9), "PNG")
    path.write_bytes(data[:400] + bytes(100) + data[500:])  # neither header nor end shows it
    preflight(root)
    assert main(["data", "check", "folder:mine"]) == 1
    with pytest.raises(UserErrors) as caught:
        preflight(root)
    assert "a file would stop training" in str(caught.value)
    assert r"train/wren/\x1b[31mred\n[bold]\u202e.png: " in str(caught.value)
    path.unlink()
    preflight(root)


def test_training_refuses_what_headers_show(root: Path) -> None:
    for i in range(13):
        (root / f"mine/train/wren/cut{i:02d}.jpg").write_bytes(JPEG[: 700 + i])
    with pytest.raises(UserErrors, match="13 files would stop training") as caught:
        preflight(root)
    assert "cut09.jpg: truncated" in str(caught.value)
    assert "cut10.jpg" not in str(caught.value)
    assert "and 3 more" in str(caught.value)


def test_training_tells_of_warnings(root: Path) -> None:
    (root / "mine/train/wren/0.jpg").write_bytes((root / "mine/test/wren/0.jpg").read_bytes())
    assert main(["data", "check", "folder:mine"]) == 0
    assert any("tells 1 warning" in line for line in preflight(root))


def test_one_of_a_kind_is_told_in_the_singular(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "mine/train/wren/1.jpg").write_bytes(b"")
    assert main(["data", "check", "folder:mine"]) == 1
    assert "1 error, 0 warnings, 0 notes;" in capsys.readouterr().out
