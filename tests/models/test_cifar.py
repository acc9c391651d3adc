"""The CIFAR networks are the published ones, and ordinary timm networks."""

from __future__ import annotations

import pytest
import timm
import torch

from fgkd.models import create_backbone, list_backbones, problems
from fgkd.signals import Needs
from fgkd.spec import BackboneSpec

# parameters at 100 classes, counted by hand from the papers' tables and as printed by the tables that compare them
PUBLISHED = {
    "cifar_resnet20": 278_324,
    "cifar_resnet32": 472_756,
    "cifar_resnet56": 861_620,
    "cifar_resnet110": 1_736_564,
    "cifar_resnet50": 23_705_252,
    "cifar_resnet8x4": 1_233_540,
    "cifar_resnet32x4": 7_433_860,
    "cifar_wrn_16_2": 703_284,
    "cifar_wrn_40_1": 569_780,
    "cifar_wrn_40_2": 2_255_156,
    "cifar_vgg8": 3_965_028,
    "cifar_vgg13": 9_462_180,
    "cifar_mobilenetv2_half": 812_836,
    "cifar_shufflenetv1": 949_258,
    "cifar_shufflenetv2": 1_355_528,
}
# deepest four maps at 32 px
STAGES = {
    "cifar_resnet20": [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)],
    "cifar_resnet50": [(256, 32, 32), (512, 16, 16), (1024, 8, 8), (2048, 4, 4)],
    "cifar_resnet8x4": [(32, 32, 32), (64, 32, 32), (128, 16, 16), (256, 8, 8)],
    "cifar_wrn_16_2": [(16, 32, 32), (32, 32, 32), (64, 16, 16), (128, 8, 8)],
    "cifar_vgg8": [(128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 4, 4)],
    "cifar_mobilenetv2_half": [(12, 16, 16), (16, 8, 8), (48, 4, 4), (160, 2, 2)],
    "cifar_shufflenetv1": [(24, 32, 32), (240, 16, 16), (480, 8, 8), (960, 4, 4)],
    "cifar_shufflenetv2": [(24, 32, 32), (116, 16, 16), (232, 8, 8), (464, 4, 4)],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_as_many_parameters_as_published(name: str) -> None:
    with torch.device("meta"):
        net = timm.create_model(name)
    assert sum(p.numel() for p in net.parameters()) == PUBLISHED[name]


def test_all_are_listed() -> None:
    assert {row.name for row in list_backbones("cifar_*")} == set(PUBLISHED)


@pytest.mark.parametrize("name", STAGES)
def test_signals(name: str) -> None:
    torch.manual_seed(0)
    spec = BackboneSpec(name=name)
    assert problems(spec, num_classes=7, view_size=32) == []
    backbone = create_backbone(spec, num_classes=7, view_size=32).eval()
    shapes = backbone.shapes
    assert [shapes.stages[stage] for stage in (-4, -3, -2, -1)] == STAGES[name]
    assert shapes.pooled_is_mean
    image = torch.randn(2, 3, 32, 32)
    signals = backbone(image, Needs(logits=True, pooled=True, final=True))
    assert torch.equal(signals.logits, backbone.net(image))
    assert torch.equal(backbone.classify(signals.final)[1], signals.logits)
    backbone.train()(image, Needs(logits=True)).logits.sum().backward()
    assert all(p.grad is not None for p in backbone.parameters())


def test_normalisation_is_cifars_and_dropout_is_a_kwarg() -> None:
    backbone = create_backbone(
        BackboneSpec(name="cifar_resnet20", kwargs={"drop_rate": 0.5}), num_classes=7, view_size=32
    )
    assert backbone.input.mean == (0.5071, 0.4867, 0.4408)
    assert (backbone(torch.randn(2, 3, 32, 32), Needs(pooled=True)).pooled == 0).any()


def test_channel_shuffle_mixes_the_groups() -> None:
    """V2's untouched half must reach the convolved half of the next block."""
    torch.manual_seed(0)
    net = timm.create_model("cifar_shufflenetv2").eval()
    block = net.stages[0][1]
    x = torch.randn(1, 116, 4, 4)
    passed = block(x)[:, 0::2]
    assert torch.equal(passed, x[:, :58])
