"""``fgkd data cache`` end to end, on drawn birds."""

from __future__ import annotations

from pathlib import Path

import pytest

from fgkd.cli.main import main
from fgkd.data import open_dataset
from fgkd.data.decoded import find
from fgkd.spec import DatasetSpec, ViewSpec

TINY = DatasetSpec(name="synthetic_birds", protocol="tiny")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FGKD_CACHE", str(tmp_path))
    return tmp_path


def command(*words: str) -> int:
    return main(["data", "cache", *words])


def test_build_list_and_remove(cache, capsys):
    birds = ["synthetic_birds", "--protocol", "tiny"]
    assert command(*birds, "--size", "40", "--dry-run") == 0
    data = open_dataset(TINY, Path(), cache=cache)
    told = capsys.readouterr().out
    assert f"{sum(data.counts.values())} images with a shorter side of at most 40 px: " in told
    assert command("--list") == 0
    assert "no decoded caches below" in capsys.readouterr().out

    assert command(*birds, "--size", "40") == 0
    assert "done in" in capsys.readouterr().out
    assert find(data, ViewSpec(size=32, shorter_side=40), cache)[0] is not None
    assert command(*birds, "--size", "48") == 0
    assert command("--list") == 0
    listed = capsys.readouterr().out
    assert listed.count("tiny") == 2
    for part in ("40 px", "48 px", data.revision):
        assert part in listed

    assert command(*birds, "--remove", "--size", "40", "--dry-run") == 0
    assert f"would remove {cache / 'decoded'}" in capsys.readouterr().out
    assert find(data, ViewSpec(size=32, shorter_side=40), cache)[0] is not None

    assert command(*birds, "--remove", "--size", "40") == 0
    assert "removed" in capsys.readouterr().out
    assert find(data, ViewSpec(size=32, shorter_side=40), cache)[0] is None
    assert find(data, ViewSpec(size=32, shorter_side=48), cache)[0] is not None
    assert command(*birds, "--remove") == 0
    assert command(*birds, "--remove", "--dry-run") == 2
    assert command(*birds, "--remove") == 2
    assert "no decoded cache of synthetic_birds" in capsys.readouterr().err


def test_the_caches_of_images_that_are_gone_can_be_removed(cache, tmp_path, write_picture, capsys):
    for number in range(8):
        write_picture(tmp_path / f"mine/{'ab'[number % 2]}/{number}.jpg", number)
    folder = ["folder:mine", "--data-root", str(tmp_path)]
    assert command(*folder, "--size", "16") == 0
    (tmp_path / "mine").rename(tmp_path / "gone")
    assert command(*folder, "--remove") == 0
    assert command("--list") == 0
    assert "no decoded caches" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected NAME"),
        (["synthetic_birds"], "expected --size N"),
        (["synthetic_birds", "--size", "0"], "--size: expected at least 16 px, found 0"),
        (["synthetic_birds", "--size", "40", "--threads", "0"], "--threads: expected at least 1, found 0"),
        (["synthetic_bird", "--size", "40"], "did you mean synthetic_birds"),
        (["cub200", "--size", "40", "--data-root", "."], "CUB_200_2011 does not exist"),
    ],
)
def test_mistakes(cache, capsys, words, said):
    assert command(*words) == 2
    assert said in capsys.readouterr().err.replace("\n", " ")
