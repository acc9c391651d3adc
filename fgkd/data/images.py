"""Image files of any kind, read as RGB: OpenCV where it is fast and safe, Pillow for everything odd."""

from __future__ import annotations

import io
import platform
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO, Protocol

import cv2
import numpy as np
import PIL
from PIL import ExifTags, Image, ImageFile, ImageOps

from fgkd.errors import UserError

ALGORITHM = 1  # raised when `read_image` gives other pixels with a `shorter_side`: decoded caches then start anew
AREA = cv2.INTER_AREA  # antialiased when it shrinks, and all that happens here is shrinking
MAX_PIXELS = 90_000_000  # a 9,500-pixel square; beyond it a file is a mistake or a decompression bomb
JPEG_END = b"\xff\xd9"
MARGIN = 1.5  # a decoder's small pictures alias a little; area averaging from one this much larger hides it
REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
BITS_PER_SAMPLE = 258  # a tag of TIFF
RANGELESS = "have no known range; save the picture with 8 or 16 bits per channel"
FAULTS = (Exception,)  # at bad files decoders raise almost anything
# Of the forty formats that Pillow knows some start other programs (EPS), or are written by nobody who takes pictures.
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")


class Pictures(Protocol):
    """(H, W, 3) uint8 RGB pictures by position; UserError where one cannot be had."""

    def __getitem__(self, position: int, /) -> np.ndarray: ...


def fingerprint() -> str:
    """What decides the pixels of a decoded file, beside its bytes."""
    return f"algorithm {ALGORITHM}, OpenCV {cv2.__version__}, Pillow {PIL.__version__}, {platform.machine()}"


class Files:
    """The pictures of image files, by position: what a loader reads where there is no decoded cache.

    Args:
        paths: n files.
        shorter_side: as for `read_image`.
    """

    def __init__(self, paths: Sequence[Path], shorter_side: int | None = None) -> None:
        self.paths, self.shorter_side = paths, shorter_side

    def __getitem__(self, position: int) -> np.ndarray:
        """(H, W, 3) uint8; UserError as `read_image` raises it."""
        return read_image(self.paths[position], self.shorter_side)


def read_image(path: Path, shorter_side: int | None = None) -> np.ndarray:
    """The picture in `path` as (H, W, 3) uint8 RGB.

    The content decides, not the extension. EXIF rotation is applied; grayscale, palette, CMYK and 16-bit pictures are
    converted; transparency is laid over white; of an animation the first frame is taken.

    Args:
        shorter_side: in px; a picture whose shorter side is longer is brought to it (see `bounded`), which lets JPEGs
            be decoded at 1/2, 1/4 or 1/8 of their size, in a fraction of the time. None: as it is.

    Raises:
        UserError: the file is missing, empty, truncated, not an image, or larger than `MAX_PIXELS`.
    """
    try:
        return decode(Path(path).read_bytes(), shorter_side)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except FAULTS as error:
        raise UserError(f"{path}: {_told(error)}") from error


def _told(fault: Exception) -> str:
    """What is wrong with a file, in the user's words rather than in those of the decoder."""
    match fault:
        case FileNotFoundError():
            return "does not exist"
        case IsADirectoryError():
            return "is a folder, expected an image file"
        case PIL.UnidentifiedImageError():
            known = ", ".join(_formats())
            return f"is no image in a format that fgkd reads ({known}), or is damaged; replace or remove the file"
    return f"cannot be read as an image ({fault}); replace or remove the file"


