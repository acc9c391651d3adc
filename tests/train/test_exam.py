"""The final examination: figures against those of all logits at once, the teacher's own, and what is read how often."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fgkd.metrics import fit_temperature, summarise, summarise_embeddings
from fgkd.models.eyes import Eyes
from fgkd.signals import Batch, Needs
from fgkd.train.cohort import Cohort, Loaders
from fgkd.train.evaluate import Examinee
from tests.train.crew import SharedRoom, crew
from tests.train.room import CLASSES, SIZE, Room, run

HELD_OUT = 23


class Once:
    """A split that counts how often it is read."""

    def __init__(self, seed: int, n: int, classes: int = CLASSES) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.images = torch.randint(0, 256, (n, 3, SIZE, SIZE), dtype=torch.uint8, generator=draw)
        self.targets, self.reads = torch.arange(n) % classes, 0

    def __iter__(self):
        self.reads += 1
        for rows in torch.arange(len(self.targets)).split(9):
            yield Batch(self.images[rows], self.targets[rows], rows)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Scratch and kd, examined on a hold-out and a test split of their own; kd was best in its first epoch."""
    room = Room(tmp_path_factory.mktemp("room"))
    made = room.cohort([run("scratch"), run("kd")])
    made.train_epoch(0)
    made.end_epoch(0)
    made.train_epoch(1)
    made.end_epoch(1)
    kd = made.learners[1]
    kd.best.epoch = 0
    kd.best.state = {k: v + 0.1 if v.is_floating_point() else v for k, v in kd.evaluated.state_dict().items()}
    made.loaders = Loaders(room.lessons, Once(1, HELD_OUT), Once(2, 40))
    guessed = answers(kd.evaluated, made.loaders.holdout, kd.belongings.sight)[0].argmax(1)
    guessed[::3] = (guessed[::3] + 1) % CLASSES
    made.loaders.holdout.targets = guessed  # mostly right: a temperature that fits lies between the bounds
    made.examine()
    return made


