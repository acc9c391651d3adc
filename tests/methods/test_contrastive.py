"""CRD: fair draws, memory, chunks, restarts, and rows of a process as those of a single one."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from toy import NUM_CLASSES, NUM_IMAGES, World

from fgkd.methods.batch_contrast import batch_contrast_loss
from fgkd.methods.contrastive import CRD, ClassIndex, CRDObjective
from fgkd.signals import Batch, Lesson, Needs, Progress, Signals

UNEVEN = torch.tensor([0] * 6 + [1] * 3 + [2])  # pools of other classes: 4, 7, 9


def draw(labels: torch.Tensor, num: int) -> torch.Tensor:
    index = ClassIndex(UNEVEN)
    return index.other_classes(labels, torch.rand(len(labels), index.keys_needed(num)), num)


def test_negatives_are_of_other_classes_and_distinct() -> None:
    drawn = draw(UNEVEN, 4)
    assert (UNEVEN[drawn] != UNEVEN[:, None]).all()
    assert all(len(set(row)) == 4 for row in drawn.tolist())


def test_negatives_are_uniform() -> None:
    labels = torch.ones(4000, dtype=torch.int64)
    counts = Counter(draw(labels, 2).flatten().tolist())
    assert set(counts) == {0, 1, 2, 3, 4, 5, 9}
    assert all(abs(n - 8000 / 7) < 5 * (8000 / 7) ** 0.5 for n in counts.values())


def test_small_pools_are_drawn_with_replacement() -> None:
    drawn = draw(torch.zeros(5000, dtype=torch.int64), 7)
    assert drawn.shape == (5000, 7)
    counts = Counter(drawn.flatten().tolist())
    assert set(counts) == {6, 7, 8, 9}
    assert all(abs(n - 35000 / 4) < 5 * (35000 / 4) ** 0.5 for n in counts.values())
    assert all(len(set(row)) == 7 for row in draw(torch.ones(50, dtype=torch.int64), 7).tolist())


def test_a_relaxed_positive_is_of_the_same_class() -> None:
    index = ClassIndex(UNEVEN)
    drawn = index.same_class(UNEVEN.repeat(100), torch.rand(1000))
    assert torch.equal(UNEVEN[drawn], UNEVEN.repeat(100))
    assert set(drawn.tolist()) == set(range(10))
    assert (index.same_class(UNEVEN, torch.full((10,), 1 - 1e-9)) < 10).all()


def built(**params: object) -> tuple[World, CRDObjective, CRD]:
    world, method = World(), CRD(**params)
    objective = world.pupil(method).objective
    assert isinstance(objective, CRDObjective)
    return world, objective, method


def lesson_of(world: World, rows: Iterable[int], **place: int) -> Lesson:
    index = torch.tensor(list(rows))
    batch = Batch(world.images[index], world.targets[index], index, **place)
    return Lesson(batch, Signals(), Progress(0, 1, 1))


def test_the_number_of_negatives_is_capped_by_the_pool() -> None:
    world, objective, _ = built()
    assert objective.num_negatives == NUM_IMAGES - NUM_IMAGES // NUM_CLASSES
    assert objective.draw(lesson_of(world, range(6))).shape == (6, 1 + objective.num_negatives)


@pytest.mark.parametrize("positive", ["exact", "relax"])
def test_a_process_draws_its_own_rows_of_the_global_batch(positive: str) -> None:
    world, objective, _ = built(num_negatives=5, positive=positive)
    torch.manual_seed(0)
    whole = objective.draw(lesson_of(world, range(8)))
    for offset in (0, 4):
        torch.manual_seed(0)
        part = objective.draw(lesson_of(world, range(offset, offset + 4), offset=offset, global_size=8))
        assert torch.equal(part, whole[offset : offset + 4])


def test_the_banks_remember_the_batch_and_nothing_else() -> None:
    world, objective, method = built(num_negatives=5)
    before = objective.bank_student.clone()
    lesson = world.lesson(method, 6)
    world.pupil(method)  # moves the stream, as any neighbour might
    student = world.student_net(lesson.batch.image, method.student_needs)
    objective(student, lesson)
    seen = lesson.batch.index
    embedded = torch.nn.functional.normalize(objective.embed_student(student.pooled), dim=1)
    expected = torch.nn.functional.normalize(0.5 * before[seen] + 0.5 * embedded, dim=1)
    assert torch.allclose(objective.bank_student[seen], expected, atol=1e-6)
    others = torch.ones(NUM_IMAGES, dtype=torch.bool).index_fill(0, seen, False)
    assert torch.equal(objective.bank_student[others], before[others])


class _Writes(TorchFunctionMode):
    """Notes what is written where."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") == "__setitem__" and isinstance(args[1], torch.Tensor):
            self.found.append((args[1], args[2]))
        return func(*args, **(kwargs or {}))


