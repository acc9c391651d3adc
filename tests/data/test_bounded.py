"""Pictures brought to a shorter side: their size, their looks, and that nothing but the file decides them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fgkd.data import images
from fgkd.data.images import bounded, read_image

SIDES = st.integers(1, 3000)


@given(SIDES, SIDES, st.integers(16, 512))
def test_the_shorter_side_is_exact_and_nothing_grows(width, height, side):
    new = bounded(width, height, side)
    assert min(new) == min(side, width, height)
    assert new[0] <= width
    assert new[1] <= height
    assert abs(new[0] * height - new[1] * width) < max(width, height), "the shape is kept to within a pixel"
    assert bounded(height, width, side) == new[::-1]
    assert bounded(width, height, None) == (width, height)


@given(SIDES, SIDES, st.integers(16, 512))
def test_a_reduced_jpeg_is_never_smaller_than_wanted(width, height, side):
    for scale in images.REDUCED:
        if min(width, height) >= scale * side:
            assert -(-width // scale) >= bounded(width, height, side)[0]
            assert -(-height // scale) >= bounded(width, height, side)[1]


def scene(width: int, height: int) -> np.ndarray:
    """Smooth blobs with a sharp, bright rectangle in the top left corner."""
    coarse = np.random.default_rng(0).integers(40, 160, (5, 7, 3), dtype=np.uint8)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    pixels[: height // 4, : width // 3] = (250, 240, 60)
    return pixels


def distance(small: np.ndarray, whole: np.ndarray) -> float:
    """Mean absolute difference to the ideal: every pixel the mean of what it covers."""
    ideal = cv2.resize(whole, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    return float(np.abs(small.astype(int) - ideal).mean())


@pytest.mark.parametrize("name", ["a.jpg", "grey.jpg", "a.png", "cmyk.jpg", "a.webp"])
@pytest.mark.parametrize(("width", "height"), [(641, 480), (480, 641), (1100, 333), (130, 129), (127, 90)])
def test_looks_like_the_whole_picture_averaged(tmp_path, name, width, height):
    image = Image.fromarray(scene(width, height))
    image = image.convert({"grey": "L", "cmyk": "CMYK"}.get(name.split(".")[0], "RGB"))
    image.save(tmp_path / name, quality=95)
    whole, small = read_image(tmp_path / name), read_image(tmp_path / name, 128)
    assert small.shape[1::-1] == bounded(width, height, 128)
    assert distance(small, whole) < 1.5


@pytest.mark.parametrize(("side", "flag"), [(40, 8), (41, 4), (80, 4), (81, 2), (160, 2), (161, 1)])
def test_jpegs_are_decoded_at_the_smallest_scale_that_suffices(tmp_path, monkeypatch, side, flag):
    Image.fromarray(scene(640, 480)).save(tmp_path / "a.jpg")
    used, decode = [], cv2.imdecode
    monkeypatch.setattr(images.cv2, "imdecode", lambda data, flags: used.append(flags) or decode(data, flags))
    assert min(read_image(tmp_path / "a.jpg", side).shape[:2]) == side
    assert used == [images.REDUCED.get(flag, cv2.IMREAD_COLOR)]


@pytest.mark.parametrize("side", [120, 240])  # at an eighth a decoder gives the mean of each block, which is right
def test_a_decoders_scale_is_never_the_picture_itself(tmp_path, side):
    Image.fromarray(scene(640, 480)).save(tmp_path / "a.jpg", quality=95)
    whole = read_image(tmp_path / "a.jpg")
    aliased = cv2.cvtColor(cv2.imread(str(tmp_path / "a.jpg"), images.REDUCED[480 // side]), cv2.COLOR_BGR2RGB)
    assert distance(read_image(tmp_path / "a.jpg", side), whole) < distance(aliased, whole)


@pytest.mark.parametrize("size", [(640, 480), (321, 322), (793, 800)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_at_reduced_scale_too(tmp_path, orientation, size):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    upright = Image.fromarray(scene(*size))
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    turned = read_image(tmp_path / "turned.jpg", 99)
    assert turned.shape[1::-1] == bounded(*size, 99)
    assert distance(turned, np.asarray(upright)) < 3


def test_small_pictures_are_left_alone(tmp_path, write_picture):
    path = write_picture(tmp_path / "a.jpg", size=(40, 52))
    assert np.array_equal(read_image(path, 40), read_image(path))
    assert np.array_equal(read_image(path, 4096), read_image(path))


@pytest.mark.shared
def test_real_photographs(shared_data: Path):
    photographs = sorted((shared_data / "CUB_200_2011" / "images").glob("*/*.jpg"))[::100]
    assert len(photographs) > 20
    distances = [distance(read_image(path, 96), read_image(path)) for path in photographs]
    assert np.mean(distances) < 4, "a shift by half a pixel makes it 4.7"
