"""CIFAR-100's Python archive, unpacked into PNG files once."""

from __future__ import annotations

import hashlib
import importlib
import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fgkd.data.cache import Encoded, read_store, write_store, written_once
from fgkd.data.sources.base import Listing, Request, source
from fgkd.errors import UserError

# All that an array needs. Old pickles name modules that NumPy 2 has moved.
ALLOWED = {
    ("numpy", "ndarray"): "numpy",
    ("numpy", "dtype"): "numpy",
    ("numpy.core.multiarray", "_reconstruct"): "numpy._core.multiarray",
    ("numpy._core.multiarray", "_reconstruct"): "numpy._core.multiarray",
    ("_codecs", "encode"): "_codecs",
}


class _ArraysOnly(pickle.Unpickler):
    """Reads containers, numbers, strings and arrays; any other global is refused before it is looked up."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which pictures and labels do not need")
        home = ALLOWED[module, name]
        if home.startswith("numpy._core") and np.lib.NumpyVersion(np.__version__) < "2.0.0":
            home = "numpy.core.multiarray"
        return getattr(importlib.import_module(home), name)


def read_pickle(path: Path) -> dict[bytes, Any]:
    """A dictionary of arrays and lists from one of the archive's files.

    Raises:
        UserError: it is something else, or asks for code to be run.
    """
    try:
        table = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises almost anything
        raise UserError(f"{path}: is not a file of the CIFAR-100 archive ({error}); download it again") from error
    if not isinstance(table, dict):
        raise UserError(f"{path}: expected a dictionary, found {type(table).__name__}; download it again")
    return table


@source("cifar100", ("train", "test", "meta"), slow=True)
def read_cifar100(request: Request) -> Listing:
    """The 100 fine classes."""
    digest = hashlib.sha256(b"".join((request.folder / name).read_bytes() for name in ("train", "test"))).hexdigest()
    folder = written_once(request.cache / f"cifar100-{digest[:12]}", lambda draft: _unpack(request.folder, draft))
    names, splits = read_store(folder)
    return Listing(names, splits["train"], splits["test"])


def _unpack(archive: Path, draft: Path) -> None:
    names = [name.decode() for name in read_pickle(archive / "meta")[b"fine_label_names"]]
    write_store(draft, names, {part: _pictures(archive / part) for part in ("train", "test")})


def _pictures(path: Path) -> Iterator[Encoded]:
    table = read_pickle(path)
    pixels, labels = np.asarray(table[b"data"]), table[b"fine_labels"]
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3 * 32 * 32):
        raise UserError(f"{path}: expected {len(labels)} x 3072 bytes, found {pixels.shape} of {pixels.dtype}")
    for row, label in zip(pixels.reshape(-1, 3, 32, 32), labels, strict=True):
        bgr = np.ascontiguousarray(row[::-1].transpose(1, 2, 0))
        yield cv2.imencode(".png", bgr)[1].tobytes(), ".png", int(label)
