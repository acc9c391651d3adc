"""The networks of CIFAR-100's distillation tables that timm lacks; importing this registers them as ``cifar_*``."""

from fgkd.models.cifar import mobilenet, resnet, shufflenet, vgg

__all__ = ["mobilenet", "resnet", "shufflenet", "vgg"]
