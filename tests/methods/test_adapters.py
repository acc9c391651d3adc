"""Projectors, batch norm on a single value, full precision, and the reversed gradient of CTKD."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from toy import World

from fgkd.methods.adapters import BatchNorm, Embedder, make_projector, width_problems
from fgkd.methods.learned_logit import CTKD
from fgkd.methods.numerics import full_precision
from fgkd.signals import Progress, Signals

KINDS = ["linear", "conv_bn", "conv_bn_relu", "orthogonal"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("widths", [(6, 4), (4, 6), (5, 5)])
def test_projectors_change_the_width_of_vectors_and_maps(kind: Any, widths: tuple[int, int]) -> None:
    d_in, d_out = widths
    assert make_projector(kind, d_in, d_out)(torch.randn(3, d_in)).shape == (3, d_out)
    assert make_projector(kind, d_in, d_out, spatial=True)(torch.randn(3, d_in, 2, 5)).shape == (3, d_out, 2, 5)


def test_auto_is_nothing_or_linear() -> None:
    assert isinstance(make_projector("auto", 4, 4), torch.nn.Identity)
    assert isinstance(make_projector("auto", 4, 5), torch.nn.Linear)


def test_strange_projectors_raise() -> None:
    with pytest.raises(ValueError, match="equal widths, got 4 and 5"):
        make_projector("identity", 4, 5)
    with pytest.raises(ValueError, match="expected one of"):
        make_projector("bilinear", 4, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("widths", [(6, 4), (4, 6)])
def test_orthogonal_stays_orthogonal(widths: tuple[int, int]) -> None:
    layer: Any = make_projector("orthogonal", *widths)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5, weight_decay=5e-4)  # decay zeroed it once
    for _ in range(3):
        layer(torch.randn(8, widths[0])).square().sum().backward()
        optimizer.step()
    weight = layer.weight
    gram = weight @ weight.T if widths[0] > widths[1] else weight.T @ weight
    assert torch.allclose(gram, torch.eye(min(widths)), atol=1e-5)


def test_a_linear_map_commutes_with_the_mean() -> None:
    layer = make_projector("linear", 4, 3, spatial=True)
    maps = torch.randn(2, 4, 5, 5)
    assert torch.allclose(layer(maps).mean((2, 3)), layer.layer(maps.mean((2, 3))), atol=1e-6)  # type: ignore[operator]


def test_batch_norm_takes_a_single_value() -> None:
    norm, plain = BatchNorm(3), torch.nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 2, 2)
    assert torch.equal(norm(x), plain(x))
    assert torch.isfinite(norm(x[:1, :, :1, :1])).all()
    assert torch.equal(norm.running_mean, plain.running_mean)


def test_full_precision_raises_half_and_spares_double() -> None:
    seen = []

    @full_precision
    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        seen.append((a.dtype, torch.is_autocast_enabled("cpu")))
        return a @ b

    half, double = torch.ones(2, 2, dtype=torch.bfloat16), torch.ones(2, 2, dtype=torch.float64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert product(half, half).dtype == torch.float32
        assert product(double, double).dtype == torch.float64
    assert seen == [(torch.float32, False), (torch.float64, False)]


def test_the_temperature_climbs_the_loss_more_and_more() -> None:
    """The gradient of theta is the plain one times a factor from 0 to -1."""
    world, method = World(epochs=240, dtype=torch.float64), CTKD()
    factors = []
    for epoch in (0, 5, 10, 100):
        lesson = world.lesson(method, 6, step=2 * epoch)
        pupil = world.pupil(method)
        pupil.terms(lesson)["ctkd"].backward()
        reversed_gradient = pupil.objective.theta.grad.item()
        temperature = pupil.objective.temperature(Progress(0, 1, 1)).item()
        eps = 1e-3
        values = []
        for shift in (eps, -eps):
            pupil.objective.theta.data.fill_(1 + shift)
            values.append(pupil.terms(lesson)["ctkd"].item())
        factors.append(reversed_gradient / ((values[0] - values[1]) / (2 * eps)))
        assert temperature == pytest.approx(1 + 20 * 0.7310586)
    assert factors == pytest.approx([0, -0.5, -1, -1], abs=0.02)


@pytest.mark.parametrize("kind", ["conv_bn", "conv_bn_relu"])
def test_projectors_for_maps_take_the_embedding_where_there_is_no_map(kind: Any) -> None:
    setting = World().setting
    blind = replace(setting, student=replace(setting.student, final=None))
    assert width_problems(kind, blind, "srrl") == []
    embedding = torch.rand(3, blind.student.pooled)
    assert Embedder(kind, blind.student, 7).embed(Signals(pooled=embedding)).shape == (3, 7)
