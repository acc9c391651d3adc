"""``fgkd predict``: pictures by an exported student, whatever lies between them."""

from __future__ import annotations

import csv
import json
import weakref
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from fgkd.cli.main import main
from fgkd.cli.print import next_step
from fgkd.export import Prediction, Student
from fgkd.models import InputSpec
from fgkd.spec import ViewSpec

NAMES = ("=dark", "li\nght", "grey")


class Lightness(nn.Module):
    """Dark, light or neither, by the mean of the picture; notes how many it was shown together."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor, self.batches = nn.Parameter(torch.zeros(1)), []

    def forward(self, image: Tensor) -> Tensor:
        self.batches.append(len(image))
        mean = image.mean((1, 2, 3))
        return torch.stack([4 - 8 * mean, 8 * mean - 4, torch.zeros_like(mean)], 1)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Lightness:
    """What every folder holds."""
    network = Lightness()
    sight = InputSpec(size=16, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), interpolation="bilinear", crop_pct=1.0)
    student = Student(network, sight, ViewSpec(size=16, crop_pct=1.0), NAMES, name="lightness")
    monkeypatch.setattr("fgkd.export.load", lambda folder: student)
    return network


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures, one of them below a second folder, and files that are none."""
    (tmp_path / "b").mkdir()
    for name, grey in (("+night.png", 0), ("b/day.jpg", 255)):
        Image.new("RGB", (20, 30), (grey,) * 3).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture by its name")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.usefixtures("network")
def test_a_table_tells_file_class_and_probability(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "small", str(pictures)]) == 0
    out, err = capsys.readouterr()
    header, *rows = out.splitlines()
    assert header.split() == ["file", "class", "probability"]
    assert [row.split()[-2:] for row in rows] == [["=dark", "0.9817"], ["ght", "0.9817"]]
    assert f"{pictures}/+night.png" in rows[0]
    assert err == ""


@pytest.mark.usefixtures("network")
def test_csv_and_json_hold_the_same(
    pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    files = ["small", "+night.png", "b", "b/day.jpg", "--top", "2"]
    assert main(["predict", *files, "--csv"]) == 0
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    assert header == ["file", "class", "probability"]
    assert [row[:2] for row in rows] == [
        ["'+night.png", "'=dark"],  # no formula of a spreadsheet
        ["'+night.png", "grey"],
        ["b/day.jpg", "li ght"],  # named twice, told once
        ["b/day.jpg", "grey"],
    ]
    assert main(["predict", *files, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [entry["file"] for entry in told] == ["+night.png", "b/day.jpg"]
    flat = [(one["class"], one["probability"]) for entry in told for one in entry["classes"]]
    assert [name for name, _ in flat] == ["=dark", "grey", "li\nght", "grey"]
    assert [share for _, share in flat] == pytest.approx([float(row[2]) for row in rows], abs=1e-6)


def test_what_cannot_be_read_costs_the_others_nothing(
    pictures: Path, network: Lightness, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    monkeypatch.setattr("fgkd.cli.predict.BATCH", 3)
    Path("b/broken.jpg").write_text("broken")
    assert main(["predict", "small", "nothere.jpg", "empty", "notes.txt", ".", "--csv"]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert [line.partition(": ")[0] for line in err.splitlines()] == [
        "empty",
        "nothere.jpg",
        "notes.txt",
        "b/broken.jpg",
    ]
    assert "nothere.jpg: does not exist" in err
    assert "empty: holds no images" in err
    assert network.batches == [1, 1]  # of five files, three of which go by


def test_pictures_go_through_the_network_together(
    pictures: Path, network: Lightness, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(33):
        Image.new("RGB", (20, 20)).save(pictures / f"b/{number:02}.png")
    assert main(["predict", "small", str(pictures / "b"), "--json"]) == 0
    assert network.batches == [32, 2]
    assert len(json.loads(capsys.readouterr().out)) == 34


@pytest.mark.usefixtures("network")
def test_what_is_not_printed_is_forgotten_as_batches_come(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classify, made, alive = Student.classify, [], []

    def noted(student: Student, image: Tensor) -> list[Prediction]:
        found = classify(student, image)
        made.extend(map(weakref.ref, found))
        return found

    monkeypatch.setattr(Student, "classify", noted)
    monkeypatch.setattr("fgkd.cli.predict._show", lambda *args: alive.extend(one for one in made if one() is not None))
    assert main(["predict", "small", str(pictures)]) == 0
    assert len(made) == 2
    assert alive == []


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--top", "0"], "--top: expected 1 or more, found 0"),
        (["--device", "tpuu"], "--device tpuu: "),
        (["--csv", "--json"], "not allowed with argument"),
    ],
)
def test_mistaken_flags(capsys: pytest.CaptureFixture[str], flags: list[str], said: str) -> None:
    assert main(["predict", "small", "x.jpg", *flags]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_is_no_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(tmp_path), "x.jpg"]) == 2
    assert "expected a folder that fgkd export wrote" in capsys.readouterr().err


def test_the_next_step_can_be_pasted_into_a_shell() -> None:
    assert next_step(Path("my birds")) == "next: fgkd predict 'my birds' picture.jpg"
