"""From a picture of any size to the square that travels: the one place that knows the augmentation library.

A view is a pure function of (picture, seed). Nothing is normalised here: that is done on the device.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from fgkd.registry import Registry
from fgkd.spec import ViewSpec

Recipe = Callable[[ViewSpec], list[Any]]
AUGMENTS: Registry[Recipe] = Registry("augment")
LONGEST = 64  # times the shorter side: what is kept of a longer one; no photograph comes near


def augment_names() -> list[str]:
    """The names that `ViewSpec.augment` may take."""
    return AUGMENTS.names()


class EvalView:
    """Resize the shorter side to size / crop_pct, then cut the centre: (H, W, 3) uint8 -> (S, S, 3) uint8."""

    def __init__(self, spec: ViewSpec) -> None:
        self._transform = _engine().Compose(_resize_and_cut(spec))

    def __call__(self, image: np.ndarray, seed: int = 0) -> np.ndarray:
        """The square; `seed` is ignored."""
        return self._transform(image=_without_far_ends(image))["image"]


class TrainView:
    """The augmentation named in `spec`: (H, W, 3) uint8 RGB and a seed in [0, 2**64) -> (S, S, 3) uint8 RGB.

    Raises:
        UnknownNameError: no augmentation has that name.
    """

    def __init__(self, spec: ViewSpec) -> None:
        self._transform = _engine().Compose(AUGMENTS.get(spec.augment)(spec))

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """One view; equal arguments give equal pixels, in any process."""
        # Compose.set_random_seed would give every transform a generator of its own in the SAME state: the draw that
        # picks the crop's area would then also decide the flip. One pair of generators for all keeps draws independent.
        self._transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        return self._transform(image=_without_far_ends(image))["image"]


def _without_far_ends(image: np.ndarray) -> np.ndarray:
    """A sliver without its far ends: enlarging its shorter side, a row of 30,000 pixels would fill the memory."""
    longest = LONGEST * min(image.shape[:2])
    top, left = (max(0, (side - longest) // 2) for side in image.shape[:2])
    return image[top : top + longest, left : left + longest]


@AUGMENTS.register("none")
def _none(spec: ViewSpec) -> list[Any]:
    return _resize_and_cut(spec)


@AUGMENTS.register("light")
def _light(spec: ViewSpec) -> list[Any]:
    return [_random_crop(spec, 0.5), _engine().HorizontalFlip(p=0.5)]


@AUGMENTS.register("standard")
def _standard(spec: ViewSpec) -> list[Any]:
    return [_random_crop(spec, 0.35), _engine().HorizontalFlip(p=0.5), _jitter(0.2)]


@AUGMENTS.register("strong")
def _strong(spec: ViewSpec) -> list[Any]:
    engine = _engine()
    hole = (0.1, 0.25)  # share of the side
    return [
        _random_crop(spec, 0.2),
        engine.HorizontalFlip(p=0.5),
        engine.Affine(
            rotate=(-15, 15),
            shear=(-8, 8),
            translate_percent=(-0.05, 0.05),
            interpolation=cv2.INTER_LINEAR,
            border_mode=cv2.BORDER_REFLECT_101,
            p=0.5,
        ),
        _jitter(0.4, hue=0.05),
        engine.CoarseDropout(num_holes_range=(1, 2), hole_height_range=hole, hole_width_range=hole, fill=127, p=0.5),
    ]


@AUGMENTS.register("imagenet")
def _imagenet(spec: ViewSpec) -> list[Any]:
    """The plain recipe of ImageNet tables: a crop of 8 % of the area or more, and flip."""
    return [_random_crop(spec, 0.08), _engine().HorizontalFlip(p=0.5)]


@AUGMENTS.register("cifar")
def _cifar(spec: ViewSpec) -> list[Any]:
    """Shift by up to an eighth of the side (4 pixels of 32) over black, and flip."""
    engine, size = _engine(), spec.size
    return [
        engine.SmallestMaxSize(size, interpolation=_interpolation(spec), area_for_downscale="image"),
        engine.CenterCrop(size, size),
        engine.Pad(size // 8, fill=0, border_mode=cv2.BORDER_CONSTANT),
        engine.RandomCrop(size, size),
        engine.HorizontalFlip(p=0.5),
    ]


def _resize_and_cut(spec: ViewSpec) -> list[Any]:
    engine = _engine()
    resize = engine.SmallestMaxSize(spec.eval_side, interpolation=_interpolation(spec), area_for_downscale="image")
    return [resize, engine.CenterCrop(spec.size, spec.size)]


def _random_crop(spec: ViewSpec, smallest: float) -> Any:
    return _engine().RandomResizedCrop(
        (spec.size, spec.size),
        scale=(smallest, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation=_interpolation(spec),
        area_for_downscale="image",  # OpenCV's bicubic does not antialias
    )


def _jitter(strength: float, hue: float = 0.0) -> Any:
    """Brightness, contrast and saturation; hue can be what tells two classes apart, and takes most of the time."""
    around = (1 - strength, 1 + strength)
    return _engine().ColorJitter(brightness=around, contrast=around, saturation=around, hue=(-hue, hue), p=0.8)


def _interpolation(spec: ViewSpec) -> int:
    return {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}[spec.interpolation]


def _engine() -> Any:
    """albumentations, imported late (it pulls in torch) and told not to ask the network for a newer version."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations

    return albumentations
