"""From a BackboneSpec to a Backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from timm.data.config import resolve_model_data_config
from timm.models import get_pretrained_cfg, is_model, load_model_config_from_hf, parse_model_name, split_model_name_tag
from timm.models._hub import load_model_config_from_path
from torch import nn

from fgkd.errors import UserError, near_names
from fgkd.models.backbone import Backbone, InputSpec
from fgkd.models.weights import digest_of, find_weights, fit_weights, read_weights, start_files
from fgkd.spec import BackboneSpec

# what decides weights and classes is the spec's own business, where it is recorded
RESERVED = {
    *("num_classes", "in_chans", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path"),
    *("features_only", "cache_dir", "scriptable", "exportable"),
}


def create_backbone(
    spec: BackboneSpec, *, num_classes: int, view_size: int, weights_folder: Path | None = None
) -> Backbone:
    """Build the network of `spec` for `num_classes` classes and fill it with the weights that `spec` asks for.

    Args:
        view_size: side in px of the images that the feed brings; the network's own where the spec names none.
        weights_folder: where weights given by file name lie.

    Raises:
        UserError: the name, the keyword arguments, the weights or the size are not usable.
    """
    size = spec.size or view_size
    fresh = True
    if spec.source == "timm":
        net, fresh = _from_timm(spec, num_classes, size)
    else:
        net = build(spec, num_classes=num_classes, size=size)
    if spec.source == "file":
        path = find_weights(str(spec.weights), weights_folder)
        fresh = fit_weights(net, read_weights(path), path.name)
    found = Backbone(net, input_spec(net, spec, size), spec, head_is_fresh=fresh)
    found.start_digest = digest_of(start_files(spec, weights_folder))
    return found


def build(spec: BackboneSpec, *, size: int, num_classes: int | None = None, pretrained: bool = False) -> nn.Module:
    """The timm network alone; `num_classes` None leaves the checkpoint's own count. UserError where timm refuses."""
    if misplaced := sorted(RESERVED & set(spec.kwargs)):
        raise UserError(f"kwargs of {spec.name}: {', '.join(misplaced)} cannot be set there; see `weights` and `size`")
    kwargs = size_kwargs(spec, size) | spec.kwargs
    if num_classes is not None:
        kwargs["num_classes"] = num_classes
    try:
        return timm.create_model(spec.name, pretrained=pretrained, **kwargs)
    except UserError:
        raise
    except Exception as error:  # timm raises whatever its networks raise
        raise UserError(f"{spec.name} cannot be built with {kwargs}: {type(error).__name__}: {error}") from error


def size_kwargs(spec: BackboneSpec, size: int) -> dict[str, Any]:
    """What must be told to a network of fixed input size; nothing for the others, or where the spec tells it itself."""
    if {"img_size", "dynamic_img_size"} & set(spec.kwargs):
        return {}
    return {"img_size": size} if pretrained_config(spec).get("fixed_input_size") else {}


def pretrained_config(spec: BackboneSpec) -> dict[str, Any]:
    """timm's configuration of the named weights: input size, mean, whether the size is fixed, and so on.

    Raises:
        UserError: timm does not know the name, or its folder or repository is out of reach.
    """
    source, name = parse_model_name(spec.name)
    if source is not None:
        try:
            return dict((load_model_config_from_hf if source == "hf-hub" else load_model_config_from_path)(name)[0])
        except (OSError, ValueError) as error:  # the hub's library says so of all that fails
            raise UserError(f"{spec.name}: its config.json cannot be had ({str(error).splitlines()[0]})") from None
    if not is_model(split_model_name_tag(name)[0]):
        raise unknown_network(split_model_name_tag(name)[0])
    config = get_pretrained_cfg(name, allow_unregistered=True)
    return {} if config is None else config.to_dict()


def unknown_network(name: str) -> UserError:
    """The error for a name that timm does not know: near names, for all of them would fill the screen."""
    near = near_names(name, timm.list_models())
    hint = f"did you mean {' or '.join(near)}?" if near else "`fgkd backbones PATTERN` lists those whose names match"
    return UserError(f"unknown timm network {name!r}; {hint}")


def input_spec(net: nn.Module, spec: BackboneSpec, size: int) -> InputSpec:
    """timm's account of the network's input, overridden by the spec's."""
    data = resolve_model_data_config(net)
    return InputSpec(
        size=size,
        mean=spec.mean or tuple(data["mean"]),
        std=spec.std or tuple(data["std"]),
        interpolation=spec.interpolation or ("bilinear" if data["interpolation"] == "bilinear" else "bicubic"),
        crop_pct=spec.crop_pct,
    )


def _from_timm(spec: BackboneSpec, num_classes: int, size: int) -> tuple[nn.Module, bool]:
    """timm's own weights; with a fresh classifier, and True, where the checkpoint's class count is another.

    The checkpoint is first loaded at its own class count, because timm is strict about every tensor only then.
    """
    loaded = build(spec, size=size, pretrained=True)
    if getattr(loaded, "num_classes", None) == num_classes:
        return loaded, False
    net = build(spec, size=size, num_classes=num_classes)
    return net, fit_weights(net, loaded.state_dict(), spec.name)


def meta_backbone(spec: BackboneSpec, *, num_classes: int, view_size: int) -> Backbone:
    """The backbone of a spec without values, at next to no cost; weights are not looked for."""
    with torch.device("meta"):
        return create_backbone(spec.bare(), num_classes=num_classes, view_size=view_size)


def on_meta(spec: BackboneSpec, *, num_classes: int, size: int) -> nn.Module:
    """The timm network alone without values, at next to no cost."""
    with torch.device("meta"):
        return build(spec, size=size, num_classes=num_classes)
