"""Official layouts whose lists are MATLAB files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fgkd.data.sources.base import Listing, Request, source
from fgkd.data.split import Split, as_split, carve
from fgkd.errors import UserError

CARS_HALVES = (
    "devkit/cars_meta.mat",
    "devkit/cars_train_annos.mat",
    "devkit/cars_test_annos_withlabels.mat",
    "cars_train",
    "cars_test",
)
CARS_BESIDE = tuple(name.replace("devkit/cars_test", "cars_test") for name in CARS_HALVES)  # as torchvision has it
CARS_WHOLE = ("cars_annos.mat", "car_ims")
CARS_WHOLE_DEVKIT = ("devkit/cars_annos.mat", "car_ims")
CARS_TRAIN = ("devkit/cars_meta.mat", "devkit/cars_train_annos.mat", "cars_train")


@source("stanford_cars", CARS_HALVES, CARS_BESIDE, CARS_WHOLE, CARS_WHOLE_DEVKIT)
def read_stanford_cars(request: Request) -> Listing:
    """Stanford Cars, as two folders with a devkit or as car_ims/ with cars_annos.mat; both hold the same split."""
    folder = request.folder
    if not (folder / "cars_train").is_dir():
        return _cars_whole(folder)
    test = next(name for name in (CARS_HALVES[2], CARS_BESIDE[2]) if (folder / name).exists())
    return Listing(
        _strings(_matlab(folder / "devkit/cars_meta.mat")["class_names"]),
        _cars_half(folder, "train", "devkit/cars_train_annos.mat"),
        _cars_half(folder, "test", test),
    )


@source("stanford_cars_train", CARS_TRAIN)
def read_stanford_cars_train(request: Request) -> Listing:
    """The training half alone. Options: `test_share` of every class, drawn with `test_seed`, is the test split."""
    names = _strings(_matlab(request.folder / "devkit/cars_meta.mat")["class_names"])
    half = _cars_half(request.folder, "train", "devkit/cars_train_annos.mat")
    train, test = carve(half, request.options["test_share"], request.options["test_seed"], ("train", "test"))
    return Listing(names, train, test)


def _cars_half(folder: Path, name: str, file: str) -> Split:
    rows = _matlab(folder / file)["annotations"]
    if "class" not in rows.dtype.names:
        raise UserError(f"{folder / file}: has no labels; use the file whose name ends in _withlabels.mat")
    return as_split(name, [(folder / f"cars_{name}" / str(row["fname"]), int(row["class"]) - 1) for row in rows])


def _cars_whole(folder: Path) -> Listing:
    table = _matlab(next(folder / name for name in (CARS_WHOLE[0], CARS_WHOLE_DEVKIT[0]) if (folder / name).exists()))
    parts: dict[int, list[tuple[Path, int]]] = {0: [], 1: []}
    for row in table["annotations"]:
        parts[int(row["test"])].append((folder / str(row["relative_im_path"]), int(row["class"]) - 1))
    return Listing(_strings(table["class_names"]), as_split("train", parts[0]), as_split("test", parts[1]))


@source("flowers102", ("imagelabels.mat", "setid.mat", "jpg"))
def read_flowers102(request: Request) -> Listing:
    """Oxford Flowers; classes from 1, without names. Option `val`: keep the official one out of training."""
    labels = np.atleast_1d(_matlab(request.folder / "imagelabels.mat")["labels"])
    ids = _matlab(request.folder / "setid.mat")

    def split(name: str, *keys: str) -> Split:
        images = sorted(int(i) for key in keys for i in np.atleast_1d(ids[key]))
        return as_split(name, [(request.folder / f"jpg/image_{i:05d}.jpg", int(labels[i - 1]) - 1) for i in images])

    names = tuple(f"flower {k:03d}" for k in range(1, int(labels.max()) + 1))
    if request.options.get("val"):
        return Listing(names, split("train", "trnid"), split("test", "tstid"), split("val", "valid"))
    return Listing(names, split("train", "trnid", "valid"), split("test", "tstid"))


@source("dogs", ("train_list.mat", "test_list.mat", "Images"))
def read_dogs(request: Request) -> Listing:
    """Stanford Dogs; folders `n02085620-Chihuahua`, classes from 1."""
    names: dict[int, str] = {}

    def split(name: str) -> Split:
        table, rows = _matlab(request.folder / f"{name}_list.mat"), []
        for file, label in zip(_strings(table["file_list"]), np.atleast_1d(table["labels"]), strict=True):
            names[int(label) - 1] = file.split("/")[0].split("-", 1)[1].replace("_", " ")
            rows.append((request.folder / "Images" / file, int(label) - 1))
        return as_split(name, rows)

    train, test = split("train"), split("test")
    return Listing(tuple(names[label] for label in sorted(names)), train, test)


def _matlab(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        return loadmat(path, squeeze_me=True)
    except Exception as error:  # a damaged file raises almost anything
        raise UserError(f"{path}: is not a MATLAB file that can be read ({error}); download it again") from error


def _strings(cells: Any) -> tuple[str, ...]:
    return tuple(str(cell) for cell in np.atleast_1d(cells))
