"""The state of a cohort on disk: generations, each written beside the last and named when it is whole.

    <folder>/<number>-r<rank>/<run_id>.pt    one learner, read with weights_only=True
                              manifest.json  the position, the digest of every file, what each run belongs to

A teacher is never inside: it is read from the store, and the manifest names its weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from fgkd.files import sync_folder

KEPT = 2  # generations: a damaged newest one falls back to the one before
MANIFEST = "manifest.json"

Facts = Mapping[str, Any]  # what a state belongs to: versions, data, the teacher's weights


class Generation:
    """One whole saving by one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What was written last; empty where it cannot be read."""
        try:
            found = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and {"position", "cohort", "runs"} <= found.keys() else {}

    @property
    def position(self) -> tuple[int, int]:
        """(epochs closed, lessons of the running epoch)."""
        epoch, step = self.manifest["position"]
        return epoch, step

    @property
    def token(self) -> tuple[Any, ...]:
        """The same for the parts that several processes wrote together, and for nothing else."""
        return (self.position, self.manifest["session"], self.folder.parent.name)

    def holds(self, runs: Iterable[str]) -> bool:
        """Whether all of these runs are in it."""
        return set(runs) <= self.manifest.get("runs", {}).keys()

    def is_of_use(self, runs: Iterable[str]) -> bool:
        """Whether somebody of them still learns in it, or ended well; not all of them wait for more memory."""
        return any(self.manifest["runs"][run_id].get("status") != "oom" for run_id in runs)

    def strange_facts(self, facts: Mapping[str, Facts]) -> list[str]:
        """Names of the facts that differ from what the runs (by id) belong to now."""
        saved = {run_id: self.manifest["runs"][run_id]["facts"] for run_id in facts}
        pairs = [(saved[run_id], now) for run_id, now in facts.items()]
        return sorted({k for then, now in pairs for k in {*then, *now} if then.get(k) != now.get(k)})

    def whole(self, runs: Iterable[str]) -> bool:
        """Whether the files of these runs are what was written."""
        try:
            return all(_digest(self._file(run_id)) == self.manifest["runs"][run_id]["sha256"] for run_id in runs)
        except OSError:
            return False

    def learner(self, run_id: str) -> dict[str, Any]:
        """The state of one learner, on the CPU."""
        return torch.load(self._file(run_id), map_location="cpu", weights_only=True)

    def _file(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.pt"


class Shelf:
    """The generations of one cohort that one process wrote.

    Args:
        folder: of the cohort; made when something is saved.
        facts: run id -> what its state belongs to, as plain values.
        note: what stands in the manifests beside; `session` is the same text for all processes of a launch, another one
            for every launch.
        rank: of this process.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Facts], *, note: Facts | None = None, rank: int = 0) -> None:
        self.folder, self.facts, self.rank = folder, facts, rank
        self.note: Facts = {"session": ""} if note is None else note

    def generations(self) -> list[Generation]:
        """Newest first; what is in a state of being written, or cannot be read, is not among them."""
        found = [Generation(path) for path in sorted(self.folder.glob(f"[0-9]*-r{self.rank}"), reverse=True)]
        return [generation for generation in found if generation.manifest]

    def save(self, position: tuple[int, int], cohort: Facts, learners: Mapping[str, Mapping[str, Any]]) -> None:
        """Write a generation; it gets its name when all of it is on the disk.

        Raises:
            OSError, RuntimeError: it could not be written; earlier generations are untouched.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name.partition("-")[0]) for path in self.folder.glob(f"[0-9]*-r{self.rank}")]
        name = f"{max(numbers, default=0) + 1:06d}-r{self.rank}"
        draft = self.folder / f".{name}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            draft.mkdir()
            runs = {
                run_id: {
                    "sha256": _write(draft / f"{run_id}.pt", state),
                    "facts": dict(self.facts[run_id]),
                    "status": state.get("status"),
                }
                for run_id, state in learners.items()
            }
            manifest = {**self.note, "position": position, "cohort": cohort, "runs": runs}
            _write_json(draft / MANIFEST, manifest)
            sync_folder(draft)
            draft.rename(self.folder / name)
            sync_folder(self.folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def prune(self, keep: int = KEPT) -> None:
        """Remove all but the newest generations, and what killed processes left half written."""
        old = sorted(self.folder.glob(f"[0-9]*-r{self.rank}"), reverse=True)[keep:]
        for path in [*old, *self.folder.glob(f".*-r{self.rank}.*.tmp")]:
            shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything of this process, and the folder with the last one."""
        self.prune(keep=0)
        try:
            self.folder.rmdir()
        except OSError:  # another process's generations are in it, or it never was
            return


def _write(path: Path, state: Mapping[str, Any]) -> str:
    """Write the state durably; the digest of the file."""
    with path.open("xb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    return _digest(path)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    with path.open("x", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
