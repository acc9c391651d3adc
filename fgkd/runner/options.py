"""Where things lie on this machine and how a suite is run on it; nothing here changes a result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Folders and execution.

    Attributes:
        data_root: where data sets lie.
        results: suites get a folder each below it.
        cache: trained weights, drawn data sets, fitted artefacts.
        weights: where weights files named in suites lie.
        workers: loader processes; None: none on a CPU, else up to 8.
        rerun: run again what is recorded, and replace the records.
        retry_failed: run again what is recorded as failed, diverged or out of memory, and replace those records.
        checkpoint_every: seconds between two savings of a cohort's state; 0: never.
        memory: bytes that a cohort may take; None: most of what is free on the device.
        compile: let torch compile the students; it changes their numbers by rounding, and records say so.
        cuda_graphs: replay the students' passes from CUDA graphs: the same kernels in the same order; takes memory.
        shard: (i, n): only every n-th cohort of students, starting with the i-th, 0 <= i < n.
        track: names of accelerate's trackers that get every learner's curve.
    """

    data_root: Path
    results: Path
    cache: Path
    weights: Path | None = None
    workers: int | None = None
    rerun: bool = False
    retry_failed: bool = False
    memory: int | None = None
    compile: bool = False
    cuda_graphs: bool = False
    shard: tuple[int, int] | None = None
    checkpoint_every: float = 300.0
    track: tuple[str, ...] = ()
