"""Networks: any timm model as a `Backbone`, its weights, its cost."""

from fgkd.models import cifar  # registers the cifar_* networks with timm
from fgkd.models.backbone import Backbone, InputSpec
from fgkd.models.check import problems
from fgkd.models.cost import cost
from fgkd.models.create import create_backbone, meta_backbone
from fgkd.models.listing import BackboneRow, list_backbones
from fgkd.models.weights import load_weights, save_weights, weights_hash

__all__ = [
    "Backbone",
    "BackboneRow",
    "InputSpec",
    "cifar",
    "cost",
    "create_backbone",
    "list_backbones",
    "load_weights",
    "meta_backbone",
    "problems",
    "save_weights",
    "weights_hash",
]
