"""Every method trains between CNNs, from a ViT to a CNN and from a CNN to a ViT, or says beforehand why it cannot."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from fgkd.errors import UserErrors
from fgkd.methods import METHODS
from fgkd.models import weights_hash
from fgkd.models.reshaped import head_of
from fgkd.spec import BackboneSpec, RunSpec
from fgkd.teacher.live import Credentials, Teacher
from fgkd.teacher.survey import TeacherSurvey
from fgkd.train.assemble import assemble
from fgkd.train.learner import Learner
from tests.train.room import SIZE, Room, exam, run

LONG = 8  # epochs of five steps
# smaller than published, for five images a class
PARAMS = {
    "crd": {"num_negatives": 16},
    "letkd": {"clusters": 8, "sub_classes": 2, "discriminants": 4},
    "sdd": {"scales": [1]},  # the last maps here have one cell
}
TWO_STAGES = {"ab", "fsp", "ft"}  # the first epoch's loss is another one
SUMS = ["kd+crd", "th_kd+crd", "kd+triplet_embedding", "copy_head+kd"]
EVERY = [*METHODS, *SUMS]
NO_MEAN = "needs an embedding that is the plain mean of that map"
REFUSED = {
    "cnn_cnn": {},
    "vit_cnn": {"sdd": NO_MEAN, "simkd": NO_MEAN},
    "cnn_vit": {"sdd": NO_MEAN, "letkd": "needs a student that classifies from its final"},
}
PAIRS = {
    "cnn_cnn": ("test_resnet", "test_efficientnet"),
    "vit_cnn": ("test_resnet", "test_vit"),
    "cnn_vit": ("test_vit", "test_resnet"),
}


class OtherRoom(Room):
    """A room whose teacher is named, and can be surveyed."""

    def __init__(self, folder: Path, teacher: str) -> None:
        super().__init__(folder)
        torch.manual_seed(7)
        network = self.workshop.backbone(BackboneSpec(name=teacher), SIZE)
        self.teacher = Teacher(
            network,
            sight=network.input,
            shapes=network.shapes,
            head=head_of(network),
            credentials=Credentials(teacher, None, weights_hash(network), 0.5, 0.5),
            device=self.engine.device,
        )
        self.survey = TeacherSurvey(
            self.teacher, exam(self.lessons), folder=folder / "fitted", data="room", device=self.engine.device
        )

    def learner(self, spec: RunSpec) -> Learner:
        own = self.teacher if spec.feed.teacher else None
        return Learner(
            spec,
            lambda: assemble(spec, self.workshop, own, self.survey if own else None),
            prepare=self.engine.prepare,
            device=self.engine.device,
            epochs=LONG,
            steps_per_epoch=self.lessons.steps_per_epoch,
        )


def entry(name: str) -> object:
    """The method as a suite would write it."""
    if "+" in name:
        return {"method": name, **{part: PARAMS[part] for part in name.split("+") if part in PARAMS}}
    return {"method": name, **PARAMS.get(name, {})}


def refusals(room: OtherRoom, student: str) -> dict[str, str]:
    """Methods that cannot work with this pair, and why."""
    found = {}
    for name in EVERY:
        try:
            room.learner(run(entry(name), student))  # type: ignore[arg-type]
        except UserErrors as error:
            found[name] = str(error)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_every_method_trains_or_says_why_not(pair: str, tmp_path: Path) -> None:
    student, teacher = PAIRS[pair]
    room = OtherRoom(tmp_path, teacher)
    refused = refusals(room, student)
    assert refused.keys() == REFUSED[pair].keys(), refused
    assert all(reason in refused[name] for name, reason in REFUSED[pair].items())
    recipe = {"optimizer": "adamw", "lr": 2e-3, "warmup_epochs": 0}  # indifferent to the scale of a published weight
    specs = [run(entry(name), student, **recipe) for name in EVERY if name not in refused]  # type: ignore[arg-type]
    specs = [s.model_copy(update={"feed": s.feed.model_copy(update={"epochs": LONG})}) for s in specs]
    cohort = room.cohort(specs)
    cohort.run()
    risen = {}
    for learner in cohort.learners:
        label = learner.spec.method.label
        assert learner.status == "ok", f"{label}: {learner.reason}"
        first, last = learner.curve[label in TWO_STAGES], learner.curve[-1]
        assert all(math.isfinite(value) for value in last.values()), label
        if not last["loss"] < first["loss"]:
            risen[label] = [point["loss"] for point in learner.curve]
    assert not risen
