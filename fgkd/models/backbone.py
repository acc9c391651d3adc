"""A timm network that gives exactly the signals asked of it, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from fgkd.errors import UserError
from fgkd.models.classifier import classify, linear_layers, read_head, retire_head, write_head
from fgkd.models.layout import layout_of
from fgkd.models.probe import Anatomy, examine, stages_alone, trunk
from fgkd.models.stages import stage_indices
from fgkd.models.surgery import Inserted, stage_layout, stage_module
from fgkd.signals import STAGES, Head, Needs, Signals, SignalShapes
from fgkd.spec import BackboneSpec

LOGITS = Needs(logits=True)


@dataclass(frozen=True)
class InputSpec:
    """What a network expects: square images of `size` px, normalised by `mean` and `std` (of pixels in [0, 1]).

    `crop_pct` is the share of a picture's shorter side that it is shown in evaluation; None: what the view shows.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    crop_pct: float | None = None


class Backbone(nn.Module):
    """A timm network called as ``network(image, needs) -> Signals``.

    Stages are counted from the end: a pyramid's last four maps, the blocks at the quarters of a ViT; a network of fewer
    than four maps has fewer stages, as `shapes` tells. Networks with several averaged classifiers (distilled DeiT,
    LeViT) give the average in training and evaluation alike, as timm does, and are seen as one wider linear head.

    Attributes:
        net: the timm network.
        input: what it expects of an image.
        spec: what it was made from.
        head_is_fresh: whether the classifier was drawn at random rather than loaded.
        start_digest: of the content of the user's own files that it started from; None where there are none.
    """

    def __init__(self, net: nn.Module, input: InputSpec, spec: BackboneSpec, head_is_fresh: bool) -> None:
        super().__init__()
        self.net = net
        self.input = input
        self.spec = spec
        self.start_digest: str | None = None
        self.head_is_fresh = head_is_fresh
        self.inserted = nn.ModuleDict()  # by stage, see `insert`
        self.trunk_is_frozen = False
        self._known: Anatomy | None = None

    def forward(self, image: Tensor, needs: Needs = LOGITS) -> Signals:
        """Normalised float (B, 3, S, S) -> the signals asked for and no others.

        Raises:
            UserError: a stage or a final map is asked for that this network does not have.
        """
        head = self.head() if needs.head else None
        if not (needs.pooled or needs.final or needs.stages):
            return Signals(logits=self.net(image) if needs.logits else None, head=head, extras=self._extras())
        if not (needs.logits or needs.pooled or needs.final):
            maps = stages_alone(self.net, image, self._indices(needs))
            return Signals(stages=maps, head=head, extras=self._extras())
        features, maps = trunk(self.net, image, self._indices(needs))
        pooled, logits = classify(self.net, features) if needs.pooled or needs.logits else (None, None)
        return Signals(
            logits=logits if needs.logits else None,
            pooled=pooled if needs.pooled else None,
            final=self._fold(features) if needs.final else None,
            stages=maps,
            head=head,
            extras=self._extras(),
        )

    def _extras(self) -> dict[str, Tensor]:
        return {name: x for layer in self.inserted.values() for name, x in cast(Inserted, layer).take_extras().items()}

    def _indices(self, needs: Needs) -> dict[int, int]:
        known = stage_indices(self.net)
        if missing := sorted(needs.stages - set(known)):
            raise UserError(f"{self.spec.name} has no stages {missing}; it has {sorted(known)}")
        return {stage: known[stage] for stage in needs.stages}

    def _fold(self, features: Tensor) -> Tensor:
        layout = layout_of(features, self.net)
        if layout is None:
            raise UserError(f"{self.spec.name} has no single final map")
        return layout.fold(features)

    @property
    def _anatomy(self) -> Anatomy:
        if self._known is None:
            self._known = examine(self.net, self.input.size)
        return self._known

    @property
    def shapes(self) -> SignalShapes:
        """Sizes of the signals, found once by a pass of a copy in evaluation mode."""
        return self._anatomy.shapes

    @property
    def num_classes(self) -> int:
        """K."""
        return self.head().weight.shape[0]

    @property
    def prefers_channels_last(self) -> bool:
        """Whether most parameters are convolutions', which the channels-last memory format speeds up."""
        convolved = sum(m.weight.numel() for m in self.modules() if isinstance(m, nn.Conv2d))
        return 2 * convolved > sum(p.numel() for p in self.parameters())

    def head(self) -> Head:
        """The classifier with its live parameters."""
        return read_head(self.net)

    def classify(self, final: Tensor) -> tuple[Tensor, Tensor]:
        """Go on from the final map (B, C, H, W) to (pooled (B, D), logits (B, K)).

        Raises:
            UserError: the logits depend on more than this map, a class token for example (`shapes.final_classifies`).
        """
        layout = self._anatomy.layout
        if layout is None or not self.shapes.final_classifies:
            raise UserError(f"{self.spec.name} does not classify from its final map alone (it may read a class token)")
        return classify(self.net, layout.unfold(final))

    def freeze_trunk(self) -> None:
        """Let nothing but the classifier learn, and keep the trunk in evaluation mode: a linear probe."""
        self.net.requires_grad_(False)
        for layer in linear_layers(self.net):
            layer.requires_grad_(True)
        self.trunk_is_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        """As any module's, but that the statistics of a frozen trunk's norms never move and its dropout is off."""
        super().train(mode)
        if self.trunk_is_frozen:
            self.net.eval()
        return self

    def retire_head(self) -> None:
        """Give up the classifier, because another one reads the embedding from now on; `shapes` keeps what it was."""
        assert self.shapes  # found while the classifier is whole
        retire_head(self.net)

    def replace_head(self, head: Head, frozen: bool) -> None:
        """Put given weights into the classifier; UserError where width or classes differ.

        Args:
            head: (K, D) weights and (K,) biases, copied.
            frozen: whether the classifier stops learning.
        """
        write_head(self.net, head, frozen)
        self.head_is_fresh = False

    def insert(self, stage: int, module: nn.Module) -> None:
        """Make `module` a part of the trunk, behind a stage; its parameters, cost and exports become the network's.

        Args:
            module: (B, C, H, W) -> a map of the same shape, or (map, extras); extras, tensors by name, appear in
                `Signals.extras`.

        Raises:
            UserError: this network has no such stage, or none that a layer can be put behind, or one is there already.
        """
        if str(stage) in self.inserted:
            raise UserError(f"{self.spec.name} has a layer behind stage {stage} already")
        self._indices(Needs(stages=frozenset({stage})))
        if stage == max(STAGES) and not self.shapes.final_classifies:
            raise UserError(f"{self.spec.name} reads more than its last map, which a layer behind it would not change")
        layer = Inserted(module, stage_layout(self.net, stage, self.input.size))
        stage_module(self.net, stage).register_forward_hook(layer.hook)
        self.inserted[str(stage)] = layer
        self._known = None
