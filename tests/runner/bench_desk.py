"""A folder with a small suite, results and a cache, and the command line before it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from fgkd.cli.main import main
from tests.soak import TIMES

SUITE = """
name: small
version: 1
datasets: [{name: synthetic_birds, protocol: tiny}]
teachers:
  - {backbone: test_resnet, size: 32, gate: 0.0, train: {epochs: 1, batch_size: 60, recipe: {lr: 0.01}}}
students: [{backbone: test_efficientnet, size: 32}]
methods:
METHODS
view: {size: 32, augment: light}
recipe: {lr: 0.01}
epochs: 2
batch_size: 60
"""
STEPS = 4  # per epoch; the teacher's cohort takes the first four


class Desk:
    """Benches suites of given methods."""

    def __init__(self, folder: Path, methods: tuple[str, ...]) -> None:
        self.folder, self.methods = folder, methods
        self.suite, self.results, self.cache = folder / "small.yaml", folder / "results", folder / "cache"
        self.records_folder = self.results / "small" / "records"

    def bench(self, *flags: str) -> int:
        self.suite.write_text(SUITE.replace("METHODS", "\n".join(f"  - {method}" for method in self.methods)))
        places = ["--results", str(self.results), "--cache", str(self.cache)]
        return main(["bench", "--suite", str(self.suite), *places, *flags])

    def records(self) -> dict[str, dict[str, Any]]:
        """By method and seed, without times and company."""
        found = {}
        for path in self.records_folder.glob("*.json"):
            record = json.loads(path.read_text())
            record["costs"] = {name: value for name, value in record["costs"].items() if name not in TIMES}
            for name in ("started", "finished", "code_commit"):
                del record["environment"][name]
            del record["cohort"]
            found[f"{record['spec']['method']['label']} {record['spec']['seed']}"] = record
        return found

    def statuses(self) -> dict[str, str]:
        return {name: record["status"] for name, record in self.records().items()}

    def copied(self, folder: Path, methods: tuple[str, ...], keep: str = "teacher") -> Desk:
        """A desk in `folder` on which only the runs that `keep` begins the ids of are recorded."""
        desk = Desk(folder, methods)
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        for path in desk.records_folder.glob("*.json"):
            if not path.name.startswith(keep):
                path.unlink()
                shutil.rmtree(desk.cache / "weights" / path.stem)
        return desk
