"""A teacher whose word on an image depends on the image alone: the one that a bank writes down."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from fgkd.models.eyes import Eyes
from fgkd.signals import Needs, Signals
from fgkd.spec import BankPrecision
from fgkd.teacher.live import Teacher

ROWS = {"cpu": 32}  # images of one forward pass
ROWS_ELSEWHERE = 256
DTYPES: dict[BankPrecision, torch.dtype] = {"fp16": torch.float16, "fp32": torch.float32}


def rows_of(device: torch.device) -> int:
    """How many images a pass shows the network when a bank is written."""
    return ROWS.get(device.type, ROWS_ELSEWHERE)


class SteadyTeacher(Teacher):
    """The teacher of feeds with a bank, asked live: what it says is what a bank of them holds.

    A network's last bits depend on how many images a pass shows it: the libraries below choose their kernels by that.
    So every pass on a CPU shows 32, the last one filled up with repeats; then an image's outputs were found not to
    depend on its companions. On other devices no such promise is made, and a batch goes through as it is. Logits and
    embeddings are rounded as the bank rounds them; maps, which no bank holds, are left alone.

    Args:
        plain: the same teacher, whom this one leaves as it is.
        precision: of the bank.
    """

    def __init__(self, plain: Teacher, precision: BankPrecision) -> None:
        vars(self).update(vars(plain))
        self.dtype, self.forwards = DTYPES[precision], 0

    def signals(self, eyes: Eyes, needs: Needs) -> Signals:
        """The teacher's word on a batch; logits and embeddings in float32, of the values that the bank can hold."""
        given = super().signals(eyes, needs)
        return replace(given, logits=self._rounded(given.logits), pooled=self._rounded(given.pooled))

    def answer(self, image: Tensor, needs: Needs) -> Signals:
        """The network's word on (B, 3, S, S), in passes of equal size."""
        if image.device.type not in ROWS:
            return super().answer(image, needs)
        parts = [self._full_pass(part, needs) for part in image.split(ROWS[image.device.type])]
        return parts[0] if len(parts) == 1 else parts[0].mapped(lambda *rows: torch.cat(rows), *parts[1:])

    def _full_pass(self, image: Tensor, needs: Needs) -> Signals:
        count, full = len(image), ROWS[image.device.type]
        if count < full:
            image = image[torch.arange(full, device=image.device) % count]
        given = super().answer(image.contiguous(memory_format=torch.channels_last), needs)
        return given if count == full else given.mapped(lambda x: x[:count])

    def _rounded(self, x: Tensor | None) -> Tensor | None:
        """Float32 (B, ...) with values of the bank's type; what is beyond them becomes the largest of them."""
        if x is None or self.dtype == torch.float32:
            return x
        largest = torch.finfo(self.dtype).max
        return x.clamp(-largest, largest).to(self.dtype).float()
