"""Every official set in miniature: its layout, and the archives that it is published in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.data import layouts
from tests.data.layouts import Write, text

CARS = ["AM General Hummer SUV 2000", "Ram C/V Cargo Van Minivan 2012", "smart fortwo Convertible 2012"]


@dataclass(frozen=True)
class Archive:
    """One file that a set comes in: its name, the folder inside it, the parts of the layout; a bare part is loose."""

    name: str
    parts: tuple[str, ...] = ()
    prefix: str = ""


@dataclass(frozen=True)
class Mini:
    card: str
    num_classes: int
    write: Callable[[Path, Write], object]
    archives: tuple[Archive, ...]


def cub(root: Path, write: Write) -> None:
    names = ["001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross"]
    images = [f"{name}/{name[4:]}_{k}.jpg" for name in names for k in range(4)]
    for k, image in enumerate(images):
        write(root / "images" / image, k)
    text(root / "classes.txt", *(f"{k} {name}" for k, name in enumerate(names, 1)))
    text(root / "images.txt", *(f"{k} {image}" for k, image in enumerate(images, 1)))
    text(root / "image_class_labels.txt", *(f"{k + 1} {k // 4 + 1}" for k in range(12)))
    text(root / "train_test_split.txt", *(f"{k + 1} {int(k % 4 < 3)}" for k in range(12)))


def foodx(root: Path, write: Write) -> None:
    text(root / "annot/class_list.txt", "0 macaron", "1 beignet")
    text(root / "annot/train_info.csv", *(f"train_{k:06d}.jpg,{k % 2}" for k in range(6)))
    text(root / "annot/val_info.csv", "val_000000.jpg,1", "val_000001.jpg,0")
    for k in range(6):
        write(root / f"train_set/train_{k:06d}.jpg", k)
    for k in range(2):
        write(root / f"val_set/val_{k:06d}.jpg", 6 + k)


def grocery(root: Path, write: Write) -> None:
    header = "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int)"
    text(root / "dataset/classes.csv", header, "Golden-Delicious,0,Apple,0", "Granny-Smith,1,Apple,0")
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        rows = [f"{split}/Fruit/{('Golden', 'Granny')[k % 2]}/{k}.jpg, {k % 2}, 0" for k in range(count)]
        text(root / f"dataset/{split}.txt", *rows)
        for k, row in enumerate(rows):
            write(root / "dataset" / row.split(",")[0], k)
    text(root / "README.md", "about")


def aircraft(root: Path, write: Write) -> None:
    variants = ["707-320", "F/A-18"]
    text(root / "data/variants.txt", *variants)
    for part, ids in (("train", (1, 2)), ("val", (3, 4)), ("trainval", (1, 2, 3, 4)), ("test", (5, 6))):
        text(root / f"data/images_variant_{part}.txt", *(f"{k:07d} {variants[k % 2]}" for k in ids))
    for k in range(1, 7):
        write(root / f"data/images/{k:07d}.jpg", k)


def pets(root: Path, write: Write) -> None:
    for part, numbers in (("trainval", (1, 2, 3)), ("test", (4,))):
        rows = [f"{breed}_{k} {label} 1 1" for label, breed in ((1, "Abyssinian"), (2, "Shiba_Inu")) for k in numbers]
        text(root / f"annotations/{part}.txt", *rows)
        for k, row in enumerate(rows):
            write(root / f"images/{row.split()[0]}.jpg", k)


def food101(root: Path, write: Write) -> None:
    text(root / "meta/classes.txt", "apple_pie", "waffles")
    for part, numbers in (("train", (1, 2, 3)), ("test", (4,))):
        rows = [f"{name}/{k}" for name in ("apple_pie", "waffles") for k in numbers]
        text(root / f"meta/{part}.txt", *rows)
        for k, row in enumerate(rows):
            write(root / f"images/{row}.jpg", k)


def flowers(root: Path, write: Write) -> None:
    parts = {"trnid": [1, 2, 3, 4], "valid": [5, 6], "tstid": [7, 8]}
    layouts.flowers(root, write, [1, 2] * 4, parts)


def dogs(root: Path, write: Write) -> None:
    root.mkdir(parents=True)
    layouts.dogs(root, write, ["n02085620-Chihuahua", "n02086240-Shih-Tzu"])


def cars_whole(root: Path, write: Write) -> None:
    files = [f"car_ims/{k:06d}.jpg" for k in range(1, 13)]
    for k, name in enumerate(files):
        write(root / name, k)
    columns = {
        "relative_im_path": files,
        "class": [1 + k % 3 for k in range(12)],
        "test": [int(k > 8) for k in range(12)],
    }
    table = layouts.records(**columns)
    layouts.savemat(root / "cars_annos.mat", {"annotations": table, "class_names": layouts.cells(CARS)})


MINIS = {
    "cub200": Mini("cub200", 3, cub, (Archive("CUB_200_2011.tgz", prefix="CUB_200_2011/"),)),
    "cars, halves": Mini(
        "stanford_cars", 3, lambda root, write: layouts.cars_halves(root, write, CARS),
        (
            Archive("cars_train.tgz", ("cars_train",)), Archive("cars_test.tgz", ("cars_test",)),
            Archive("car_devkit.tgz", ("devkit/cars_meta.mat", "devkit/cars_train_annos.mat")),
            Archive("", ("devkit/cars_test_annos_withlabels.mat",)),
        ),
    ),
    "cars, whole": Mini(
        "stanford_cars", 3, cars_whole,
        (Archive("car_ims.tgz", ("car_ims",)), Archive("", ("cars_annos.mat",))),
    ),
    "cars, training half": Mini(
        "stanford_cars_train", 3, lambda root, write: layouts.cars_halves(root, write, CARS, with_test=False),
        (Archive("cars_train.zip", ("cars_train",)), Archive("car_devkit.tar.bz2", ("devkit",))),
    ),
    "foodx251": Mini(
        "foodx251", 2, foodx,
        (Archive("annot.tar", ("annot",)), Archive("train.zip", ("train_set",)), Archive("val.tar", ("val_set",))),
    ),
    "grocery_store": Mini(
        "grocery_store", 2, grocery, (Archive("master.zip", prefix="GroceryStoreDataset-master/"),)
    ),
    "fgvc_aircraft": Mini(
        "fgvc_aircraft", 2, aircraft, (Archive("fgvc-aircraft-2013b.tar.gz", prefix="fgvc-aircraft-2013b/"),)
    ),
    "oxford_flowers102": Mini(
        "oxford_flowers102", 2, flowers,
        (Archive("102flowers.tgz", ("jpg",)), Archive("", ("imagelabels.mat",)), Archive("", ("setid.mat",))),
    ),
    "oxford_pets": Mini(
        "oxford_pets", 2, pets,
        (Archive("images.tar.gz", ("images",)), Archive("annotations.tar.gz", ("annotations",))),
    ),
    "stanford_dogs": Mini(
        "stanford_dogs", 2,
        dogs,
        (Archive("images.tar", ("Images",)), Archive("lists.tar", ("train_list.mat", "test_list.mat"))),
    ),
    "food101": Mini("food101", 2, food101, (Archive("food-101.tar.xz", prefix="food-101/"),)),
    "cifar100": Mini(
        "cifar100", 2, lambda root, write: layouts.cifar(root, ["apple", "bear"], per_class=4),
        (Archive("cifar-100-python.tar.gz", prefix="cifar-100-python/"),),
    ),
}  # fmt: skip
