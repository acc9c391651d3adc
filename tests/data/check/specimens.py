"""Files of every kind that data sets hold, odd and broken, each with the kinds that have to be found."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Write = Callable[[Path], object]


def photo(width: int = 96, height: int = 80, seed: int = 0) -> Image.Image:
    """Coarse coloured noise: fingerprints of two seeds are far apart."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    """The bytes of a file."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def saved(image: Image.Image, form: str | None = None, **options) -> Write:
    """Writes `image`, in the format of the file's name unless `form` says another."""
    return lambda path: image.save(path, form, **options)


def raw(data: bytes) -> Write:
    """Writes these bytes."""
    return lambda path: path.write_bytes(data)


def png_of_size(width: int, height: int) -> bytes:
    """A few bytes that claim to be an immense picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def rotated(orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photo(), "JPEG", exif=exif)


def with_alpha() -> Image.Image:
    image = photo().convert("RGBA")
    image.putalpha(128)
    return image


def with_thumbnail(cut: bool) -> bytes:
    """A JPEG in whose EXIF block lies a whole JPEG with its own end mark; `cut`: the outer one has lost its end."""
    thumbnail = encoded(photo(16, 16), "JPEG")
    block = b"Exif\0\0" + thumbnail
    data = encoded(photo(seed=3), "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    return data[: -len(data) // 4] if cut else data


JPEG = encoded(photo(seed=1), "JPEG", quality=90)
PNG = encoded(photo(seed=2), "PNG")
HOLE = JPEG[: len(JPEG) // 2] + bytes(300) + JPEG[len(JPEG) // 2 + 300 :]
GREY16 = np.random.default_rng(0).integers(0, 65536, (40, 40), dtype=np.uint16)
FRAMES = [photo(seed=seed).quantize(16) for seed in (5, 6, 7)]

SPECIMENS: dict[str, tuple[Write, set[str]]] = {
    "fine.jpg": (raw(JPEG), set()),
    "fine.png": (raw(PNG), set()),
    "fine.webp": (saved(photo(seed=21)), set()),
    "fine.bmp": (saved(photo(seed=22)), set()),
    "fine.tiff": (saved(photo(seed=23)), set()),
    "thumbnail.jpg": (raw(with_thumbnail(cut=False)), set()),
    "trailer.jpg": (raw(encoded(photo(seed=24), "JPEG") + b"appended by a camera"), set()),
    "empty.jpg": (raw(b""), {"zero-byte"}),
    "text.jpg": (raw(b"<html>404 not found</html>"), {"unreadable"}),
    "zeros.jpg": (raw(bytes(5000)), {"unreadable"}),
    "folder.jpg": (lambda path: path.mkdir(), {"unreadable"}),
    "pipe.jpg": (os.mkfifo, {"unreadable"}),
    "dangling.jpg": (lambda path: path.symlink_to("nowhere.jpg"), {"missing"}),
    "loop.jpg": (lambda path: path.symlink_to(path.name), {"missing"}),
    "cut.jpg": (raw(JPEG[: len(JPEG) // 2]), {"truncated"}),
    "cut_in_header.jpg": (raw(JPEG[:200]), {"truncated"}),
    "cut_with_thumbnail.jpg": (raw(with_thumbnail(cut=True)), {"truncated"}),
    "padded_with_zeros.jpg": (raw(JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2)), {"truncated"}),
    "cut.png": (raw(PNG[: len(PNG) // 2]), {"truncated"}),
    "cut.gif": (raw(encoded(FRAMES[0], "GIF")[:900]), {"truncated"}),
    "cut.webp": (raw(encoded(photo(), "WEBP")[:300]), {"truncated"}),
    "cut.bmp": (raw(encoded(photo(), "BMP")[:3000]), {"truncated"}),
    "cut_tail.tiff": (raw(encoded(photo(), "TIFF")[:3000]), {"truncated"}),
    "bad_header.png": (raw(b"\x89PNG\r\n\x1a\n" + bytes(40) + PNG[-12:]), {"unreadable"}),
    "named_png.png": (raw(encoded(photo(seed=25), "JPEG")), {"wrong-extension"}),
    "named_jpg.JPG": (raw(encoded(photo(seed=26), "PNG")), {"wrong-extension"}),
    "no_ending": (raw(encoded(photo(seed=27), "PNG")), set()),
    "cmyk.jpg": (saved(photo(seed=28).convert("CMYK")), {"cmyk"}),
    "grey16.png": (saved(Image.fromarray(GREY16)), {"16-bit", "grayscale"}),
    "grey16.tiff": (saved(Image.fromarray(GREY16.T.copy())), {"16-bit", "grayscale"}),
    "float.tiff": (saved(Image.fromarray(np.zeros((40, 40), np.float32))), {"float"}),
    "palette.png": (saved(photo(seed=29).quantize(16)), {"palette"}),
    "animated.gif": (saved(FRAMES[0], save_all=True, append_images=FRAMES[1:]), {"animated", "palette"}),
    "animated.webp": (saved(FRAMES[0], save_all=True, append_images=FRAMES[1:]), {"animated"}),
    "rotated.jpg": (raw(rotated()), {"exif-rotated"}),
    "upright.jpg": (raw(rotated(1)), set()),
    "bomb.png": (raw(png_of_size(50_000, 50_000)), {"huge"}),
    "large.png": (raw(png_of_size(10_000, 10_000)), {"huge"}),
    "tiny.png": (saved(photo(12, 40, seed=30)), {"very-small"}),
    "banner.jpg": (saved(photo(400, 40, seed=31)), {"extreme-aspect"}),
    "alpha.png": (saved(with_alpha()), {"transparent"}),
    "palette_alpha.png": (
        saved(photo(seed=32).quantize(16), transparency=3),
        {"palette", "transparent"},
    ),
    "grey.jpg": (saved(photo(seed=33).convert("L")), {"grayscale"}),
    "grey_in_colour.jpg": (saved(photo(seed=34).convert("L").convert("RGB")), {"grayscale"}),
    "bilevel.png": (saved(photo(seed=35).convert("1")), {"grayscale"}),
    "blank.png": (saved(Image.new("RGB", (50, 50), (200, 30, 90))), {"blank"}),
}
