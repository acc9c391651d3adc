"""What a process that runs a suite says of itself, in a file that is replaced about once a second.

    results/<suite>/.progress/<host>-<pid>.json

Nothing depends on these files: they may be lost, late, or left behind by a process that was killed.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fgkd.processes import process_exists

FOLDER = ".progress"
GONE_AFTER, SILENT_AFTER = 10.0, 600.0  # seconds without a word

Phase = Literal["training", "hold-out", "test"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)  # a younger writer may say more


class LearnerStatus(_Part):
    """One learner; loss and hold-out top-1 (in [0, 1]) are of its last whole epoch, None before there is one."""

    run_id: str
    method: str
    student: str
    status: str = "ok"
    loss: float | None = None
    holdout_top1: float | None = None


class CohortStatus(_Part):
    """The cohort that is being trained.

    Attributes:
        number: of `of` in this process's plan, from 1.
        epoch: whole epochs done.
        step: lessons of the running epoch, of `steps`.
        images_per_second: since the process began the cohort.
        waiting: the share of that time spent waiting for data, in [0, 1]; known after the first epoch.
        seconds_left: of the cohort, where it goes on like this.
    """

    number: int
    of: int
    dataset: str
    teacher: str | None = None
    epoch: int = Field(0, ge=0)
    epochs: int = Field(0, ge=0)
    step: int = Field(0, ge=0)
    steps: int = Field(0, ge=0)
    phase: Phase = "training"
    images_per_second: float | None = None
    waiting: float | None = None
    seconds_left: float | None = None
    learners: tuple[LearnerStatus, ...] = ()


class ProcessStatus(_Part):
    """One process, `begun` and `updated` in seconds since 1970; `runs` are those of its suite, recorded ones too."""

    host: str
    pid: int = Field(ge=0, lt=2**31)
    suite: str
    begun: float
    updated: float
    runs: int = 0
    cohort: CohortStatus | None = None

    @property
    def name(self) -> str:
        """Who it is."""
        return f"{self.host}:{self.pid}"


State = Literal["running", "silent", "gone"]


@dataclass(frozen=True)
class Seen:
    """A status file as it was found."""

    path: Path
    status: ProcessStatus
    state: State


def progress_file(suite_folder: Path, host: str, pid: int) -> Path:
    """Where a process says how far it is."""
    return suite_folder / FOLDER / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', host)[:64] or 'host'}-{pid}.json"


def seen_in(suite_folder: Path, now: float) -> tuple[list[Seen], list[str]]:
    """Every process that left word in a suite's folder, and the names of files that say nothing.

    Args:
        now: seconds since 1970.
    """
    found, unreadable = [], []
    for path in sorted((suite_folder / FOLDER).glob("*.json")):
        try:
            status = ProcessStatus.model_validate_json(path.read_bytes())
        except FileNotFoundError:  # it has ended in between
            continue
        except (OSError, ValidationError):
            unreadable.append(path.name)
            continue
        found.append(Seen(path, status, state_of(status, now)))
    return found, unreadable


def state_of(status: ProcessStatus, now: float) -> State:
    """Whether a process is at work, has not been heard of for long, or is known to have died.

    Only this machine's processes can be known to have died: others are silent, and may be so for other reasons.
    """
    quiet = now - status.updated
    if status.host == socket.gethostname() and quiet > GONE_AFTER and not process_exists(status.pid):
        return "gone"
    return "silent" if quiet > SILENT_AFTER else "running"