def answers(network: torch.nn.Module, split: Once, sight) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and embeddings of a whole split, batch by batch as the loop shows it, with none of its code."""
    network.eval()
    with torch.no_grad():
        signals = [network(Eyes(b.image).seen_by(sight), Needs(logits=True, pooled=True)) for b in split]
    return torch.cat([s.logits for s in signals]).float(), torch.cat([s.pooled for s in signals]).float()


def teacher_of(cohort: Cohort) -> Examinee:
    assert cohort.teacher is not None
    return Examinee(cohort.teacher.network, cohort.teacher.sight)


@pytest.mark.parametrize("which", ["last", "best"])
@pytest.mark.parametrize("number", [0, 1])
def test_figures_are_those_of_all_answers_at_once(cohort: Cohort, number: int, which: str) -> None:
    learner, splits = cohort.learners[number], cohort.loaders
    network = learner.evaluated if which == "last" else learner.best_network()
    sight, taught = learner.belongings.sight, learner.spec.feed.teacher is not None
    teacher = teacher_of(cohort)
    found = cohort.results[learner.run_id].metrics
    held_out, _ = answers(network, splits.holdout, sight)
    temperature = fit_temperature(held_out, splits.holdout.targets)
    assert found[f"holdout_{which}"]["temperature"] == pytest.approx(temperature)
    assert 0.02 < temperature < 50 or (number, which) != (1, "last")
    logits, pooled = answers(network, splits.test, sight)
    theirs, _ = answers(teacher.network, splits.test, teacher.sight)
    expected = summarise(
        logits,
        splits.test.targets,
        teacher_logits=theirs if taught else None,
        pooled=pooled,
        temperature=temperature,
    )
    assert found[f"test_{which}"] == pytest.approx(expected)
    if which == "last":
        assert torch.equal(cohort.results[learner.run_id].predictions, logits.argmax(1))


def test_a_run_without_a_teacher_does_not_know_whose_cohort_it_sat_in(cohort: Cohort) -> None:
    scratch, kd = (cohort.results[learner.run_id].metrics["test_last"] for learner in cohort.learners)
    assert kd.keys() - scratch.keys() == {"agreement", "kl_to_teacher"}


def test_the_teacher_is_judged_by_the_same_pass(cohort: Cohort) -> None:
    teacher, splits = teacher_of(cohort), cohort.loaders
    logits, pooled = answers(teacher.network, splits.test, teacher.sight)
    temperature = cohort.reference.holdout["temperature"]
    expected = summarise(logits, splits.test.targets, pooled=pooled, temperature=temperature)
    assert cohort.reference.test == pytest.approx(expected)
    assert cohort.reference.profiles["roc"]


def test_profiles_are_of_the_last_weights(cohort: Cohort) -> None:
    result = cohort.results[cohort.learners[1].run_id]
    assert set(result.profiles) == {"reliability", "roc"}
    right = sum(accuracy * share for _, accuracy, share in result.profiles["reliability"])
    assert right == pytest.approx(result.metrics["test_last"]["top1"], abs=1e-5)


def best_early(folder: Path, method: str) -> Cohort:
    """A cohort of one whose best epoch is not its last, before its examination."""
    room = Room(folder)
    cohort = room.cohort([run(method)])
    cohort.loaders = Loaders(room.lessons, Once(1, HELD_OUT), Once(2, 20))
    learner = cohort.learners[0]
    learner.best.offer(0, 0.5, learner.evaluated)
    learner.curve = [{}, {}]
    return cohort


def test_each_split_is_read_once_for_last_and_best_weights(tmp_path: Path) -> None:
    cohort, asked = best_early(tmp_path, "kd"), []
    cohort.teacher.network.register_forward_hook(lambda *_: asked.append(1))
    cohort.examine()
    assert (cohort.loaders.holdout.reads, cohort.loaders.test.reads) == (1, 1)
    assert len(asked) == 3 + 3, "one forward for each batch of either split"


def test_readouts_are_of_the_last_weights_alone(tmp_path: Path) -> None:
    cohort = best_early(tmp_path, "th_kd")
    cohort.examine()
    found = cohort.results[cohort.learners[0].run_id].metrics
    for split in ("holdout", "test"):
        assert "top1/teacher_head" in found[f"{split}_last"]
        assert "top1/teacher_head" not in found[f"{split}_best"]


def test_an_averaged_student_is_read_by_an_averaged_projector(tmp_path: Path) -> None:
    cohort = Room(tmp_path).cohort([run("th_kd", ema=0.5)])
    learner = cohort.learners[0]
    live = learner.objective.teacher_head.projector
    mean = copy.deepcopy(live)

    def averaging(pupil: object, given: object) -> None:
        """Before every step: what the step before has left."""
        step = given[1].progress.step - 1
        if step >= 0:
            follow(step)

    def follow(step: int) -> None:
        with torch.no_grad():
            for ours, theirs in zip(mean.parameters(), live.parameters(), strict=True):
                ours.lerp_(theirs, 1 - learner.ema.get_decay(step))

    learner.pupil.register_forward_pre_hook(averaging)
    cohort.train_epoch(0)
    follow(cohort.loaders.train.steps_per_epoch - 1)
    objective = learner.examinee().objective
    assert objective is not None
    found = objective.teacher_head.projector
    for ours, theirs, moving in zip(mean.parameters(), found.parameters(), live.parameters(), strict=True):
        torch.testing.assert_close(theirs, ours)
        assert not torch.allclose(theirs, moving)


def test_an_answer_that_is_not_a_number_is_wrong_in_every_class(tmp_path: Path) -> None:
    room = Room(tmp_path)
    cohort = room.cohort([run("th_kd")])
    cohort.learners[0].network.register_forward_hook(
        lambda module, given, signals: replace(signals, logits=signals.logits * torch.nan)
    )
    (output,), targets = cohort.answers(Once(2, 20), [cohort.learners[0].examinee()])
    assert (targets == 0).any()
    assert not output.samples["hit"].any()


def test_unseen_classes_are_judged_by_embeddings(tmp_path: Path) -> None:
    room = Room(tmp_path)
    cohort = room.cohort([run("kd")])
    test = Once(2, 40, classes=4)
    test.targets += 100  # no class of the classifier's
    cohort.loaders = Loaders(room.lessons, Once(1, HELD_OUT), test, unseen=True)
    cohort.examine()
    learner = cohort.learners[0]
    result = cohort.results[learner.run_id]
    _, pooled = answers(learner.evaluated, test, learner.belongings.sight)
    assert result.metrics["test_last"] == pytest.approx(summarise_embeddings(pooled, test.targets))
    assert result.predictions is None
    assert set(result.profiles) == {"roc"}
    assert {"top1", "agreement", "temperature"} <= set(result.metrics["holdout_last"])
    assert cohort.reference.test.keys() == result.metrics["test_last"].keys()


def untrained(folder: Path, rank: int, world: int) -> dict[str, Any]:
    """What one of several processes finds of networks that nobody trained, its own share of the images read."""
    cohort = SharedRoom(folder, rank, world).cohort([run("scratch"), run("kd")])
    cohort.examine()
    found: dict[str, Any] = {run_id: vars(result) for run_id, result in cohort.results.items()}
    return {**found, "teacher": vars(cohort.reference)}


def test_processes_find_what_one_does(tmp_path: Path) -> None:
    alone = untrained(tmp_path / "alone", 0, 1)
    for found in crew(untrained, tmp_path / "crew", 2):
        assert found.keys() == alone.keys()
        for run_id, expected in alone.items():
            assert torch.equal(found[run_id].pop("predictions"), expected["predictions"])
            for part, values in found[run_id].items():
                flat, theirs = (_flat(side) for side in (values, expected[part]))
                assert flat.keys() == theirs.keys(), (run_id, part)
                assert flat == pytest.approx(theirs, rel=1e-5, abs=1e-5), (run_id, part)


def _flat(value: Any, name: str = "") -> dict[str, float]:
    """Numbers of nested mappings and lists by their place."""
    if not isinstance(value, dict | list):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {key: number for k, part in items for key, number in _flat(part, f"{name}/{k}").items()}
