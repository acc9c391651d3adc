"""Everything about a BackboneSpec that can be found wrong before training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import is_model, parse_model_name, split_model_name_tag
from torch import nn

from fgkd.errors import UserError, unknown_name
from fgkd.models.create import on_meta, pretrained_config, size_kwargs, unknown_network
from fgkd.models.hub import config_problem, weights_problem
from fgkd.models.probe import examine
from fgkd.models.weights import find_weights, fit_weights, read_shapes
from fgkd.spec import BackboneSpec, one_side

STEPS = 8  # how many strides away the nearest valid size is sought


def problems(
    spec: BackboneSpec,
    *,
    num_classes: int,
    view_size: int,
    weights_folder: Path | None = None,
    with_weights: bool = True,
) -> list[str]:
    """Why `spec` cannot become a backbone, one text each; empty where it can.

    Downloads nothing but the small configuration of an ``hf-hub:`` name.

    Args:
        view_size: side in px of the feed's images, the network's own where the spec names none.
        weights_folder: where weights given by file name lie.
        with_weights: whether the weights must be within reach too, which a plan does not need.
    """
    try:
        check_name(spec)
        check_config(spec)
        size = spec.size or view_size
        check_size(spec, num_classes, size)
        if with_weights and spec.source == "timm" and (trouble := weights_problem(spec.name)):
            raise UserError(trouble)
        if with_weights and spec.source == "file":
            check_file(spec, num_classes, size, weights_folder)
    except UserError as error:
        return [f"backbone {spec.name}: {error}"]
    return []


def check_config(spec: BackboneSpec) -> None:
    """UserError where the configuration of an ``hf-hub:`` or ``local-dir:`` name cannot be had."""
    remote = parse_model_name(spec.name)[0] is not None
    if remote and (trouble := config_problem(spec.name)):
        raise UserError(trouble)


def check_name(spec: BackboneSpec) -> None:
    """UserError where timm knows no such network, or no such tag of it."""
    try:
        source, name = parse_model_name(spec.name)
    except ValueError as error:
        raise UserError(str(error)) from error
    if source is not None:
        return
    architecture, tag = split_model_name_tag(name)
    if not is_model(architecture):
        raise unknown_network(architecture)
    tags = [split_model_name_tag(known)[1] for known in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise unknown_name(f"weights tag of {architecture}", tag, tags)


def check_size(spec: BackboneSpec, num_classes: int, size: int) -> None:
    """UserError where the network cannot be built, served or fed `size` px; names the nearest size that it can."""
    check_square(spec)
    native = native_size(spec, size)
    net = on_meta(spec, num_classes=num_classes, size=native)
    check_served(net)
    if size_kwargs(spec, size):
        trouble_at = lambda other: size_trouble(lambda: on_meta(spec, num_classes=num_classes, size=other), other)
    else:
        trouble_at = lambda other: size_trouble(lambda: net, other)
    trouble = trouble_at(size)
    if trouble is None:
        return
    if native == size or trouble_at(native):
        raise UserError(trouble)  # no matter of size
    for other in _sizes_near(size, _stride(net), native):
        if trouble_at(other) is None:
            raise UserError(f"images of {size} px do not fit ({trouble}); the nearest size that does is {other}")


def check_square(spec: BackboneSpec) -> None:
    """UserError where the keyword arguments make the network for pictures that are no squares."""
    try:
        one_side(spec.kwargs.get("img_size"))
    except ValueError as error:
        raise UserError(f"kwargs.img_size: {error}; better, leave it out and set `size`") from error


def _sizes_near(size: int, step: int, native: int) -> list[int]:
    """Sizes worth trying, nearest first; `native`, which is known to fit, among them."""
    near = {step * (size // step + k) for k in range(-STEPS, STEPS + 1)} - {size}
    return sorted({native} | {other for other in near if other >= step}, key=lambda other: abs(other - size))


def native_size(spec: BackboneSpec, otherwise: int) -> int:
    """The side in px that the spec or timm names for the network; `otherwise` where neither does."""
    named = spec.kwargs.get("img_size") or (pretrained_config(spec).get("input_size") or (otherwise,))[-1]
    return int(named[-1] if isinstance(named, list | tuple) else named)


def size_trouble(make: Callable[[], nn.Module], size: int) -> str | None:
    """What goes wrong when a network without values is made and sees `size` px; None where nothing does."""
    try:
        net = make()
        patch = patch_size(net)
        if patch and size % patch:
            return f"its patches of {patch} px would leave out the last {size % patch} px of each side"
        examine(net, size)
    except UserError as error:
        return str(error)
    except Exception as error:  # whatever the network raises: it is the answer
        return f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return None


def patch_size(net: nn.Module) -> int | None:
    """The side of a network's patches where a remainder would be lost: they do not overlap and are not padded."""
    embed: Any = getattr(net, "patch_embed", None)
    proj = getattr(embed, "proj", None)
    padded = getattr(embed, "dynamic_img_pad", False)
    if padded or not isinstance(proj, nn.Conv2d) or proj.kernel_size != proj.stride:
        return None
    return int(proj.kernel_size[0])


def _stride(net: nn.Module) -> int:
    """How many px of the image one cell of the deepest map covers."""
    return max([int(info["reduction"]) for info in getattr(net, "feature_info", [])], default=16)


def check_served(net: nn.Module) -> None:
    """UserError for families whose logits are not one linear layer's answer, which shapes do not show."""
    name = type(net).__name__
    if getattr(net, "aux_head", None) is not None and hasattr(net, "mix_token"):
        raise UserError(f"{name} adds an auxiliary classifier to its logits; add `kwargs: {{use_aux_head: false}}`")
    if hasattr(net, "heads") and hasattr(net, "weights"):
        raise UserError(f"{name} weighs the logits of several classifiers; there is no single head to distil with")


def check_file(spec: BackboneSpec, num_classes: int, size: int, folder: Path | None) -> None:
    """UserError where the weights file is missing, unreadable or of another network; only its header is read."""
    path = find_weights(str(spec.weights), folder)
    with torch.device("meta"):
        state = {name: torch.empty(shape) for name, shape in read_shapes(path).items()}
    fit_weights(on_meta(spec, num_classes=num_classes, size=size), state, path.name)
