"""Devices, precision and processes: the one adapter around accelerate."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedDataParallelKwargs, gather_object
from timm.layers import convert_sync_batchnorm
from timm.utils import distribute_bn
from torch import Tensor, nn

from fgkd.allocator import keep_freed_memory
from fgkd.processes import usable_cpus
from fgkd.signals import Batch, Needs, Signals
from fgkd.spec import Precision
from fgkd.train.replay import can_replay, replayed

T = TypeVar("T")
NETWORKS = 256  # that torch may compile in one process; it gives up after eight otherwise


def _launcher_left_one_thread() -> bool:
    """Did `accelerate launch` give a lone CPU process a single thread, which it does unless told otherwise?"""
    return "ACCELERATE_DYNAMO_BACKEND" in os.environ and os.environ.get("OMP_NUM_THREADS") == "1"


def _part() -> None:
    """Leave the group of processes. Left to the interpreter's end, gloo's threads may abort a process that is done."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _forget_other_precision(precision: Precision) -> None:
    """accelerate keeps one precision for the life of a process; a notebook may train in one after the other."""
    known = AcceleratorState._shared_state
    if known and known.get("_mixed_precision") != precision and PartialState().num_processes == 1:
        AcceleratorState._reset_state()


class Engine:
    """What the loop asks of the machine.

    accelerate provides launch, device, autocast and DDP wrapping. Its gradient scaler, gradient accumulation and
    scheduler wrappers hold one state for all models of a process, so every learner keeps its own instead.

    With several processes, batch norm is synchronised on CUDA devices; on the CPU torch has no synchronised batch
    norm, so the running statistics are averaged before every evaluation and results of such networks depend on the
    process count.

    Args:
        precision: ``no``, ``bf16`` or ``fp16`` (CUDA only).
        compiles: whether torch compiles the students for training; they are evaluated as they are exported, uncompiled.
        replays: whether the students' passes in training are replayed from CUDA graphs, on a lone GPU.
    """

    def __init__(self, precision: Precision = "no", *, compiles: bool = False, replays: bool = False) -> None:
        # Two-stage methods and methods that drop a head leave parameters without a gradient in some steps; buffers
        # need no broadcast: batch norm is synchronised or averaged, and memories are updated alike on every process.
        ddp = DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)
        _forget_other_precision(precision)
        self.accelerator = Accelerator(mixed_precision=precision, kwargs_handlers=[ddp])
        self.precision, self.compiles = precision, compiles
        self.replays = replays and self.device.type == "cuda" and self.world == 1
        self._copying = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        if self.world > 1:
            atexit.register(_part)
        if self.device.type == "cpu":
            keep_freed_memory()
            if self.world == 1 and _launcher_left_one_thread():
                torch.set_num_threads(usable_cpus())

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.accelerator.device

    @property
    def world(self) -> int:
        """Number of processes."""
        return self.accelerator.num_processes

    @property
    def rank(self) -> int:
        """This process's number."""
        return self.accelerator.process_index

    @property
    def main(self) -> bool:
        """Whether this process writes and prints."""
        return self.accelerator.is_main_process

    @property
    def fp16(self) -> bool:
        """Whether gradients need scaling."""
        return self.precision == "fp16" and self.device.type == "cuda"

    def autocast(self) -> AbstractContextManager[object]:
        """The precision's autocast."""
        return self.accelerator.autocast()

    def prepare(self, module: nn.Module) -> nn.Module:
        """Place, wrap in autocast and, with several processes, in DDP."""
        if self.world > 1 and self.device.type == "cuda":
            module = convert_sync_batchnorm(module)
        return self.accelerator.prepare_model(module)

    def compile(self, network: nn.Module) -> None:
        """Let torch compile the network's forward, where that was asked for; its copies stay as they are.

        Shapes are static, or a neighbour of another size would have the same code compiled for both.
        """
        if self.compiles:
            torch._dynamo.config.recompile_limit = NETWORKS
            network.compile(dynamic=False)

    def replay(self, network: nn.Module, needs: Needs, image: Tensor) -> Callable[[Tensor], Signals] | None:
        """The network's pass in training from CUDA graphs, see `replayed`; None where it cannot be captured."""
        return replayed(network, needs, image, self.autocast) if can_replay(network) else None

    def uncompiled(self) -> AbstractContextManager[object]:
        """Inside, compiled networks run as they were written."""
        return torch.compiler.set_stance("force_eager") if self.compiles else nullcontext()

    def to_device(self, batch: Batch) -> Batch:
        """The batch's tensors on the device; to a GPU they are copied from pinned memory while it computes."""
        if self._copying is None:
            return self._moved(batch)
        computing = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._copying):
            moved = self._moved(batch)
        computing.wait_stream(self._copying)
        told = [] if moved.taught is None else [moved.taught.logits, moved.taught.pooled]
        for tensor in (moved.image, moved.target, moved.index, *told):
            if tensor is not None:
                tensor.record_stream(computing)  # or the next copy might be given its memory too early
        return moved

    def _moved(self, batch: Batch) -> Batch:
        move = lambda x: x.to(self.device, non_blocking=True)
        taught = None if batch.taught is None else batch.taught.on(self.device)
        return replace(
            batch, image=move(batch.image), target=move(batch.target), index=move(batch.index), taught=taught
        )

    def gather(self, rows: Tensor) -> Tensor:
        """(n, ...) of each process, n may differ -> (N, ...) in rank order on every process."""
        if self.world == 1:
            return rows
        sizes = self.accelerator.gather(torch.tensor([len(rows)], device=rows.device)).tolist()
        padded = rows.new_zeros((max(sizes), *rows.shape[1:]))  # accelerate's own padding turns booleans into integers
        padded[: len(rows)] = rows
        parts = self.accelerator.gather(padded).split(max(sizes))
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def mean(self, value: Tensor) -> Tensor:
        """Mean over processes."""
        return self.accelerator.reduce(value, reduction="mean")

    def agree(self, value: Tensor) -> Tensor:
        """The largest `value` of all processes."""
        if self.world == 1:
            return value
        return self.accelerator.gather(value.reshape(1)).max()

    def gather_values(self, value: T) -> list[T]:
        """A plain value of each process -> all of them, in rank order."""
        return [value] if self.world == 1 else gather_object([value])

    def average_statistics(self, networks: Sequence[nn.Module]) -> None:
        """Make the running batch-norm statistics of all processes equal."""
        if self.world > 1 and self.device.type != "cuda":
            for network in networks:
                distribute_bn(network, self.world, reduce=True)

    def wait(self) -> None:
        """Let all processes arrive here."""
        self.accelerator.wait_for_everyone()

    def release(self) -> None:
        """Forget the prepared modules, between cohorts."""
        self.accelerator.free_memory()
