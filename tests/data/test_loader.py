"""Batches are functions of seeds and positions: not of workers, ranks, the start of a pass or what ran before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fgkd.data.loader import EvalLoader, TrainLoader
from fgkd.data.split import Split
from fgkd.errors import UserError
from fgkd.signals import Batch
from fgkd.spec import ViewSpec

VIEW = ViewSpec(size=16, augment="standard")


def train(split: Split, **changes) -> TrainLoader:
    return TrainLoader(split, VIEW, **{"batch_size": 6, "data_seed": 1, **changes})


@pytest.fixture
def lopsided(pictures: Split) -> Split:
    """The 23 pictures with one of the first class, two of the second, and 20 of the third."""
    targets = np.full(23, 2)
    targets[:3] = 0, 1, 1
    return Split("train", pictures.paths, targets)


def assert_same(ours: list[Batch], theirs: list[Batch]) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a.image, b.image)
        assert torch.equal(a.target, b.target)
        assert torch.equal(a.index, b.index)
        assert (a.view, a.offset, a.global_size) == (b.view, b.offset, b.global_size)


def test_batches(pictures):
    loader = train(pictures)
    assert loader.steps_per_epoch == 3
    batches = list(loader.epoch(4))
    for batch in batches:
        assert batch.image.shape == (6, 3, 16, 16)
        assert batch.image.dtype == torch.uint8
        assert batch.target.dtype == batch.index.dtype == torch.int64
        assert batch.target.tolist() == pictures.targets[batch.index.numpy()].tolist()
        assert (batch.view, batch.offset, batch.global_size) == (4, 0, 6)
    seen = torch.cat([batch.index for batch in batches]).tolist()
    assert len(set(seen)) == 18
    assert seen != sorted(seen)


def test_epochs_and_seeds_differ(pictures):
    def order(epoch: int, seed: int) -> tuple[int, ...]:
        batches = train(pictures, data_seed=seed).epoch(epoch)
        return tuple(torch.cat([batch.index for batch in batches]).tolist())

    assert len({order(0, 1), order(1, 1), order(0, 2)}) == 3


def test_pixels_depend_on_view_and_seed_not_on_place_in_the_batch(pictures):
    def pixels(loader: TrainLoader, epoch: int) -> dict[int, bytes]:
        return {int(i): x.numpy().tobytes() for b in loader.epoch(epoch) for x, i in zip(b.image, b.index, strict=True)}

    small, large = pixels(train(pictures, batch_size=1), 0), pixels(train(pictures, batch_size=23), 0)
    assert small == large
    banked = train(pictures, batch_size=1, bank=2)
    assert pixels(banked, 2) == small, "epoch 2 of a bank of 2 shows view 0"
    assert pixels(banked, 1) == pixels(train(pictures, batch_size=1), 1) != small
    assert pixels(train(pictures, batch_size=1, data_seed=2), 0) != small


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker")
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_nothing(pictures, workers):
    alone, shared = train(pictures), train(pictures, workers=workers)
    for epoch in (0, 1):  # the same processes serve both
        assert_same(list(shared.epoch(epoch)), list(alone.epoch(epoch)))


@pytest.mark.parametrize("workers", [0, 2])
def test_start_resumes_in_the_middle_of_an_epoch(pictures, workers):
    loader = train(pictures, workers=workers)
    whole = list(loader.epoch(3))
    assert_same(list(loader.epoch(3, start=2)), whole[2:])
    assert list(loader.epoch(3, start=3)) == []


def test_a_pass_that_was_left_early_does_not_leak_into_the_next(pictures):
    loader = train(pictures, workers=2)
    next(iter(loader.epoch(0)))
    assert_same(list(loader.epoch(1)), list(train(pictures).epoch(1)))


def test_ranks_share_every_global_batch(pictures):
    whole = list(train(pictures).epoch(0))
    parts = [list(train(pictures, rank=rank, world=3).epoch(0)) for rank in range(3)]
    for step, batch in enumerate(whole):
        mine = [part[step] for part in parts]
        assert torch.equal(torch.cat([part.image for part in mine]), batch.image)
        assert torch.equal(torch.cat([part.index for part in mine]), batch.index)
        assert [part.offset for part in mine] == [0, 2, 4]
        assert {part.global_size for part in mine} == {6}


@pytest.mark.parametrize("sampler", ["balanced", "sqrt"])
def test_a_sampler_is_a_function_of_seed_and_epoch_alone(lopsided, sampler):
    whole = list(train(lopsided, sampler=sampler).epoch(1))
    served = train(lopsided, sampler=sampler, workers=2)
    next(iter(served.epoch(0)))
    assert_same(list(served.epoch(1, start=1)), whole[1:])
    parts = [list(train(lopsided, sampler=sampler, rank=rank, world=2).epoch(1)) for rank in range(2)]
    for batch, *mine in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat([part.image for part in mine]), batch.image)
    assert len(whole) == train(lopsided).steps_per_epoch


def test_each_showing_of_an_image_is_another_view(lopsided):
    def pixels(epoch: int, **changes) -> list[bytes]:
        loader = train(lopsided, sampler="balanced", batch_size=23, **changes)
        (batch,) = loader.epoch(epoch)
        return [x.numpy().tobytes() for x, i in zip(batch.image, batch.index, strict=True) if i == 0]

    alone, next_epoch = pixels(0), pixels(1)
    assert len(alone) in (7, 8)
    assert len(set(alone)) == len(alone)
    assert not set(alone) & set(next_epoch)
    assert len(set(pixels(0, bank=3))) == 3, "a bank holds no more views than it was asked for"
    plain = {
        int(i): x.numpy().tobytes()
        for b in train(lopsided, batch_size=1).epoch(0)
        for x, i in [(b.image[0], b.index[0])]
    }
    assert alone[0] == plain[0], "the first showing is the one that shuffle shows"


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.usefixtures("untouched_randomness")
def test_no_global_random_state_is_touched(pictures, workers):
    list(train(pictures, workers=workers).epoch(0))
    list(EvalLoader(pictures, VIEW, batch_size=6, workers=workers))


def test_batches_larger_than_the_split_are_refused(pictures):
    with pytest.raises(UserError, match="batch_size: 24 is more than the 23 images"):
        train(pictures, batch_size=24)


def test_uneven_ranks_are_refused(pictures):
    with pytest.raises(UserError, match="cannot be shared evenly by 4"):
        train(pictures, world=4)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_file_is_named(pictures, workers):
    broken = pictures.paths[7]
    broken.write_bytes(b"")
    with pytest.raises(UserError, match=rf"^[^\n]*{broken.name}: the file is empty[^\n]*$"):
        list(train(pictures, workers=workers, batch_size=23).epoch(0))


@pytest.mark.parametrize(("workers", "world"), [(0, 1), (0, 2), (0, 5), (0, 30), (2, 2)])
def test_eval_reads_every_image_once_and_in_order(pictures, workers, world):
    loaders = [
        EvalLoader(pictures, VIEW, batch_size=4, workers=workers, rank=rank, world=world) for rank in range(world)
    ]
    batches = [list(loader) for loader in loaders]
    assert [len(loader) for loader in loaders] == [len(part) for part in batches]
    flat = [batch for part in batches for batch in part]
    assert torch.cat([batch.index for batch in flat]).tolist() == list(range(23))
    assert torch.cat([batch.target for batch in flat]).tolist() == pictures.targets.tolist()
    sizes = [sum(len(batch.index) for batch in part) for part in batches]
    assert max(sizes) - min(sizes) <= 1


def test_eval_passes_are_equal(pictures):
    loader = EvalLoader(pictures, VIEW, batch_size=5, workers=1)
    assert_same(list(loader), list(loader))
    assert_same(list(loader), list(EvalLoader(pictures, VIEW, batch_size=5)))
