"""The table behind ``fgkd backbones PATTERN``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import timm

from fgkd.errors import UnknownNameError, UserError, near_names
from fgkd.models.backbone import InputSpec
from fgkd.models.check import check_served, native_size
from fgkd.models.cost import count_params
from fgkd.models.create import input_spec, on_meta
from fgkd.models.probe import examine
from fgkd.spec import BackboneSpec


@dataclass(frozen=True)
class BackboneRow:
    """One timm name, at 1000 classes and its own input size.

    Attributes:
        name: with tag where the pattern has a dot.
        params: number of parameters.
        input: size and normalisation; None where the network cannot be built.
        pooled: width of what the classifier reads.
        stages: stage -> (C, H, W).
        problem: why fgkd cannot use it; empty where it can.
    """

    name: str
    params: int = 0
    input: InputSpec | None = None
    pooled: int = 0
    stages: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    problem: str = ""


def list_backbones(pattern: str) -> Iterator[BackboneRow]:
    """Describe the timm names that match a shell `pattern`, one by one as they are asked for, without weights.

    A pattern with a dot matches names with pretrained tags. One that matches nothing is tried as a part of the name.

    Raises:
        UnknownNameError: nothing matches.
    """
    tagged = "." in pattern
    names = timm.list_models(pattern, pretrained=tagged) or timm.list_models(f"*{pattern}*", pretrained=tagged)
    if not names:
        near = near_names(pattern, timm.list_models(pretrained=tagged))
        hint = (
            f"did you mean {' or '.join(near)}?" if near else "try a part of a name, such as resnet or 'mobilenetv4*'"
        )
        raise UnknownNameError(f"unknown timm network {pattern!r}; {hint}")
    return (describe(name) for name in names)


def describe(name: str) -> BackboneRow:
    """The row of one timm name."""
    spec = BackboneSpec(name=name)
    size = native_size(spec, 224)
    try:
        net = on_meta(spec, num_classes=1000, size=size)
        check_served(net)
        shapes = examine(net, size).shapes
    except UserError as error:
        return BackboneRow(name, problem=str(error))
    except Exception as error:  # whatever the network raises
        return BackboneRow(name, problem=f"{type(error).__name__}: {error}".splitlines()[0])
    return BackboneRow(name, count_params(net), input_spec(net, spec, size), shapes.pooled, shapes.stages)
