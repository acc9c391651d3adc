"""Contrastive representation distillation with memory banks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fgkd.collective import all_gather, all_mean
from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting, cross_entropy
from fgkd.methods.checks import no_teacher
from fgkd.methods.numerics import full_precision, raised
from fgkd.signals import Lesson, Needs, Signals

EPS = 1e-7
Sides = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]  # (anchors (B, dim), the other net's bank (N, dim)) twice


class ClassIndex(nn.Module):
    """Which samples belong to which class, for draws on the device.

    Args:
        targets: (N,) int64 labels of the training split.
    """

    targets: Tensor
    order: Tensor  # (N,) samples sorted by class
    start: Tensor  # (K,) where a class begins in `order`
    count: Tensor  # (K,)

    def __init__(self, targets: Tensor) -> None:
        super().__init__()
        count = torch.bincount(targets)
        self.register_buffer("targets", targets.clone(), persistent=False)
        self.register_buffer("order", torch.argsort(targets, stable=True), persistent=False)
        self.register_buffer("count", count, persistent=False)
        self.register_buffer("start", count.cumsum(0) - count, persistent=False)
        self.smallest_pool = len(targets) - int(count.max())
        self.largest_pool = len(targets) - int(count[count > 0].min())

    def same_class(self, labels: Tensor, uniform: Tensor) -> Tensor:
        """One sample of each label's class, drawn by `uniform` (B,) in [0, 1) -> (B,) indices."""
        count = self.count[labels]
        step = (uniform * count).long().clamp_max(count - 1)
        return self.order[self.start[labels] + step]

    def other_classes(self, labels: Tensor, keys: Tensor, num: int) -> Tensor:
        """`num` samples of other classes for each label -> (B, num) indices.

        Args:
            labels: (B,).
            keys: (B, `keys_needed(num)`) uniform in [0, 1). The samples with the largest of the first N keys are a draw
                without replacement; the keys beyond N say which of them to take in a draw with replacement.
            num: rows whose pool of other classes is smaller than this are drawn with replacement.
        """
        num_data = len(self.targets)
        own = self.targets == labels[:, None]
        drawn = keys[:, :num_data].masked_fill(own, -1.0).topk(num, dim=1).indices
        if num <= self.smallest_pool:
            return drawn
        pool = num_data - self.count[labels][:, None]
        again = (keys[:, num_data:] * pool).long().minimum(pool - 1)
        return drawn.gather(1, torch.where(pool < num, again, torch.arange(num, device=drawn.device)))

    def keys_needed(self, num: int) -> int:
        """Random numbers that `other_classes` takes for each row."""
        return len(self.targets) + (num if num > self.smallest_pool else 0)


def nce_loss(similarity: Tensor, *, temperature: float, normaliser: Tensor, num_data: int) -> Tensor:
    """Noise-contrastive loss of one side of CRD, for each sample.

    With P = exp(similarity / temperature) / normaliser, K noise samples and noise density 1 / N:
    ``-log(P+ / (P+ + K/N + eps)) - sum_K log(K/N / (P- + K/N + eps))``.

    Args:
        similarity: (B, 1 + K) inner products of unit vectors, the positive first.
        normaliser: scalar Z.

    Returns:
        (B,).
    """
    noise = (similarity.shape[1] - 1) / num_data
    p = torch.exp(similarity / temperature) / normaliser
    bound = (p + noise + EPS).log()
    positive = similarity[:, 0] / temperature - normaliser.log() - bound[:, 0]
    negative = bound[:, 1:] - p.new_full((), noise).log()  # filled on the device: nobody waits
    return negative.sum(1) - positive


