"""What fgkd's loop adds to one learner: against a loop written by hand for the same student, teacher and loss.

    python benchmarks/speed/loop.py [--data-root DIR] [--steps 8]

Both sides load the same batches in the same order and take the same number of steps, in turns. The second pair has its
tensors there already.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from classroom import RECIPE, START, Classroom, add_flags, make_small
from measuring import in_turns, parser, repeated, screen, show
from torch import nn

from fgkd.signals import Batch
from fgkd.spec import BackboneSpec
from fgkd.train.optim import make_optimizer


class ByHand:
    """The smallest loop that does knowledge distillation: cross-entropy and the divergence of softened answers."""

    def __init__(self, room: Classroom) -> None:
        self.room = room
        student = room.workshop.backbone(BackboneSpec(name=room.args.student), room.args.size)
        self.sight = student.input
        self.net = student.net.to(room.engine.device, memory_format=torch.channels_last).train()
        self.teacher = room.teacher.network.net  # type: ignore[union-attr]
        self.optimizer = make_optimizer(self.net, nn.Identity(), RECIPE)
        stats = lambda values: torch.tensor(values, device=room.engine.device).view(1, 3, 1, 1)
        self.mean, self.std = stats(self.sight.mean), stats(self.sight.std)

    def step(self, batch: Batch) -> None:
        """One update."""
        device = self.room.engine.device
        target = batch.target.to(device, non_blocking=True)
        image = batch.image.to(device, non_blocking=True).to(torch.float32, memory_format=torch.channels_last)
        image = (image.div_(255) - self.mean) / self.std
        with self.room.engine.autocast():
            with torch.no_grad():
                theirs = self.teacher(image)  # type: ignore[operator]
            ours = self.net(image)
            pair = (F.log_softmax(logits.float() / 4, dim=1) for logits in (ours, theirs))  # type: ignore[union-attr]
            loss = F.cross_entropy(ours, target) + 16 * F.kl_div(*pair, log_target=True, reduction="batchmean")
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def main() -> None:
    """Measure and report."""
    made = parser(__doc__)
    add_flags(made)
    args, console = made.parse_args(), screen()
    if args.quick:
        make_small(args)
    with TemporaryDirectory() as cache:
        room = Classroom(args, Path(cache))
        hand, cohort = ByHand(room), room.cohort(room.specs(1))
        ours, theirs, batch = room.batches(), room.batches(), next(room.batches())
        sides = {
            "fgkd, loading": lambda: cohort.teach(next(ours), START),
            "by hand, loading": lambda: hand.step(next(theirs)),
            "fgkd": lambda: cohort.teach(batch, START),
            "by hand": lambda: hand.step(batch),
        }
        timed = {name: repeated(args.steps, step) for name, step in sides.items()}
        took = {k: 1000 * v / args.steps for k, v in in_turns(timed, room.engine.device, rounds=args.rounds).items()}
    rows = [
        {"tensors": there, "fgkd ms": took[ours], "by hand ms": took[hand], "fgkd/by hand": took[ours] / took[hand]}
        for there, ours, hand in (
            ("to be loaded", "fgkd, loading", "by hand, loading"),
            ("there already", "fgkd", "by hand"),
        )
    ]
    show(f"one learner (kd), {args.teacher} teaches {args.student}, {args.size} px", rows, console, args.csv)


if __name__ == "__main__":
    sys.exit(main())
