"""What a backbone computes, refuses and changes, beyond what every family must do."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from fgkd.errors import UserError
from fgkd.models import Backbone, cost, create_backbone, weights_hash
from fgkd.signals import Head, Needs
from fgkd.spec import BackboneSpec


def make(name: str = "test_resnet", size: int = 64, classes: int = 5, **fields: object) -> Backbone:
    torch.manual_seed(0)
    return create_backbone(BackboneSpec(name=name, **fields), num_classes=classes, view_size=size)


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_only_what_is_asked_for_is_given(image: torch.Tensor) -> None:
    signals = make()(image, Needs(pooled=True, stages={-1}))
    assert signals.logits is None
    assert signals.final is None
    assert signals.head is None
    assert list(signals.stages) == [-1]
    assert signals.pooled is not None


@pytest.mark.parametrize(
    ("name", "signed"), [("test_resnet", False), ("test_efficientnet", False), ("swin_tiny_patch4_window7_224", True)]
)
def test_a_map_behind_a_norm_is_known_to_be_signed(name: str, signed: bool) -> None:
    """An activation alone ends no lower than -0.375."""
    kwargs = {"embed_dim": 16, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 2, 4)} if signed else {}
    shapes = make(name, 112 if signed else 64, kwargs=kwargs).shapes
    assert shapes.pooled_is_mean
    assert shapes.final_is_signed == signed


def test_one_pass_of_the_trunk_whatever_is_asked(image: torch.Tensor) -> None:
    network = make()
    passes = []
    network.net.conv1[0].register_forward_hook(lambda *_: passes.append(1))
    network(image, Needs(True, True, True, frozenset({-4, -1}), True))
    assert len(passes) == 1


def test_stages_alone_run_no_deeper_than_asked(image: torch.Tensor) -> None:
    network = make().eval()
    deeper: list[int] = []
    network.net.layer3.register_forward_hook(lambda *_: deeper.append(1))
    alone = network(image, Needs(stages={-4, -3}))
    assert deeper == []
    assert torch.equal(alone.stages[-3], network(image, Needs(logits=True, stages={-3})).stages[-3])


def test_signals_of_one_training_pass_agree_under_dropout_and_drop_path(image: torch.Tensor) -> None:
    network = make("test_efficientnet", kwargs={"drop_rate": 0.5, "drop_path_rate": 0.5}).train()
    signals = network(image, Needs(logits=True, pooled=True, head=True))
    assert (signals.pooled == 0).any(), "dropout before the classifier must be seen in pooled"
    torch.testing.assert_close(signals.head(signals.pooled), signals.logits)


def test_the_head_is_live_and_detached_on_request(image: torch.Tensor) -> None:
    network = make()
    head = network(image, Needs(head=True)).head
    assert head.weight is network.net.fc.weight
    assert not head.detached().weight.requires_grad


def test_looking_at_shapes_changes_nothing() -> None:
    network = make().train()
    before, stream = weights_hash(network), torch.random.get_rng_state()
    assert network.shapes.pooled == 96
    assert weights_hash(network) == before
    assert torch.equal(torch.random.get_rng_state(), stream)
    assert network.training


def test_shapes_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make()
    first = network.shapes
    monkeypatch.setattr("fgkd.models.backbone.examine", lambda *_: pytest.fail("examined again"))
    assert network.shapes is first


def test_identity_at_initialisation_is_not_taken_for_a_mean() -> None:
    """EfficientViT's norm before the classifier does nothing at first: pooled only looks like the mean."""
    network = make("efficientvit_m0", size=128).eval()
    with torch.no_grad():
        signals = network(torch.randn(1, 3, 128, 128), Needs(pooled=True, final=True))
    torch.testing.assert_close(signals.pooled, signals.final.mean((2, 3)), rtol=1e-4, atol=1e-5)  # it looks like it
    assert not network.shapes.pooled_is_mean


def test_stages_that_are_not_there_are_refused() -> None:
    with pytest.raises(UserError, match=r"has no stages \[-4\]; it has \[-3, -2, -1\]"):
        make("levit_128s")(torch.randn(1, 3, 64, 64), Needs(stages={-4, -1}))


def test_a_class_token_network_does_not_classify_from_its_map() -> None:
    network = make("test_vit")
    with pytest.raises(UserError, match="class token"):
        network.classify(torch.zeros(1, 64, 4, 4))


