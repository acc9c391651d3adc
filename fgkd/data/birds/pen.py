"""Filling and stroking smooth shapes on a transparent layer, through 3 x 3 matrices."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fgkd.data.birds.species import Colour

Points = NDArray[np.float64]  # (N, 2)
Matrix = NDArray[np.float64]  # (3, 3), drawing units to pixels
Layer = NDArray[np.uint8]  # (H, W, 4), RGB premultiplied by coverage, and coverage

SUBPIXEL_BITS = 4


def affine(scale: float = 1.0, degrees: float = 0.0, x: float = 0.0, y: float = 0.0, mirror: int = 1) -> Matrix:
    """Mirror in x, rotate (head up is positive), scale, then move by (x, y)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    return np.array([[mirror * scale, 0, x], [0, scale, y], [0, 0, 1.0]]) @ rotation


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 28) -> Points:
    """Points on an ellipse with half axes rx, ry."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


@lru_cache(maxsize=512)
def blob(*corners: tuple[float, float]) -> Points:
    """A smooth closed curve through `corners` (Catmull-Rom)."""
    p1 = np.array(corners)[:, None]
    p0, p2, p3 = np.roll(p1, 1, 0), np.roll(p1, -1, 0), np.roll(p1, -2, 0)
    t = np.linspace(0, 1, 6, endpoint=False)[None, :, None]
    curve = 2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return (curve / 2).reshape(-1, 2)


class Pen:
    """Fills and strokes shapes on a supersampled layer."""

    def __init__(self, side: int) -> None:
        self.layer: Layer = np.zeros((side, side, 4), np.uint8)

    def fill(self, points: Points, colour: Colour, matrix: Matrix) -> None:
        """Fill a polygon."""
        cv2.fillPoly(self.layer, [to_pixels(points, matrix)], (*colour, 255), cv2.LINE_8, SUBPIXEL_BITS)

    def fill_hull(self, pixels: NDArray[np.int32], colour: Colour) -> None:
        """Fill the convex hull of points that are in pixels already (`to_pixels`)."""
        cv2.fillPoly(self.layer, [cv2.convexHull(pixels)], (*colour, 255), cv2.LINE_8, SUBPIXEL_BITS)

    def stroke(self, points: Points, colour: Colour, width: float, matrix: Matrix) -> None:
        """Draw an open line `width` bird units thick, at least one pixel."""
        thickness = max(1, round(width * float(np.hypot(matrix[0, 0], matrix[1, 0]))))
        pixels = [to_pixels(points, matrix)]
        cv2.polylines(self.layer, pixels, False, (*colour, 255), thickness, cv2.LINE_8, SUBPIXEL_BITS)


def to_pixels(points: Points, matrix: Matrix) -> NDArray[np.int32]:
    """Points moved by `matrix`, in fixed point with `SUBPIXEL_BITS` fractional bits."""
    moved = points @ matrix[:2, :2].T + matrix[:2, 2]
    return np.rint(moved * (1 << SUBPIXEL_BITS)).astype(np.int32)


def darker(colour: Colour, factor: float) -> Colour:
    """`colour` times `factor`."""
    red, green, blue = (round(min(255, channel * factor)) for channel in colour)
    return red, green, blue
