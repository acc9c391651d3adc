"""Tiny networks with the call ``network(image, needs) -> Signals``, and lessons for them, for the tests of methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from fgkd.methods.base import Method, Objective, Setting
from fgkd.signals import Batch, Head, Lesson, Needs, Progress, Signals, SignalShapes

NUM_CLASSES, NUM_IMAGES, SIDE = 5, 40, 16


class ToyNet(nn.Module):
    """Strided convolutions; the last map is averaged and classified, behind a layer norm where asked.

    Args:
        channels, strides: of the stages, first to last.
        normed: whether the embedding is a layer norm of the average, so that `pooled_is_mean` does not hold.
        sharpness: multiplies the initial classifier.
    """

    def __init__(
        self,
        channels: tuple[int, ...] = (4, 6, 8, 10),
        strides: tuple[int, ...] = (2, 2, 2, 1),
        *,
        normed: bool = False,
        sharpness: float = 1.0,
    ) -> None:
        super().__init__()
        widths = zip((3, *channels), channels, strides, strict=False)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=s, padding=1) for a, b, s in widths)
        for conv in self.convs:
            nn.init.kaiming_normal_(conv.weight)  # or the embeddings of all images would look alike
        self.norm = nn.LayerNorm(channels[-1]) if normed else nn.Identity()
        self.classifier = nn.Linear(channels[-1], NUM_CLASSES)
        self.classifier.weight.data *= sharpness
        self.inserted = nn.ModuleDict()

    def forward(self, image: Tensor, needs: Needs) -> Signals:
        """Exactly what `needs` asks for."""
        x, stages, extras = image, {}, {}
        for stage, conv in enumerate(self.convs, start=-len(self.convs)):
            x = conv(x).relu()
            if str(stage) in self.inserted:
                x, found = self.inserted[str(stage)](x)
                extras.update(found)
            if stage in needs.stages:
                stages[stage] = x
        pooled, logits = self.classify(x)
        return Signals(
            logits if needs.logits else None,
            pooled if needs.pooled else None,
            x if needs.final else None,
            stages,
            self.head() if needs.head else None,
            extras,
        )

    def classify(self, final: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> (B, C), (B, K)."""
        pooled = self.norm(final.mean((2, 3)))
        return pooled, self.classifier(pooled)

    def insert(self, stage: int, module: nn.Module) -> None:
        """Let `module` work on the map of a stage."""
        self.inserted[str(stage)] = module

    def head(self) -> Head:
        """The classifier with its live parameters."""
        return Head(self.classifier.weight, self.classifier.bias)

    @property
    def shapes(self) -> SignalShapes:
        """Sizes of the signals for images of `SIDE`."""
        image = torch.zeros(1, 3, SIDE, SIDE, dtype=self.classifier.weight.dtype)
        needs = Needs(pooled=True, final=True, stages=frozenset(range(-len(self.convs), 0)))
        with torch.no_grad():
            signals = self(image, needs)
        return SignalShapes(
            num_classes=NUM_CLASSES,
            pooled=signals.pooled.shape[1],
            final=tuple(signals.final.shape[1:]),
            stages={stage: tuple(x.shape[1:]) for stage, x in signals.stages.items()},
            pooled_is_mean=isinstance(self.norm, nn.Identity),
            final_classifies=True,
        )


NETS: dict[str, Callable[..., ToyNet]] = {
    "student": ToyNet,
    "wide": lambda **kw: ToyNet((6, 8, 10, 16), **kw),
    "large_maps": lambda **kw: ToyNet((6, 8, 10, 16), (1, 2, 2, 1), **kw),
    "small_maps": lambda **kw: ToyNet((6, 8, 10, 16), (4, 2, 2, 1), **kw),
    "two_stages": lambda **kw: ToyNet((6, 16), (4, 2), **kw),
    "normed": lambda **kw: ToyNet((6, 8, 10, 16), normed=True, **kw),
}


