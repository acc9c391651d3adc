"""Batches in an order, and with augmentations, that depend on seeds alone: not on workers, ranks or what ran before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fgkd.data.decoded.store import Decoded
from fgkd.data.images import Files, Pictures
from fgkd.data.sampler import epoch_order
from fgkd.data.seeds import mix
from fgkd.data.split import Split
from fgkd.data.views import EvalView, TrainView
from fgkd.errors import UserError
from fgkd.signals import Batch
from fgkd.spec import Sampler, ViewSpec

Key = tuple[int, int]  # position in the split, view
Rows = tuple[Tensor, Tensor, Tensor]
REPEATS_APART = 2**32  # views between two showings of an image in one epoch: more than there are epochs


class _Samples(Dataset):
    """Batches of (position, view) keys -> the rows, or the text of what is wrong with the first bad file.

    A worker's exception would reach the parent as a traceback within a traceback; a text travels unharmed.
    """

    def __init__(self, split: Split, view: ViewSpec, train: bool, seed: int, decoded: Decoded | None) -> None:
        self.targets, self.seed, self.size = split.targets, seed, view.size
        self.view = TrainView(view) if train else EvalView(view)
        self.pictures: Pictures = (
            Files(split.paths, view.shorter_side) if decoded is None else decoded.pictures(split.paths, view)
        )

    def __getitems__(self, keys: list[Key]) -> Rows | str:
        """Every square is written where it stays: collating single samples would copy them all once more."""
        pixels = torch.empty((len(keys), self.size, self.size, 3), dtype=torch.uint8)
        squares = pixels.numpy()
        for row, (position, view) in enumerate(keys):
            try:
                picture = self.pictures[position]
            except UserError as error:
                return str(error)
            squares[row] = self.view(picture, mix("view", self.seed, position, view))
        positions = torch.tensor([position for position, _ in keys])
        return pixels.permute(0, 3, 1, 2), torch.from_numpy(self.targets[positions.numpy()]), positions


class _Schedule:
    """The batch sampler; its list of batches is replaced before every pass, while the workers live on."""

    def __init__(self) -> None:
        self.batches: Sequence[list[Key]] = ()

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Engine:
    """A torch DataLoader with persistent workers that runs one `_Schedule` after another."""

    def __init__(self, samples: _Samples, workers: int, pin_memory: bool) -> None:
        self.schedule = _Schedule()
        self.loader: DataLoader = DataLoader(
            samples,
            batch_sampler=self.schedule,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pin_memory,
            collate_fn=_as_it_is,
            worker_init_fn=_start_worker,
            generator=torch.Generator(),  # else every pass would draw from torch's global generator
        )

    def run(self, batches: Sequence[list[Key]]) -> Iterator[Rows]:
        self.schedule.batches = batches
        for rows in self.loader:
            if isinstance(rows, str):
                raise UserError(rows)
            yield rows


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)  # the workers are the parallelism


def _as_it_is(rows: Any) -> Any:
    return rows


class TrainLoader:
    """The training split, shuffled and augmented, in full global batches.

    The order is a function of (data_seed, epoch), an augmentation one of (data_seed, position, view). Images are
    (B, 3, S, S) uint8, channels last in memory.

    Args:
        split: what to train on.
        view: how images become squares.
        batch_size: rows of the global batch, over all ranks.
        data_seed: >= 0.
        workers: processes that read and augment; 0 does it in this one.
        rank: of this process, below `world`; it gets contiguous rows of every global batch.
        world: processes that train together; divides batch_size.
        pin_memory: page-locked tensors, for copies to a GPU that do not wait.
        bank: number of fixed views per image (epoch % bank); None gives each epoch a view of its own.
        sampler: how often a class is shown, see `fgkd.data.sampler`; each further showing of an image in an epoch is
            another view of it.
        decoded: the data set's decoded cache; None reads the files. It changes no pixel.

    Raises:
        UserError: the split is smaller than one batch, or the ranks cannot share a batch evenly.
    """

    def __init__(
        self,
        split: Split,
        view: ViewSpec,
        *,
        batch_size: int,
        data_seed: int,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
        pin_memory: bool = False,
        bank: int | None = None,
        sampler: Sampler = "shuffle",
        decoded: Decoded | None = None,
    ) -> None:
        self.steps_per_epoch = len(split) // batch_size  # the rest of an epoch is dropped
        if self.steps_per_epoch == 0:
            raise UserError(
                f"batch_size: {batch_size} is more than the {len(split)} images of the {split.name} split; lower it"
            )
        if batch_size % world:
            raise UserError(f"batch_size: {batch_size} cannot be shared evenly by {world} processes; choose a multiple")
        self.split, self.batch_size, self.data_seed, self.bank = split, batch_size, data_seed, bank
        self.sampler = sampler
        self._share = batch_size // world
        self._offset = rank * self._share
        self._engine = _Engine(_Samples(split, view, True, data_seed, decoded), workers, pin_memory)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from step `start` on."""
        view = epoch if self.bank is None else epoch % self.bank
        keys = self._keys(epoch)
        firsts = range(start * self.batch_size, self.steps_per_epoch * self.batch_size, self.batch_size)
        mine = [keys[first + self._offset : first + self._offset + self._share] for first in firsts]
        for keys_of_batch, (image, target, index) in zip(mine, self._engine.run(mine), strict=True):
            views = None if self.bank is None else torch.tensor([own for _, own in keys_of_batch])
            yield Batch(image, target, index, view, self._offset, self.batch_size, views=views)

    def _keys(self, epoch: int) -> list[Key]:
        """All showings of an epoch, in order."""
        positions, repeats = epoch_order(self.split.targets, self.sampler, self.data_seed, epoch)
        views = epoch + repeats * REPEATS_APART if self.bank is None else (epoch + repeats) % self.bank
        return list(zip(positions.tolist(), views.tolist(), strict=True))