def bounded(width: int, height: int, shorter_side: int | None) -> tuple[int, int]:
    """Width and height of a picture after its shorter side was brought to `shorter_side`; nothing is enlarged.

    The longer side is rounded up, as decoders do at 1/2, 1/4 and 1/8.

    Example:
        >>> bounded(1000, 667, 256), bounded(667, 1000, 256), bounded(200, 300, 256)
        ((384, 256), (256, 384), (200, 300))
    """
    shorter = min(width, height)
    if shorter_side is None or shorter <= shorter_side:
        return width, height
    return -(-width * shorter_side // shorter), -(-height * shorter_side // shorter)


def read_size(path: Path) -> tuple[int, int]:
    """Width and height in px, from the header alone and before any rotation; raises as `decode` does."""
    with path.open("rb") as file, _opened(file) as picture:
        return picture.size


def decode(data: bytes, shorter_side: int | None = None) -> np.ndarray:
    """As `read_image`, from the bytes of a file; what decoders raise, `FAULTS`, is let through."""
    if not data:
        raise UserError("the file is empty; replace or remove it")
    with _opened(io.BytesIO(data)) as picture:
        pixels = _by_opencv(data, picture, shorter_side)
        if pixels is None:
            pixels = from_pillow(picture)
        width, height = bounded(*picture.size, shorter_side)
        if _turned(picture, pixels):
            width, height = height, width
    return _resized(pixels, width, height)


def bound(pixels: np.ndarray, shorter_side: int | None) -> np.ndarray:
    """(H, W, 3) uint8 brought to `shorter_side`, as `read_image` brings a file; see `bounded`."""
    height, width = pixels.shape[:2]
    return _resized(pixels, *bounded(width, height, shorter_side))


def _resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    return pixels if pixels.shape[:2] == (height, width) else cv2.resize(pixels, (width, height), interpolation=AREA)


def _turned(picture: Image.Image, pixels: np.ndarray) -> bool:
    """Whether EXIF laid the picture on its side: told by the shape, unless a near-square was reduced to a square."""
    (width, height), (rows, columns) = picture.size, pixels.shape[:2]
    if rows == columns and width != height:
        return picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # from there on, width and height change places
    return (columns - rows) * (width - height) < 0


@cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def open_picture(file: BinaryIO) -> ImageFile.ImageFile:
    """The picture with only its header read; raises `FAULTS` where it is none of `FORMATS`."""
    return Image.open(file, formats=_formats())


def _opened(file: BinaryIO) -> Image.Image:
    """The picture with only its header read, and found to be of a bearable size."""
    picture = open_picture(file)
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise UserError(f"{width} x {height} pixels are more than the {MAX_PIXELS:,} that are read; shrink the file")
    return picture


def _by_opencv(data: bytes, picture: Image.Image, shorter_side: int | None) -> np.ndarray | None:
    """A plain JPEG, at the smallest scale that leaves `MARGIN` times `shorter_side`; None for anything else."""
    plain = picture.format == "JPEG" and picture.mode in ("RGB", "L")
    # OpenCV fills what a truncated JPEG lacks with grey and says nothing; Pillow raises.
    if not plain or not data.rstrip(b"\0").endswith(JPEG_END):
        return None
    flag = cv2.IMREAD_COLOR
    if shorter_side is not None:
        flag = next(
            (flag for scale, flag in REDUCED.items() if min(picture.size) >= MARGIN * scale * shorter_side), flag
        )
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def from_pillow(picture: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 of an opened picture, converted as `read_image` converts a file.

    Raises:
        UserError: its pixels are floating-point numbers, or have more than 16 bits.
    """
    if picture.mode == "F":
        raise UserError(f"floating-point pixels {RANGELESS}")
    if max(getattr(picture, "tag_v2", {}).get(BITS_PER_SAMPLE, (8,))) > 16:
        raise UserError(f"pixels of more than 16 bits {RANGELESS}")
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        return np.repeat(_high_byte(picture)[..., None], 3, axis=2)
    if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return np.array(picture.convert("RGB"))


def _high_byte(picture: Image.Image) -> np.ndarray:
    """16-bit grey to 8-bit; Pillow's own conversion would clip at 255."""
    return (np.clip(np.asarray(picture).astype(np.int64), 0, 65535) >> 8).astype(np.uint8)
