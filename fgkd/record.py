"""What a run leaves behind: one JSON file that says what was asked, what came out, at what cost and on which machine.

    results/<suite>/records/<run_id>.json

Shares (accuracies, agreement, calibration error) are fractions in [0, 1]; only boards speak of percentages. What was
not measured, or is not a finite number, is null: never 0. No torch here.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError, field_validator
from pydantic_core import from_json

from fgkd.errors import UserError
from fgkd.facts import CohortFacts, Costs, DataFacts, Environment, Number, Part, StudentFacts, TeacherFacts
from fgkd.files import write_text
from fgkd.spec import RunSpec, Whole

SCHEMA_VERSION = 1
MOST_BYTES = 100 * 2**20  # of a record; those of a million test images take 2 MB

Status = Literal["ok", "diverged", "failed", "oom"]
MetricSet = Literal["test_last", "test_best", "holdout_last", "holdout_best"]

VERIFICATION = ("tar_at_far_1e-1", "tar_at_far_1e-2", "tar_at_far_1e-4", "eer")
RETRIEVAL = ("recall_at_1", "recall_at_2", "recall_at_4", "recall_at_8", "r_precision", "map_at_r", "tar_at_far_1e-3")
CALIBRATION = ("ece_mass", "ece_calibrated")
FRACTIONS = ("top1", "top5", "ece", "agreement", *RETRIEVAL, *VERIFICATION, *CALIBRATION)
_FRACTIONS = frozenset(FRACTIONS)
PROFILES = {"reliability": 3, "roc": 2}  # shares in a row
_RECORD_NAME = re.compile(r"[A-Za-z0-9_-]+-[0-9a-f]{12}\.json")


class RunRecord(Part):
    """One run, whether it ended well or not.

    Attributes:
        metrics: which set -> name -> value; names are ``top1``, ``top5``, ``nll``, ``ece``, ``agreement``,
            ``recall_at_1``, ``map_at_r``, ``tar_at_far_1e-3`` and readouts such as ``top1/teacher_head``; hold-out has
            the ``temperature`` that test's ``ece_calibrated`` is taken at. Where the task is retrieval, test has those
            of embeddings only. Readouts are of the last epoch alone; where records written before 2026-11-30 have some
            of an earlier best epoch, do not use them: the projector that they were read by is the last epoch's.
        best_epoch: the epoch of the highest hold-out top-1, whose weights `*_best` speak of.
        curve: one flat mapping per epoch: epoch, lr, train terms by name, hold-out metrics.
        profiles: of test with the last weights: ``reliability``, rows of mean confidence, accuracy and share of the
            images for each bin of confidence; ``roc``, rows of false and true accept rate over pairs of images.
        predictions: the last weights' classes on the test split, in its order; see `pack_predictions`.
        reason: why `status` is not ``ok``.
    """

    schema_version: Literal[1] = 1
    run_id: str = Field(min_length=1)
    spec: RunSpec
    suite: str = Field(min_length=1)
    suite_version: Whole | str
    status: Status
    reason: str | None = None
    data: DataFacts | None = None
    teacher: TeacherFacts | None = None
    student: StudentFacts | None = None
    metrics: dict[MetricSet, dict[str, Number]] = {}
    best_epoch: Whole | None = None
    epochs_done: Whole = Field(0, ge=0)
    curve: list[dict[str, Number]] = []
    costs: Costs = Costs()
    cohort: CohortFacts = CohortFacts()
    environment: Environment = Environment()
    diagnostics: dict[str, Number | str] = {}
    profiles: dict[str, list[list[Number]]] = {}
    predictions: str | None = None

    @field_validator("metrics")
    @classmethod
    def _fractions(cls, metrics: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
        for kind, values in metrics.items():
            for name, value in values.items():
                if name in _FRACTIONS and value is not None and not -1e-6 <= value <= 1 + 1e-6:
                    raise ValueError(f"{kind}.{name}: expected a fraction in [0, 1], got {value}")
        return metrics

    @field_validator("profiles")
    @classmethod
    def _profiled(cls, profiles: dict[str, list[list[float | None]]]) -> dict[str, list[list[float | None]]]:
        for name, width in PROFILES.items():
            for row in profiles.get(name, []):
                if len(row) != width or any(value is not None and not -1e-6 <= value <= 1 + 1e-6 for value in row):
                    raise ValueError(f"{name}: expected rows of {width} shares in [0, 1], got {str(row)[:80]}")
        return profiles

    @field_validator("predictions")
    @classmethod
    def _whole(cls, packed: str | None) -> str | None:
        if packed is not None:
            unpack_predictions(packed)
        return packed

    def metric(self, name: str, kind: MetricSet = "test_last") -> float | None:
        """One metric, None where it was not measured."""
        return self.metrics.get(kind, {}).get(name)

    def to_json(self) -> str:
        """Indented, keys sorted, one epoch of the curve per line, floats that read back to the same bits."""
        fields = self.model_dump(mode="json")
        blocks = [f'  "{name}": {_json_block(name, fields[name])}' for name in sorted(fields)]
        return "{\n" + ",\n".join(blocks) + "\n}\n"


def _json_block(name: str, value: Any) -> str:
    if name == "curve" and value:
        rows = [f"    {json.dumps(row, sort_keys=True, allow_nan=False)}" for row in value]
        return "[\n" + ",\n".join(rows) + "\n  ]"
    if name == "profiles" and value:
        rows = [f"    {json.dumps(key)}: {json.dumps(value[key], allow_nan=False)}" for key in sorted(value)]
        return "{\n" + ",\n".join(rows) + "\n  }"
    return json.dumps(value, sort_keys=True, indent=2, allow_nan=False).replace("\n", "\n  ")


def pack_predictions(classes: np.ndarray) -> str:
    """Class indices (N,), each in 0 .. 32767, as base64 of zlib of little-endian int16.

    Example:
        >>> unpack_predictions(pack_predictions(np.array([3, 0, 250]))).tolist()
        [3, 0, 250]
    """
    if classes.ndim != 1 or (classes.size and not (classes.min() >= 0 and classes.max() < 2**15)):
        raise ValueError(f"predictions: expected class indices (N,) in 0 .. 32767, got shape {classes.shape}")
    return base64.b64encode(zlib.compress(classes.astype("<i2").tobytes(), 9)).decode("ascii")


def unpack_predictions(packed: str) -> np.ndarray:
    """The (N,) int64 array that `pack_predictions` was given; ValueError for any other text."""
    try:
        unpacked = zlib.decompressobj()
        content = unpacked.decompress(base64.b64decode(packed, validate=True), MOST_BYTES)
        if not unpacked.eof:
            raise ValueError(f"found more than {MOST_BYTES} bytes, or less than the whole")
        classes = np.frombuffer(content, dtype="<i2").astype(np.int64)
        if classes.min(initial=0) < 0:
            raise ValueError(f"found class {classes.min()}")
        return classes
    except (ValueError, zlib.error) as error:
        raise ValueError(f"predictions: expected base64 of zlib of int16, {error}") from None


def records_folder(results: Path, suite: str) -> Path:
    """Where the records of a suite lie."""
    return results / suite / "records"


def record_path(folder: Path, run_id: str) -> Path:
    """The file of one run in a folder of records."""
    return folder / f"{run_id}.json"


def write_record(record: RunRecord, folder: Path, *, overwrite: bool = False) -> Path:
    """Write the record into `folder`, whole or not at all.

    Raises:
        UserError: the run is recorded already and `overwrite` is false.
    """
    assert record.run_id == record.spec.run_id, f"record {record.run_id} holds the spec of {record.spec.run_id}"
    path = record_path(folder, record.run_id)
    try:
        write_text(path, record.to_json(), overwrite=overwrite)
    except FileExistsError:
        raise UserError(
            f"{path} exists: a recorded run is not overwritten; remove the file to run it again, or pass overwrite"
        ) from None
    return path


def recorded_ids(folder: Path) -> set[str]:
    """Ids of the runs that have a record, from file names alone; a file cut short does not count."""
    return {path.stem for path in folder.glob("*.json") if _RECORD_NAME.fullmatch(path.name) and _looks_whole(path)}


def _looks_whole(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 4))
        return file.read().rstrip().endswith(b"}")


def read_records(folder: Path) -> tuple[list[RunRecord], list[str]]:
    """All records of `folder` in the order of their ids, and one line for each file that is not a record."""
    records, problems = [], []
    with collector_at_rest():
        for path in sorted(folder.glob("*.json"), key=lambda path: path.name):  # names are faster to compare
            try:
                records.append(read_record(path))
            except UserError as error:
                problems.append(str(error))
    return records, problems


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Records hold no cycles, yet their many small objects keep the garbage collector busy for half of the time."""
    was_busy = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_busy:
            gc.enable()


