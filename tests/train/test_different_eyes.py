"""Teacher and students see the same batch, each in its own way: size, normalisation and crop."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgkd.data import EvalLoader, TrainLoader, open_dataset
from fgkd.errors import UserErrors
from fgkd.models import create_backbone
from fgkd.models.eyes import Eyes
from fgkd.runner.check.preflight import network_problems
from fgkd.runner.options import Options
from fgkd.runner.session import dry_run
from fgkd.signals import Batch, Needs, Signals
from fgkd.spec import BackboneSpec, DatasetSpec, Feed, MethodPart, MethodSpec, RunSpec, TeacherSpec, ViewSpec
from fgkd.suite import load_suite
from fgkd.teacher.live import Credentials, Teacher
from fgkd.train.clock import Clock
from fgkd.train.evaluate import Examinee, evaluate

TINY = DatasetSpec(name="synthetic_birds", protocol="tiny")


@pytest.fixture
def image() -> Tensor:
    return torch.randint(0, 256, (3, 3, 96, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def seen_by(spec: BackboneSpec, image: Tensor) -> Tensor:
    """What the first layer of a teacher gets of a batch."""
    network = create_backbone(spec, num_classes=5, view_size=96)
    seen: list[Tensor] = []
    network.net.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    shapes, head = network.shapes, network.head()
    teacher = Teacher(
        network,
        sight=network.input,
        shapes=shapes,
        head=head,
        credentials=Credentials("t", None, "0", 0.5),
        device=torch.device("cpu"),
    )
    teacher.signals(Eyes(image), Needs(logits=True))
    return seen[-1]


@pytest.mark.parametrize("size", [48, 96, 128])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_teacher_sees_its_own_size_and_normalisation(image: Tensor, size: int, interpolation: str) -> None:
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    spec = BackboneSpec(name="test_resnet", size=size, mean=mean, std=std, interpolation=interpolation)
    pixels = image.float() / 255
    if size != 96:
        pixels = F.interpolate(pixels, (size, size), mode=interpolation, antialias=True).clamp(0, 1)
    channels = [(pixels[:, c] - mean[c]) / std[c] for c in range(3)]
    torch.testing.assert_close(seen_by(spec, image), torch.stack(channels, 1), rtol=1e-6, atol=1e-6)


def test_timms_own_normalisation_is_the_default(image: Tensor) -> None:
    seen = seen_by(BackboneSpec(name="mobilenetv3_small_050"), image)
    expected = (image[:, 0].float() / 255 - 0.485) / 0.229
    torch.testing.assert_close(seen[:, 0], expected, rtol=1e-6, atol=1e-6)


class Keeper(nn.Module):
    """Keeps what it is shown."""

    def forward(self, image: Tensor, needs: Needs) -> Signals:
        self.seen = image
        return Signals(logits=image.mean((2, 3)))


def test_an_evaluation_shows_the_crop_asked_for(image: Tensor) -> None:
    sight = create_backbone(BackboneSpec(name="test_resnet", crop_pct=0.5), num_classes=5, view_size=96).input
    sight = replace(sight, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), size=48)
    keeper = Keeper()
    batch = Batch(image, torch.zeros(3, dtype=torch.long), torch.arange(3), crop_pct=1.0)
    evaluate(
        [batch],
        [Examinee(keeper, sight)],
        device=torch.device("cpu"),
        autocast=nullcontext,
        gather=lambda x: x,
        clock=Clock(torch.device("cpu")),
    )
    assert torch.equal(keeper.seen, image[..., 24:72, 24:72].float() / 255)


def test_only_evaluation_views_tell_what_they_show(tmp_path: Path) -> None:
    data, view = open_dataset(TINY, tmp_path, cache=tmp_path), ViewSpec(size=32, augment="none", crop_pct=0.75)
    assert next(iter(EvalLoader(data.holdout, view, batch_size=4))).crop_pct == 0.75
    assert next(TrainLoader(data.train, view, batch_size=4, data_seed=0).epoch(0)).crop_pct is None


def run_of(student: BackboneSpec, teacher: BackboneSpec | None = None) -> RunSpec:
    return RunSpec(
        feed=Feed(dataset=TINY, view=ViewSpec(size=64), teacher=teacher and TeacherSpec(backbone=teacher)),
        student=student,
        method=MethodSpec(label="kd", parts=(MethodPart(name="kd"),)),
    )


def options(folder: Path) -> Options:
    return Options(data_root=folder, results=folder / "results", cache=folder / "cache")


def test_a_crop_that_the_view_has_cut_away_is_refused(tmp_path: Path) -> None:
    plain, greedy = BackboneSpec(name="test_resnet"), BackboneSpec(name="test_resnet", crop_pct=0.95)
    for run in (run_of(greedy), run_of(plain, greedy)):
        (problem,) = network_problems([run, run], {TINY: 25}, options(tmp_path))
        assert "crop_pct: expected at most the view's 0.875" in problem
        assert "found 0.95" in problem
    assert (
        network_problems([run_of(BackboneSpec(name="test_resnet", crop_pct=0.8))], {TINY: 25}, options(tmp_path)) == []
    )


def test_a_plan_refuses_sizes_too(tmp_path: Path) -> None:
    suite = load_suite("quickstart")
    student, teacher = BackboneSpec(name="test_vit", size=50), BackboneSpec(name="test_vit", size=40)
    with pytest.raises(UserErrors) as caught:
        dry_run(suite, [run_of(student, teacher)], options(tmp_path))
    assert len(caught.value.problems) == 2
    assert "nearest size that does is 48" in str(caught.value)
    assert "nearest size that does is 32" in str(caught.value)
