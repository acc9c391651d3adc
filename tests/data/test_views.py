"""Views are pure functions of (picture, seed), of the promised size, and their draws are independent of each other."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
import torch

from fgkd.data.seeds import mix
from fgkd.data.views import EvalView, TrainView, augment_names
from fgkd.errors import UnknownNameError
from fgkd.spec import ViewSpec

RANDOM = [name for name in augment_names() if name != "none"]


def picture(height: int = 90, width: int = 130, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_names():
    assert augment_names() == ["cifar", "imagenet", "light", "none", "standard", "strong"]


def test_unknown_name_has_near_names():
    with pytest.raises(UnknownNameError, match="did you mean standard"):
        TrainView(ViewSpec(augment="standart"))


@pytest.mark.parametrize("name", augment_names())
@pytest.mark.parametrize("shape", [(90, 130), (130, 90), (20, 20), (64, 64), (1, 300), (500, 2)])
def test_shape_and_type(name, shape):
    square = TrainView(ViewSpec(size=64, augment=name))(picture(*shape), 3)
    assert square.shape == (64, 64, 3)
    assert square.dtype == np.uint8


@pytest.mark.parametrize("name", augment_names())
def test_pure(name):
    first, second = (TrainView(ViewSpec(size=32, augment=name)) for _ in range(2))
    image, kept = picture(), picture()
    squares = [first(image, seed) for seed in (5, 6, 7)]
    for seed in (7, 5, 6):  # another object, another order, other global seeds
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        assert np.array_equal(second(image, seed), squares[seed - 5])
    assert np.array_equal(image, kept), "the picture is not written to"


@pytest.mark.parametrize("name", RANDOM)
def test_seeds_differ(name):
    view = TrainView(ViewSpec(size=32, augment=name))
    assert len({view(picture(), mix("view", 0, 0, k)).tobytes() for k in range(12)}) > 8


@pytest.mark.parametrize("name", augment_names())
@pytest.mark.usefixtures("untouched_randomness")
def test_no_global_random_state_is_touched(name):
    view = TrainView(ViewSpec(size=32, augment=name))
    for seed in range(5):
        view(picture(), seed)


def test_flip_does_not_follow_the_crop():
    """The library's own seeding gives all transforms the same stream, and then every small crop is flipped."""
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    view = TrainView(ViewSpec(size=32, augment="light"))
    rows = np.stack([view(ramp, mix("view", 0, 0, k))[16, :, 0].astype(int) for k in range(600)])
    rise = rows[:, -1] - rows[:, 0]
    flipped, extent = rise < 0, np.abs(rise)
    assert 0.4 < flipped.mean() < 0.6
    assert abs(np.corrcoef(flipped, extent)[0, 1]) < 0.12  # 3 standard errors of 600 draws


def test_eval_view_cuts_the_centre():
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 90:110] = 255
    square = EvalView(ViewSpec(size=50, crop_pct=0.5))(image)
    assert square[:, :14].max() == 0
    assert square[:, 16:34].min() == 255
    assert square[:, 36:].max() == 0


def test_crop_pct_one_keeps_the_shorter_side():
    image = np.zeros((64, 128, 3), np.uint8)
    image[0], image[-1] = 255, 255
    square = EvalView(ViewSpec(size=64, crop_pct=1.0))(image)
    assert square[0].min() == 255
    assert square[-1].min() == 255
    assert square[1:-1].max() == 0


def test_no_augmentation_is_the_eval_view():
    spec = ViewSpec(size=32, augment="none")
    assert np.array_equal(TrainView(spec)(picture(), 1), EvalView(spec)(picture()))


def test_shrinking_averages():
    """A checkerboard becomes grey; without antialiasing it would become another checkerboard."""
    board = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    for square in (EvalView(ViewSpec(size=64))(board), TrainView(ViewSpec(size=32, augment="light"))(board, 0)):
        assert np.abs(square.astype(int) - 127).max() < 64


def test_cifar_shifts_over_black_by_at_most_four():
    view = TrainView(ViewSpec(size=32, augment="cifar"))
    white = np.full((32, 32, 3), 255, np.uint8)
    borders = [32 - int((view(white, k).max(axis=(1, 2)) > 0).sum()) for k in range(60)]
    assert min(borders) == 0
    assert max(borders) == 4


@pytest.mark.parametrize("shape", [(1, 30_000), (30_000, 1), (2, 129)])
def test_slivers_fill_no_memory(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Enlarged whole, the first would take 4.5 GB; what is left out shows in no centre."""
    image = np.full((*shape, 3), 200, np.uint8)
    image[:1, :1] = image[-1:, -1:] = 0
    enlarged, resize = [], cv2.resize
    monkeypatch.setattr(cv2, "resize", lambda *args, **how: enlarged.append(resize(*args, **how)) or enlarged[-1])
    for view in (EvalView(ViewSpec(size=224)), TrainView(ViewSpec(size=224, augment="none"))):
        square = view(image, 0)
        assert square.shape == (224, 224, 3)
        assert (square == 200).all()
    assert enlarged
    assert max(one.size for one in enlarged) < 100e6
