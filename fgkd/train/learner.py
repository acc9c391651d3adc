"""One learner: a student, its objective, its optimiser, its stream. It knows nothing of its neighbours.

Independence is the point: a learner's weights after N steps are a function of its RunSpec and of the lessons alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from fgkd.methods.base import LossTerms, Objective
from fgkd.models import InputSpec
from fgkd.models.eyes import Eyes
from fgkd.signals import Lesson, Needs, Progress, Signals
from fgkd.spec import RunSpec
from fgkd.train.evaluate import Examinee
from fgkd.train.mixing import Mixing
from fgkd.train.optim import make_optimizer, make_schedule
from fgkd.train.rng import RandomStream

Look = Callable[[Tensor], Signals]
STATEFUL = ("network", "objective", "optimizer", "scaler", "stream", "best")  # attributes with a state dict
PLAIN = ("status", "reason", "curve", "_sums", "_steps", "_first_bad")  # attributes of plain values and tensors


class Pupil(nn.Module):
    """Student and objective as one module, so that DDP sees every parameter and every gradient once."""

    def __init__(self, network: nn.Module, objective: Objective, needs: Needs) -> None:
        super().__init__()
        self.network, self.objective, self.needs = network, objective, needs
        self.look: Look | None = None  # in the network's place where its pass is replayed

    def forward(self, image: Tensor, lesson: Lesson) -> LossTerms:
        """Loss terms of one batch; logits and embeddings reach the objective in float32."""
        signals = self.network(image, self.needs) if self.look is None else self.look(image)
        return self.objective(_in_float32(signals), lesson)


def _on(device: torch.device, value: Any) -> Any:
    """`value`, its tensors on the device."""
    if isinstance(value, dict):
        return {name: _on(device, item) for name, item in value.items()}
    return value.to(device) if isinstance(value, Tensor) else value


def _in_float32(signals: Signals) -> Signals:
    as_float = lambda x: None if x is None else x.float()
    return replace(signals, logits=as_float(signals.logits), pooled=as_float(signals.pooled))


@dataclass(frozen=True)
class Belongings:
    """What a learner is made of.

    Attributes:
        network: the student as it will be deployed, on the device.
        objective: what teaches it.
        needs: what is asked of the network in training.
        teacher_needs: what is asked of the teacher.
        sight: how its input looks.
        reshaped: whether the method changed what is deployed.
        head_is_fresh: whether the classifier was drawn at random rather than loaded.
        start_digest: of the user's own weight files that the network started from; None where there are none.
        mixing: mixup or cutmix of the training images, drawn from the learner's stream; None where the recipe has none.
    """

    network: nn.Module
    objective: Objective
    needs: Needs
    teacher_needs: Needs
    sight: InputSpec
    reshaped: bool = False
    head_is_fresh: bool = True
    start_digest: str | None = None
    mixing: Mixing | None = None


@dataclass
class Best:
    """The best epoch by hold-out top-1 and a copy of the weights it had; the earliest wins a tie."""

    epoch: int = -1
    top1: float = -1.0
    state: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, epoch: int, top1: float, network: nn.Module) -> None:
        """Keep a copy (on the CPU) if this epoch is better than all before."""
        if top1 > self.top1:
            self.epoch, self.top1 = epoch, top1
            self.state = {k: v.detach().to("cpu", copy=True) for k, v in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """All fields."""
        return {"epoch": self.epoch, "top1": self.top1, "state": self.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave."""
        self.epoch, self.top1, self.state = state["epoch"], state["top1"], dict(state["state"])


