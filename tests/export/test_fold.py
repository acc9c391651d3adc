"""Folding a linear projector into a linear classifier: exact, for every kind that is linear, and for no other."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from fgkd.export.fold import as_affine, as_timm
from fgkd.export.rebuild import Logits
from fgkd.methods.adapters import ProjectorKind, TeacherHead, conv_bn, make_projector
from fgkd.methods.reuse import BorrowedHead
from fgkd.models import create_backbone
from fgkd.signals import Head, Needs
from fgkd.spec import BackboneSpec

KINDS = [kind for kind in get_args(ProjectorKind) if kind not in ("auto", "identity")]


def stirred(module: nn.Module) -> nn.Module:
    """Away from the initial statistics, at which batch norm is almost the identity."""
    torch.manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    return module.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_projectors_are_affine_or_not(kind: ProjectorKind) -> None:
    layer = stirred(make_projector(kind, 6, 4))
    affine = as_affine(layer, 6)
    if kind == "conv_bn_relu":
        assert affine is None
        return
    x = torch.randn(3, 6)
    assert affine is not None
    torch.testing.assert_close((x.double() @ affine[0].T + affine[1]).float(), layer(x), rtol=1e-5, atol=1e-6)


def test_identity_is_affine_and_wide_convolutions_are_not() -> None:
    matrix, offset = as_affine(nn.Identity(), 3)  # type: ignore[misc]
    assert torch.equal(matrix, torch.eye(3, dtype=torch.float64))
    assert not offset.any()
    assert as_affine(conv_bn(3, 4, kernel=3, relu=False), 3) is None
    assert as_affine(nn.Conv2d(4, 4, 1, groups=2), 4) is None


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_vit", "deit_tiny_distilled_patch16_224", "mobilenetv3_small_050"]
)
def test_a_borrowed_head_folds_whatever_the_classifier_looks_like(name: str) -> None:
    backbone = create_backbone(BackboneSpec(name=name), num_classes=7, view_size=32)
    foreign = TeacherHead("linear", backbone.shapes, Head(torch.randn(7, 20), torch.randn(7)))
    network = stirred(BorrowedHead(backbone, foreign, Needs(pooled=True), backbone.shapes))
    plain, image = as_timm(network), torch.randn(3, 3, 32, 32)
    assert plain is not None
    assert plain.num_classes == 7
    with torch.no_grad():
        ours, theirs = Logits(network).eval()(image), plain.eval()(image)
    assert ours.abs().max() > 0.1
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4)


def test_networks_that_timm_does_not_register_are_not_plain() -> None:
    assert as_timm(create_backbone(BackboneSpec(name="cifar_resnet8x4"), num_classes=4, view_size=32)) is None