def test_a_sample_twice_in_a_batch_is_written_alike() -> None:
    """On a GPU either row may be written last."""
    world, objective, _ = built(num_negatives=5)
    lesson = lesson_of(world, [7, 3, 7])
    lesson = replace(lesson, teacher=world.teacher_net(world.images[[1, 2, 3]], Needs(pooled=True)))
    with _Writes() as writes:
        objective(world.student_net(world.images[[4, 5, 6]], Needs(logits=True, pooled=True)), lesson)
    written = [values for index, values in writes.found if index.tolist() == [7, 3, 7]]
    assert len(written) == 2
    for values in written:
        assert torch.equal(values[0], values[2])
        assert not torch.equal(values[0], values[1])


def test_the_banks_start_uniform_with_the_published_bound() -> None:
    for bank in (built()[1].bank_student, built()[1].bank_teacher):
        bound = (3 / 128) ** 0.5
        assert bank.abs().max() <= bound
        assert bank.var().item() == pytest.approx(bound**2 / 3, rel=0.1)
        assert bank.mean().item() == pytest.approx(0, abs=0.01)


def test_evaluation_leaves_the_banks_alone() -> None:
    world, objective, method = built(num_negatives=5)
    before = objective.bank_student.clone()
    lesson = world.lesson(method, 6)
    objective.eval()(world.student_net(lesson.batch.image, method.student_needs), lesson)
    assert torch.equal(objective.bank_student, before)


def test_chunks_do_not_change_loss_gradient_or_normaliser(monkeypatch: pytest.MonkeyPatch) -> None:
    world, whole, method = built(num_negatives=5)
    chunked = copy.deepcopy(whole)
    lesson = world.lesson(method, 6)
    contrast = whole.draw(lesson)
    results = []
    for objective, rows in ((whole, 6), (chunked, 4)):
        monkeypatch.setattr(CRDObjective, "_rows_at_once", rows)
        student = world.student_net(lesson.batch.image, method.student_needs)
        loss = objective.contrast(student.pooled, lesson.teacher.pooled, lesson.batch.index, contrast)
        loss.backward()
        gradients = [layer.weight.grad for layer in (objective.embed_student, objective.embed_teacher)]
        results.append((loss.detach(), *gradients, objective.normaliser))
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)


def test_chunks_draw_as_a_whole_does(monkeypatch: pytest.MonkeyPatch) -> None:
    world, objective, _ = built(num_negatives=5)
    draws = []
    for rows in (100, 3):
        monkeypatch.setattr(CRDObjective, "_rows_at_once", rows)
        torch.manual_seed(0)
        draws.append(objective.draw(lesson_of(world, range(8))))
    assert torch.equal(*draws)


def test_the_normaliser_is_of_the_first_batch_also_after_a_restart() -> None:
    world, objective, method = built(num_negatives=5)
    lesson = world.lesson(method, 6)
    student = world.student_net(lesson.batch.image, method.student_needs)
    assert (objective.normaliser == -1).all()
    objective(student, lesson)
    first = objective.normaliser.clone()
    _, restarted, _ = built(num_negatives=5)
    restarted(student, lesson)  # sets its own, which the state replaces
    restarted.load_state_dict(objective.state_dict())
    restarted(student, lesson)
    assert torch.equal(restarted.normaliser, first)
    blank = {**objective.state_dict(), "normaliser": torch.full((2,), -1.0)}
    restarted.load_state_dict(blank)
    restarted(student, lesson)
    assert (restarted.normaliser > 0).all()


def test_one_class_gives_crd_nothing_to_draw() -> None:
    setting = replace(World().setting, train_targets=torch.zeros(9, dtype=torch.int64))
    assert "one class" in CRD().problems(setting)[0]


def test_in_batch_contrast_of_one_class_is_zero() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(4, 3), dim=1)
    same, unlike = torch.zeros(4, dtype=torch.int64), torch.arange(4)
    assert batch_contrast_loss(vectors, vectors.flip(0), same, temperature=0.1).item() == pytest.approx(0, abs=1e-6)
    aligned = batch_contrast_loss(vectors, vectors, unlike, temperature=0.1)
    assert aligned < batch_contrast_loss(vectors, vectors.flip(0), unlike, temperature=0.1)
