"""Costs against counts by hand, and the listing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fgkd.errors import UserError
from fgkd.models import cost, create_backbone, list_backbones, meta_backbone
from fgkd.models.cost import count_bytes, count_params
from fgkd.signals import Needs, Signals
from fgkd.spec import BackboneSpec


class Small(nn.Module):
    """Two convolutions and a linear layer, called as networks are."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)

    def forward(self, image: torch.Tensor, needs: Needs) -> Signals:
        x = self.norm(self.depthwise(self.first(image)))
        return Signals(logits=self.fc(x.mean((2, 3))))


def test_cost_by_hand() -> None:
    small = Small().train()
    price = cost(small, 32)
    cells = 16 * 16
    assert price.macs == cells * 8 * 3 * 9 + cells * 8 * 9 + 8 * 10
    assert price.params == (8 * 3 * 9 + 8) + 8 * 9 + 2 * 8 + (8 * 10 + 10)
    assert small.training
    assert small.norm.num_batches_tracked == 0


def test_attention_is_counted() -> None:
    """A ViT by hand: patches, then per block qkv, scores, weighted sum, projection and MLP, then the classifier."""
    width, depth, tokens, classes = 48, 2, 17, 10
    spec = BackboneSpec(name="vit_tiny_patch16_224", kwargs={"embed_dim": width, "depth": depth, "num_heads": 3})
    network = meta_backbone(spec, num_classes=classes, view_size=64)
    block = tokens * width * width * (3 + 1 + 4 + 4) + 2 * tokens * tokens * width
    expected = 16 * width * 3 * 16 * 16 + depth * block + width * classes
    assert cost(network, 64).macs == expected


def test_published_count_of_resnet18() -> None:
    price = cost(meta_backbone(BackboneSpec(name="resnet18"), num_classes=1000, view_size=224), 224)
    assert price.params == 11_689_512
    assert round(price.macs / 1e9, 2) == 1.81


def test_a_backbone_costs_the_same_with_and_without_values() -> None:
    spec = BackboneSpec(name="test_vit")
    backbone = create_backbone(spec, num_classes=5, view_size=64)
    assert cost(backbone, 64) == cost(meta_backbone(spec, num_classes=5, view_size=64), 64)
    assert all(not p.is_meta for p in backbone.parameters())


def test_listing_is_lazy_and_describes() -> None:
    rows = list_backbones("test_resn*")
    row = next(rows)
    assert (row.name, row.pooled, row.problem) == ("test_resnet", 96, "")
    assert row.params == count_params(meta_backbone(BackboneSpec(name="test_resnet"), num_classes=1000, view_size=160))
    assert (row.input.size, row.input.mean) == (160, (0.5, 0.5, 0.5))
    assert row.stages[-1] == (96, 5, 5)


def test_listing_by_part_of_the_name_and_by_tag() -> None:
    assert "test_resnet" in {row.name for row in list_backbones("test_resn")}
    assert {row.name for row in list_backbones("test_resnet.*")} == {"test_resnet.r160_in1k"}
    with pytest.raises(UserError, match="did you mean"):
        list_backbones("resnet1888888")


def test_listing_says_why_a_network_cannot_be_used() -> None:
    (row,) = list_backbones("volo_d1_224")
    assert "use_aux_head" in row.problem


def test_weights_that_never_learn_count_and_statistics_do_not() -> None:
    layer = nn.BatchNorm1d(5)  # weight and bias; its running mean, variance and counter are no parameters
    layer.register_module("head", nn.Module())
    layer.head.register_buffer("weight", torch.zeros(3, 5))
    layer.head.register_buffer("bias", torch.zeros(3))
    assert count_params(layer) == 5 + 5 + 15 + 3


def test_bytes_are_those_of_a_file_of_the_weights(tmp_path: Path) -> None:
    network = create_backbone(BackboneSpec(name="test_resnet"), num_classes=7, view_size=32)
    network.get_parameter(next(name for name, _ in network.named_parameters())).data = torch.zeros(3, dtype=torch.half)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    file = (tmp_path / "weights.safetensors").read_bytes()
    header = 8 + int.from_bytes(file[:8], "little")
    assert count_bytes(network) == len(file) - header


def test_shared_tensors_are_stored_once() -> None:
    layer = nn.Linear(3, 5)
    assert count_bytes(nn.Sequential(layer, layer)) == 4 * (15 + 5)
