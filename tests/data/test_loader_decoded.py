"""The same order and pixels for any number of workers and processes, from any step, cached or not."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from fgkd.data import EvalLoader, ImageData, TrainLoader, augment_names
from fgkd.data.decoded import Decoded, build, survey
from fgkd.errors import UserError
from fgkd.signals import Batch
from fgkd.spec import ViewSpec
from tests.data.odd_files import SIDE, odd_data

VIEW = ViewSpec(size=32, shorter_side=SIDE, augment="strong")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> ImageData:
    return odd_data(tmp_path_factory.mktemp("data") / "odd")


@pytest.fixture(scope="module")
def decoded(odd: ImageData, tmp_path_factory: pytest.TempPathFactory) -> Decoded:
    return build(survey(odd, SIDE, tmp_path_factory.mktemp("cache")))


def lessons(odd: ImageData, start: int = 0, **changes) -> list[Batch]:
    """Two epochs in batches of 4, the first from step `start` on."""
    loader = TrainLoader(odd.train, VIEW, **{"batch_size": 4, "data_seed": 3, **changes})
    return [*loader.epoch(0, start=start), *loader.epoch(1)]


def rows(batches: list[Batch]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.cat([getattr(batch, name) for batch in batches]) for name in ("image", "target", "index"))


def equal(ours: tuple[torch.Tensor, ...], theirs: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.fixture(params=itertools.product([0, 2], [1, 2], [False, True]), ids=str)
def serving(request: pytest.FixtureRequest, decoded: Decoded) -> dict:
    """Ways to serve one loader: workers, processes, the cache or the files."""
    workers, world, cached = request.param
    return {"workers": workers, "world": world, "decoded": decoded if cached else None}


@pytest.mark.parametrize("start", [0, 1])
def test_training_batches(odd, serving, start):
    world = serving["world"]
    expected = rows(lessons(odd)[start:])
    parts = [lessons(odd, start, rank=rank, **serving) for rank in range(world)]
    together = [part[step] for step in range(len(parts[0])) for part in parts]
    assert [batch.offset for batch in together[:world]] == [0, 2][:world]
    assert equal(rows(together), expected)


def test_evaluation_batches(odd, serving):
    expected = rows(list(EvalLoader(odd.test, VIEW, batch_size=3)))
    ranks = range(serving["world"])
    parts = [list(EvalLoader(odd.test, VIEW, batch_size=3, rank=rank, **serving)) for rank in ranks]
    assert equal(rows([batch for part in parts for batch in part]), expected)


@pytest.mark.parametrize("augment", augment_names())
def test_every_augmentation_takes_mapped_pictures(odd, decoded, augment):
    view = VIEW.model_copy(update={"augment": augment})
    loaders = [TrainLoader(odd.train, view, batch_size=11, data_seed=0, decoded=d) for d in (None, decoded)]
    ours, theirs = (rows(list(loader.epoch(2))) for loader in loaders)
    assert equal(ours, theirs)
    ours[0][:] = 0  # the batch is nobody else's


def test_with_the_cache_no_file_is_read(odd, decoded, tmp_path: Path, monkeypatch):
    expected = rows(lessons(odd))
    monkeypatch.setattr("fgkd.data.images.decode", None)
    assert equal(rows(lessons(odd, decoded=decoded)), expected)


def test_the_bound_is_part_of_the_view(odd):
    whole = VIEW.model_copy(update={"shorter_side": None})
    unbounded = list(TrainLoader(odd.train, whole, batch_size=4, data_seed=3).epoch(0))
    assert not torch.equal(unbounded[0].image, lessons(odd)[0].image)
    assert torch.equal(unbounded[0].index, lessons(odd)[0].index)


@pytest.mark.parametrize("loader", [TrainLoader, EvalLoader])
def test_a_view_of_whole_pictures_is_refused(odd, decoded, loader):
    seed = {"data_seed": 0} if loader is TrainLoader else {}
    with pytest.raises(UserError, match=f"expected a view with shorter_side {SIDE}"):
        loader(odd.train, ViewSpec(size=32), batch_size=4, decoded=decoded, **seed)
