"""A bank on disk: what lies in its folder, how it is opened, and what it says.

CACHE/banks/DATASET-DIGEST/
    logits.npy      (V n, K), row v n + i: view v of image i
    pooled.npy      (V n, D)
    manifest.json   written last: a folder without it is no bank
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from fgkd.errors import UserError
from fgkd.signals import Needs, Signals
from fgkd.teacher.bank.key import BankKey

MANIFEST = "manifest.json"
ARRAYS = {"logits": "classes", "pooled": "width"}  # name of a signal -> the key's field with its width


class Manifest(BaseModel):
    """What a bank holds.

    Attributes:
        seconds: what it took to build: loading, augmenting and asking the teacher.
        clamped: numbers that were beyond what its precision can hold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: BankKey
    seconds: float = Field(ge=0)
    clamped: int = Field(0, ge=0)


def bank_folder(cache: Path, key: BankKey) -> Path:
    """Where the bank of a key lies."""
    return cache / "banks" / f"{key.dataset_name}-{key.digest()}"


def shape_of(key: BankKey, name: str) -> tuple[int, int]:
    """Rows and columns of one of `ARRAYS`."""
    return key.rows, getattr(key, ARRAYS[name])


def dtype_of(key: BankKey) -> np.dtype:
    """The type of its numbers."""
    return np.dtype({"fp16": np.float16, "fp32": np.float32}[key.stored])


class Bank:
    """An opened bank.

    Args:
        folder: where it lies.
        manifest: of it.

    Raises:
        UserError: an array is missing or not as the manifest says.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest, self.key = folder, manifest, manifest.key
        self._arrays = {name: self._mapped(name) for name in ARRAYS}

    def _mapped(self, name: str) -> np.ndarray:
        try:
            array = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{name}.npy cannot be read ({error})") from error
        if (array.shape, array.dtype) != (shape_of(self.key, name), dtype_of(self.key)):
            expected = f"{shape_of(self.key, name)} {dtype_of(self.key)}"
            raise UserError(f"{name}.npy should hold {expected}, and holds {array.shape} {array.dtype}")
        return array

    def signals(self, index: Tensor, views: Tensor, needs: Needs) -> Signals:
        """What the teacher said of images `index` (B,) in `views` (B,), both on the CPU; in float32, on the CPU."""
        rows = (views * self.key.images + index).numpy()
        return Signals(
            logits=self._read("logits", rows) if needs.logits else None,
            pooled=self._read("pooled", rows) if needs.pooled else None,
        )

    def _read(self, name: str, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(self._arrays[name][rows].astype(np.float32))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bank; UserError where it cannot be read."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{MANIFEST} cannot be read ({str(error).splitlines()[0]})") from error


def open_bank(cache: Path, key: BankKey) -> Bank | None:
    """The bank of a key; None where there is none.

    Raises:
        UserError: it is there and is damaged, or is that of another key.
    """
    folder = bank_folder(cache, key)
    if not (folder / MANIFEST).is_file():
        return None
    try:
        manifest = read_manifest(folder)
        if manifest.key != key:
            differing = [name for name in BankKey.model_fields if getattr(manifest.key, name) != getattr(key, name)]
            raise UserError(f"it is of another {', '.join(differing)}")
        return Bank(folder, manifest)
    except UserError as error:
        raise UserError(f"bank {folder}: {error}; remove that folder, and it is built anew") from error
