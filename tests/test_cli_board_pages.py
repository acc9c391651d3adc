"""``fgkd board``: pages of suites, the page over all of them, and the one with the user's own images."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgkd.cli.main import main
from fgkd.cli.thumbnails import thumbnail
from fgkd.data import open_dataset
from fgkd.facts import DataFacts
from fgkd.record import pack_predictions, write_record
from fgkd.spec import DatasetSpec
from tests.board_factory import record, run_spec


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The records of two runs on a folder of images; both take the first test image for the other class."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("<b>jay</b>", "tit"):
            (tmp_path / "birds" / split / name).mkdir(parents=True)
            for i in range(8):
                pixels = rng.integers(0, 255, (90, 160, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "birds" / split / name / f"{i}.jpg")
    monkeypatch.chdir(tmp_path)
    dataset = DatasetSpec(name="folder:birds")
    data = open_dataset(dataset, tmp_path, cache=tmp_path / "cache")
    answers = data.test.targets.copy()
    answers[0] = 1 - answers[0]
    facts = DataFacts(name=data.name, protocol=data.protocol, revision=data.revision, classes=2)
    for method in ("scratch", "kd"):
        spec = run_spec(method, dataset=dataset)
        one = record(spec, 0.9, data=facts, predictions=pack_predictions(answers), suite="mine")
        write_record(one, tmp_path / "results" / "mine" / "records")
    return tmp_path / "results"


def test_the_page_over_all_suites_is_written_and_checked(results: Path) -> None:
    assert main(["board", "results"]) == 0
    page = results / "report.html"
    assert "All suites" in page.read_text(encoding="utf-8")
    assert main(["board", "results", "--check"]) == 0
    page.write_text("other")
    assert main(["board", "results", "--check"]) == 1
    assert main(["board", "--suite", "mine", "--check"]) == 0  # one suite does not answer for all


def test_thumbnails_show_the_images_and_leave_the_board_alone(results: Path) -> None:
    assert main(["board", "--suite", "mine"]) == 0
    board = (results / "mine" / "report.html").read_bytes()
    assert b"data:image/jpeg" not in board
    assert main(["board", "--suite", "mine", "--thumbnails", "--data-root", ".", "--cache", "cache"]) == 0
    page = (results / "mine" / "report-thumbnails.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 1
    assert "<b>jay" not in page
    assert (results / "mine" / "report.html").read_bytes() == board
    assert main(["board", "results", "--check"]) == 0


def test_thumbnails_without_the_data_say_so(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results.parent / "birds").rename(results.parent / "gone")
    assert main(["board", "--suite", "mine", "--thumbnails", "--data-root", ".", "--cache", "cache"]) != 0
    assert "no images to show" in capsys.readouterr().err


def test_a_thumbnail_is_small_and_carries_no_metadata(tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 200), "red")
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    picture.save(tmp_path / "a.jpg", exif=exif)
    text = thumbnail(tmp_path / "a.jpg")
    assert text.startswith("data:image/jpeg;base64,")
    assert len(text) < 3000
    shown = Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2])))
    assert not shown.getexif()


def test_a_picture_is_of_one_board_and_what_cannot_be_written_is_told(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "taken").mkdir()
    assert main(["board", "--suite", "mine", "--svg", str(results / "taken")]) == 2
    assert "cannot write the board of" in capsys.readouterr().err
    write_record(record(run_spec("kd"), 0.9, suite="yours"), results / "yours" / "records")
    assert main(["board", str(results), "--svg", "board.svg"]) == 2
    assert "--svg: draws one board, and there are 2 suites" in capsys.readouterr().err
    assert not Path("board.svg").exists()
