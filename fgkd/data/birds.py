"""`synthetic_birds`: a fine-grained data set drawn on the spot, so that a suite runs with nothing downloaded.

25 species in 5 families of look-alikes; within a family only small parts differ. Every picture is a function of
(seed, split, class, number), so any machine draws the same set, in seconds.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from fgkd.data.bird_drawing import Pose, draw_bird, feet
from fgkd.data.bird_scene import draw_background, draw_bird_over, draw_occluders, draw_perch, photograph
from fgkd.data.bird_species import BirdClass, Palette, class_table

DRAWING_VERSION = 1  # raise when any picture changes
SPLITS = ("train", "test")
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def bird_picture(bird: BirdClass, split: str, number: int, *, seed: int = 0, size: int = 80) -> NDArray[np.uint8]:
    """One picture, (size, size, 3) RGB; equal arguments, equal pixels.

    Args:
        bird: a row of `class_table`.
        split: ``train`` or ``test``; their random streams are disjoint.
        number: of the picture within its class and split, from 0.
        seed: of the data set, >= 0.
        size: side in pixels.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), zlib.crc32(bird.name.encode()), number])
    habitat = str(rng.choice(bird.family.habitats))
    pose = _random_pose(rng, bird)
    picture = draw_background(rng, habitat, size)
    draw_perch(rng, picture, habitat, feet(bird.family.shape, pose))
    layer = draw_bird(bird, _individual(rng, bird.family.palette), pose, size)
    picture = draw_bird_over(picture, layer, rng)
    draw_occluders(rng, picture)
    return photograph(rng, picture)


def _random_pose(rng: Generator, bird: BirdClass) -> Pose:
    facing = 1 if rng.random() < 0.5 else -1
    return Pose(
        x=0.5 + 0.07 * facing + rng.normal(0, 0.05),
        y=0.46 + rng.normal(0, 0.045),
        scale=float(rng.uniform(0.44, 0.58)),
        facing=facing,
        tilt=float(rng.normal(0, 9)),
        head_turn=float(rng.normal(0, 10)),
    )


def _individual(rng: Generator, palette: Palette) -> Palette:
    """Plumage of one bird: a shared tint and brightness, and a little of its own for each region."""
    tint = rng.normal(1, 0.05, 3) * rng.uniform(0.85, 1.15)

    def varied(colour: tuple[int, int, int]) -> tuple[int, int, int]:
        red, green, blue = np.clip(np.rint(np.array(colour) * tint * rng.normal(1, 0.05)), 0, 255)
        return int(red), int(green), int(blue)

    return Palette(**{region: varied(colour) for region, colour in asdict(palette).items()})


def write_birds(
    folder: Path, *, seed: int = 0, train_per_class: int = 80, test_per_class: int = 40, size: int = 80
) -> None:
    """Write the whole set as JPEGs, ``<split>/<class>/<NNN>.jpg``, and last ``manifest.json``.

    Args:
        folder: made where missing.
        seed: of the data set, >= 0.
        train_per_class, test_per_class: pictures per class, >= 1.
        size: side in pixels, 32 to 512.
    """
    manifest = describe_birds(seed=seed, train_per_class=train_per_class, test_per_class=test_per_class, size=size)
    for bird in class_table():
        for split, count in manifest["counts"].items():
            place = folder / split / bird.name
            place.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                picture = bird_picture(bird, split, number, seed=seed, size=size)
                (place / f"{number:03d}.jpg").write_bytes(_jpeg(picture))
    partial = folder / "manifest.json.partial"
    partial.write_text(json.dumps(manifest, indent=2) + "\n", encoding="ascii")
    os.replace(partial, folder / "manifest.json")


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".jpg", picture[..., ::-1], JPEG)
    assert done
    return data.tobytes()


def describe_birds(*, seed: int, train_per_class: int, test_per_class: int, size: int) -> dict[str, Any]:
    """The manifest of the set that `write_birds` draws for the same arguments; UserError where one is out of range."""
    return {
        "name": "synthetic_birds",
        "drawing_version": DRAWING_VERSION,
        "seed": seed,
        "size": size,
        "counts": {"train": train_per_class, "test": test_per_class},
        "classes": {bird.name: {"family": bird.family.name, "parts": bird.described()} for bird in class_table()},
    }
