"""Every kind of file that real data sets hold, and every way in which one is broken."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, PngImagePlugin

from fgkd.data import images
from fgkd.data.check.look import look
from fgkd.data.images import read_image
from fgkd.errors import UserError

LEFT, RIGHT = (200, 40, 60), (20, 90, 220)


def picture(height: int = 48, width: int = 64) -> Image.Image:
    """The left half reddish, the right half bluish."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = LEFT, RIGHT
    return Image.fromarray(pixels)


def saved(folder: Path, name: str, image: Image.Image, **options) -> Path:
    image.save(folder / name, **options)
    return folder / name


def assert_halves(pixels: np.ndarray, left=LEFT, right=RIGHT, tolerance: int = 8) -> None:
    assert pixels.dtype == np.uint8
    assert pixels.shape == (48, 64, 3)
    assert np.abs(pixels[24, 8].astype(int) - left).max() <= tolerance
    assert np.abs(pixels[24, 56].astype(int) - right).max() <= tolerance


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.webp", "a.tiff", "a.gif"])
def test_formats(tmp_path, name):
    assert_halves(read_image(saved(tmp_path, name, picture(), quality=95)), tolerance=10)


def test_extension_does_not_matter(tmp_path):
    path = saved(tmp_path, "a.png", picture()).rename(tmp_path / "a.jpg")
    assert_halves(read_image(path), tolerance=0)


def test_jpeg_equals_pillow(tmp_path):
    path = saved(tmp_path, "a.jpg", picture(), quality=95)
    assert np.abs(read_image(path).astype(int) - np.asarray(Image.open(path)).astype(int)).max() <= 2


def test_grayscale(tmp_path):
    grey = picture().convert("L")
    for name in ("a.jpg", "a.png"):
        pixels = read_image(saved(tmp_path, name, grey))
        assert pixels.shape == (48, 64, 3)
        assert np.array_equal(pixels[..., 0], pixels[..., 2])
        assert np.abs(pixels[24, 8, 0].astype(int) - grey.getpixel((8, 24))) <= 2


def test_cmyk_jpeg(tmp_path):
    assert_halves(read_image(saved(tmp_path, "a.jpg", picture().convert("CMYK"), quality=95)))


def test_16_bit_png(tmp_path):
    ramp = np.repeat(np.arange(0, 65536, 1024, dtype=np.uint16)[None], 48, axis=0)
    pixels = read_image(saved(tmp_path, "a.png", Image.fromarray(ramp)))
    assert pixels.shape == (48, 64, 3)
    assert pixels[0, :, 1].tolist() == list(range(0, 256, 4))


def test_one_bit_png(tmp_path):
    pixels = read_image(saved(tmp_path, "a.png", picture().convert("1")))
    assert set(np.unique(pixels)) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_over_white(tmp_path, mode):
    image = picture().convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat([[255] * 32 + [0] * 32], 48, axis=0).astype(np.uint8)))
    image = image.quantize(8, method=Image.Quantize.FASTOCTREE) if mode == "P" else image.convert(mode)
    left = LEFT if mode != "LA" else (picture().convert("L").getpixel((0, 0)),) * 3
    assert_halves(read_image(saved(tmp_path, "a.png", image)), left, (255, 255, 255))


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.new("P", (64, 48), 1)
    image.putpalette([0, 0, 0, *LEFT, *RIGHT])
    image.paste(2, (32, 0, 64, 48))
    assert_halves(read_image(saved(tmp_path, "a.png", image, transparency=2)), LEFT, (255, 255, 255), tolerance=0)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, name, orientation):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation -> the transpose that stores it
    stored = picture() if orientation == 1 else picture().transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, name, stored, exif=exif, quality=95)
    assert_halves(read_image(path))


def jpeg_bytes() -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, "JPEG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"not a picture at all", r"is no image in a format that fgkd reads \(JPEG, PNG.*replace"),
        (jpeg_bytes()[:-2000], "truncated"),
        (jpeg_bytes()[:300], "cannot be read"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "or is damaged"),
    ],
)
def test_broken_files_are_named(tmp_path, data, said):
    path = tmp_path / "broken.jpg"
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"broken\.jpg.*{said}") as told:
        read_image(path)
    assert "object at 0x" not in str(told.value)


def test_a_place_without_a_file_is_told_as_such(tmp_path):
    with pytest.raises(UserError, match=rf"^{tmp_path}/nothere\.jpg: does not exist$"):
        read_image(tmp_path / "nothere.jpg")
    with pytest.raises(UserError, match=rf"^{tmp_path}: is a folder, expected an image file$"):
        read_image(tmp_path)


def test_a_truncated_jpeg_is_not_left_to_opencv(tmp_path, monkeypatch):
    """Some releases of OpenCV fill the rest with grey."""
    path = tmp_path / "broken.jpg"
    path.write_bytes(jpeg_bytes()[:-2000])
    monkeypatch.setattr(images.cv2, "imdecode", lambda *_: np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(UserError, match="truncated"):
        read_image(path)


def test_bytes_after_the_end_do_not_matter(tmp_path):
    path = saved(tmp_path, "a.jpg", picture(), quality=95)
    path.write_bytes(path.read_bytes() + b"\0" * 16 + b"trailer of a camera")
    assert_halves(read_image(path))


def test_missing_file_and_folder_are_named(tmp_path):
    for path in (tmp_path / "nowhere.jpg", tmp_path):
        with pytest.raises(UserError, match=path.name):
            read_image(path)


def test_huge_pictures_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    path = saved(tmp_path, "a.jpg", picture())
    monkeypatch.setattr(images, "MAX_PIXELS", 48 * 64 - 1)
    with pytest.raises(UserError, match=r"64 x 48 pixels are more than"):
        read_image(path)


def test_a_bomb_beyond_pillows_limit_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path, "a.png", picture())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match=r"a\.png"):
        read_image(path)


def test_pictures_of_32_bits_are_refused(tmp_path):
    path = saved(tmp_path, "a.tiff", Image.fromarray(np.arange(64, dtype=np.int32).reshape(8, 8)))
    with pytest.raises(UserError, match="more than 16 bits have no known range"):
        read_image(path)


def test_float_pictures_are_refused(tmp_path):
    path = saved(tmp_path, "a.tiff", Image.fromarray(np.zeros((8, 8), np.float32)))
    with pytest.raises(UserError, match="floating-point"):
        read_image(path)


def test_formats_that_start_programs_are_not_opened(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *given, **named: started.append(given))
    path = tmp_path / "bird.jpg"
    Image.new("RGB", (8, 8)).save(path, format="EPS")
    with Image.open(path) as picture:  # Pillow would take it, whatever its name
        assert picture.format == "EPS"
    with pytest.raises(UserError, match="is no image in a format"):
        read_image(path)
    assert look(path).marks == (("unreadable", "not an image"),)
    assert not started


@pytest.mark.parametrize(
    "error", [struct.error("unpack"), KeyError("tag"), IndexError(), ZeroDivisionError(), TypeError()]
)
def test_whatever_a_decoder_raises_names_the_file(tmp_path, monkeypatch, error):
    path = tmp_path / "bird.png"
    Image.new("RGB", (8, 8)).save(path)

    def broken(self):
        raise error

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", broken)
    with pytest.raises(UserError, match=r"bird\.png: cannot be read"):
        read_image(path)
