"""The pictures of `synthetic_birds`, and the files that hold them."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from fgkd.data.birds.drawing import Pose, draw_bird, feet, span
from fgkd.data.birds.scene import draw_background, draw_bird_over, draw_occluders, draw_perch, photograph
from fgkd.data.birds.species import BirdClass, Colour, Palette, Shape, class_table
from fgkd.data.cache import MANIFEST
from fgkd.errors import UserErrors

DRAWING_VERSION = 1  # raise it when any picture changes: the version is part of the manifest
SPLITS = ("train", "test")
# Full chroma: the usual halving of colour resolution would wash out parts that are two pixels wide.
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def write_birds(
    folder: Path, *, seed: int = 0, train_per_class: int = 80, test_per_class: int = 40, size: int = 80
) -> None:
    """Write the whole set: JPEGs at ``<split>/<class>/<NNN>.jpg`` and, last, ``manifest.json``.

    Equal arguments write equal bytes.

    Args:
        folder: empty, or not there yet.
        seed: of the data set, >= 0.
        train_per_class: pictures per class, 1 to 999.
        test_per_class: likewise.
        size: side in pixels, 32 to 512.

    Raises:
        UserErrors: an argument is out of range.
    """
    manifest = describe_birds(seed=seed, train_per_class=train_per_class, test_per_class=test_per_class, size=size)
    for split, bird in product(SPLITS, class_table()):
        place = folder / split / bird.name
        place.mkdir(parents=True)
        for number in range(manifest["counts"][split]):
            picture = bird_picture(bird, split, number, seed=seed, size=size)
            (place / f"{number:03d}.jpg").write_bytes(_jpeg(picture))
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="ascii")


def describe_birds(*, seed: int, train_per_class: int, test_per_class: int, size: int) -> dict[str, Any]:
    """The manifest of the set that `write_birds` draws for the same arguments; UserErrors as there."""
    wanted = {"seed": (seed, 0, 2**32 - 1), "size": (size, 32, 512)}
    wanted |= {"train_per_class": (train_per_class, 1, 999), "test_per_class": (test_per_class, 1, 999)}
    problems = [
        f"{k}: expected {low} to {high}, got {x}" for k, (x, low, high) in wanted.items() if not low <= x <= high
    ]
    if problems:
        raise UserErrors(problems, "synthetic_birds cannot be drawn")
    return {
        "name": "synthetic_birds",
        "drawing_version": DRAWING_VERSION,
        "seed": seed,
        "size": size,
        "counts": {"train": train_per_class, "test": test_per_class},
        "classes": {bird.name: {"family": bird.family.name, "parts": bird.described()} for bird in class_table()},
    }


def bird_picture(bird: BirdClass, split: str, number: int, *, seed: int = 0, size: int = 80) -> NDArray[np.uint8]:
    """One picture, (size, size, 3) RGB; equal arguments, equal pixels.

    Args:
        bird: a row of `class_table`.
        split: ``train`` or ``test``; their random streams are disjoint.
        number: of the picture within its class and split, from 0.
        seed: of the data set, >= 0.
        size: side in pixels.
    """
    # The name, not its place in the table: a species added later leaves the others' pictures as they are.
    rng = np.random.default_rng([seed, SPLITS.index(split), zlib.crc32(bird.name.encode()), number])
    habitat = str(rng.choice(bird.family.habitats))
    pose = _random_pose(rng, bird.family.shape)
    picture = draw_background(rng, habitat, size)
    draw_perch(rng, picture, habitat, feet(bird.family.shape, pose))
    layer = draw_bird(bird, _individual(rng, bird.family.palette), pose, size)
    picture = draw_bird_over(picture, layer, rng)
    draw_occluders(rng, picture)
    return photograph(rng, picture)


def _random_pose(rng: Generator, shape: Shape) -> Pose:
    left, top, right, bottom = span(shape)
    scale = rng.uniform(0.64, 0.82) / max(right - left, bottom - top)
    facing = 1 if rng.random() < 0.5 else -1
    return Pose(
        x=float(rng.normal(0.5, 0.035) - facing * scale * (left + right) / 2),
        y=float(rng.normal(0.5, 0.035) - scale * (top + bottom) / 2),
        scale=float(scale),
        facing=facing,
        tilt=float(rng.normal(0, 9)),
        head_turn=float(rng.normal(0, 10)),
    )


def _individual(rng: Generator, palette: Palette) -> Palette:
    """The plumage of one bird: a tint and a brightness for all of it, and a little variation of each region."""
    tint = rng.normal(1, 0.04, 3) * rng.uniform(0.85, 1.15)

    def varied(colour: Colour) -> Colour:
        red, green, blue = np.clip(np.rint(np.array(colour) * tint * rng.normal(1, 0.05)), 0, 255)
        return int(red), int(green), int(blue)

    return Palette(**{region: varied(colour) for region, colour in asdict(palette).items()})


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".jpg", picture[..., ::-1], _JPEG)
    assert done
    return data.tobytes()
