"""Methods that compare class scores of whole images: the Hinton loss, its decoupled, relational, reweighted forms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from fgkd.methods.base import METHODS, LossTerms, Method, Setting, cross_entropy
from fgkd.methods.checks import no_teacher, other_classes
from fgkd.methods.numerics import full_precision, linear_warmup, of_class, raised
from fgkd.methods.schedule import carried_over
from fgkd.signals import Lesson, Needs, Progress, Signals

# Below this spread logits are told apart by rounding, or not yet at all: some networks begin with a head of zeros.
# Scaled to 1 they would send gradients of 1 / spread into that head, and one step would ruin it.
LEAST_SPREAD = 1e-2


def standardize_logits(logits: Tensor) -> Tensor:
    """Z-scores of each sample's logits (Sun et al., arXiv:2403.01427).

    Args:
        logits: (..., K).

    Returns:
        (..., K), mean 0 and standard deviation 1 (unbiased) over the last axis; where that deviation is below
        `LEAST_SPREAD`, the centred logits as they are.
    """
    deviation = logits.std(-1, keepdim=True)
    scale = torch.where(deviation < LEAST_SPREAD, 1.0, deviation + 1e-7)
    return (logits - logits.mean(-1, keepdim=True)) / scale


@full_precision
def kd_loss(student: Tensor, teacher: Tensor, *, temperature: float | Tensor) -> Tensor:
    """Kullback-Leibler divergence of softened scores, times the squared temperature (Hinton et al., arXiv:1503.02531).

    Args:
        student, teacher: logits (B, K).
        temperature: > 0.

    Returns:
        (B,): T^2 KL(softmax(teacher / T) || softmax(student / T)) for each sample.

    Example:
        >>> import torch
        >>> round(kd_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]]), temperature=1.0).item(), 4)
        0.4621
    """
    log_p, log_q = (F.log_softmax(x / temperature, dim=-1) for x in (student, teacher))
    return F.kl_div(log_p, log_q, log_target=True, reduction="none").sum(-1) * temperature**2


class LogitMethod(Method):
    """What the methods on class scores share: a weighted cross-entropy, a weighted loss, and logit standardisation.

    Subclasses define `loss`, on logits that are standardised already where that is asked for.

    Attributes:
        ce_weight: multiplies the cross-entropy, >= 0.
        kd_weight: multiplies the method's loss, >= 0.
        standardize: replace both nets' logits by their z-scores per sample before the loss (not in the
            cross-entropy). The published setting on top of kd is temperature 2, kd_weight 9, ce_weight 0.1
            (CIFAR-100; the weight varies from 9 to 18 by pair).
    """

    ce_weight: float = Field(1.0, ge=0)
    kd_weight: float = Field(1.0, ge=0)
    standardize: bool = False

    teacher_needs = Needs(logits=True)

    def problems(self, setting: Setting) -> list[str]:
        return no_teacher(setting, self.name) + other_classes(setting, self.name)

    def loss(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        """Logits (B, K) twice and labels (B,) -> per sample (B,), or a scalar where samples are compared."""
        raise NotImplementedError

    def compare(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        """`loss` after standardisation where that is asked for."""
        if self.standardize:
            student, teacher = standardize_logits(raised(student)), standardize_logits(raised(teacher))
        return self.loss(student, teacher, target)

    def warmup(self, progress: Progress) -> float:
        """Multiplies the loss, in [0, 1]."""
        return 1.0

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.logits is not None
        assert lesson.teacher.logits is not None
        loss = self.compare(student.logits, lesson.teacher.logits, lesson.target).mean()
        return {
            "ce": self.ce_weight * cross_entropy(student, lesson),
            self.name: self.kd_weight * self.warmup(lesson.progress) * loss,
        }


@METHODS.register("kd", paper="arXiv:1503.02531")
class KD(LogitMethod):
    """Knowledge distillation (Hinton, Vinyals, Dean, arXiv:1503.02531, section 2).

    `kd_loss` on logits (B, K), batch mean, and a cross-entropy.

    Defaults: temperature 4, kd_weight 0.9, ce_weight 0.1, as RepDistiller and mdistiller run it on CIFAR-100.
    Departures: none. Published companions use other weights: with ``crd``, ce_weight 1 and kd_weight 1.
    """

    ce_weight: float = Field(0.1, ge=0)
    kd_weight: float = Field(0.9, ge=0)
    temperature: float = Field(4.0, gt=0)

    def loss(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return kd_loss(student, teacher, temperature=self.temperature)


@METHODS.register("kd_mse", paper="arXiv:2201.06945")
class KDMSE(LogitMethod):
    """Mean squared difference of probabilities, as HeadSharingKD's code offers beside the KL (arXiv:2201.06945).

    ``mean over B and K of (softmax(student / T) - softmax(teacher / T))^2`` on logits (B, K).

    Defaults: temperature 1, as in that code; no weight is published, ours is kd_weight 1 and ce_weight 1.
    Departures: none.
    """

    temperature: float = Field(1.0, gt=0)

    def loss(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return probability_mse(student, teacher, temperature=self.temperature)


@full_precision
def probability_mse(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Mean squared difference of softmax probabilities: logits (B, K) twice -> (B,), mean over classes."""
    p, q = (F.softmax(x / temperature, dim=-1) for x in (student, teacher))
    return (p - q).square().mean(-1)


