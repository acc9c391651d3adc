"""Linear probes, layer-wise rates, mixing: what a recipe may ask for beside an optimiser."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from fgkd.methods.compose import method_spec
from fgkd.models import create_backbone
from fgkd.models.backbone import Backbone
from fgkd.spec import BackboneSpec, Recipe, RunSpec, TeacherTraining
from fgkd.train.mixing import make_mixing
from fgkd.train.optim import make_optimizer, make_schedule, param_groups, recipe_problem
from fgkd.train.rng import RandomStream
from tests.train.room import CLASSES, EPOCHS, Room, feed, run


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def network(name: str = "test_vit") -> Backbone:
    return create_backbone(BackboneSpec(name=name), num_classes=CLASSES, view_size=32)


# linear probe


@pytest.mark.parametrize("student", ["test_efficientnet", "test_vit"])
def test_a_linear_probe_moves_nothing_but_the_classifier(room: Room, student: str) -> None:
    learner = room.learner(run("scratch", student, learns="classifier"))
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    room.cohort([learner.spec], [learner]).run()
    moved = {name for name, value in learner.network.state_dict().items() if not value.equal(before[name])}
    head = learner.network.head()
    own = {n for n, p in learner.network.named_parameters() if p.requires_grad}
    assert moved == own  # and so no running statistic of a batch norm either
    assert sum(p.numel() for p in learner.network.parameters() if p.requires_grad) == head.weight.numel() + CLASSES


def test_a_frozen_trunk_stays_in_evaluation_mode_whoever_asks(room: Room) -> None:
    learner = room.learner(run("scratch", "test_efficientnet", learns="classifier", ema=0.9))
    norms = [m for m in learner.network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert learner.network.training
    assert not any(norm.training for norm in norms)
    learner.network.eval()
    learner.network.train()
    assert not any(norm.training for norm in norms)


def test_a_teachers_mode_reaches_its_recipe() -> None:
    probe = TeacherTraining(mode="linear_probe", recipe=Recipe(lr=0.3))
    assert probe.whole_recipe == Recipe(lr=0.3, learns="classifier")
    assert TeacherTraining(recipe=Recipe(lr=0.3)).whole_recipe == Recipe(lr=0.3)


# layer-wise decay


def scales(net: nn.Module, recipe: Recipe) -> dict[str, float]:
    by_id = {id(p): g["lr_scale"] for g in param_groups(net, nn.Identity(), recipe) for p in g["params"]}
    return {name: by_id[id(p)] for name, p in net.named_parameters()}


def test_layers_learn_slower_the_deeper_they_lie() -> None:
    net = network()
    found = scales(net, Recipe(layer_decay=0.5, head_lr_scale=3))
    blocks = len(net.net.blocks)
    assert found["net.head.weight"] == 3
    assert [found[f"net.blocks.{i}.attn.qkv.weight"] for i in range(blocks)] == pytest.approx(
        [0.5 ** (blocks - i) for i in range(blocks)]
    )
    assert found["net.patch_embed.proj.weight"] == pytest.approx(0.5 ** (blocks + 1))


def test_the_schedule_applies_the_layers_rates_and_the_curve_tells_the_recipes() -> None:
    recipe = Recipe(lr=0.1, schedule="constant", layer_decay=0.5)
    optimizer = make_optimizer(network(), nn.Identity(), recipe)
    make_schedule(optimizer, recipe, epochs=2, steps_per_epoch=3).step_update(1)
    assert all(g["lr"] == pytest.approx(0.1 * g["lr_scale"]) for g in optimizer.param_groups)
    assert len({g["lr_scale"] for g in optimizer.param_groups}) > 2


def test_a_curve_shows_the_rate_of_the_recipe_not_of_the_lowest_layer(room: Room) -> None:
    learner = room.learner(run("scratch", "test_vit", layer_decay=0.5, schedule="constant", warmup_epochs=0))
    room.cohort([learner.spec], [learner]).run()
    assert [point["lr"] for point in learner.curve] == pytest.approx([0.05] * EPOCHS)


# mixing


def test_mixup_mixes_images_and_labels_alike() -> None:
    mixing = make_mixing(Recipe(mixup=1.0), 4)
    assert mixing is not None
    image = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 2, 2).contiguous()
    target = torch.tensor([0, 1, 2, 3, 3, 2, 1, 1])
    before = image.clone()
    with RandomStream(0, torch.device("cpu")):
        mixed, shares = mixing(image, target)
    assert image.equal(before)  # others see the same tensor
    one_hot = nn.functional.one_hot(target, 4).float()
    share = (mixed[0, 0, 0, 0] - 7) / (0 - 7)  # of image 0 in the mixture of 0 and 7
    assert 0 < share < 1
    assert torch.allclose(mixed, share * image + (1 - share) * image.flip(0))
    assert torch.allclose(shares, share * one_hot + (1 - share) * one_hot.flip(0))


def test_cutmix_pastes_a_box_of_the_share_that_the_labels_tell() -> None:
    mixing = make_mixing(Recipe(cutmix=1.0), 2)
    assert mixing is not None
    image = torch.stack([torch.zeros(3, 16, 16), torch.ones(3, 16, 16)])
    with RandomStream(3, torch.device("cpu")):
        mixed, shares = mixing(image, torch.tensor([0, 1]))
    assert 0 < shares[0, 1] < 1
    assert mixed[0].mean().item() == pytest.approx(shares[0, 1].item(), abs=1e-6)
    assert make_mixing(Recipe(), 2) is None


def test_a_mixing_learner_depends_on_its_own_stream_alone(room: Room) -> None:
    mixed = run("label_smoothing", "test_efficientnet", mixup=0.4, cutmix=1.0)
    plain = run("label_smoothing", "test_efficientnet")
    alone = room.train([mixed])[mixed.run_id]
    assert room.train([plain, mixed, run("kd")])[mixed.run_id] == alone
    assert room.train([plain])[plain.run_id] != alone


def test_nobody_mixes_beside_a_teacher() -> None:
    with pytest.raises(ValueError, match="other images than a mixing student sees"):
        RunSpec(feed=feed(), student="test_vit", method=method_spec("kd"), recipe=Recipe(cutmix=1.0))


# optimisers and schedules by name


@pytest.mark.parametrize("name", ["sgd", "momentum", "adamw", "lamb", "lion", "nadamw", "rmsproptf", "adopt"])
def test_timms_optimisers_are_taken_by_name(name: str) -> None:
    assert recipe_problem(Recipe(optimizer=name), epochs=3) is None


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        (Recipe(optimizer="adamv"), "did you mean"),
        (Recipe(optimizer="adahessian"), "second derivatives"),
        (Recipe(schedule="wsd", warmup_epochs=5), "schedule wsd"),
    ],
)
def test_what_cannot_be_followed_is_told_before_training(recipe: Recipe, told: str) -> None:
    assert told in str(recipe_problem(recipe, epochs=3))


def test_a_schedule_is_judged_as_a_real_epoch_would_have_it() -> None:
    assert recipe_problem(Recipe(schedule="wsd", warmup_epochs=0), epochs=1) is None


def rates(schedule: str) -> list[float]:
    recipe = Recipe(lr=1.0, schedule=schedule)  # type: ignore[arg-type]
    optimizer = make_optimizer(nn.Linear(2, 2), nn.Identity(), recipe)
    plan = make_schedule(optimizer, recipe, epochs=10, steps_per_epoch=1)
    found = []
    for step in range(10):
        plan.step_update(step)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_linear_tanh_and_wsd_schedules_fall_as_they_are_named() -> None:
    assert rates("linear") == pytest.approx([1 - step / 10 for step in range(10)])
    assert rates("wsd")[:8] == pytest.approx([1.0] * 8)
    assert rates("wsd")[9] < 0.5
    tanh = rates("tanh")
    assert tanh == sorted(tanh, reverse=True)
    assert tanh[2] > 0.9
    assert tanh[9] < 0.1


def test_new_fields_leave_old_ids_alone() -> None:
    assert Recipe().canonical() == TeacherTraining(recipe=Recipe()).recipe.canonical() == "{}"
    assert run("scratch").run_id == run("scratch", layer_decay=None, learns="all", mixup=0.0, cutmix=0.0).run_id
    assert run("scratch").run_id != run("scratch", mixup=0.1).run_id
