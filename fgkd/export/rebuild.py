"""The network of a run as it was evaluated, made again from its spec; weights come from the store or an export."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fgkd.methods.base import Setting
from fgkd.methods.compose import build_method
from fgkd.models import Backbone, create_backbone
from fgkd.models.reshaped import head_of, shapes_of
from fgkd.signals import Head, Needs, SignalShapes
from fgkd.spec import RunSpec, teacher_run

LOGITS = Needs(logits=True)


def rebuild(spec: RunSpec, *, num_classes: int, train_images: int) -> tuple[nn.Module, Backbone]:
    """The deployed network of `spec`, randomly filled, and the backbone inside it.

    Teachers and head students are built too where the method's layers take their shapes; nothing is downloaded but
    the configuration of ``hf-hub:`` names, and torch's random stream is left as it was.

    Args:
        spec: the run.
        num_classes: K.
        train_images: size of the training split, which some layers depend on.
    """
    with torch.random.fork_rng(devices=[]):
        return _rebuilt(spec, num_classes, torch.zeros(train_images, dtype=torch.int64))


def _rebuilt(spec: RunSpec, num_classes: int, targets: Tensor) -> tuple[nn.Module, Backbone]:
    backbone = create_backbone(spec.student.bare(), num_classes=num_classes, view_size=spec.feed.view.size)
    method = build_method(spec.method)
    if not method.deploys_more:
        return backbone, backbone
    teacher, head = _teacher_of(spec, num_classes, targets)
    setting = Setting(backbone.shapes, num_classes, targets, teacher=teacher, teacher_head=head)
    return method.reshape_student(backbone, setting), backbone


def _teacher_of(spec: RunSpec, num_classes: int, targets: Tensor) -> tuple[SignalShapes | None, Head | None]:
    """Shapes and head of the teacher; only the head where `spec` trains a teacher under a student's head."""
    source = spec.head_from or teacher_run(spec.feed)
    if source is None:
        return None, None
    network, backbone = _rebuilt(source, num_classes, targets)
    head = head_of(network)
    return None if spec.head_from else shapes_of(network, backbone), None if head is None else head.detached()


class Logits(nn.Module):
    """A network of this package as others know networks: normalised images (B, 3, S, S) -> logits (B, K)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, K)."""
        logits: Tensor = self.network(image, LOGITS).logits
        return logits
