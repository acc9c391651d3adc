"""Small folders in the official layouts, with the file formats of the originals."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

Write = Callable[..., Path]


def text(path: Path, *lines: str) -> Path:
    """A text file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def records(**columns: list) -> np.ndarray:
    """A MATLAB struct array, as the Cars devkit holds."""
    table = np.empty((1, len(next(iter(columns.values())))), dtype=[(name, object) for name in columns])
    for name, values in columns.items():
        for i, value in enumerate(values):
            table[0, i][name] = value
    return table


def cells(values: list[str]) -> np.ndarray:
    """A MATLAB cell array of strings."""
    return np.array(values, dtype=object)[None]


def cars_halves(root: Path, write: Write, names: list[str], with_test: bool = True) -> Path:
    """cars_train/, cars_test/ and devkit/: four images of every class each, shuffled."""
    (root / "devkit").mkdir(parents=True)
    savemat(root / "devkit/cars_meta.mat", {"class_names": cells(names)})
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(1, len(names) + 1), 4)).tolist()
    for half, file in (("train", "cars_train_annos"), ("test", "cars_test_annos_withlabels"))[: 1 + with_test]:
        files = [f"{i:05d}.jpg" for i in range(1, len(order) + 1)]
        savemat(root / f"devkit/{file}.mat", {"annotations": records(**{"class": order, "fname": files})})
        for i, name in enumerate(files):
            write(root / f"cars_{half}" / name, i)
        order = order[::-1]
    return root


def cars_whole(root: Path, write: Write, names: list[str]) -> Path:
    """car_ims/ with cars_annos.mat: two images of every class, the second in the test split."""
    files = [f"car_ims/{i:06d}.jpg" for i in range(1, 2 * len(names) + 1)]
    labels, test = [1 + i // 2 for i in range(len(files))], [i % 2 for i in range(len(files))]
    for i, name in enumerate(files):
        write(root / name, i)
    table = records(relative_im_path=files, **{"class": labels}, test=test)
    savemat(root / "cars_annos.mat", {"annotations": table, "class_names": cells(names)})
    return root


def cub(root: Path, write: Write, names: list[str]) -> Path:
    """images/ and the four lists: five images of every class, the last two in the test split."""
    rows = [(f"{k + 1:03d}.{name}/{i}.jpg", k + 1, int(i < 3)) for k, name in enumerate(names) for i in range(5)]
    for i, (file, _, _) in enumerate(rows):
        write(root / "images" / file, i)
    numbered = list(enumerate(rows, 1))
    text(root / "classes.txt", *(f"{k} {name}" for k, name in enumerate(names, 1)))
    text(root / "images.txt", *(f"{i} {file}" for i, (file, _, _) in numbered))
    text(root / "image_class_labels.txt", *(f"{i} {label}" for i, (_, label, _) in numbered))
    text(root / "train_test_split.txt", *(f"{i} {train}" for i, (_, _, train) in numbered))
    return root


def flowers(root: Path, write: Write, labels: list[int], parts: dict[str, list[int]]) -> Path:
    """jpg/, imagelabels.mat and setid.mat; `parts` are trnid, valid and tstid."""
    for i in range(1, len(labels) + 1):
        write(root / f"jpg/image_{i:05d}.jpg", i)
    savemat(root / "imagelabels.mat", {"labels": np.array([labels], np.uint8)})
    savemat(root / "setid.mat", {key: np.array([ids]) for key, ids in parts.items()})
    return root


def dogs(root: Path, write: Write, breeds: list[str]) -> Path:
    """Images/ with the two lists; three images a breed, the last in the test split."""
    for name, numbers in (("train", (0, 1)), ("test", (2,))):
        files = [f"{breed}/{breed.split('-')[0]}_{k}.jpg" for breed in breeds for k in numbers]
        labels = [[1 + i] for i in range(len(breeds)) for _ in numbers]
        savemat(root / f"{name}_list.mat", {"file_list": cells(files).T, "labels": np.array(labels)})
        for i, file in enumerate(files):
            write(root / "Images" / file, i)
    return root


def cifar(root: Path, names: list[str], per_class: int = 3) -> tuple[Path, np.ndarray]:
    """The Python archive, and the training pixels (N, 3, 32, 32)."""
    root.mkdir(parents=True)
    rng, pixels = np.random.default_rng(0), {}
    labels = [k for _ in range(per_class) for k in range(len(names))]
    for part in ("train", "test"):
        data = rng.integers(0, 256, (len(labels), 3072), dtype=np.uint8)
        table = {
            b"data": data,
            b"fine_labels": labels,
            b"coarse_labels": labels,
            b"filenames": [b"x.png"] * len(labels),
        }
        (root / part).write_bytes(pickle.dumps(table, protocol=2))
        pixels[part] = data.reshape(-1, 3, 32, 32)
    (root / "meta").write_bytes(pickle.dumps({b"fine_label_names": [name.encode() for name in names]}, protocol=2))
    return root, pixels["train"]
