"""Draw one bird as a transparent layer, part by part, with antialiasing by supersampling.

Shapes are polygons in bird units (see `Shape`), brought to pixels by 3 x 3 matrices: one for the body, one for the
head, which may turn by itself, and one for the legs, which stay upright however the body tilts.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fgkd.data.birds.pen import Layer, Matrix, Pen, affine, blob, darker, ellipse, to_pixels
from fgkd.data.birds.species import BirdClass, Colour, Palette, Parts, Shape

SUPERSAMPLING = 3

PIGMENT: dict[str, Colour] = {
    "dark": (52, 46, 44),
    "black": (40, 38, 42),
    "white": (240, 238, 228),
    "yellow": (226, 178, 50),
    "red": (200, 74, 48),
    "pink": (206, 142, 124),
    "rufous": (178, 98, 58),
}


@dataclass(frozen=True)
class Pose:
    """Where a bird stands in its picture.

    Attributes:
        x, y: body centre, in fractions of the side.
        scale: pixels per bird unit, as a fraction of the side.
        facing: 1 for right, -1 for left.
        tilt: degrees added to the posture of the family.
        head_turn: degrees, head up is positive.
    """

    x: float
    y: float
    scale: float
    facing: int
    tilt: float
    head_turn: float


def draw_bird(bird: BirdClass, palette: Palette, pose: Pose, side: int) -> Layer:
    """One bird on a transparent square.

    Args:
        bird: what to draw.
        palette: the individual's own plumage, near its family's.
        pose: where and how it stands.
        side: of the square, in pixels.
    """
    shape, parts = bird.family.shape, bird.parts
    large = side * SUPERSAMPLING
    pen = Pen(large)
    stand = affine(pose.scale * large, 0, pose.x * large, pose.y * large, pose.facing)
    body = stand @ affine(degrees=shape.tilt + pose.tilt)
    # The head keeps its gaze near the horizon: it undoes most of the body's tilt.
    head = body @ affine(degrees=pose.head_turn - 0.7 * (shape.tilt + pose.tilt), x=shape.head[0], y=shape.head[1])
    _draw_legs(pen, shape, parts, stand)
    _draw_tail(pen, shape, palette, parts, body)
    _draw_trunk(pen, shape, palette.back, body, head)
    _draw_breast(pen, shape, palette, parts, body)
    _draw_head(pen, shape, palette, parts, head)
    _draw_wing(pen, shape, palette, parts, body)
    return cv2.resize(pen.layer, (side, side), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def span(shape: Shape) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a bird in its family's posture, facing right, in bird units from the body centre."""
    x, y, r = shape.head
    tail = (-0.75 * shape.body[0] - shape.tail[0], 0.06)
    (head_x, head_y), (tail_x, tail_y) = np.array([(x, y), tail]) @ affine(degrees=shape.tilt)[:2, :2].T
    bottom = max(shape.body[1] * 0.85 + shape.legs, tail_y)
    return float(tail_x), float(head_y - r), float(head_x + r + shape.beak[0]), float(bottom)


def feet(shape: Shape, pose: Pose) -> tuple[float, float]:
    """Where the feet of a bird stand, in fractions of the side."""
    return pose.x + 0.02 * pose.facing * pose.scale, pose.y + (shape.body[1] * 0.85 + shape.legs) * pose.scale


def _draw_legs(pen: Pen, shape: Shape, parts: Parts, stand: Matrix) -> None:
    colour = PIGMENT[parts.legs]
    hip = shape.body[1] * 0.7
    foot = shape.body[1] * 0.85 + shape.legs
    for x in (-0.10, 0.06):
        knee = (x - 0.04, hip + 0.5 * (foot - hip))
        pen.stroke(np.array([(x, hip), knee, (x + 0.02, foot)]), colour, 0.045, stand)
        pen.stroke(np.array([(x - 0.06, foot + 0.01), (x + 0.02, foot), (x + 0.12, foot + 0.02)]), colour, 0.04, stand)


def _draw_tail(pen: Pen, shape: Shape, palette: Palette, parts: Parts, body: Matrix) -> None:
    length, width, fork = shape.tail
    root, end = -0.75 * shape.body[0], -0.75 * shape.body[0] - length

    def across(x: float, half: float, notch: float = 0.0) -> list[tuple[float, float]]:
        return [(x, 0.06 - half), (x + notch, 0.06), (x, 0.06 + half)]

    half = 0.5 * width
    tip = across(end, half, fork)
    pen.fill(np.array([(root, -0.08), *tip, (root, 0.12)]), palette.tail, body)
    for share in (0.35, 0.7):
        y = 0.06 - half + share * width
        pen.stroke(np.array([(root, 0.02), (end + fork * 0.5, y)]), darker(palette.tail, 0.8), 0.02, body)
    if parts.tail_tip != "plain":
        inner = across(end + 0.13, 0.93 * half, fork)
        pen.fill(np.array([*tip, *reversed(inner)]), PIGMENT[parts.tail_tip], body)


def _draw_trunk(pen: Pen, shape: Shape, colour: Colour, body: Matrix, head: Matrix) -> None:
    rx, ry = shape.body
    trunk = blob((rx, -0.25 * ry), (0.55 * rx, -0.85 * ry), (-0.2 * rx, -0.95 * ry), (-1.05 * rx, -0.1 * ry),
                 (-0.85 * rx, 0.45 * ry), (-0.1 * rx, ry), (0.65 * rx, 0.8 * ry))  # fmt: skip
    pen.fill(trunk, colour, body)
    chest = to_pixels(ellipse(0.45 * rx, -0.1 * ry, 0.45 * rx, 0.7 * ry), body)
    skull = to_pixels(ellipse(0, 0, 0.92 * shape.head[2], 0.92 * shape.head[2]), head)
    pen.fill_hull(np.concatenate([chest, skull]), colour)


