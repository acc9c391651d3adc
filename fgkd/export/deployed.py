"""A run's network as it was evaluated, with its weights, and the plain timm network that it is where it is one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import nn

from fgkd.errors import UserError
from fgkd.export.choice import Chosen, no_weights
from fgkd.export.fold import as_timm, of_timm
from fgkd.export.manifest import Manifest, public_name, public_spec
from fgkd.export.rebuild import Logits, rebuild
from fgkd.export.student import Student
from fgkd.models import Backbone, InputSpec, weights_hash
from fgkd.models.cost import count_params
from fgkd.models.store import WeightStore
from fgkd.record import RunRecord


@dataclass(frozen=True)
class Deployed:
    """What a run left behind, ready for use.

    Attributes:
        record: of the run.
        network: as evaluated, in evaluation mode, on the CPU.
        sight: what it expects of an image.
        class_names: K names.
    """

    record: RunRecord
    network: nn.Module
    sight: InputSpec
    class_names: tuple[str, ...]

    @cached_property
    def plain(self) -> nn.Module | None:
        """The timm network with the same logits, None where timm alone cannot build one."""
        net = as_timm(self.network)
        return None if net is None else net.eval()

    @property
    def obstacle(self) -> str:
        """Why timm alone cannot build one, where it cannot."""
        if all(of_timm(part) for part in self.network.modules() if isinstance(part, Backbone)):
            return "the method keeps layers in the network that timm does not have"
        return f"{public_name(self.record.spec.student.name)} is not one of timm's own networks"

    @property
    def callable(self) -> nn.Module:
        """What is exported: normalised images (B, 3, S, S) -> logits (B, K)."""
        return Logits(self.network).eval() if self.plain is None else self.plain

    @property
    def folded(self) -> bool:
        """Whether layers of the method were folded into the classifier."""
        return self.plain is not None and not isinstance(self.network, Backbone)

    @property
    def crop_pct(self) -> float:
        """The share of a picture's shorter side that the network was shown when it was tested."""
        return min(self.sight.crop_pct or 1.0, self.record.spec.feed.view.crop_pct)

    @property
    def params(self) -> int:
        """Parameters of what is exported."""
        return count_params(self.callable)

    def student(self) -> Student:
        """For use in Python."""
        spec = self.record.spec
        return Student(Logits(self.network), self.sight, spec.feed.view, self.class_names, name=spec.student.name)

    def manifest(self) -> Manifest:
        """What ``fgkd.json`` says of it."""
        assert self.record.data
        return Manifest(
            kind="network" if self.plain is None else "timm",
            run_id=self.record.run_id,
            spec=public_spec(self.record.spec, rebuilt=self.plain is None),
            class_names=self.class_names,
            train_images=self.record.data.counts["train"],
            input=self.sight,
            test_top1=self.record.metric("top1"),
        )


def open_deployed(chosen: Chosen, store: WeightStore) -> Deployed:
    """The network of a recorded run, from the weights that it left.

    Raises:
        UserError: the weights are gone, damaged, or not those that the record speaks of.
    """
    record = chosen.record
    assert record.data
    assert record.student
    if record.run_id not in store:
        raise no_weights(record, store)
    facts = store.facts(record.run_id)
    network, backbone = rebuild(
        record.spec, num_classes=record.data.classes, train_images=record.data.counts.get("train", 1)
    )
    try:
        network.load_state_dict(store.state(record.run_id))
    except RuntimeError as error:
        raise UserError(f"run {record.run_id}: its weights do not fit the network of its spec ({error})") from None
    if weights_hash(network) != record.student.weights_hash:
        raise UserError(
            f"run {record.run_id}: its weights in {store.folder} were damaged or replaced; run it again with --rerun"
        )
    return Deployed(record, network.eval(), backbone.input, tuple(facts["class_names"]))
