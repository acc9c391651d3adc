"""Image files of any kind, read as RGB: OpenCV where it is fast and safe, Pillow for everything odd."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from fgkd.errors import UserError

MAX_PIXELS = 90_000_000  # a 9,500-pixel square; beyond it a file is a mistake or a decompression bomb
JPEG_END = b"\xff\xd9"


def read_image(path: Path) -> np.ndarray:
    """The picture in `path` as (H, W, 3) uint8 RGB.

    The content decides, not the extension. EXIF rotation is applied; grayscale, palette, CMYK and 16-bit pictures are
    converted; transparency is laid over white; of an animation the first frame is taken.

    Raises:
        UserError: the file is missing, empty, truncated, not an image, or larger than `MAX_PIXELS`.
    """
    try:
        data = Path(path).read_bytes()
        return decode(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read as an image ({error}); replace or remove the file") from error


def decode(data: bytes) -> np.ndarray:
    """As `read_image`, from the bytes of a file; what Pillow raises is let through."""
    if not data:
        raise UserError("the file is empty; replace or remove it")
    with Image.open(io.BytesIO(data)) as picture:  # reads the header only
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise UserError(
                f"{width} x {height} pixels are more than the {MAX_PIXELS:,} that are read; shrink the file"
            )
        plain = picture.format == "JPEG" and picture.mode in ("RGB", "L")
        # OpenCV fills what a truncated JPEG lacks with grey and says nothing; Pillow raises.
        if plain and data.rstrip(b"\0").endswith(JPEG_END):
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if pixels is not None:
                return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return _by_pillow(picture)


def _by_pillow(picture: Image.Image) -> np.ndarray:
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        return np.repeat(_high_byte(picture)[..., None], 3, axis=2)
    if picture.mode == "F":
        raise UserError("floating-point pixels have no known range; save the picture with 8 or 16 bits per channel")
    if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return np.array(picture.convert("RGB"))


def _high_byte(picture: Image.Image) -> np.ndarray:
    """16-bit grey to 8-bit; Pillow's own conversion would clip at 255."""
    return (np.clip(np.asarray(picture).astype(np.int64), 0, 65535) >> 8).astype(np.uint8)
