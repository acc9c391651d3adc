"""A long-tailed folder of one's own, through the command line: nothing stumbles over a class of one image."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fgkd.cli.main import main
from fgkd.record import RunRecord, read_records

SUITE = """
name: tail
version: 1
datasets: ["folder:FOLDER"]
students: [{backbone: test_resnet, size: 32}]
methods: [scratch]
view: {size: 32, augment: light}
recipe: {lr: 0.05}
epochs: 2
batch_size: 8
"""
SIZES = {"common": 40, "middling": 6, "rare": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images, and a suite for them."""
    folder, draw = tmp_path_factory.mktemp("tail"), np.random.default_rng(0)
    for split, sizes in (("train", SIZES), ("test", dict.fromkeys(SIZES, 3))):
        for label, (name, size) in enumerate(sizes.items()):
            (folder / "images" / split / name).mkdir(parents=True)
            for i in range(size):
                pixels = draw.integers(0, 100, (40, 40, 3), dtype=np.uint8)
                pixels[..., label] += 100
                cv2.imwrite(str(folder / "images" / split / name / f"{i}.png"), pixels)
    (folder / "tail.yaml").write_text(SUITE.replace("FOLDER", str(folder / "images")))
    return folder


def bench(folder: Path, *flags: str) -> None:
    """Run the suite."""
    where = ["--results", str(folder / "results"), "--cache", str(folder / "cache")]
    assert main(["bench", "--suite", str(folder / "tail.yaml"), *where, *flags]) == 0


def test_samplers_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for sampler in ("shuffle", "sqrt", "balanced"):
        bench(folder, "--set", f"sampler={sampler}")
    records, _ = read_records(folder / "results/tail/records")
    by_sampler: dict[str, RunRecord] = {record.spec.feed.sampler: record for record in records}
    assert set(by_sampler) == {"shuffle", "sqrt", "balanced"}
    assert all(record.data.counts == {"train": 40, "holdout": 7, "test": 9} for record in records)
    assert {record.costs.images_seen for record in records} == {2 * 40}, "an epoch is as long as ever"
    assert len({record.student.weights_hash for record in records}) == 3
    page = (folder / "results/tail/README.md").read_text()
    titles = "\n".join(line for line in page.splitlines() if line.startswith("## "))
    assert titles.count("all classes shown equally often") == 1, "tables of one pair are headed by what sets them apart"
    assert titles.count("in proportion to the square root of their size") == 1
    capsys.readouterr()
    run_id = by_sampler["balanced"].run_id
    assert main(["board", "--per-class", run_id, "--results", str(folder / "results"), "--json"]) == 0
    classes = json.loads(capsys.readouterr().out)
    assert [(c["name"], c["images"]) for c in classes] == [(name, 3) for name in sorted(SIZES)]