def test_quarters_of_an_isotropic_trunk() -> None:
    from fgkd.models.stages import stage_indices

    trunk = nn.Module()
    trunk.feature_info = [{"reduction": 16} for _ in range(12)]  # type: ignore[assignment]
    assert stage_indices(trunk) == {-4: 2, -3: 5, -2: 8, -1: 11}
    trunk.feature_info = [{"reduction": 16} for _ in range(6)]  # type: ignore[assignment]
    assert stage_indices(trunk) == {-4: 1, -3: 2, -2: 4, -1: 5}
    trunk.feature_info = [{"reduction": 2**i} for i in range(5)]  # type: ignore[assignment]
    assert stage_indices(trunk) == {-4: 1, -3: 2, -2: 3, -1: 4}


@pytest.mark.parametrize(("name", "convolutional"), [("test_resnet", True), ("test_vit", False)])
def test_channels_last_is_for_convolutions(name: str, convolutional: bool) -> None:
    assert make(name).prefers_channels_last == convolutional


# --- heads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["test_resnet", "deit_tiny_distilled_patch16_224", "efficientformerv2_s0"])
def test_a_replaced_head_is_the_given_one(name: str, image: torch.Tensor) -> None:
    network = make(name, kwargs={"depth": 2, "embed_dim": 24} if "deit" in name else {}).eval()
    given = Head(torch.randn(5, network.shapes.pooled), torch.randn(5))
    network.replace_head(given, frozen=True)
    signals = network(image, Needs(logits=True, pooled=True))
    torch.testing.assert_close(signals.logits, given(signals.pooled), rtol=1e-4, atol=1e-4)
    assert not any(p.requires_grad for name, p in network.named_parameters() if name.startswith(("net.fc", "net.head")))
    assert not network.head_is_fresh


def test_a_replaced_head_may_lack_or_bring_a_bias(image: torch.Tensor) -> None:
    network = make().eval()
    weight = torch.randn(5, 96)
    network.replace_head(Head(weight, None), frozen=False)
    assert torch.equal(network.head().bias, torch.zeros(5))
    network.net.fc.bias = None
    network.replace_head(Head(weight, torch.ones(5)), frozen=False)
    assert torch.equal(network.head().bias, torch.ones(5))
    assert network.head().bias.requires_grad


def test_a_head_of_another_width_is_refused() -> None:
    with pytest.raises(UserError, match=r"5 classes on 96 features, the given head 5 on 7; .* projector"):
        make().replace_head(Head(torch.zeros(5, 7), None), frozen=True)


# --- inserted layers -----------------------------------------------------------------------------------------------


class Doubling(nn.Module):
    """A learned gain, and what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, grid: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return grid * self.gain, {"seen": grid}


@pytest.mark.parametrize(
    ("name", "stage"),
    [("test_resnet", -2), ("test_efficientnet", -1), ("test_vit", -3), ("swin_tiny_patch4_window7_224", -2)],
)
def test_an_inserted_layer_works_on_every_pass(name: str, stage: int, image: torch.Tensor) -> None:
    swin = {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)}
    network = make(name, kwargs=swin if "swin" in name else {}).eval()
    before = network(image, Needs(logits=True, stages={stage}))
    network.insert(stage, Doubling())
    after = network(image, Needs(logits=True, stages={stage}))
    assert torch.equal(after.stages[stage], 2 * before.stages[stage])
    assert torch.equal(after.extras["seen"], before.stages[stage])
    assert not torch.allclose(after.logits, before.logits)
    assert torch.equal(network(image).logits, after.logits)
    assert set(network(image).extras) == {"seen"}


def test_an_inserted_layer_is_part_of_the_network(image: torch.Tensor) -> None:
    network = make()
    plain, (channels, height, width) = cost(network, 64), network.shapes.stages[-2]
    network.insert(-2, nn.Conv2d(channels, channels, 1, bias=False))
    more = cost(network, 64)
    assert more.params - plain.params == channels**2
    assert more.macs - plain.macs == channels**2 * height * width
    assert any(name.startswith("inserted") for name in network.state_dict())
    network(image).logits.sum().backward()
    assert all(p.grad is not None for p in network.inserted.parameters())


def test_copies_run_their_own_inserted_layer(image: torch.Tensor) -> None:
    network = make().eval()
    network.insert(-2, Doubling())
    twin = copy.deepcopy(network)
    with torch.no_grad():
        twin.inserted["-2"].module.gain.zero_()
    assert not torch.allclose(twin(image).logits, network(image).logits)


def test_a_layer_is_not_put_where_it_would_do_nothing() -> None:
    with pytest.raises(UserError, match="reads more than its last map"):
        make("test_vit").insert(-1, Doubling())
    network = make()
    network.insert(-2, Doubling())
    with pytest.raises(UserError, match="already"):
        network.insert(-2, Doubling())