class CRDObjective(Objective):
    """Embeddings, memory banks and normalisers of CRD. Everything that outlives a step is in the state dict."""

    bank_student: Tensor  # (N, dim), unit rows after their first visit
    bank_teacher: Tensor  # (N, dim)
    normaliser: Tensor  # (2,) Z of the student's and the teacher's side; -1 before the first batch

    def __init__(self, method: CRD, setting: Setting) -> None:
        super().__init__()
        assert setting.teacher is not None
        self.method = method
        self.embed_student = nn.Linear(setting.student.pooled, method.dim)
        self.embed_teacher = nn.Linear(setting.teacher.pooled, method.dim)
        self.classes = ClassIndex(setting.train_targets)
        self.num_data = len(setting.train_targets)
        self.num_negatives = min(method.num_negatives, self.classes.largest_pool)
        bound = (3 / method.dim) ** 0.5
        for name in ("bank_student", "bank_teacher"):
            self.register_buffer(name, torch.empty(self.num_data, method.dim).uniform_(-bound, bound))
        self.register_buffer("normaliser", torch.full((2,), -1.0))
        self._normalised = False  # a copy of `normaliser > 0` that costs no wait for the device
        self.register_load_state_dict_post_hook(_forget_normalised)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.pooled is not None
        assert lesson.teacher.pooled is not None
        index = lesson.batch.index
        loss = self.contrast(student.pooled, lesson.teacher.pooled, index, self.draw(lesson))
        return {"ce": self.method.ce_weight * cross_entropy(student, lesson), "crd": self.method.crd_weight * loss}

    @torch.no_grad()
    def draw(self, lesson: Lesson) -> Tensor:
        """Indices (B, 1 + K) of the positive and the negatives of each row of this process.

        Random numbers are drawn for the global batch, a few rows at a time, so that each process takes its own rows of
        what a single process would have drawn.
        """
        batch, labels = lesson.batch, lesson.target
        rows = batch.global_size or len(labels)
        uniform = torch.rand(rows, device=labels.device)[batch.offset : batch.offset + len(labels)]
        relaxed = self.method.positive == "relax"
        positive = self.classes.same_class(labels, uniform) if relaxed else batch.index
        drawn = []
        for first in range(0, rows, self._rows_at_once):
            last = min(first + self._rows_at_once, rows)
            keys = torch.rand(last - first, self.classes.keys_needed(self.num_negatives), device=labels.device)
            begin, end = (min(max(x, first), last) for x in (batch.offset, batch.offset + len(labels)))
            own = labels[begin - batch.offset : end - batch.offset]
            drawn.append(self.classes.other_classes(own, keys[begin - first : end - first], self.num_negatives))
        return torch.cat((positive[:, None], torch.cat(drawn)), dim=1)

    @property
    def _rows_at_once(self) -> int:
        return max(1, self.method.max_gather_mb * 2**20 // (4 * self.num_data))

    @full_precision
    def contrast(self, student: Tensor, teacher: Tensor, index: Tensor, contrast: Tensor) -> Tensor:
        """The loss of one batch against given samples of the banks; then updates the banks when training.

        Args:
            student: (B, D_s) embeddings.
            teacher: (B, D_t).
            index: (B,) positions of the batch in the training split.
            contrast: (B, 1 + K) positions of positives and negatives.
        """
        v_student = F.normalize(self.embed_student(raised(student)), dim=1)
        v_teacher = F.normalize(self.embed_teacher(raised(teacher)), dim=1)
        # the banks are rewritten below, before backward: it must see the values of now
        sides = ((v_student, self.bank_teacher.clone()), (v_teacher, self.bank_student.clone()))
        chunks = [slice(i, i + self._rows_at_once) for i in range(0, len(index), self._rows_at_once)]
        self._set_normaliser(sides, contrast, chunks)
        parts = [
            _recomputed(self._score, len(chunks) > 1, anchor[rows], bank, contrast[rows], z)
            for (anchor, bank), z in zip(sides, self.normaliser, strict=True)
            for rows in chunks
        ]
        if self.training:
            self._remember(index, v_student, v_teacher)
        return torch.stack(parts).sum() / len(index)

    def _score(self, anchor: Tensor, bank: Tensor, contrast: Tensor, normaliser: Tensor) -> Tensor:
        """Sum of one side's loss over some rows."""
        similarity = (anchor @ bank.T).gather(1, contrast)
        losses = nce_loss(
            similarity, temperature=self.method.temperature, normaliser=normaliser, num_data=self.num_data
        )
        return losses.sum()

    @torch.no_grad()
    def _set_normaliser(self, sides: Sides, contrast: Tensor, chunks: list[slice]) -> None:
        """On the first batch only: Z = N times the mean score, of each side."""
        self._normalised = self._normalised or bool((self.normaliser > 0).all())
        if self._normalised:
            return
        for side, (anchor, bank) in enumerate(sides):
            scores = [torch.exp((anchor[c] @ bank.T).gather(1, contrast[c]) / self.method.temperature) for c in chunks]
            self.normaliser[side] = all_mean(torch.cat(scores).mean()) * self.num_data
        self._normalised = True

    @torch.no_grad()
    def _remember(self, index: Tensor, v_student: Tensor, v_teacher: Tensor) -> None:
        index, momentum = all_gather(index), self.method.momentum
        latest = _latest(index)
        for bank, v in ((self.bank_student, v_student), (self.bank_teacher, v_teacher)):
            bank[index] = F.normalize(momentum * bank[index] + (1 - momentum) * all_gather(v)[latest], dim=1)


def _latest(index: Tensor) -> Tensor:
    """For each row the last row of the same sample (B,): a balanced sampler may show one twice in a batch.

    Both then write the same, for on a GPU nobody knows who writes last.

    Example:
        >>> _latest(torch.tensor([7, 3, 7])).tolist()
        [2, 1, 2]
    """
    same = index[:, None] == index
    return (same * torch.arange(len(index), device=index.device)).amax(1)


def _recomputed(run: Callable[..., Tensor], recompute: bool, *args: Tensor) -> Tensor:
    """`run(*args)`, its intermediate values recomputed in backward where asked."""
    return checkpoint(run, *args, use_reentrant=False, preserve_rng_state=False) if recompute else run(*args)


def _forget_normalised(module: nn.Module, _: Any) -> None:
    module._normalised = False  # type: ignore[assignment]


@METHODS.register("crd", paper="arXiv:1910.10699")
class CRD(Method):
    """Contrastive representation distillation (Tian, Krishnan, Isola, arXiv:1910.10699).

    Embeddings (B, D_s) and (B, D_t) go through trained linear layers to `dim` unit vectors; each anchor is told from
    `num_negatives` samples of other classes in the other net's memory bank (N, dim), by `nce_loss` with the first
    batch's normaliser; both sides are added. Banks move with `momentum` after scoring. Batch mean.

    Defaults: ce_weight 1, crd_weight 0.8, num_negatives 16384, temperature 0.07, momentum 0.5, dim 128, positive exact:
    RepDistiller's. ``positive: relax`` takes a random sample of the anchor's class as the positive.

    Departures: `num_negatives` is capped at the largest pool of other classes (RepDistiller draws with replacement
    there; here only rows whose own pool is smaller do). Negatives are drawn on the device, not in the loader.

    Memory: the two banks take 8 N dim bytes (51 MB at N = 50 000). A step scores each anchor against the whole bank
    by a matrix product and picks the drawn scores: 4 N bytes a row instead of the 4 K dim of gathering vectors. So many
    rows are taken at a time that this stays below `max_gather_mb` MiB, and recomputed in backward if they are not all
    taken at once. The drawn indices take 8 K bytes a row, the score arithmetic about 30 K bytes a row of a chunk. A
    copy of the banks lives until backward.
    """

    ce_weight: float = Field(1.0, ge=0)
    crd_weight: float = Field(0.8, ge=0)
    num_negatives: int = Field(16384, ge=1)
    positive: Literal["exact", "relax"] = "exact"
    temperature: float = Field(0.07, ge=0.02)  # exp(1 / 0.011) overflows float32
    momentum: float = Field(0.5, ge=0, le=1)
    dim: int = Field(128, ge=1)
    max_gather_mb: int = Field(256, ge=1)

    student_needs = Needs(logits=True, pooled=True)
    teacher_needs = Needs(pooled=True)

    def problems(self, setting: Setting) -> list[str]:
        found = no_teacher(setting, self.name)
        if len(torch.unique(setting.train_targets)) < 2:
            found.append(f"{self.name}: draws negatives from other classes, but the training split has one class only")
        return found

    def build(self, setting: Setting) -> Objective:
        return CRDObjective(self, setting)