@dataclass(frozen=True)
class ToySurvey:
    """The teacher's signals for all images, in batches of 8."""

    teacher: nn.Module
    images: Tensor
    targets: Tensor

    def passes(self, needs: Needs) -> Iterator[tuple[Signals, Tensor]]:
        """Batch by batch."""
        for images, targets in zip(self.images.split(8), self.targets.split(8), strict=True):
            with torch.no_grad():
                yield self.teacher(images, needs), targets

    def fitted(self, key: str, fit: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Nothing is kept."""
        return fit()


@dataclass
class World:
    """A student, a teacher and forty images; `dtype` of everything that floats."""

    student: str = "student"
    teacher: str = "wide"
    sharpness: float = 1.0
    dtype: torch.dtype = torch.float32
    epochs: int = 10
    images: Tensor = field(init=False)
    targets: Tensor = field(init=False)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(7)
        noise = torch.randn(NUM_IMAGES, 3, SIDE, SIDE, generator=generator)
        tint = torch.randn(NUM_IMAGES, 3, 1, 1, generator=generator)
        self.images = (noise + 3 * tint).to(self.dtype)
        self.targets = torch.arange(NUM_IMAGES) % NUM_CLASSES
        self.student_net, self.teacher_net = self._net(self.student, 1), self._net(self.teacher, 2)
        self.teacher_net.eval()

    def _net(self, name: str, seed: int) -> ToyNet:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return NETS[name](sharpness=self.sharpness).to(self.dtype)

    @property
    def setting(self) -> Setting:
        """Before `reshape_student`."""
        return Setting(
            student=self.student_net.shapes,
            num_classes=NUM_CLASSES,
            train_targets=self.targets,
            teacher=self.teacher_net.shapes,
            teacher_head=self.teacher_net.head().detached(),
            survey=ToySurvey(self.teacher_net, self.images, self.targets),
        )

    def pupil(self, method: Method, seed: int = 3) -> Pupil:
        """The reshaped student and the objective, built with their own seed."""
        torch.manual_seed(seed)
        network = method.reshape_student(self.student_net, self.setting).to(self.dtype)
        shapes = getattr(network, "shapes", self.setting.student)
        objective = method.build(replace(self.setting, student=shapes)).to(self.dtype)
        return Pupil(network, objective, within(method.student_needs, shapes))

    def lesson(self, method: Method, batch_size: int, step: int = 0) -> Lesson:
        """The `step`-th batch with exactly the teacher's signals that `method` asks for; two steps an epoch."""
        index = (torch.arange(batch_size) * 3 + 5 * step) % NUM_IMAGES
        needs = within(method.teacher_needs, self.teacher_net.shapes)
        with torch.no_grad():
            teacher = self.teacher_net(self.images[index], needs).detached() if needs else Signals()
        batch = Batch(self.images[index], self.targets[index], index)
        return Lesson(batch, teacher, Progress(step=step, steps_per_epoch=2, epochs=self.epochs))


@dataclass
class Pupil:
    """What learns, and what is asked of it."""

    network: nn.Module
    objective: Objective
    needs: Needs

    def see(self, lesson: Lesson) -> Signals:
        """The student's signals, logits and embedding in float32 at least, as the learner hands them on."""
        signals = self.network(lesson.batch.image, self.needs)
        raised = lambda x: x.float() if x is not None and x.dtype == torch.bfloat16 else x
        return replace(signals, logits=raised(signals.logits), pooled=raised(signals.pooled))

    def terms(self, lesson: Lesson) -> Mapping[str, Tensor]:
        """The loss terms of one batch."""
        return self.objective(self.see(lesson), lesson)

    def parameters(self) -> list[nn.Parameter]:
        """What the optimiser gets."""
        both = (*self.network.parameters(), *self.objective.parameters())
        return [p for p in both if p.requires_grad]

    def modules(self) -> nn.ModuleDict:
        """Network and objective, for one state dict."""
        return nn.ModuleDict({"network": self.network, "objective": self.objective})


def within(needs: Needs, shapes: SignalShapes) -> Needs:
    """`needs` less the stages that a network does not have."""
    return replace(needs, stages=needs.stages & set(shapes.stages))