def record_bytes(path: Path) -> bytes:
    """The content of a record's file.

    Raises:
        ValueError: it is no regular file (opening a pipe would wait for ever), or unbearably large.
    """
    facts = os.stat(path)
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("found no regular file")
    if facts.st_size > MOST_BYTES:
        raise ValueError(f"found {facts.st_size:,} bytes, more than the {MOST_BYTES:,} that are read")
    with open(path, "rb", buffering=0) as file:  # unbuffered: one call where the size is known
        return file.read()


def read_record(path: Path) -> RunRecord:
    """One record, brought to the present schema.

    Raises:
        UserError: the file is not a record; the text begins with the file's name.
    """
    try:
        record = _parsed(record_bytes(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path.name}: {where}: {first['msg']} ({error.error_count()} problems in all)") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path.name}: expected a record, {error}") from None
    if record.run_id != path.stem:
        raise UserError(f"{path.name}: holds run {record.run_id}; a record is named after its run")
    if record.spec.run_id != record.run_id:
        raise UserError(f"{path.name}: its spec is not that of run {record.run_id}; one of the two was edited")
    return record


def find_record(folder: Path, run_id: str) -> RunRecord | None:
    """The record of a run; None where it is not in `folder`, or damaged, which is told where the boards are written."""
    try:
        return read_record(record_path(folder, run_id))
    except UserError:
        return None


def _parsed(text: bytes) -> RunRecord:
    """A record from its file's bytes: in one go where it is of the present schema, which spares a third of the time."""
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError:  # of an older schema, or broken: `migrate` tells which
        return RunRecord.model_validate(migrate(from_json(text)))


Fields = Mapping[str, Any]
MIGRATIONS: dict[int, Callable[[Fields], Fields]] = {}  # schema version -> what makes the next version of its fields


def migrate(fields: Any) -> Fields:
    """Bring a record's fields from the version that they were written in to `SCHEMA_VERSION`.

    Raises:
        ValueError: not a mapping, no version, or a version that this code does not know.
    """
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if not isinstance(version, int):
        raise ValueError("found no schema_version")
    while version < SCHEMA_VERSION:
        if version not in MIGRATIONS:
            raise ValueError(f"found schema_version {version}, which nothing migrates")
        fields, version = {**MIGRATIONS[version](fields), "schema_version": version + 1}, version + 1
    if version > SCHEMA_VERSION:
        raise ValueError(f"found schema_version {version}, newer than {SCHEMA_VERSION}: update fgkd to read it")
    return fields
