"""A learner's optimiser and learning rate, from its recipe, through timm."""

from __future__ import annotations

from typing import Any

import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.scheduler.scheduler import Scheduler
from torch import nn

from fgkd.spec import Recipe

FUSED = {"sgd", "momentum", "adam", "adamw"}  # torch's own, with one kernel for all parameters on CPU and CUDA


def param_groups(network: nn.Module, objective: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters grouped by weight decay and learning-rate scale; frozen ones are left out.

    The classifier of the network gets ``recipe.head_lr_scale``; vectors (biases, norms, scales) are not decayed
    unless the recipe says ``decay_all``. The objective's parameters are treated as the network's are.
    """
    head = getattr(network, "head", None)
    at_head = {id(p) for p in (head().weight, head().bias)} if callable(head) and recipe.head_lr_scale != 1 else set()
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for module in (network, objective):
        for parameter in module.parameters():
            if parameter.requires_grad:
                decay = recipe.weight_decay if recipe.decay_all or parameter.ndim > 1 else 0.0
                scale = recipe.head_lr_scale if id(parameter) in at_head else 1.0
                groups.setdefault((decay, scale), []).append(parameter)
    return [
        {"params": params, "weight_decay": decay, "lr": recipe.lr, "lr_scale": scale}  # the schedule applies the scale
        for (decay, scale), params in groups.items()
    ]


def make_optimizer(network: nn.Module, objective: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """timm's optimiser of that name (``sgd`` is Nesterov, ``momentum`` is plain) over `param_groups`."""
    extra: dict[str, Any] = {"fused": True} if recipe.optimizer in FUSED else {}
    groups = param_groups(network, objective, recipe)
    optimizer = create_optimizer_v2(
        groups, opt=recipe.optimizer, lr=recipe.lr, weight_decay=recipe.weight_decay, momentum=recipe.momentum, **extra
    )
    if isinstance(optimizer, torch.optim.SGD) and recipe.momentum:
        _start_momentum(optimizer)
    return optimizer


def _start_momentum(optimizer: torch.optim.SGD) -> None:
    """Give every parameter a momentum of zero, which changes no step.

    torch's fused SGD fails where some parameters have a momentum and others not yet, as in two-stage methods, whose
    parameters get their first gradient at different times.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def make_schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, *, epochs: int, steps_per_epoch: int) -> Scheduler:
    """timm's schedule, stepped per update: the learning rate is a pure function of the step."""
    name = {"cosine": "cosine", "step": "multistep", "constant": "constant"}[recipe.schedule]
    schedule, _ = create_scheduler_v2(
        optimizer,
        sched=name,
        num_epochs=epochs,
        decay_milestones=list(recipe.milestones),
        decay_rate=recipe.decay_rate,
        min_lr=0.0,
        warmup_lr=recipe.lr * 1e-3,
        warmup_epochs=recipe.warmup_epochs,
        warmup_prefix=False,
        step_on_epochs=False,
        updates_per_epoch=steps_per_epoch,
    )
    return schedule