@full_precision
def dkd_loss(
    student: Tensor, teacher: Tensor, target: Tensor, *, alpha: float, beta: float, temperature: float
) -> Tensor:
    """Decoupled KD (Zhao et al., arXiv:2203.08679): target class against the rest, and the rest among themselves.

    Args:
        student, teacher: logits (B, K), K >= 2.
        target: (B,).
        alpha, beta: weights of the two parts, >= 0.
        temperature: T > 0.

    Returns:
        (B,): T^2 [alpha KL(b_t || b_s) + beta KL(rest_t || rest_s)] with b = (p_target, 1 - p_target).
    """
    is_target = of_class(target, student.shape[1])
    binary, rest = zip(*(_decouple(x / temperature, is_target) for x in (student, teacher)), strict=True)
    target_kl, rest_kl = (
        F.kl_div(log_p, log_q, log_target=True, reduction="none").sum(-1) for log_p, log_q in (binary, rest)
    )
    return (alpha * target_kl + beta * rest_kl) * temperature**2


def _decouple(logits: Tensor, is_target: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities (B, 2) of target and rest, and (B, K) within the rest, 0 at the target."""
    log_p = F.log_softmax(logits, dim=-1)
    log_target = log_p.masked_fill(~is_target, 0.0).sum(-1)
    log_rest = log_p.masked_fill(is_target, -torch.inf).logsumexp(-1)
    within = F.log_softmax(logits.masked_fill(is_target, -torch.inf), dim=-1).masked_fill(is_target, 0.0)
    return torch.stack((log_target, log_rest), dim=-1), within


@METHODS.register("dkd", paper="arXiv:2203.08679")
class DKD(LogitMethod):
    """Decoupled knowledge distillation (Zhao et al., arXiv:2203.08679): `dkd_loss` on logits (B, K), batch mean.

    Defaults: alpha 1, beta 8, temperature 4, warmup_epochs 20 (linear; of the 240 of its CIFAR-100 recipe), weights 1:
    mdistiller's. beta is per pair there: 8 for ResNet-32x4 and ResNet-50 teachers and from WRN-40-2 to ShuffleNetV1,
    6 for the other pairs of WRN-40-2 and for VGG13, 2 for ResNet-56 and 110; on ImageNet beta 0.5 and temperature 1.
    Departures: the warm-up moves with every step, not every epoch, and shrinks in proportion in shorter trainings.
    """

    alpha: float = Field(1.0, ge=0)
    beta: float = Field(8.0, ge=0)
    temperature: float = Field(4.0, gt=0)
    warmup_epochs: float = Field(20.0, ge=0)

    def loss(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return dkd_loss(student, teacher, target, alpha=self.alpha, beta=self.beta, temperature=self.temperature)

    def warmup(self, progress: Progress) -> float:
        return linear_warmup(progress, carried_over(self.warmup_epochs, progress))


@full_precision
def dist_loss(student: Tensor, teacher: Tensor, *, beta: float, gamma: float, temperature: float) -> Tensor:
    """DIST (Huang et al., arXiv:2205.10536): Pearson distance of rows and of columns of probabilities.

    Args:
        student, teacher: logits (B, K).
        beta, gamma: weights of the rows' and the columns' part, >= 0.
        temperature: T > 0.

    Returns:
        Scalar T^2 [beta (1 - mean row correlation) + gamma (1 - mean column correlation)]; a batch of one sample has no
        column correlation, and that part is 0. A row or column whose deviation is below `LEAST_SPREAD` of its mean
        counts as that small, not as scaled to 1.
    """
    p, q = (F.softmax(x / temperature, dim=-1) for x in (student, teacher))
    loss = beta * (1 - _pearson(p, q, dim=1).mean())
    if len(p) > 1:
        loss = loss + gamma * (1 - _pearson(p, q, dim=0).mean())
    return loss * temperature**2


def _pearson(x: Tensor, y: Tensor, dim: int) -> Tensor:
    (x, x_norm), (y, y_norm) = _centred(x, dim), _centred(y, dim)
    return (x * y).sum(dim) / (x_norm * y_norm + 1e-8)


def _centred(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Probabilities less their mean along `dim`, and what to divide them by: their norm, or that of a constant mean."""
    mean = x.mean(dim, keepdim=True)
    centred, level = x - mean, mean.expand_as(x).norm(dim=dim)
    norm = centred.norm(dim=dim)
    return centred, torch.where(norm < LEAST_SPREAD * level, level, norm)


@METHODS.register("dist", paper="arXiv:2205.10536")
class DIST(LogitMethod):
    """DIST (Huang et al., arXiv:2205.10536): `dist_loss` on logits (B, K), relations instead of values.

    Defaults: ce_weight 1, kd_weight 2, beta 1, gamma 1, temperature 1 (the authors' ImageNet setting; 4 on CIFAR-100).
    Departures: rows and columns that spread by less than a hundredth of their level are divided by that level, not by
    their spread, so that those of a constant head have a finite gradient.
    """

    relates_samples = True
    kd_weight: float = Field(2.0, ge=0)
    beta: float = Field(1.0, ge=0)
    gamma: float = Field(1.0, ge=0)
    temperature: float = Field(1.0, gt=0)

    def loss(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return dist_loss(student, teacher, beta=self.beta, gamma=self.gamma, temperature=self.temperature)


@full_precision
def nkd_loss(student: Tensor, teacher: Tensor, target: Tensor, *, gamma: float, temperature: float) -> Tensor:
    """Normalised KD (Yang et al., arXiv:2303.13005) without its hard cross-entropy.

    Args:
        student, teacher: logits (B, K), K >= 2.
        target: (B,).
        gamma: weight of the non-target part, >= 0.
        temperature: T > 0, of the non-target part alone.

    Returns:
        (B,): -t_y log s_y - gamma T^2 sum over non-targets of t^ log s^, with t^ and s^ renormalised among them.
    """
    is_target = of_class(target, student.shape[1])
    log_s, t = F.log_softmax(student, dim=-1), F.softmax(teacher, dim=-1)
    on_target = (t * log_s).masked_fill(~is_target, 0.0).sum(-1)
    log_rest = F.log_softmax((student / temperature).masked_fill(is_target, -torch.inf), dim=-1)
    rest = F.softmax((teacher / temperature).masked_fill(is_target, -torch.inf), dim=-1)
    off_target = (rest * log_rest.masked_fill(is_target, 0.0)).sum(-1)
    return -on_target - gamma * temperature**2 * off_target


@METHODS.register("nkd", paper="arXiv:2303.13005")
class NKD(LogitMethod):
    """Normalised knowledge distillation (Yang et al., arXiv:2303.13005): `nkd_loss` on logits (B, K), batch mean.

    Defaults: gamma 1.5, temperature 1, weights 1: the authors'. Departures: none.
    """

    gamma: float = Field(1.5, ge=0)
    temperature: float = Field(1.0, gt=0)

    def loss(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return nkd_loss(student, teacher, target, gamma=self.gamma, temperature=self.temperature)


@full_precision
def wttm_loss(student: Tensor, teacher: Tensor, *, exponent: float) -> Tensor:
    """Weighted transformed teacher matching (Zheng and Yang, arXiv:2402.11148).

    Args:
        student, teacher: logits (B, K).
        exponent: gamma = 1 / T > 0, to which the teacher's probabilities are raised; the student is not softened.

    Returns:
        (B,): U KL(q || softmax(student)), with U = sum_k p_k^gamma and q = p^gamma / U.
    """
    powers = exponent * F.log_softmax(teacher, dim=-1)
    log_u = powers.logsumexp(-1, keepdim=True)
    kl = F.kl_div(F.log_softmax(student, dim=-1), powers - log_u, log_target=True, reduction="none").sum(-1)
    return log_u[:, 0].exp() * kl


@METHODS.register("wttm", paper="arXiv:2402.11148")
class WTTM(LogitMethod):
    """Weighted transformed teacher matching (Zheng and Yang, arXiv:2402.11148): `wttm_loss`, logits (B, K), batch mean.

    Defaults: ce_weight 1, kd_weight 1.6, exponent 0.8: the authors' for ResNet-34 to ResNet-18 on ImageNet. Both are
    per pair: on CIFAR-100 exponent 0.1 to 0.3 and weight 3 to 4. Departures: none.
    """

    kd_weight: float = Field(1.6, ge=0)
    exponent: float = Field(0.8, gt=0)

    def loss(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return wttm_loss(student, teacher, exponent=self.exponent)
