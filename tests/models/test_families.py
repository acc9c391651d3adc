"""Every family of timm networks gives every signal, and the same logits as timm alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import timm
import torch

from fgkd.models import Backbone, create_backbone
from fgkd.models.layout import layout_of
from fgkd.models.surgery import stage_module
from fgkd.signals import STAGES, Needs, Signals
from fgkd.spec import BackboneSpec
from tests.models.families import FAMILIES, Family


@dataclass(frozen=True)
class Served:
    family: Family
    backbone: Backbone
    image: torch.Tensor
    plain: torch.Tensor
    passed: dict[int, torch.Tensor]
    signals: Signals


@pytest.fixture(scope="module", params=FAMILIES, ids=str)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    family: Family = request.param
    torch.manual_seed(0)
    spec = BackboneSpec(name=family.name, kwargs=family.kwargs)
    backbone = create_backbone(spec, num_classes=5, view_size=family.size).eval()
    image = torch.randn(2, 3, family.size, family.size)
    needs = Needs(True, True, backbone.shapes.final is not None, frozenset(backbone.shapes.stages), True)
    with torch.no_grad():
        plain, passed = plain_forward(backbone, image)
        yield Served(family, backbone, image, plain, passed, backbone(image, needs))


def plain_forward(backbone: Backbone, image: torch.Tensor) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
    """timm's own logits, and what the modules that it names as its stages gave on the way."""
    passed: dict[int, torch.Tensor] = {}
    keep = lambda stage: lambda module, inputs, output: passed.update({stage: output})
    hooks = [stage_module(backbone.net, s).register_forward_hook(keep(s)) for s in backbone.shapes.stages]
    logits = backbone.net(image)
    for hook in hooks:
        hook.remove()
    return logits, passed


def test_the_families_that_people_ask_for_are_in_the_table() -> None:
    asked = {
        *("resnet", "vision_transformer", "deit", "swin_transformer", "convnext", "mobilenetv3", "efficientnet"),
        *("maxxvit", "regnet", "eva", "vision_transformer_hybrid"),
    }
    modules = {timm.models.model_entrypoint(family.name).__module__ for family in FAMILIES}
    assert {f"timm.models.{name}" for name in asked} <= modules
    names = {family.name for family in FAMILIES}
    assert {"deit_tiny_distilled_patch16_224", "mobilenetv4_conv_small_035", "mobilenetv4_hybrid_medium"} <= names


def test_stages_are_what_passes_there_in_timms_own_forward(served: Served) -> None:
    if not served.family.hooked:
        pytest.skip("its modules give something else than the map")
    for stage, given in served.signals.stages.items():
        layout = layout_of(served.passed[stage], served.backbone.net)
        assert layout is not None
        assert torch.equal(layout.fold(served.passed[stage]), given), stage


def test_logits_are_timms_own_to_the_bit(served: Served) -> None:
    assert torch.equal(served.signals.logits, served.plain)
    assert torch.equal(served.backbone(served.image).logits, served.plain)


def test_head_reads_pooled(served: Served) -> None:
    logits = served.signals.head(served.signals.pooled)
    torch.testing.assert_close(logits, served.plain, rtol=1e-5, atol=1e-6 * float(served.plain.abs().max()))


def test_shapes_are_as_declared(served: Served) -> None:
    shapes, signals = served.backbone.shapes, served.signals
    assert shapes.num_classes == 5
    assert signals.pooled.shape == (2, shapes.pooled)
    assert (signals.final is None) == (shapes.final is None)
    assert signals.final is None or signals.final.shape == (2, *shapes.final)
    assert {stage: tuple(x.shape[1:]) for stage, x in signals.stages.items()} == dict(shapes.stages)
    assert sorted(shapes.stages) == list(STAGES[4 - served.family.stages :])


def test_flags_are_what_timms_source_says(served: Served) -> None:
    family, shapes = served.family, served.backbone.shapes
    assert (shapes.pooled_is_mean, shapes.final_classifies, shapes.tokens) == (
        family.mean,
        family.classifies,
        family.tokens,
    )


def test_final_map_classifies(served: Served) -> None:
    if not served.family.classifies:
        pytest.skip("reads a class token or several branches")
    pooled, logits = served.backbone.classify(served.signals.final)
    assert torch.equal(logits, served.plain)
    assert torch.equal(pooled, served.signals.pooled)


def test_every_parameter_learns_from_one_pass(served: Served) -> None:
    backbone = served.backbone.train()
    torch.manual_seed(1)
    with torch.enable_grad():
        signals = backbone(served.image, Needs(logits=True, stages=frozenset(backbone.shapes.stages)))
        total = signals.logits.square().sum() + sum(x.square().mean() for x in signals.stages.values())
        total.backward()
    idle = [name for name, p in backbone.named_parameters() if p.requires_grad and p.grad is None]
    assert [name for name in idle if not any(part in name for part in served.family.unread)] == []
    assert all(x.grad_fn is not None for x in signals.stages.values())
