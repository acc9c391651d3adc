"""What is to be known of a network that a method may have made of a backbone."""

from __future__ import annotations

from torch import nn

from fgkd.models.backbone import Backbone
from fgkd.signals import Head, SignalShapes


def shapes_of(network: nn.Module, backbone: Backbone) -> SignalShapes:
    """Shapes of the network's signals; those of the backbone inside it unless it says otherwise."""
    shapes = getattr(network, "shapes", None)
    return shapes if isinstance(shapes, SignalShapes) else backbone.shapes


def head_of(network: nn.Module) -> Head | None:
    """The network's linear classifier, None where it has none."""
    head = getattr(network, "head", None)
    return head() if callable(head) else None
