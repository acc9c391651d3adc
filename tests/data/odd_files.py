"""A data set of pictures of every kind, some of them larger than the views that are made of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from fgkd.data import ImageData
from fgkd.data.split import as_split, content_hash

SIDE = 48  # several of the pictures are smaller


def odd_files(folder: Path) -> list[Path]:
    """Seventeen good files: plain, grey, turned, CMYK, 16 bit, transparent, palette, animated, tiny, long, misnamed."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)

    def scene(width: int, height: int) -> Image.Image:
        coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        return Image.fromarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))

    exif = Image.Exif()
    exif[0x0112] = 6
    files = {
        "plain.jpg": (scene(130, 101), {}),
        "huge.jpg": (scene(801, 433), {}),
        "exact.jpg": (scene(SIDE, 60), {}),
        "tiny.jpg": (scene(17, 19), {}),
        "long.jpg": (scene(700, 33), {}),
        "grey.jpg": (scene(100, 130).convert("L"), {}),
        "turned.jpg": (scene(201, 130), {"exif": exif}),
        "turned_square.jpg": (scene(193, 194), {"exif": exif}),
        "turned.png": (scene(90, 60), {"exif": exif}),
        "cmyk.jpg": (scene(130, 99).convert("CMYK"), {}),
        "progressive.jpg": (scene(300, 210), {"progressive": True}),
        "alpha.png": (scene(90, 91).convert("RGBA"), {}),
        "palette.gif": (scene(120, 80).quantize(), {}),
        "moving.gif": (scene(60, 60), {"save_all": True, "append_images": [scene(60, 60)]}),
        "sixteen.png": (Image.fromarray(rng.integers(0, 65536, (70, 80), dtype=np.uint16)), {}),
        "a picture.webp": (scene(99, 88), {}),
    }
    for name, (image, options) in files.items():
        image.save(folder / name, **options)
    scene(77, 88).save(folder / "misnamed.jpg", "PNG")
    return sorted(folder.iterdir())


def odd_data(folder: Path) -> ImageData:
    """The files as a data set of three classes: most for training, one of them in both train and test."""
    files = odd_files(folder / "images")
    rows = [(path, number % 3) for number, path in enumerate(files)]
    train, holdout, test = as_split("train", rows[:11]), as_split("holdout", rows[11:14]), as_split("test", rows[13:])
    revision = content_hash([train, holdout, test], folder)
    counts = {split.name: len(split) for split in (train, holdout, test)}
    return ImageData("odd", "default", ("a", "b", "c"), train, holdout, test, revision, counts)