class Learner:
    """Everything that belongs to one run while it trains.

    Args:
        spec: the run.
        build: called inside the learner's stream; returns its `Belongings`.
        prepare: wraps the pupil for the devices at hand (accelerate's `prepare_model`).
        device: where tensors live.
        epochs, steps_per_epoch: the length of the training.
        fp16: whether gradients need scaling; the learner keeps a scaler of its own.
        replay: given the network, what is asked of it and an example of its images, another way through it, or None.

    Attributes:
        live: what is evaluated, as it learns: the network and, where there are readouts, the objective that reads them.
        ema: its moving average; None where the recipe keeps none.
    """

    def __init__(
        self,
        spec: RunSpec,
        build: Callable[[], Belongings],
        *,
        prepare: Callable[[nn.Module], nn.Module],
        device: torch.device,
        epochs: int,
        steps_per_epoch: int,
        fp16: bool = False,
        replay: Callable[[nn.Module, Needs, Tensor], Look | None] | None = None,
    ) -> None:
        self.spec, self.device = spec, device
        self.stream = RandomStream(spec.seed, device)
        with self.stream:
            self.belongings = build()
        network, objective = self.belongings.network, self.belongings.objective
        self.network, self.objective = network, objective
        pupil = Pupil(network, objective, self.belongings.needs)
        self.pupil = prepare(pupil)
        self.pupil.train()
        if replay is not None:
            side = self.belongings.sight.size
            image = torch.zeros(spec.feed.batch_size, 3, side, side, device=device)
            pupil.look = replay(network, pupil.needs, image.to(memory_format=torch.channels_last))
        self.optimizer = make_optimizer(network, objective, spec.recipe)
        self.schedule = make_schedule(self.optimizer, spec.recipe, epochs=epochs, steps_per_epoch=steps_per_epoch)
        self.scaler = torch.amp.GradScaler(device.type, enabled=fp16)
        self.live = nn.ModuleDict({"network": network, **({"readers": objective} if objective.has_readouts else {})})
        self.ema = ModelEmaV3(self.live, decay=spec.recipe.ema) if spec.recipe.ema else None
        self.status, self.reason = "ok", ""
        self.best = Best()
        self.curve: list[dict[str, Any]] = []
        self._sums: dict[str, Tensor] = {}
        self._steps = 0
        self._first_bad = torch.full((), -1, dtype=torch.int64, device=device)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.spec.run_id

    @property
    def active(self) -> bool:
        """Whether it still learns."""
        return self.status == "ok"

    @property
    def evaluated(self) -> nn.Module:
        """The network whose accuracy counts: the average where the recipe keeps one."""
        return self._judged["network"]

    @property
    def _judged(self) -> nn.ModuleDict:
        """What is evaluated, all of it averaged or none: a live projector cannot read an averaged embedding."""
        return self.live if self.ema is None else cast("nn.ModuleDict", self.ema.module)

    def examinee(self, network: nn.Module | None = None) -> Examinee:
        """Its evaluated network (or another one in its place) as the evaluation takes it.

        Another one has no readouts: what they are read by, a projector for example, has learned on since.
        """
        reads = self.objective.has_readouts and network is None
        needs = Needs(logits=True) | (self.belongings.needs if reads else Needs())
        objective = cast("Objective", self._judged["readers"]) if reads else None
        # a run without a teacher must not know whose cohort it sat in
        taught = self.spec.feed.teacher is not None
        sight = self.belongings.sight
        return Examinee(network or self.evaluated, sight, needs, objective, name=self.run_id, taught=taught)

    def asks(self, progress: Progress) -> Needs:
        """What of the teacher it reads at this point of the training."""
        return self.objective.asks(self.belongings.teacher_needs, progress)

    def step(self, eyes: Eyes, lesson: Lesson) -> None:
        """Learn from one lesson. Nothing here waits for the device."""
        with self.stream:
            image, target = eyes.seen_by(self.belongings.sight), lesson.batch.target
            if self.belongings.mixing is not None:
                image, target = self.belongings.mixing(image, target)
            terms = self.pupil(image, replace(lesson, batch=replace(lesson.batch, image=image, target=target)))
            loss = torch.stack([*terms.values()]).sum()
            self.schedule.step_update(lesson.progress.step)
            self.scaler.scale(loss).backward()
            if self.spec.recipe.clip_grad:
                self.scaler.unscale_(self.optimizer)
                trained = [p for group in self.optimizer.param_groups for p in group["params"]]
                torch.nn.utils.clip_grad_norm_(trained, self.spec.recipe.clip_grad)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)
            if self.ema is not None:
                self.ema.update(self.live, step=lesson.progress.step)
        self._note(terms, loss, lesson.progress.step)

    def _note(self, terms: Mapping[str, Tensor], loss: Tensor, step: int) -> None:
        """Add to the running sums and remember the first step whose loss was not finite, all on the device."""
        self._steps += 1
        for name, value in {**terms, "loss": loss}.items():
            sofar = self._sums.get(name)
            self._sums[name] = value.detach() if sofar is None else sofar + value.detach()
        bad = ~torch.isfinite(loss.detach()) & (self._first_bad < 0)
        self._first_bad = torch.where(bad, step, self._first_bad)

    def check(self, agree: Callable[[Tensor], Tensor] = lambda flag: flag) -> None:
        """Mark the learner `diverged` if a loss was not finite; reads one number from the device.

        Args:
            agree: the largest value over processes, so that all of them stop this learner or none.
        """
        first_bad = int(agree(self._first_bad))
        if self.active and first_bad >= 0:
            self.stop("diverged", f"the loss was not finite at step {first_bad}")

    def check_weights(self, agree: Callable[[Tensor], Tensor] = lambda flag: flag) -> None:
        """Mark the learner `diverged` if its last step left weights that are not finite, which no loss tells of."""
        tensors = [*self.evaluated.parameters(), *self.evaluated.buffers()]
        found = [torch.isfinite(tensor).all() for tensor in tensors]
        bad = ~torch.stack(found).all() if found else torch.zeros((), dtype=torch.bool)
        if bool(agree(bad.to(self.device, torch.int64))):
            self.stop("diverged", "the weights were not finite after the last step")

    def stop(self, status: str, reason: str) -> None:
        """Take no further lessons, and give back the memory; all of it where that ran out."""
        self.status, self.reason = status, reason
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer.state.clear()
        if status == "oom":
            self.leave_device()

    def leave_device(self) -> None:
        """Move everything into the machine's own memory: it neither learns nor is evaluated any more."""
        for module in (self.pupil, *([self.ema] if self.ema is not None else [])):
            module.to("cpu")

    def end_epoch(self, epoch: int, holdout: Mapping[str, float], mean: Callable[[Tensor], Tensor]) -> None:
        """Close the epoch: its mean training terms, learning rate and hold-out figures join the curve.

        Args:
            mean: over processes.
        """
        means = mean(torch.stack([*self._sums.values()]) / self._steps).tolist()
        terms = dict(zip(self._sums, means, strict=True))
        self._sums, self._steps = {}, 0
        figures = {f"holdout_{name}": value for name, value in holdout.items()}
        first = self.optimizer.param_groups[0]
        self.curve.append({"epoch": epoch, "lr": first["lr"] / first["lr_scale"], **terms, **figures})
        self.best.offer(epoch, holdout["top1"], self.evaluated)

    def state_dict(self) -> dict[str, Any]:
        """All that its next step and its record depend on; the schedule is a function of the step alone.

        Tensors are the live ones: write them before the next step.
        """
        return {
            **{name: part.state_dict() for name, part in self._parts().items()},
            **{name: getattr(self, name) for name in PLAIN},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave, bit for bit; made from the same spec."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for name in PLAIN:
            setattr(self, name, _on(self.device, state[name]))
        if self.status == "oom":
            self.leave_device()

    def _parts(self) -> dict[str, Any]:
        parts = {name: getattr(self, name) for name in STATEFUL}
        return parts if self.ema is None else {**parts, "ema": self.ema}

    def best_network(self) -> nn.Module:
        """A copy of the evaluated network with the weights of the best epoch."""
        network = copy.deepcopy(self.evaluated)
        network.load_state_dict(self.best.state)
        return network
