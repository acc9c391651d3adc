"""What surrounds a bird and what the camera does to it: background, perch, light, twigs in front, blur and noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from fgkd.data.birds.pen import Layer

Picture = NDArray[np.floating[Any]]  # (H, W, 3), RGB, 0 to 255
Field = NDArray[np.floating[Any]]  # (H, W), about -1 to 1


def noise_field(rng: Generator, side: int, cells: tuple[int, int]) -> Field:
    """Smooth noise with (rows, columns) cells."""
    grid = rng.uniform(-1, 1, cells).astype(np.float32)
    return _array(cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC))


def _array(image: Any) -> NDArray[Any]:
    return np.asarray(image)


def _blend(low: tuple[int, int, int], high: tuple[int, int, int], share: Field) -> Picture:
    share = np.clip(share, 0, 1)[..., None]
    return (np.array(low, np.float32) * (1 - share) + np.array(high, np.float32) * share).astype(np.float32)


def _ramp(side: int) -> Field:
    return np.broadcast_to(np.linspace(0, 1, side, dtype=np.float32)[:, None], (side, side))


def _sky(rng: Generator, side: int) -> Picture:
    clouds = 0.6 * noise_field(rng, side, (3, 3)) + 0.4 * noise_field(rng, side, (7, 5))
    return _blend((112, 158, 206), (226, 232, 236), 0.5 * _ramp(side) + 0.2 + 0.5 * clouds)


def _foliage(rng: Generator, side: int) -> Picture:
    picture = _blend((42, 66, 34), (140, 164, 84), 0.45 + 0.5 * noise_field(rng, side, (5, 5)))
    return _leaves(rng, picture, 14, (52, 96, 40), (156, 178, 88))


def _autumn(rng: Generator, side: int) -> Picture:
    picture = _blend((82, 64, 46), (206, 172, 110), 0.45 + 0.5 * noise_field(rng, side, (5, 5)))
    return _leaves(rng, picture, 12, (134, 78, 40), (214, 158, 64))


def _water(rng: Generator, side: int) -> Picture:
    waves = 0.5 * noise_field(rng, side, (16, 3)) + 0.5 * noise_field(rng, side, (30, 6))
    return _blend((70, 98, 116), (176, 196, 200), 0.6 - 0.3 * _ramp(side) + 0.4 * waves)


def _sand(rng: Generator, side: int) -> Picture:
    grain = 0.4 * noise_field(rng, side, (6, 4)) + 0.35 * noise_field(rng, side, (side // 2, side // 2))
    return _blend((150, 132, 104), (222, 206, 176), 0.5 + 0.5 * grain)


def _reeds(rng: Generator, side: int) -> Picture:
    picture = _blend((92, 100, 62), (190, 184, 128), 0.5 + 0.5 * noise_field(rng, side, (4, 7)))
    for _ in range(16):
        x, lean, tone = rng.uniform(0, side), rng.normal(0, 0.12) * side, rng.uniform(0.6, 1.25)
        _line(picture, (x, side), (x + lean, rng.uniform(-0.3, 0.4) * side), _tone((146, 146, 84), tone), 1)
    return _blurred(picture, 0.8)


BACKGROUNDS: dict[str, Callable[[Generator, int], Picture]] = {
    "sky": _sky,
    "foliage": _foliage,
    "autumn": _autumn,
    "water": _water,
    "sand": _sand,
    "reeds": _reeds,
}


def _leaves(
    rng: Generator, picture: Picture, count: int, dark: tuple[int, int, int], light: tuple[int, int, int]
) -> Picture:
    side = len(picture)
    for _ in range(count):
        colour = np.array(dark) + rng.uniform(0, 1) * (np.array(light) - np.array(dark))
        _leaf(picture, rng.uniform(0, side, 2), rng.uniform(0.03, 0.09) * side, rng.uniform(0, 180), tuple(colour))
    return _blurred(picture, rng.uniform(0.6, 1.8))


def _leaf(picture: Picture, centre: Any, length: float, degrees: float, colour: Any) -> None:
    at = (round(16 * float(centre[0])), round(16 * float(centre[1])))
    axes = (round(16 * length), round(6 * length))
    cv2.ellipse(picture, at, axes, degrees, 0, 360, tuple(map(float, colour)), -1, cv2.LINE_AA, 4)


def _line(picture: Picture, start: Any, end: Any, colour: Any, thickness: int) -> None:
    first, last = ((round(16 * float(x)), round(16 * float(y))) for x, y in (start, end))
    cv2.line(picture, first, last, tuple(map(float, colour)), thickness, cv2.LINE_AA, 4)


def _tone(colour: tuple[int, int, int], factor: float) -> tuple[float, float, float]:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _blurred(picture: Picture, sigma: float) -> Picture:
    return _array(cv2.GaussianBlur(picture, (0, 0), sigma))


def draw_background(rng: Generator, habitat: str, side: int) -> Picture:
    """A habitat behind the bird, out of focus by a random amount."""
    picture = BACKGROUNDS[habitat](rng, side)
    tint = rng.normal(1.0, 0.05, 3) * rng.uniform(0.8, 1.15)
    return _blurred(picture * tint.astype(np.float32), rng.uniform(0.3, 1.2))


def draw_perch(rng: Generator, picture: Picture, habitat: str, feet: tuple[float, float]) -> None:
    """A branch under the feet; in open country a strip of darker ground."""
    side = len(picture)
    x, y = feet[0] * side, feet[1] * side
    slope = rng.normal(0, 0.12)
    if habitat in ("water", "sand"):
        cv2.ellipse(picture, (round(x), round(y)), (round(0.3 * side), max(1, round(0.02 * side))), 0, 0, 360,
                    _tone((96, 88, 74), rng.uniform(0.7, 1.2)), -1, cv2.LINE_AA)  # fmt: skip
        return
    bark, thickness = _tone((104, 82, 60), rng.uniform(0.6, 1.3)), max(1, round(rng.uniform(0.02, 0.05) * side))
    y += 0.5 * thickness
    _line(picture, (x - side, y + slope * side), (x + side, y - slope * side), bark, thickness)


def draw_bird_over(picture: Picture, layer: Layer, rng: Generator) -> Picture:
    """Lay a bird over a picture, lit from above with a slight unevenness of plumage."""
    side = len(picture)
    light = 1.12 - 0.3 * _ramp(side) + 0.06 * noise_field(rng, side, (12, 12))
    cover = layer[..., 3:].astype(np.float32) / 255
    return (picture * (1 - cover) + layer[..., :3] * light[..., None]).astype(np.float32)


def draw_occluders(rng: Generator, picture: Picture) -> None:
    """Leaves and thin twigs between camera and bird, in half of the pictures."""
    side = len(picture)
    if rng.random() < 0.5:
        return
    for _ in range(rng.integers(1, 3)):
        x, lean = rng.uniform(0, side), rng.normal(0, 0.5) * side
        _line(picture, (x, -2), (x + lean, side + 2), _tone((90, 76, 54), rng.uniform(0.6, 1.4)), 1)
    for _ in range(rng.integers(0, 4)):
        colour = _tone((98, 124, 58), rng.uniform(0.6, 1.4))
        _leaf(picture, rng.uniform(0, side, 2), rng.uniform(0.03, 0.07) * side, rng.uniform(0, 180), colour)


def photograph(rng: Generator, picture: Picture) -> NDArray[np.uint8]:
    """Light, cast shadow, white balance, focus and sensor noise."""
    side = len(picture)
    along = np.linspace(-1, 1, side, dtype=np.float32)
    slope = rng.normal(0, 0.12, 2)
    light = rng.uniform(0.85, 1.2) * (1 + slope[0] * along[:, None] + slope[1] * along[None, :])
    if rng.random() < 0.35:
        light = light * (1 - rng.uniform(0.15, 0.4) * np.clip(4 * noise_field(rng, side, (4, 4)), 0, 1))
    picture = (picture * light[..., None] * rng.normal(1, 0.03, 3)).astype(np.float32)
    picture = _blurred(picture, rng.uniform(0.2, 0.8))
    picture = picture + rng.uniform(0, 8) * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
