"""Stage maps: sides, stages in common, and the modules between two shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from toy import World

from fgkd.methods import METHODS
from fgkd.methods.feature import GaussianHead, attention_loss, regressor, selectivity_loss
from fgkd.methods.maps import match_sides
from fgkd.methods.review import Fusion, context_loss
from fgkd.methods.schedule import carried_over, in_first_stage
from fgkd.methods.two_stage import boundary_loss, factor_loss
from fgkd.signals import Progress


@pytest.mark.parametrize(
    ("student", "teacher", "sides"), [((8, 8), (4, 4), (4, 4)), ((4, 4), (7, 7), (4, 4)), ((6, 2), (3, 5), (3, 2))]
)
def test_match_sides(student: tuple[int, int], teacher: tuple[int, int], sides: tuple[int, int]) -> None:
    a, b = torch.randn(2, 3, *student), torch.randn(2, 5, *teacher)
    found = match_sides(a, b)
    assert [x.shape[2:] for x in found] == [sides, sides]
    # an even pooling keeps the mean
    assert student != (8, 8) or torch.allclose(found[0].mean((2, 3)), a.mean((2, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("student", "teacher", "kind", "kernel"),
    [
        ((4, 8, 8), (6, 4, 4), nn.Conv2d, (3, 3)),
        ((4, 4, 4), (6, 8, 8), nn.ConvTranspose2d, (4, 4)),
        ((4, 8, 8), (6, 8, 8), nn.Conv2d, (1, 1)),
        ((4, 16, 16), (6, 14, 14), nn.Conv2d, (3, 3)),
        ((4, 28, 28), (6, 7, 7), nn.Conv2d, (1, 1)),  # 22x22 would be larger than the student
        ((4, 7, 7), (6, 16, 16), nn.Conv2d, (1, 1)),
    ],
)
def test_regressor_fits(student: tuple, teacher: tuple, kind: type[nn.Module], kernel: tuple[int, int]) -> None:
    module = regressor(student, teacher, relu=True)
    assert isinstance(module[0], kind)
    assert module[0].kernel_size == kernel
    found = module(torch.randn(2, *student))
    assert found.min() >= 0
    published = kernel != (1, 1) or student[1:] == teacher[1:]
    assert found.shape[1:] == (teacher if published else (teacher[0], *student[1:]))
    assert regressor(student, teacher, relu=False)(torch.randn(2, *student)).min() < 0


@pytest.mark.parametrize("variance", [2e-5, 5.0, 800.0])
def test_a_gaussian_starts_at_any_variance(variance: float) -> None:
    assert GaussianHead(2, 3, variance, 1e-5).variance.tolist() == pytest.approx([variance] * 3, rel=1e-4)


def test_chunks_change_neither_value_nor_gradient() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(3, 10, 4, 4, dtype=torch.float64), torch.randn(3, 7, 4, 4, dtype=torch.float64)
    found = []
    for chunk in (1, 3, 100):
        x = student.clone().requires_grad_()
        loss = selectivity_loss(x, teacher, channel_chunk=chunk)
        loss.backward()
        found.append((loss.detach(), x.grad))
    for value, slope in found[:-1]:
        assert torch.allclose(value, found[-1][0], rtol=1e-12)
        assert torch.allclose(slope, found[-1][1], rtol=1e-9)


def test_chunks_keep_less_for_the_backward_pass() -> None:
    """Kernel matrices are computed again rather than kept."""
    student, teacher = torch.randn(2, 64, 4, 4, requires_grad=True), torch.randn(2, 64, 4, 4)

    def kept(chunk: int) -> int:
        storages = {}
        keep = lambda x: storages.setdefault(x.untyped_storage().data_ptr(), x) is None or x
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            selectivity_loss(student, teacher, channel_chunk=chunk)
        return sum(x.untyped_storage().nbytes() for x in storages.values())

    assert kept(64) > 2 * kept(8)


def test_context_loss_of_a_single_cell_is_the_squared_difference() -> None:
    assert context_loss(torch.full((2, 3, 1, 1), 3.0), torch.ones(2, 3, 1, 1)).item() == pytest.approx(4.0)


def test_fusion_joins_maps_of_any_sides() -> None:
    fusion = Fusion(4, 6, 8, first=False)
    out, below = fusion(torch.randn(2, 4, 5, 7), torch.randn(2, 6, 3, 3), (14, 9))
    assert (out.shape[1:], below.shape[1:]) == ((8, 14, 9), (6, 14, 9))


def test_only_common_stages_are_compared() -> None:
    method = METHODS.get("vid")()
    world = World(teacher="two_stages")
    pupil = world.pupil(method)
    assert sorted(pupil.objective.heads) == ["-1", "-2"]
    assert pupil.terms(world.lesson(method, 4))["vid"].isfinite()


@pytest.mark.parametrize("name", ["fitnet", "at", "vid", "nst", "reviewkd", "ab", "ft", "fsp"])
def test_says_when_no_stage_is_shared(name: str) -> None:
    world = World(teacher="two_stages")
    field = "stage" if "stage" in METHODS.get(name).model_fields else "stages"
    method = METHODS.get(name)(**{field: -4 if field == "stage" else (-4, -3)})
    (problem,) = method.problems(world.setting)
    assert name in problem
    assert "[-2, -1] in the teacher" in problem


def test_fsp_needs_two_stages_and_equal_channels() -> None:
    kind, setting = METHODS.get("fsp"), World(teacher="wide").setting
    assert "two stages" in kind(stages=(-1,)).problems(setting)[0]
    (problem,) = kind(project=False).problems(setting)
    assert "4 and 6 at stage -4" in problem
    same = replace(setting, teacher=setting.student)
    assert kind(project=False).problems(same) == []


def test_epochs_shrink_with_the_training() -> None:
    assert carried_over(30, Progress(0, 10, 480)) == 30
    assert carried_over(30, Progress(0, 10, 24)) == 3
    assert in_first_stage(Progress(29, 10, 24), 30)
    assert not in_first_stage(Progress(30, 10, 24), 30)
    assert not in_first_stage(Progress(0, 10, 24), 0)


@pytest.mark.parametrize("loss", [attention_loss, selectivity_loss, factor_loss, context_loss, boundary_loss])
def test_dead_maps_have_finite_slopes(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """After a ReLU whole channels, cells and maps are 0."""
    torch.manual_seed(0)
    student, teacher = torch.zeros(2, 4, 4, 4, requires_grad=True), torch.randn(2, 4, 4, 4).relu()
    for theirs in (teacher, torch.zeros_like(teacher)):
        found = loss(student, theirs)
        (slope,) = torch.autograd.grad(found, student)
        assert found.isfinite()
        assert slope.isfinite().all()
        assert slope.abs().max() < 100
