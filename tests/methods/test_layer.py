"""letKD's layer inside students: what is deployed, what the scores are, which students take it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from toy import World

from fgkd.errors import UserError
from fgkd.methods import METHODS, Method
from fgkd.methods.layer import PENULTIMATE, BeforePooling, SemanticLayer
from fgkd.methods.semantic import INTERMEDIATE, CosineConv
from fgkd.models import create_backbone
from fgkd.signals import Needs
from fgkd.spec import BackboneSpec

EVERYTHING = Needs(True, True, True, frozenset({-2, -1}), True)


def letkd(**params: object) -> Method:
    return METHODS.get("letkd")(**params)


def test_cosine_conv_ignores_lengths() -> None:
    torch.manual_seed(0)
    conv, x = CosineConv(4, 6, scale=2.0), torch.randn(2, 4, 3, 3)
    scores = conv(x)
    assert torch.allclose(conv(10 * x), scores, atol=1e-6)
    assert scores.abs().max() <= 2
    aligned = conv.weight[3].expand(1, 4, 1, 1)
    assert conv(aligned)[0, 3].item() == pytest.approx(2.0, rel=1e-5)


def test_layer_without_weight_leaves_the_map() -> None:
    x = torch.randn(2, 4, 3, 3)
    assert torch.equal(SemanticLayer(4, 8, alpha=0.0)(x)[0], x)
    assert not torch.allclose(SemanticLayer(4, 8, alpha=1.0)(x)[0], x)


def test_the_layer_stays_in_the_student() -> None:
    world, method = World(), letkd()
    plain = sum(p.numel() for p in world.student_net.parameters())
    pupil = world.pupil(method)
    channels, centres = 10, method.num_centres(world.setting)
    sub_classes, width = 8 * 5, 8
    added = 2 * channels * centres + 2 * centres + 2 + 2 * width * sub_classes + 2 * sub_classes + 2
    assert sum(p.numel() for p in pupil.network.parameters()) == plain + added
    assert method.deploys_more
    assert sum(p.numel() for p in pupil.objective.parameters()) == 0


def test_logits_come_from_the_changed_map() -> None:
    world = World()
    pupil = world.pupil(letkd(intermediate=False))
    assert isinstance(pupil.network, BeforePooling)
    signals = pupil.network(world.images[:4], EVERYTHING)
    pooled, logits = world.student_net.classify(signals.final)
    assert torch.equal(signals.logits, logits)
    assert torch.equal(signals.pooled, pooled)
    before = world.student_net(world.images[:4], Needs(final=True)).final
    assert not torch.allclose(signals.final, before)
    assert torch.equal(signals.extras[PENULTIMATE], pupil.network.layer.match(before))


def test_gives_only_what_was_asked_for() -> None:
    world = World()
    network = world.pupil(letkd()).network
    signals = network(world.images[:2], Needs(logits=True))
    assert signals.pooled is signals.final is signals.head is None
    assert set(signals.extras) == {PENULTIMATE, INTERMEDIATE}
    signals = network(world.images[:2], Needs(stages=frozenset({-3})))
    assert signals.logits is None
    assert set(signals.stages) == {-3}
    assert network.head().weight is world.student_net.classifier.weight


def test_number_of_centres_follows_the_data() -> None:
    setting = World().setting  # 40 images, 2x2 cells
    assert letkd().num_centres(setting) == 16
    assert letkd(clusters=4).num_centres(setting) == 4
    assert letkd(cells=100).num_centres(setting) == 10
    large = replace(setting, train_targets=torch.zeros(100_000, dtype=torch.int64))
    assert letkd().num_centres(large) == 4096


def test_fits_with_a_sample_of_the_cells() -> None:
    world = World()
    assert world.pupil(letkd(cells=100)).objective.centres.shape == (10, 16)


def test_says_which_networks_do_not_fit() -> None:
    world = World(teacher="two_stages")
    setting = replace(world.setting, student=replace(world.setting.student, final_classifies=False))
    assert "class token" in letkd().problems(setting)[0]
    assert letkd(penultimate=False).problems(setting) == []
    assert "stage -3 in the teacher" in letkd(stage=-3).problems(world.setting)[0]
    assert letkd(stage=-3, intermediate=False).problems(world.setting) == []
    blind = replace(world.setting, teacher=replace(world.setting.teacher, final=None))
    assert "no final map" in letkd().problems(blind)[0]


def test_needs_a_layer_a_hook_and_a_survey() -> None:
    with pytest.raises(ValidationError, match="both off"):
        letkd(penultimate=False, intermediate=False)
    world = World()
    for params, hook in (({"intermediate": False}, "classify"), ({"penultimate": False}, "insert")):
        with pytest.raises(UserError, match=hook):
            letkd(**params).reshape_student(nn.Identity(), world.setting)
    with pytest.raises(UserError, match="training split"):
        letkd().build(replace(world.setting, survey=None))


@pytest.mark.parametrize(
    ("name", "params"),
    [("resnet10t", {}), ("vit_tiny_patch16_224", {"penultimate": False}), ("mobilenetv3_small_050", {})],
)
def test_goes_into_timm_networks(name: str, params: dict[str, bool]) -> None:
    """Scores leave at the right grid, gradients reach the layers, evaluation gives the same as before a state dict."""
    world, method = World(), letkd(**params)
    student = create_backbone(BackboneSpec(name=name), num_classes=5, view_size=64)
    setting = replace(world.setting, student=student.shapes)
    assert method.problems(setting) == []
    shapes = student.shapes
    network = method.reshape_student(student, setting)
    signals = network(torch.randn(2, 3, 64, 64), Needs(logits=True))
    assert signals.logits.shape == (2, 5)
    assert signals.extras[INTERMEDIATE].shape == (2, 40, *shapes.stages[-2][1:])
    if method.penultimate:
        assert signals.extras[PENULTIMATE].shape == (2, method.num_centres(setting), *shapes.final[1:])
    signals.logits.square().sum().backward()
    added = {n: p for n, p in network.named_parameters() if "value.weight" in n}
    assert len(added) == 1 + method.penultimate
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in added.values())
