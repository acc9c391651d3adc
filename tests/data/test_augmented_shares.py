"""How often views are mirrored and how small they are cut: shares that no single view can show."""

from __future__ import annotations

import numpy as np
import pytest

from fgkd.data.seeds import mix
from fgkd.data.views import TrainView
from fgkd.spec import ViewSpec
from tests.data.test_loader import train
from tests.data.test_views import RANDOM


def test_each_image_is_augmented_in_its_own_way(pictures):
    same = pictures.paths[0].read_bytes()
    for path in pictures.paths:
        path.write_bytes(same)
    (batch,) = train(pictures, batch_size=23).epoch(0)
    assert len({image.numpy().tobytes() for image in batch.image}) > 20


@pytest.mark.parametrize("name", RANDOM)
def test_half_of_the_views_are_mirrored(name):
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    view = TrainView(ViewSpec(size=32, augment=name))
    squares = np.stack([view(ramp, mix("view", 0, 0, k)).astype(int) for k in range(200)])
    mirrored = squares[:, :, :16].mean((1, 2, 3)) > squares[:, :, 16:].mean((1, 2, 3))
    assert 0.38 < mirrored.mean() < 0.62


@pytest.mark.parametrize(("name", "smallest"), [("light", 0.5), ("imagenet", 0.08)])
def test_crops_are_as_small_as_their_recipe_says_and_no_smaller(name, smallest):
    """Red tells the column and green the row, so a square's ranges tell what it shows."""
    rows, columns = np.indices((256, 256), dtype=np.uint8)
    view = TrainView(ViewSpec(size=64, augment=name))
    squares = np.stack([view(np.dstack([columns, rows, rows]), mix("view", 0, 0, k)).astype(int) for k in range(300)])
    shares = np.prod(np.ptp(squares[..., :2], axis=(1, 2)) / 255, axis=1)
    assert smallest - 0.05 < shares.min() < smallest + 0.05
    assert shares.max() > 0.9
