"""Official layouts whose lists are text files."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from fgkd.data.sources.base import Listing, Request, number, rows_of, source
from fgkd.data.split import Split, as_split
from fgkd.errors import UserError

CUB_FILES = ("images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt", "images")


@source("cub", CUB_FILES)
def read_cub(request: Request) -> Listing:
    """CUB-200-2011; ids and classes count from 1. Option `classes`: the first so many only."""
    folder, keep = request.folder, request.options.get("classes", 200)
    names = [name for _, name in rows_of(folder / "classes.txt")][:keep]
    table = {
        kind: dict(rows_of(folder / f"{kind}.txt")) for kind in ("images", "image_class_labels", "train_test_split")
    }
    parts: dict[str, list[tuple[Path, int]]] = {"0": [], "1": []}
    for image, file in table["images"].items():
        try:
            label, is_train = int(table["image_class_labels"][image]) - 1, table["train_test_split"][image]
        except KeyError:
            raise UserError(f"{folder}: image {image} of images.txt has no row in the label or split file") from None
        if label < keep:
            parts[is_train].append((folder / "images" / file, label))
    return Listing(tuple(names), as_split("train", parts["1"]), as_split("test", parts["0"]))


@source("foodx251", ("annot/class_list.txt", "annot/train_info.csv", "annot/val_info.csv", "train_set", "val_set"))
def read_foodx251(request: Request) -> Listing:
    """FoodX-251; trains on its noisy training list and tests on its verified validation list."""
    annot = request.folder / "annot"
    return Listing(
        foodx_classes(annot / "class_list.txt"),
        as_split("train", foodx_rows(annot / "train_info.csv", request.folder / "train_set")),
        as_split("test", foodx_rows(annot / "val_info.csv", request.folder / "val_set")),
    )


def foodx_classes(path: Path) -> tuple[str, ...]:
    """Class names by label; the line `ClassID ClassName` of some copies is skipped."""
    rows = [row for row in rows_of(path) if row[0].isdigit()]
    by_label = {number(label, path): name for label, name in rows}
    if sorted(by_label) != list(range(len(by_label))):
        raise UserError(f"{path}: expected labels 0 to {len(by_label) - 1}, each once")
    return tuple(by_label[label] for label in range(len(by_label)))


def foodx_rows(path: Path, images: Path) -> list[tuple[Path, int]]:
    """(image, label) by image name; the header `ImageID,ClassID` or `img_name,label` of some copies is skipped.

    Copies differ in the order of rows, so the order is made the names' own.
    """
    rows = list(rows_of(path, ","))
    rows = rows[1:] if rows and not Path(rows[0][0]).suffix else rows  # what is not the name of a file names a column
    return [(images / file, number(label, path)) for file, label in sorted(rows)]


@source("grocery_store", ("dataset/train.txt", "dataset/val.txt", "dataset/test.txt", "dataset/classes.csv"))
def read_grocery_store(request: Request) -> Listing:
    """GroceryStoreDataset, fine labels; the official validation split serves as the hold-out."""
    folder = request.folder / "dataset"
    with (folder / "classes.csv").open(encoding="utf-8-sig", newline="") as file:
        table = {int(row["Class ID (int)"]): row["Class Name (str)"] for row in csv.DictReader(file)}

    def split(name: str) -> Split:
        path = folder / f"{name}.txt"
        return as_split(name, [(folder / file, number(fine, path)) for file, fine, _ in rows_of(path, ",", 3)])

    return Listing(tuple(table[label] for label in sorted(table)), split("train"), split("test"), split("val"))


AIRCRAFT_FILES = ("variants.txt", "images_variant_trainval.txt", "images_variant_test.txt", "images")


@source("aircraft", tuple(f"data/{name}" for name in AIRCRAFT_FILES))
def read_aircraft(request: Request) -> Listing:
    """FGVC-Aircraft, labels are variants (which may hold spaces and a `/`). Option `val`: use the official one."""
    folder = request.folder / "data"
    names = tuple(line.strip() for line in (folder / "variants.txt").read_text().splitlines() if line.strip())
    labels = {name: label for label, name in enumerate(names)}

    def split(name: str, part: str) -> Split:
        rows = rows_of(folder / f"images_variant_{part}.txt", " ")
        return as_split(name, [(folder / "images" / f"{image}.jpg", labels[variant]) for image, variant in rows])

    if request.options.get("val"):
        return Listing(names, split("train", "train"), split("test", "test"), split("val", "val"))
    return Listing(names, split("train", "trainval"), split("test", "test"))


@source("pets", ("annotations/trainval.txt", "annotations/test.txt", "images"))
def read_pets(request: Request) -> Listing:
    """Oxford-IIIT Pet; lines `Breed_Name_12 CLASS SPECIES BREED`, classes from 1."""
    names: dict[int, str] = {}

    def split(name: str, file: str) -> Split:
        path, rows = request.folder / "annotations" / file, []
        for image, label, _ in _without_comments(rows_of(path, None, 3)):
            names[number(label, path) - 1] = image.rsplit("_", 1)[0].replace("_", " ")
            rows.append((request.folder / "images" / f"{image}.jpg", number(label, path) - 1))
        return as_split(name, rows)

    train, test = split("train", "trainval.txt"), split("test", "test.txt")
    return Listing(tuple(names[label] for label in sorted(names)), train, test)


@source("food101", ("meta/classes.txt", "meta/train.txt", "meta/test.txt", "images"))
def read_food101(request: Request) -> Listing:
    """Food-101; lines `apple_pie/1005649`."""
    names = tuple(sorted((request.folder / "meta/classes.txt").read_text().split()))
    labels = {name: label for label, name in enumerate(names)}

    def split(name: str) -> Split:
        images = (request.folder / f"meta/{name}.txt").read_text().split()
        return as_split(name, [(request.folder / f"images/{i}.jpg", labels[i.split("/")[0]]) for i in images])

    return Listing(names, split("train"), split("test"))


def _without_comments(rows: Iterable[list[str]]) -> Iterable[list[str]]:
    return (row for row in rows if not row[0].startswith("#"))
