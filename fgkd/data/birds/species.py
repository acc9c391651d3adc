"""The species of `synthetic_birds`: five families of look-alikes, told apart by small parts alone.

A family fixes body shape, palette and habitat. A species states the values of a few named parts; all others are the
family's. No part settles a family by itself: each value is shared by several of its species.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

Colour = tuple[int, int, int]  # RGB, 0 to 255


@dataclass(frozen=True)
class Parts:
    """The parts in which species of a family may differ."""

    wing_bars: Literal[0, 1, 2, 3] = 0
    brow: Literal["none", "white"] = "none"
    eye_ring: Literal["none", "white", "yellow"] = "none"
    crest: Literal["none", "short", "long"] = "none"
    beak: Literal["dark", "yellow", "red"] = "dark"
    beak_length: Literal["short", "long"] = "short"
    throat: Literal["plain", "white", "rufous", "black"] = "plain"
    breast: Literal["plain", "streaked", "banded"] = "plain"
    tail_tip: Literal["plain", "white", "black"] = "plain"
    legs: Literal["dark", "pink", "yellow"] = "dark"


@dataclass(frozen=True)
class Shape:
    """Body proportions in bird units: the body is about one unit long; x points forward, y down.

    `tilt` is the posture in degrees (head up is positive); beak is (length, depth); tail is (length, width at its end,
    depth of its fork).
    """

    body: tuple[float, float]  # half axes
    head: tuple[float, float, float]  # centre x, y, radius
    beak: tuple[float, float]
    tail: tuple[float, float, float]
    legs: float
    tilt: float


@dataclass(frozen=True)
class Palette:
    """Plumage colours of a family."""

    back: Colour
    belly: Colour
    wing: Colour
    tail: Colour
    cap: Colour


@dataclass(frozen=True)
class Family:
    """Look-alike species: what they share, and by name the parts in which each departs from `common`."""

    name: str
    shape: Shape
    palette: Palette
    habitats: tuple[str, ...]
    common: Parts
    species: Mapping[str, Mapping[str, int | str]]


@dataclass(frozen=True)
class BirdClass:
    """One class of the data set."""

    name: str
    family: Family
    parts: Parts

    def described(self) -> dict[str, str | int]:
        """Part name -> value."""
        return asdict(self.parts)


FAMILIES = (
    Family(
        "reed_warbler",
        Shape((0.50, 0.27), (0.43, -0.22, 0.19), (0.19, 0.07), (0.55, 0.17, 0.0), 0.30, 18),
        Palette((139, 121, 82), (222, 207, 165), (106, 90, 60), (110, 94, 64), (128, 110, 72)),
        ("reeds", "foliage", "water"),
        Parts(wing_bars=1, legs="pink"),
        {
            "one_wing_bar": {},
            "two_wing_bars": {"wing_bars": 2},
            "one_bar_white_brow": {"brow": "white"},
            "two_bars_white_brow": {"wing_bars": 2, "brow": "white"},
            "one_bar_white_throat": {"throat": "white"},
        },
    ),
    Family(
        "slate_finch",
        Shape((0.48, 0.31), (0.40, -0.25, 0.22), (0.17, 0.18), (0.50, 0.22, 0.10), 0.25, 24),
        Palette((104, 116, 132), (196, 168, 150), (72, 80, 94), (64, 70, 84), (86, 96, 116)),
        ("sky", "foliage", "autumn"),
        Parts(wing_bars=1, beak="yellow"),
        {
            "yellow_beak": {},
            "red_beak": {"beak": "red"},
            "yellow_beak_white_tail_tip": {"tail_tip": "white"},
            "red_beak_white_tail_tip": {"beak": "red", "tail_tip": "white"},
            "yellow_beak_two_bars": {"wing_bars": 2},
        },
    ),
    Family(
        "oak_tit",
        Shape((0.44, 0.33), (0.34, -0.27, 0.25), (0.12, 0.08), (0.60, 0.14, 0.0), 0.24, 12),
        Palette((118, 140, 104), (234, 214, 112), (84, 104, 118), (80, 96, 108), (58, 72, 96)),
        ("foliage", "autumn", "sky"),
        Parts(wing_bars=1, crest="none", throat="black"),
        {
            "black_throat": {},
            "short_crest_black_throat": {"crest": "short"},
            "white_throat": {"throat": "white"},
            "short_crest_white_throat": {"crest": "short", "throat": "white"},
            "black_throat_no_bar": {"wing_bars": 0},
        },
    ),
    Family(
        "shore_piper",
        Shape((0.50, 0.26), (0.44, -0.27, 0.17), (0.25, 0.06), (0.30, 0.14, 0.0), 0.48, 6),
        Palette((150, 134, 118), (238, 232, 222), (116, 102, 90), (108, 94, 84), (134, 118, 102)),
        ("water", "reeds", "sand"),
        Parts(legs="dark"),
        {
            "dark_legs": {},
            "yellow_legs": {"legs": "yellow"},
            "dark_legs_streaked_breast": {"breast": "streaked"},
            "yellow_legs_streaked_breast": {"legs": "yellow", "breast": "streaked"},
            "dark_legs_long_beak": {"beak_length": "long"},
        },
    ),
    Family(
        "copper_jay",
        Shape((0.50, 0.27), (0.42, -0.27, 0.21), (0.21, 0.12), (0.72, 0.21, 0.0), 0.28, 28),
        Palette((176, 118, 84), (214, 170, 138), (78, 92, 128), (62, 66, 84), (160, 100, 70)),
        ("autumn", "foliage", "sky"),
        Parts(eye_ring="none", crest="short", wing_bars=2),
        {
            "plain_eye": {},
            "white_eye_ring": {"eye_ring": "white"},
            "plain_eye_white_tail_tip": {"tail_tip": "white"},
            "white_eye_ring_white_tail_tip": {"eye_ring": "white", "tail_tip": "white"},
            "plain_eye_three_bars": {"wing_bars": 3},
        },
    ),
)


def class_table() -> tuple[BirdClass, ...]:
    """All classes, sorted by name, which is the order of their labels in a folder data set.

    Example:
        >>> table = class_table()
        >>> len(table), table[0].name, table[0].parts.wing_bars
        (25, 'copper_jay.plain_eye', 2)
    """
    classes = (
        BirdClass(f"{family.name}.{species}", family, replace(family.common, **parts))  # type: ignore[arg-type]
        for family in FAMILIES
        for species, parts in family.species.items()
    )
    return tuple(sorted(classes, key=lambda bird: bird.name))
