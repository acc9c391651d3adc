"""One batch, several ways of seeing it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F

from fgkd.models import InputSpec
from fgkd.models.eyes import Eyes


@dataclass(frozen=True)
class Sight(InputSpec):
    size: int = 32
    mean: tuple[float, float, float] = (0.5, 0.4, 0.3)
    std: tuple[float, float, float] = (0.2, 0.3, 0.4)
    interpolation: str = "bicubic"


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)


def test_pixels_are_normalised_per_channel(image: torch.Tensor) -> None:
    sight = Sight()
    seen = Eyes(image).seen_by(sight)
    for channel in range(3):
        expected = (image[:, channel].double() / 255 - sight.mean[channel]) / sight.std[channel]
        torch.testing.assert_close(seen[:, channel].double(), expected, rtol=1e-5, atol=1e-6)


def test_smaller_eyes_get_an_antialiased_resize(image: torch.Tensor) -> None:
    sight = Sight(size=20, mean=(0, 0, 0), std=(1, 1, 1))
    expected = F.interpolate(image.float() / 255, size=(20, 20), mode="bicubic", antialias=True).clamp(0, 1)
    torch.testing.assert_close(Eyes(image).seen_by(sight), expected)
    assert not torch.allclose(expected, F.interpolate(image.float() / 255, size=(20, 20), mode="bicubic"), atol=0.05)


def test_equal_sights_share_one_tensor_and_different_ones_do_not(image: torch.Tensor) -> None:
    eyes = Eyes(image)
    assert eyes.seen_by(Sight()) is eyes.seen_by(Sight())
    assert eyes.seen_by(Sight(size=16)) is eyes.seen_by(Sight(size=16))
    # the kernel matters only where something is resized
    assert eyes.seen_by(Sight()) is eyes.seen_by(Sight(interpolation="bilinear"))
    assert eyes.seen_by(Sight(size=16)) is not eyes.seen_by(Sight(size=16, interpolation="bilinear"))
    assert eyes.seen_by(Sight()) is not eyes.seen_by(replace(Sight(), mean=(0.5, 0.5, 0.5)))


def test_a_network_with_a_crop_of_its_own_is_shown_the_centre(image: torch.Tensor) -> None:
    eyes, sight = Eyes(image, crop_pct=0.8), Sight(mean=(0, 0, 0), std=(1, 1, 1), crop_pct=0.5)
    cut = image[..., 6:26, 6:26].float() / 255  # 5/8 of 32 px is 20
    expected = F.interpolate(cut, size=(32, 32), mode="bicubic", antialias=True).clamp(0, 1)
    torch.testing.assert_close(eyes.seen_by(sight), expected)
    assert torch.equal(eyes.seen_by(replace(sight, size=20)), cut)


def test_an_augmented_batch_is_shown_whole_as_is_one_that_shows_less(image: torch.Tensor) -> None:
    for shown in (None, 0.5, 0.4):
        eyes = Eyes(image, crop_pct=shown)
        assert eyes.seen_by(Sight(crop_pct=0.5)) is eyes.seen_by(Sight())


def test_the_batch_itself_stays_as_it_came(image: torch.Tensor) -> None:
    before = image.clone()
    eyes = Eyes(image)
    eyes.seen_by(Sight())
    eyes.seen_by(Sight(size=16))
    assert torch.equal(image, before)
    assert image.dtype == torch.uint8
