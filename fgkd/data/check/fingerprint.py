"""A picture's look in 256 bits: small when two pictures are the same photograph, large when they are alike only.

A difference hash: the picture is reduced to 17 x 16 grey pixels, and each bit says whether a pixel is brighter than its
left neighbour. It survives other sizes, other compression and mild cropping, not mirroring or turning.
"""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 16
BITS = SIDE * SIDE
FLAT = 1.5  # standard deviation in grey levels, under which a picture shows nothing


def fingerprint(pixels: np.ndarray) -> bytes:
    """32 bytes for a picture (H, W, 3) uint8; none where it is of one colour, and so like every other such picture."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    if small.std() < FLAT:
        return b""
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes()


def has_colour(pixels: np.ndarray) -> bool:
    """Whether any pixel's channels differ by more than JPEG's rounding."""
    red, green, blue = cv2.split(pixels)
    high = max(int(cv2.absdiff(red, green).max()), int(cv2.absdiff(green, blue).max()))
    return high > 6
