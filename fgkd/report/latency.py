"""Measured latencies, kept beside a suite's records.

    results/<suite>/latency/<device>.csv

They stand apart from the records, which are never changed: a network is timed when somebody asks for it, on as many
devices as there are, and runs whose networks are alike share one row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path

from fgkd.errors import UserError
from fgkd.files import write_text
from fgkd.record import RunRecord

Key = tuple[str, int, int, int]  # student, img_size, parameters, MACs


@dataclass(frozen=True)
class Latency:
    """How fast one network is on one device, from pixels on the device to logits on the device.

    Attributes:
        student: the network's name.
        batch1_ms: median time of one image, in milliseconds.
        batch1_ms_p90: what nine of ten images stay below.
        batch_size: of the throughput.
        images_per_second: at that batch size, median.
        device: its name; `threads` of it on a CPU, 0 elsewhere.
        measured: ISO 8601, UTC.
    """

    student: str
    img_size: int
    param_count: int
    macs: int
    batch1_ms: float
    batch1_ms_p90: float
    batch_size: int
    images_per_second: float
    device: str
    threads: int
    precision: str
    torch: str
    timm: str
    measured: str

    @property
    def key(self) -> Key:
        """What alike networks have in common."""
        return self.student, self.img_size, self.param_count, self.macs

    @property
    def place(self) -> str:
        """Device, threads and precision in words."""
        threads = f", {self.threads} threads" if self.threads else ""
        return f"{self.device}{threads}, {self.precision}"


def key_of(record: RunRecord) -> Key | None:
    """The key of a run's network; None where the record does not tell."""
    facts = record.student
    if facts is None or facts.macs is None:
        return None
    return record.spec.student.name, facts.img_size, facts.param_count, facts.macs


def latency_path(suite_folder: Path, device: str) -> Path:
    """Where the latencies of a device lie."""
    return suite_folder / "latency" / f"{re.sub(r'[^a-z0-9]+', '-', device.lower()).strip('-')}.csv"


def read_latencies(suite_folder: Path) -> tuple[list[Latency], list[str]]:
    """All that was measured of a suite's networks, by file and row, and one line for each file that is damaged."""
    rows, problems = [], []
    for path in sorted((suite_folder / "latency").glob("*.csv")):
        try:
            rows += _read(path)
        except UserError as error:
            problems.append(f"{path.name}: {error}")
    return rows, problems


def _read(path: Path) -> list[Latency]:
    types = {f.name: {"int": int, "float": float}.get(str(f.type), str) for f in fields(Latency)}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        found = [Latency(**{name: kind(row[name]) for name, kind in types.items()}) for row in rows]
        if not all(isfinite(number) for row in found for number in vars(row).values() if isinstance(number, float)):
            raise ValueError("a number is not finite")
        return found
    except (KeyError, TypeError, ValueError, OSError, csv.Error) as error:
        raise UserError(
            f"{path}: expected latencies as fgkd latency writes them ({error!r}); remove it, and measure again"
        ) from None


def write_latencies(suite_folder: Path, measured: Iterable[Latency]) -> list[Path]:
    """Add rows to the files of their devices; a row takes the place of an earlier one of the same network and batch."""
    new: dict[Path, list[Latency]] = {}
    for row in measured:
        new.setdefault(latency_path(suite_folder, row.place), []).append(row)
    for path, rows in new.items():
        kept = {(r.key, r.batch_size): r for r in [*(_read(path) if path.exists() else []), *rows]}
        out = io.StringIO()
        writer = csv.DictWriter(out, [f.name for f in fields(Latency)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(kept[key]) for key in sorted(kept))
        write_text(path, out.getvalue())
    return list(new)


def latencies_of(suite_folder: Path, record: RunRecord) -> dict[str, float]:
    """What was measured of a run's network, by titles that name the place: milliseconds, and images per second."""
    key, found = key_of(record), {}
    for row in read_latencies(suite_folder)[0]:
        if row.key == key:
            found[f"ms of one image ({row.place})"] = row.batch1_ms
            found[f"images/s in batches of {row.batch_size} ({row.place})"] = row.images_per_second
    return found
