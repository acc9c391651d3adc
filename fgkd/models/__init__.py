"""Networks: any timm model as a `Backbone`, its weights, its cost."""

from fgkd.models.backbone import Backbone, InputSpec
from fgkd.models.create import create_backbone
from fgkd.models.weights import load_weights, save_weights, weights_hash

__all__ = [
    "Backbone",
    "InputSpec",
    "create_backbone",
    "load_weights",
    "save_weights",
    "weights_hash",
]
