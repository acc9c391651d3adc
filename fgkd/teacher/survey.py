"""The teacher's signals over the whole training split, for methods that fit something before training."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import Tensor

from fgkd.files import move_into_place
from fgkd.models.eyes import Eyes
from fgkd.signals import Batch, Needs, Signals
from fgkd.teacher.bank.key import machine_text
from fgkd.teacher.live import Teacher


class TeacherSurvey:
    """Clean-view passes over the training split, and what methods fitted from them, kept on disk.

    Args:
        teacher: who is asked.
        batches: the training split in order, evaluation view.
        folder: where fitted tensors are kept, one safetensors file per fingerprint.
        data: the fingerprint of what `batches` shows (revision, split, view) and of how the teacher is asked (network,
            precision); its weights, what its input looks like and the machine are added here.
        device: where the signals are wanted.
    """

    def __init__(
        self, teacher: Teacher, batches: Iterable[Batch], *, folder: Path, data: str, device: torch.device
    ) -> None:
        self.teacher, self.batches, self.folder, self.data, self.device = teacher, batches, folder, data, device

    def passes(self, needs: Needs) -> Iterator[tuple[Signals, Tensor]]:
        """(teacher signals, targets) batch by batch."""
        for batch in self.batches:
            yield self.teacher.signals(Eyes(batch.image.to(self.device)), needs), batch.target.to(self.device)

    def fitted(self, key: str, fit: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """`fit()` once per (teacher, data, key, machine), by whichever process comes first; read back afterwards."""
        teacher = self.teacher
        told = (key, self.data, teacher.credentials.weights_hash, str(teacher.sight), machine_text(self.device))
        name = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
        path = self.folder / f"{name}.safetensors"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                beside = path.with_name(f".{name}.{os.getpid()}")
                devices = [self.device] if self.device.type == "cuda" else []
                # Whether it was fitted or read back must not move the caller's stream.
                with torch.random.fork_rng(devices):
                    torch.manual_seed(0)
                    fitted = {k: v.detach().cpu().contiguous() for k, v in fit().items()}
                save_file(fitted, beside, {"key": key})
                move_into_place(beside, path)
        return {k: v.to(self.device) for k, v in load_file(path).items()}
