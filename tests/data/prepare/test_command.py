"""``fgkd data prepare`` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fgkd.cli.main import main
from fgkd.data import problems
from fgkd.spec import DatasetSpec
from tests.data.prepare.conftest import pack
from tests.data.prepare.sets import MINIS


@pytest.fixture
def layout(tmp_path: Path, shrink, write_picture) -> Path:
    shrink("oxford_pets", 2)
    MINIS["oxford_pets"].write(tmp_path / "pets", write_picture)
    return tmp_path / "pets"


def run(tmp_path: Path, *words: object) -> int:
    places = ["--data-root", str(tmp_path / "root"), "--cache", str(tmp_path / "cache")]
    return main(["data", "prepare", "oxford_pets", *map(str, words), *places])


def test_archives_in_one_or_several_flags(layout, tmp_path, capsys):
    images, lists = (pack(tmp_path / f"{name}.tgz", layout, [name]) for name in ("images", "annotations"))
    assert run(tmp_path, "--from", images, "--from", lists) == 0
    out, err = capsys.readouterr()
    assert "oxford_pets is ready in" in out
    assert "train 4, holdout 2, test 2; revision " in out
    assert "2 classes, Abyssinian to Shiba Inu; protocol official" in out
    assert "unpacking images.tgz" in err
    assert run(tmp_path, "--from", images, lists, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["was_there"], told["class_names"], told["counts"]["test"]) == (True, ["Abyssinian", "Shiba Inu"], 2)


def test_file_names_cannot_write_to_the_terminal(layout, tmp_path, capsys):
    (layout / "annotations/test.txt").write_text("\x1b[2J_4 1 1 1\nShiba_Inu_4 2 1 1\n")
    assert run(tmp_path, "--from", layout) == 2
    err = capsys.readouterr().err
    assert "\\x1b[2J_4.jpg" in err.replace("\n", "")
    assert "\x1b" not in err


def test_mistakes_are_told_in_one_message(layout, tmp_path, capsys):
    assert run(tmp_path, "--from", "nowhere.tgz") == 2
    assert "nowhere.tgz: No such file" in capsys.readouterr().err
    assert run(tmp_path) == 2
    assert "--from: expected what to prepare oxford_pets from" in capsys.readouterr().err
    assert run(tmp_path, "--from", layout, "--link", "--move") == 2
    assert "not allowed with argument --link" in capsys.readouterr().err


def test_a_data_set_that_lacks_says_how_to_get_it(tmp_path):
    (text,) = problems(DatasetSpec(name="cub200"), tmp_path)
    assert "fgkd data prepare cub200 --from FILE..." in text
    assert "--from hub takes the copy hub:bentrevett/" in text
    (text,) = problems(DatasetSpec(name="stanford_dogs"), tmp_path)
    assert "--from hub" not in text
