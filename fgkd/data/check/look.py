"""One look at one file: what it is, what is wrong with it, and its fingerprints."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from fgkd.data import images
from fgkd.data.check.endings import TAIL, ends_early, seems_to_end
from fgkd.data.check.fingerprint import fingerprint, has_colour
from fgkd.errors import UserError

SMALL = 16  # pixels
NARROW = 8  # times
REDUCED = 64  # pixels of the shorter side: enough for a fingerprint, and JPEGs are decoded at a fraction of their size
SAME_FORMAT = {"MPO": "JPEG", "DIB": "BMP"}


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a file told.

    Attributes:
        marks: (kind, detail) pairs; kinds are keys of `fgkd.data.check.kinds.KINDS`.
        digest: 16 bytes that equal files have in common; none where the file was not read.
        fingerprint: see there.
    """

    marks: tuple[tuple[str, str], ...] = ()
    digest: bytes = b""
    fingerprint: bytes = b""


class _Refused(Exception):
    """The file cannot be used; the arguments are its kind and a detail."""


def look(path: Path, murmur: Callable[[], str] = str) -> Look:
    """Read a file once and decode it as training does, JPEGs at reduced scale.

    Args:
        path: of any kind of file.
        murmur: tells, and forgets, what the decoder's library has printed since it was last asked.
    """
    return _guarded(path, lambda file: _whole(file, path, murmur))


def glance(path: Path) -> Look:
    """Read a file's header and end; what seems to end early is decoded."""
    return _guarded(path, lambda file: _glance(file, path))


def _guarded(path: Path, examine: Callable[[BinaryIO], Look]) -> Look:
    try:
        size = _size(path)
        if not size:
            raise _Refused("zero-byte", "")
        with path.open("rb") as file:
            return examine(file)
    except _Refused as refused:
        return Look((refused.args,))
    except OSError as error:
        return Look((("unreadable", error.strerror or str(error)),))


def _size(path: Path) -> int:
    """In bytes, of a regular file: opening a pipe would wait for ever."""
    try:
        found = path.stat()
    except OSError as error:
        raise _Refused("missing", error.strerror or "") from None
    if not stat.S_ISREG(found.st_mode):
        raise _Refused("unreadable", "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file")
    return found.st_size


def _glance(file: BinaryIO, path: Path) -> Look:
    start = file.read(TAIL)
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - TAIL))
    if not seems_to_end(start, file.read(TAIL), size):
        file.seek(0)
        return _whole(file, path, str)
    file.seek(0)
    return Look(_header(file, path))


def _whole(file: BinaryIO, path: Path, murmur: Callable[[], str]) -> Look:
    marks = _header(file, path)
    file.seek(0)
    data = file.read()
    murmur()
    pixels = _decoded(data)
    marks += tuple(("damaged", detail) for detail in _losses(data, murmur()))
    kinds = {kind for kind, _ in marks}
    if "grayscale" not in kinds and not has_colour(pixels):
        marks += (("grayscale", "stored with three channels"),)
    seen = fingerprint(pixels)
    if not seen and "very-small" not in kinds:
        marks += (("blank", ""),)
    return Look(marks, hashlib.blake2b(data, digest_size=16).digest(), seen)


def _header(file: BinaryIO, path: Path) -> tuple[tuple[str, str], ...]:
    """Marks from the header alone; _Refused where it says that the picture cannot be used."""
    try:
        with images.open_picture(file) as picture:
            return tuple(_marks(picture, path))
    except _Refused:
        raise
    except Image.DecompressionBombError as error:
        raise _Refused("huge", str(error)) from None
    except Exception as error:  # a broken header raises almost anything
        file.seek(0)
        raise _Refused(*_fault(file.read(), error)) from None


def _marks(picture: ImageFile.ImageFile, path: Path) -> Iterator[tuple[str, str]]:
    width, height = picture.size
    if width * height > images.MAX_PIXELS:
        raise _Refused("huge", f"{width} x {height} pixels are more than the {images.MAX_PIXELS:,} that are read")
    if picture.mode == "F":
        raise _Refused("float", f"{picture.format}, mode F")
    if min(width, height) < SMALL:
        yield "very-small", f"{width} x {height} pixels"
    if max(width, height) > NARROW * min(width, height):
        yield "extreme-aspect", f"{width} x {height} pixels"
    yield from _names(picture, path)
    yield from _colours(picture)
    if picture.format != "MPO" and getattr(picture, "is_animated", False):
        yield "animated", f"{getattr(picture, 'n_frames', 'several')} frames"
    if (turn := _orientation(picture)) > 1:
        yield "exif-rotated", f"orientation {turn}"


def _names(picture: Image.Image, path: Path) -> Iterator[tuple[str, str]]:
    """Only an ending that stands for some image format can be wrong."""
    named, found = _formats().get(path.suffix.lower()), str(picture.format)
    if named and SAME_FORMAT.get(named, named) != SAME_FORMAT.get(found, found):
        yield "wrong-extension", f"{found} named {path.suffix}"


def _colours(picture: ImageFile.ImageFile) -> Iterator[tuple[str, str]]:
    mode = picture.mode
    if mode == "CMYK":
        yield "cmyk", ""
    if mode in ("P", "PA"):
        yield "palette", ""
    if (depth := _depth(picture)) > 8:
        yield "16-bit", f"{depth} bits per channel"
    if mode in ("1", "L", "LA", "La") or mode.startswith("I"):
        yield "grayscale", "one channel"
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info:
        yield "transparent", ""


def _depth(picture: ImageFile.ImageFile) -> int:
    """Bits per channel; Pillow shows colours of 16 bits as if they had 8."""
    if picture.format == "PNG" and picture.fp is not None:
        picture.fp.seek(24)  # within the first chunk, whose place is fixed
        return int(picture.fp.read(1)[0])
    bits = getattr(picture, "tag_v2", {}).get(258, (8,))
    return max(bits) if picture.format == "TIFF" else 16 if picture.mode.startswith("I") else 8


def _orientation(picture: Image.Image) -> int:
    if picture.format == "PNG" and "exif" not in picture.info:  # Pillow would decode all pixels to look for it
        return 1
    return int(picture.getexif().get(ExifTags.Base.Orientation, 1))


def _decoded(data: bytes) -> np.ndarray:
    try:
        return images.decode(data, REDUCED)
    except UserError as error:
        raise _Refused("unreadable", str(error)) from None
    except Exception as error:  # a broken file raises almost anything
        raise _Refused(*_fault(data, error)) from None


def _fault(data: bytes, error: Exception) -> tuple[str, str]:
    """Kind and detail for a file that cannot be decoded."""
    text = "not an image" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
    if "truncated" in text or ends_early(data):
        return "truncated", f"{len(data)} bytes" if text == "not an image" else text
    return "unreadable", text


def _losses(data: bytes, murmured: str) -> Iterator[str]:
    """What is lost of a picture that could be decoded. Bytes too many lose nothing."""
    told = [line for line in murmured.splitlines() if "JPEG" in line and "extraneous" not in line]
    if told:
        yield told[0]
    elif data.startswith((b"\xff\xd8", b"\x89PNG")) and ends_early(data):
        yield "the end mark is missing"


@lru_cache
def _formats() -> dict[str, str]:
    return Image.registered_extensions()
