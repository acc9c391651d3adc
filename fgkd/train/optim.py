"""A learner's optimiser and learning rate, from its recipe, through timm."""

from __future__ import annotations

from typing import Any

import torch
from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers, param_groups_layer_decay
from timm.scheduler import create_scheduler_v2
from timm.scheduler.scheduler import Scheduler
from torch import nn

from fgkd.errors import unknown_name
from fgkd.models import Backbone
from fgkd.models.classifier import linear_layers
from fgkd.spec import Recipe

STEPS = 100  # per epoch, where none are known: enough for no part of a schedule to be rounded away
FUSED = {"sgd", "momentum", "adam", "adamw"}  # torch's own, with one kernel for all parameters on CPU and CUDA


def param_groups(network: nn.Module, objective: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters grouped by weight decay and learning-rate scale; frozen ones are left out.

    The classifier of the network gets ``recipe.head_lr_scale``, layers below it ``recipe.layer_decay`` once per layer;
    vectors (biases, norms, scales) are not decayed unless the recipe says ``decay_all``. The objective's parameters are
    treated as the network's are.
    """
    at_head = classifier_ids(network) if recipe.head_lr_scale != 1 else set()
    by_layer = layer_scales(network, recipe.layer_decay)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for module in (network, objective):
        for parameter in module.parameters():
            if parameter.requires_grad:
                decay = recipe.weight_decay if recipe.decay_all or parameter.ndim > 1 else 0.0
                scale = recipe.head_lr_scale if id(parameter) in at_head else 1.0
                scale *= by_layer.get(id(parameter), 1.0)
                groups.setdefault((decay, scale), []).append(parameter)
    return [
        {"params": params, "weight_decay": decay, "lr": recipe.lr, "lr_scale": scale}  # the schedule applies the scale
        for (decay, scale), params in groups.items()
    ]


def classifier_ids(network: nn.Module) -> set[int]:
    """ids of the parameters that classify: those of the timm network inside, and of a head that a method put there.

    `Head` alone would not do: of 1x1 convolutions and of several averaged classifiers it holds derived tensors.
    """
    nets = [module.net for module in network.modules() if isinstance(module, Backbone)]
    found = {id(parameter) for net in nets for layer in linear_layers(net) for parameter in layer.parameters()}
    head = getattr(network, "head", None)
    return found | {id(tensor) for tensor in (head().weight, head().bias)} if callable(head) else found


def layer_scales(network: nn.Module, decay: float | None) -> dict[int, float]:
    """id of a parameter -> ``decay ** (layers above it)``, by timm's grouping of the timm network inside `network`.

    What a method put around it, a projector for example, is not in it: it learns at the full rate.
    """
    nets = [module.net for module in network.modules() if isinstance(module, Backbone)] if decay is not None else []
    groups = [group for net in nets for group in param_groups_layer_decay(net, layer_decay=decay)]
    return {id(parameter): float(group["lr_scale"]) for group in groups for parameter in group["params"]}


def recipe_problem(recipe: Recipe, *, epochs: int) -> str | None:
    """Why no training of `epochs` can follow this recipe, found by one step of a tiny layer; None where it can."""
    known = list_optimizers()
    if recipe.optimizer not in known:
        return str(unknown_name("optimiser", recipe.optimizer, known))
    milestones = list(recipe.milestones)
    if recipe.schedule == "step" and (not milestones or milestones != sorted(set(milestones))):
        found = ", ".join(f"{epoch:g}" for epoch in milestones) or "none"
        return f"schedule step: expected milestones in epochs, each later than the one before, found {found}"
    layer, none = nn.Linear(2, 2), nn.Identity()
    try:
        if get_optimizer_info(recipe.optimizer).second_order:
            return f"optimizer: {recipe.optimizer} needs second derivatives, which training here does not compute"
        optimizer = make_optimizer(layer, none, recipe.model_copy(update={"layer_decay": None}))
        make_schedule(optimizer, recipe, epochs=epochs, steps_per_epoch=STEPS).step_update(0)
        layer(torch.ones(2, 2)).sum().backward()
        optimizer.step()
    except Exception as error:  # whatever the optimiser or the schedule raises: it is the answer
        return f"optimizer {recipe.optimizer}, schedule {recipe.schedule}: {type(error).__name__}: {error}"
    return None


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
    name = {"step": "multistep", "linear": "poly"}.get(recipe.schedule, recipe.schedule)
    schedule, _ = create_scheduler_v2(
        optimizer,
        sched=name,
        num_epochs=epochs,
        decay_milestones=list(recipe.milestones),
        decay_rate=1.0 if recipe.schedule == "linear" else recipe.decay_rate,  # a polynomial's power there
        min_lr=0.0,
        warmup_lr=recipe.lr * 1e-3,
        warmup_epochs=recipe.warmup_epochs,
        warmup_prefix=False,
        step_on_epochs=False,
        updates_per_epoch=steps_per_epoch,
    )
    return schedule
