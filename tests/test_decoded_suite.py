"""A suite that reads the decoded cache ends with the weights of one that reads the files, and says what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from fgkd.cli.main import main
from fgkd.record import read_records

SUITE = """
name: mine
version: 1
datasets: [{name: synthetic_birds, protocol: tiny}]
students: [test_resnet]
methods: [scratch]
view: {size: 32, shorter_side: 40}
recipe: {lr: 0.01}
epochs: 1
batch_size: 30
"""
COMMAND = ["data", "cache", "synthetic_birds", "--protocol", "tiny", "--size", "40"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FGKD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine.yaml").write_text(SUITE)
    return tmp_path


def outcome(desk: Path, results: str) -> tuple[object, ...]:
    """What the suite's one run leaves when it writes to this folder."""
    assert main(["bench", "--suite", str(desk / "mine.yaml"), "--results", str(desk / results)]) == 0
    (record,), _ = read_records(desk / results / "mine" / "records")
    return record.run_id, record.student.weights_hash, record.metrics, record.predictions


def test_the_cache_changes_what_is_read_and_nothing_else(desk, capsys, monkeypatch):
    from_files = outcome(desk, "files")
    told = f"image files are decoded; fgkd {' '.join(COMMAND[:3])} --size 40 --protocol tiny would spare that"
    assert told in capsys.readouterr().out

    assert main(COMMAND) == 0
    with monkeypatch.context() as patch:
        patch.setattr("fgkd.data.images.Files.__getitem__", None)
        assert outcome(desk, "cached") == from_files
    assert "pictures come from the decoded cache" in capsys.readouterr().out