def _draw_breast(pen: Pen, shape: Shape, palette: Palette, parts: Parts, body: Matrix) -> None:
    rx, ry = shape.body
    breast = blob((0.98 * rx, -0.2 * ry), (0.8 * rx, -0.35 * ry), (0.25 * rx, 0.0), (-0.55 * rx, 0.3 * ry),
                  (-0.75 * rx, 0.5 * ry), (-0.1 * rx, 0.97 * ry), (0.64 * rx, 0.78 * ry))  # fmt: skip
    pen.fill(breast, palette.belly, body)
    if parts.breast == "streaked":
        for x, y in ((0.82, 0.1), (0.72, 0.4), (0.58, 0.15), (0.5, 0.55), (0.36, 0.4), (0.86, -0.15), (0.3, 0.75)):
            dash = np.array([(x * rx, y * ry), (x * rx - 0.05, y * ry + 0.06)])
            pen.stroke(dash, darker(palette.back, 0.55), 0.035, body)
    elif parts.breast == "banded":
        band = np.array([(0.95 * rx, 0.0), (0.75 * rx, 0.2 * ry), (0.5 * rx, 0.2 * ry)])
        pen.stroke(band, darker(palette.back, 0.5), 0.07, body)


def _draw_head(pen: Pen, shape: Shape, palette: Palette, parts: Parts, head: Matrix) -> None:
    r = shape.head[2]
    if parts.crest != "none":
        rise = {"short": 1.0, "long": 1.4}[parts.crest] * r
        crest = [(0.35 * r, -0.85 * r), (-0.75 * r, -0.8 * r - rise), (-0.6 * r, -0.75 * r - 0.5 * rise),
                 (-1.15 * r, -0.6 * r - 0.6 * rise), (-0.75 * r, -0.4 * r)]  # fmt: skip
        pen.fill(np.array(crest), palette.cap, head)
    pen.fill(ellipse(0, 0, r, r), palette.back, head)
    cap = blob(
        (0.9 * r, -0.3 * r), (0.45 * r, -0.9 * r), (-0.3 * r, -0.97 * r), (-0.95 * r, -0.3 * r), (-0.1 * r, -0.25 * r)
    )
    pen.fill(cap, palette.cap, head)
    if parts.throat != "plain":
        bib = blob((0.95 * r, 0.15 * r), (0.3 * r, 0.3 * r), (0.0, 0.85 * r), (0.45 * r, 1.2 * r), (0.95 * r, 0.7 * r))
        pen.fill(bib, PIGMENT[parts.throat], head)
    _draw_beak(pen, shape, parts, head)
    _draw_eye(pen, r, parts, head)


def _draw_beak(pen: Pen, shape: Shape, parts: Parts, head: Matrix) -> None:
    length, depth = shape.beak
    length *= 2.0 if parts.beak_length == "long" else 1.0
    base, tip = 0.85 * shape.head[2], shape.head[2] + length
    colour = PIGMENT[parts.beak]
    beak = blob((base, -0.5 * depth), (0.5 * (base + tip), -0.34 * depth), (tip, 0.18 * depth), (tip, 0.3 * depth),
                (0.5 * (base + tip), 0.4 * depth), (base, 0.55 * depth))  # fmt: skip
    pen.fill(beak, colour, head)
    pen.stroke(np.array([(base, 0.05), (tip, 0.25 * depth)]), darker(colour, 0.7), 0.015, head)


def _draw_eye(pen: Pen, r: float, parts: Parts, head: Matrix) -> None:
    x, y = 0.38 * r, -0.12 * r
    if parts.brow != "none":
        brow = np.array([(x + 0.5 * r, y - 0.12 * r), (x - 0.1 * r, y - 0.4 * r), (x - 1.1 * r, y - 0.15 * r)])
        pen.stroke(brow, PIGMENT[parts.brow], 0.055, head)
    if parts.eye_ring != "none":
        pen.fill(ellipse(x, y, 0.082, 0.082, 20), PIGMENT[parts.eye_ring], head)
    pen.fill(ellipse(x, y, 0.05, 0.05, 16), (22, 20, 22), head)
    pen.fill(ellipse(x + 0.015, y - 0.018, 0.014, 0.014, 8), (235, 235, 235), head)


def _draw_wing(pen: Pen, shape: Shape, palette: Palette, parts: Parts, body: Matrix) -> None:
    rx, ry = shape.body
    wing = blob((0.52 * rx, -0.45 * ry), (0.1 * rx, -0.82 * ry), (-0.8 * rx, -0.45 * ry), (-1.6 * rx, 0.12 * ry),
                (-1.0 * rx, 0.2 * ry), (-0.2 * rx, 0.42 * ry), (0.4 * rx, 0.15 * ry))  # fmt: skip
    pen.fill(wing, palette.wing, body)
    for share in (0.25, 0.5, 0.75):
        start = (-0.35 * rx, (-0.6 + 0.9 * share) * ry)
        pen.stroke(np.array([start, (-1.4 * rx, (-0.1 + 0.25 * share) * ry)]), darker(palette.wing, 0.75), 0.022, body)
    for number in range(parts.wing_bars):
        x = (0.22 - 0.3 * number) * rx
        bar = np.array([(x + 0.08 * rx, -0.55 * ry), (x, -0.2 * ry), (x - 0.02 * rx, 0.18 * ry)])
        pen.stroke(bar, PIGMENT["white"], 0.05, body)
