"""The right answers to a suite's test splits, kept once beside its records.

    results/<suite>/truth/<data revision>.json

With them a record's predictions can be judged by class, or compared sample by sample, wherever the images are not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from fgkd.errors import UserError
from fgkd.files import write_text
from fgkd.record import pack_predictions, unpack_predictions


class _Labels(Protocol):
    @property
    def targets(self) -> np.ndarray: ...


class OpenedData(Protocol):
    """What is asked of a data set, `fgkd.data.ImageData` for one."""

    @property
    def name(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def revision(self) -> str: ...
    @property
    def class_names(self) -> Sequence[str]: ...
    @property
    def test(self) -> _Labels: ...


class Truth(BaseModel):
    """The labels of one test split.

    Attributes:
        revision: of the data; records that name it were tested on this split.
        class_names: K names, by label.
        targets: of the test split, in its order, packed as predictions are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    protocol: str
    revision: str
    class_names: tuple[str, ...]
    targets: str

    @classmethod
    def of(cls, data: OpenedData) -> Truth:
        """The truth of a data set whose task is classification."""
        return cls(
            dataset=data.name,
            protocol=data.protocol,
            revision=data.revision,
            class_names=tuple(data.class_names),
            targets=pack_predictions(data.test.targets),
        )

    def labels(self) -> np.ndarray:
        """(N,) int64."""
        return unpack_predictions(self.targets)


def truth_path(suite_folder: Path, revision: str) -> Path:
    """Where the truth of a data revision lies."""
    return suite_folder / "truth" / f"{revision}.json"


def write_truth(suite_folder: Path, truth: Truth) -> None:
    """Keep the truth beside the records; one that is there already says the same, and is left alone."""
    path = truth_path(suite_folder, truth.revision)
    if not path.exists():
        write_text(path, json.dumps(truth.model_dump(mode="json"), indent=1) + "\n")


def read_truth(suite_folder: Path, revision: str) -> Truth | None:
    """The truth of a data revision; None where it was not kept.

    Raises:
        UserError: the file is damaged.
    """
    path = truth_path(suite_folder, revision)
    if not path.exists():
        return None
    try:
        truth = Truth.model_validate_json(path.read_bytes())
        if (highest := truth.labels().max(initial=-1)) >= len(truth.class_names):
            raise ValueError(f"label {highest} of {len(truth.class_names)} classes")
    except (ValidationError, ValueError, OSError) as error:
        raise UserError(
            f"{path}: is damaged ({str(error).splitlines()[0]}); remove it and run the suite again"
        ) from None
    return truth


def read_truths(suite_folder: Path) -> tuple[dict[str, Truth], list[str]]:
    """All truths of a suite by the revision of their data, and one line for each file that is damaged."""
    truths, problems = {}, []
    for path in sorted((suite_folder / "truth").glob("*.json")):
        try:
            truth = read_truth(suite_folder, path.stem)
        except UserError as error:
            problems.append(f"{path.name}: {error}")
            continue
        if truth is not None and truth.revision == path.stem:
            truths[path.stem] = truth
        else:
            problems.append(f"{path.name}: a truth is named after the revision of its data")
    return truths, problems