class ViewLoader:
    """The fixed views of the training split: every image in view 0, then every image in view 1, and so on.

    Row r is image ``r % n`` in view ``r // n`` of n images, with the pixels that a `TrainLoader` with a bank shows.

    Args:
        split, view, data_seed, workers, pin_memory, decoded: as for `TrainLoader`.
    """

    def __init__(
        self,
        split: Split,
        view: ViewSpec,
        *,
        data_seed: int,
        workers: int = 0,
        pin_memory: bool = False,
        decoded: Decoded | None = None,
    ) -> None:
        self.split = split
        self._engine = _Engine(_Samples(split, view, True, data_seed, decoded), workers, pin_memory)

    def rows(self, rows: Sequence[int], batch_size: int) -> Iterator[Batch]:
        """The given rows in batches of `batch_size`; the last one may be smaller."""
        keys = [(row % len(self.split), row // len(self.split)) for row in rows]
        batches = [keys[first : first + batch_size] for first in range(0, len(keys), batch_size)]
        for keys_of_batch, (image, target, index) in zip(batches, self._engine.run(batches), strict=True):
            yield Batch(image, target, index, views=torch.tensor([view for _, view in keys_of_batch]))


class EvalLoader:
    """Every image of a split once over all ranks, in order, centre view.

    A rank gets a contiguous share; shares differ by at most one image, and nothing is padded.

    Args:
        split: what to read.
        view: size and resize; its augmentation is not used.
        batch_size: rows per batch and process; the last batch may be smaller.
        workers: as for `TrainLoader`, as are `rank`, `world`, `pin_memory` and `decoded`.
    """

    def __init__(
        self,
        split: Split,
        view: ViewSpec,
        *,
        batch_size: int,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
        pin_memory: bool = False,
        decoded: Decoded | None = None,
    ) -> None:
        self.split, self.batch_size = split, batch_size
        self.crop_pct = view.crop_pct
        self._range = range(len(split) * rank // world, len(split) * (rank + 1) // world)
        self._engine = _Engine(_Samples(split, view, False, 0, decoded), workers, pin_memory)

    def __len__(self) -> int:
        return math.ceil(len(self._range) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        firsts = range(0, len(self._range), self.batch_size)
        batches = [[(position, 0) for position in self._range[first : first + self.batch_size]] for first in firsts]
        for image, target, index in self._engine.run(batches):
            yield Batch(image, target, index, crop_pct=self.crop_pct)
