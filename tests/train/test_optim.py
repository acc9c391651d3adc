"""Which parameters a recipe decays, and at which rate they learn."""

from __future__ import annotations

import math

import pytest
from torch import nn

from fgkd.models import create_backbone
from fgkd.spec import BackboneSpec, Recipe
from fgkd.train.optim import make_optimizer, make_schedule, param_groups


@pytest.fixture
def network() -> nn.Module:
    return create_backbone(BackboneSpec(name="test_resnet"), num_classes=4, view_size=32)


def ids(groups: list[dict], **wanted: float) -> set[int]:
    return {id(p) for g in groups if all(g[k] == v for k, v in wanted.items()) for p in g["params"]}


def test_vectors_are_not_decayed_unless_asked(network: nn.Module) -> None:
    objective = nn.Linear(3, 3)
    groups = param_groups(network, objective, Recipe(weight_decay=0.1))
    every = [*network.parameters(), *objective.parameters()]
    assert ids(groups, weight_decay=0.1) == {id(p) for p in every if p.ndim > 1}
    assert ids(groups, weight_decay=0.0) == {id(p) for p in every if p.ndim <= 1}
    both = param_groups(network, objective, Recipe(weight_decay=0.1, decay_all=True))
    assert ids(both, weight_decay=0.1) == {id(p) for p in every}


def test_the_head_learns_at_its_own_rate_and_frozen_parameters_not_at_all(network: nn.Module) -> None:
    frozen = next(network.parameters()).requires_grad_(False)
    groups = param_groups(network, nn.Identity(), Recipe(head_lr_scale=10))
    head = network.head()  # type: ignore[operator]
    assert ids(groups, lr_scale=10) == {id(head.weight), id(head.bias)}
    assert id(frozen) not in ids(groups)


@pytest.mark.parametrize(
    ("name", "kwargs", "parts"),
    [
        ("test_resnet", {}, {"fc"}),
        ("resnetv2_18", {}, {"head.fc"}),  # a convolution
        ("deit_tiny_distilled_patch16_224", {"depth": 1}, {"head", "head_dist"}),
        ("levit_128s", {}, {"head.linear", "head_dist.linear"}),  # a norm before each
    ],
)
def test_classifiers_of_every_kind_learn_at_the_heads_rate(name: str, kwargs: dict, parts: set[str]) -> None:
    net = create_backbone(BackboneSpec(name=name, kwargs=kwargs), num_classes=4, view_size=224)
    groups = param_groups(net, nn.Identity(), Recipe(head_lr_scale=10))
    names = {id(p): key for key, p in net.named_parameters()}
    assert {names[i].removeprefix("net.") for i in ids(groups, lr_scale=10)} == {
        f"{part}.{kind}" for part in parts for kind in ("weight", "bias")
    }


def rates(recipe: Recipe, network: nn.Module, epochs: int = 4, steps: int = 10) -> list[float]:
    optimizer = make_optimizer(network, nn.Identity(), recipe)
    schedule = make_schedule(optimizer, recipe, epochs=epochs, steps_per_epoch=steps)
    found = []
    for step in range(epochs * steps):
        schedule.step_update(step)
        found.append({g["lr_scale"]: g["lr"] for g in optimizer.param_groups})
    scale = max(found[0])
    assert all(rate[scale] == pytest.approx(scale * rate[1.0]) for rate in found)
    return [rate[1.0] for rate in found]


def test_cosine_warms_up_and_falls_to_almost_nothing(network: nn.Module) -> None:
    found = rates(Recipe(lr=0.1, warmup_epochs=1, head_lr_scale=5), network)
    assert found[:10] == sorted(found[:10])
    assert found[10:] == sorted(found[10:], reverse=True)
    assert found[10] == pytest.approx(0.1 * 0.5 * (1 + math.cos(math.pi / 4)), rel=1e-3)
    assert found[-1] < 0.001


def test_steps_fall_at_the_milestones(network: nn.Module) -> None:
    found = rates(Recipe(lr=0.1, schedule="step", milestones=(2, 3)), network)
    assert found[18] == pytest.approx(0.1)
    assert found[21] == pytest.approx(0.01)
    assert found[31] == pytest.approx(0.001)


def test_constant_stays(network: nn.Module) -> None:
    assert set(rates(Recipe(lr=0.1, schedule="constant"), network)) == {0.1}


def test_a_rate_is_a_function_of_the_step_alone(network: nn.Module) -> None:
    recipe = Recipe(lr=0.1, warmup_epochs=1)
    optimizer = make_optimizer(network, nn.Identity(), recipe)
    schedule = make_schedule(optimizer, recipe, epochs=4, steps_per_epoch=10)
    schedule.step_update(25)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(rates(recipe, network)[25])
