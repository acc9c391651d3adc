"""A cohort that is saved and continued from the disk equals one that ran through, whatever it consists of."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fgkd.errors import Stopped
from fgkd.methods import METHODS
from fgkd.spec import RunSpec
from fgkd.train import learner as learner_module
from fgkd.train.checkpoint import Shelf
from fgkd.train.cohort import Cohort
from fgkd.train.keeper import Keeper
from tests.train.room import TRAIN, Room, run
from tests.train.test_every_method import EVERY, PAIRS, REFUSED, OtherRoom, entry

STEPS = 5  # per epoch, in every room
FIVE = [
    run("scratch", {"name": "test_vit2", "kwargs": {"proj_drop_rate": 0.3, "drop_path_rate": 0.3}}),
    run("kd", "test_efficientnet", ema=0.9, optimizer="momentum"),
    run({"method": "crd", "num_negatives": 8}, "test_convnext", optimizer="adamw", lr=1e-3, clip_grad=1.0),
    run("th_kd", "test_resnet", schedule="step", milestones=[1], optimizer="lamb"),
    run("scratch", "test_vit", lr=1e-12, mixup=0.4, cutmix=1.0),  # learns nothing: its first epoch stays its best
]


class StopAt:
    """Asks to stop when the keeper looks for the n-th time."""

    def __init__(self, look: int) -> None:
        self.left = look

    @property
    def asked(self) -> int | None:
        self.left -= 1
        return 15 if self.left < 0 else None


def everything(cohort: Cohort) -> dict[str, Any]:
    """All that was learnt, drawn, measured and counted."""
    return {
        "images": cohort.images,
        **{x.run_id: {**x.state_dict(), "result": vars(cohort.results[x.run_id])} for x in cohort.learners},
    }


def same(one: Any, other: Any) -> bool:
    """Equality to the bit; NaNs are equal to themselves."""
    if isinstance(one, Tensor):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        return one.cpu().contiguous().numpy().tobytes() == other.cpu().contiguous().numpy().tobytes()
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of the learners' parts that differ."""
    assert one.keys() == other.keys()
    found = [] if one["images"] == other["images"] else ["images"]
    learners = [run_id for run_id in one if run_id != "images"]
    return found + [f"{i} {part}" for i in learners for part in one[i] if not same(one[i][part], other[i][part])]


def shelf_for(folder: Path, specs: Sequence[RunSpec]) -> Shelf:
    return Shelf(folder, {spec.run_id: {} for spec in specs})


Make = Callable[[], Cohort]


def continued(make: Make, shelf: Shelf, *stops: int) -> Cohort:
    """A cohort that is stopped at these looks, each time made anew and continued from the disk; then run to its end.

    A cohort of two epochs looks five times while it learns, four times at its hold-out images, once at the epoch's end;
    and twice that.
    """
    for stop in (*stops, None):
        cohort = make()
        request = None if stop is None else StopAt(stop)
        cohort.keeper = Keeper(cohort.engine, shelf, every=1e9, request=request)
        if generations := shelf.generations():
            cohort.keeper.restore(cohort, generations[0])
        if stop is None:
            cohort.run()
        else:
            with pytest.raises(Stopped):
                cohort.run()
    return cohort


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Five unlike learners, uninterrupted."""
    cohort = Room(tmp_path_factory.mktemp("room")).cohort(FIVE)
    cohort.run()
    return everything(cohort)


# within an epoch; in the hold-out pass; at an epoch's end; in the last evaluation; several times, at a last step too
@pytest.mark.parametrize("stops", [(2,), (6,), (9,), (23,), (0, 3, 8)], ids=str)
def test_stopped_and_continued_equals_uninterrupted(
    room: Room, through: dict[str, Any], tmp_path: Path, stops: tuple[int, ...]
) -> None:
    cohort = continued(lambda: room.cohort(FIVE), shelf_for(tmp_path / "kept", FIVE), *stops)
    assert differences(through, everything(cohort)) == []
    assert cohort.size == 5


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """The five, stopped in their second epoch."""
    shelf = shelf_for(tmp_path_factory.mktemp("kept"), FIVE)
    cohort = Room(tmp_path_factory.mktemp("room")).cohort(FIVE)
    cohort.keeper = Keeper(cohort.engine, shelf, every=1e9, request=StopAt(12))
    with pytest.raises(Stopped):
        cohort.run()
    return shelf


def test_each_learner_may_continue_alone(room: Room, through: dict[str, Any], halfway: Shelf) -> None:
    for spec in FIVE:
        cohort = room.cohort([spec])
        cohort.keeper.restore(cohort, halfway.generations()[0])
        cohort.run()
        assert differences({k: through[k] for k in ("images", spec.run_id)}, everything(cohort)) == []
        assert cohort.size == 5  # so many took the lessons


LEFT_OUT = ["optimizer", "stream", "_sums", "_steps", "curve", "best", "ema", "objective", "network"]


@pytest.mark.parametrize("part", LEFT_OUT)
def test_a_state_without_any_of_its_parts_would_be_noticed(
    room: Room, through: dict[str, Any], halfway: Shelf, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def forgetful(self: learner_module.Learner, state: dict[str, Any]) -> None:
        own = self.state_dict()
        whole(self, {**state, part: own[part]} if part in own else state)

    whole = learner_module.Learner.load_state_dict
    monkeypatch.setattr(learner_module.Learner, "load_state_dict", forgetful)
    cohort = room.cohort(FIVE)
    cohort.keeper.restore(cohort, halfway.generations()[0])
    cohort.run()
    assert differences(through, everything(cohort)) != []


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_every_method_continues_bit_for_bit(pair: str, tmp_path: Path) -> None:
    """All methods and some sums of them, with sgd and adamw in turn, across the stages of those that have two."""
    student, teacher = PAIRS[pair]
    recipes = [{"optimizer": "sgd", "lr": 0.01}, {"optimizer": "adamw", "lr": 1e-3, "ema": 0.9}]
    named = [name for name in EVERY if name not in REFUSED[pair]]
    specs = [run(entry(name), student, **recipes[i % 2]) for i, name in enumerate(named)]  # type: ignore[arg-type]
    assert {part.name for spec in specs for part in spec.method.parts} | REFUSED[pair].keys() >= set(METHODS)
    make = lambda: OtherRoom(tmp_path, teacher).cohort(specs)
    uninterrupted = make()
    uninterrupted.run()
    assert all(learner.status == "ok" for learner in uninterrupted.learners)
    shelf = shelf_for(tmp_path / "kept", specs)
    assert differences(everything(uninterrupted), everything(continued(make, shelf, 2, 4, 5))) == []


def test_a_stopped_learner_stays_stopped(room: Room, tmp_path: Path) -> None:
    specs = [run("kd", "test_resnet", lr=1e30), run("scratch", "test_resnet")]

    def make() -> Cohort:
        cohort = room.cohort(specs)
        step = cohort.learners[1].step
        cohort.learners[1].step = lambda eyes, lesson: fail() if lesson.progress.step == 2 else step(eyes, lesson)  # type: ignore[method-assign]
        return cohort

    def fail() -> None:
        raise ValueError("a bug in a method")

    cohort = continued(make, shelf_for(tmp_path / "kept", specs), 4)
    assert [learner.status for learner in cohort.learners] == ["diverged", "failed"]
    assert cohort.learners[1].reason == "ValueError: a bug in a method"
    assert "not finite" in cohort.learners[0].reason


def test_saving_goes_by_time_and_keeps_two(room: Room, tmp_path: Path) -> None:
    shelf = shelf_for(tmp_path / "kept", FIVE[:1])
    cohort = room.cohort(FIVE[:1])
    cohort.keeper = Keeper(cohort.engine, shelf, every=1e-9)
    positions: list[tuple[int, int]] = []
    save = shelf.save

    def noted(position: tuple[int, int], *rest: Any) -> None:
        positions.append(position)
        save(position, *rest)

    shelf.save = noted  # type: ignore[method-assign]
    cohort.run()
    first, second = ([(epoch, step) for step in range(1, STEPS + 1)] for epoch in (0, 1))
    assert positions == [*first, (1, 0), *second, (2, 0)]
    assert [generation.position for generation in shelf.generations()] == [(2, 0), (1, STEPS)]
    rare = room.cohort(FIVE[:1])
    rare.keeper = Keeper(rare.engine, other := shelf_for(tmp_path / "rare", FIVE[:1]), every=1e9)
    rare.run()
    assert [generation.position for generation in other.generations()] == [(2, 0)]


@pytest.fixture
def two_generations(room: Room, tmp_path: Path) -> Shelf:
    shelf = shelf_for(tmp_path / "kept", FIVE[:2])
    cohort = room.cohort(FIVE[:2])
    cohort.keeper = Keeper(cohort.engine, shelf, every=1e-9)
    cohort.run()
    return shelf


@pytest.mark.parametrize("harm", ["flip", "cut", "lose", "manifest"])
def test_damage_is_noticed(two_generations: Shelf, harm: str) -> None:
    ids = [spec.run_id for spec in FIVE[:2]]
    newest, before = two_generations.generations()
    victim = newest.folder / ("manifest.json" if harm == "manifest" else f"{ids[1]}.pt")
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    {"lose": victim.unlink, "flip": lambda: victim.write_bytes(content)}.get(
        harm, lambda: victim.write_bytes(content[: len(content) // 2])
    )()
    left = [generation for generation in two_generations.generations() if generation.whole(ids)]
    assert [generation.folder for generation in left] == [before.folder]


def test_a_state_is_read_without_pickle_and_holds_no_teacher(two_generations: Shelf, room: Room) -> None:
    newest = two_generations.generations()[0]
    for spec in FIVE[:2]:
        state = torch.load(newest.folder / f"{spec.run_id}.pt", weights_only=True)
        assert state["network"].keys() == room.learner(spec).network.state_dict().keys()
        assert not state["objective"]  # scratch and kd have nothing of their own
    teacher = sum(p.numel() * 4 for p in room.teacher.network.parameters())
    assert teacher > 0
    manifest = json.loads((newest.folder / "manifest.json").read_text())
    assert manifest["cohort"]["images"] == 2 * TRAIN


def test_a_full_disk_stops_no_training(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, said = shelf_for(tmp_path / "kept", FIVE[:1]), []
    full: list[bool] = []
    write = torch.save

    def save(state: object, file: Any) -> None:
        if full:
            file.write(b"half")
            raise OSError(28, "No space left on device")
        full.append(True)
        write(state, file)

    monkeypatch.setattr("fgkd.train.checkpoint.torch.save", save)
    cohort = room.cohort(FIVE[:1])
    cohort.keeper = Keeper(cohort.engine, shelf, every=1e-9, say=said.append)
    cohort.run()
    assert "No space left on device" in said[0]
    assert [generation.position for generation in shelf.generations()] == [(0, 1)]
    assert len(list((tmp_path / "kept").iterdir())) == 1  # no half-written ones


def test_nobody_is_blamed_for_a_signal(room: Room) -> None:
    cohort = room.cohort(FIVE[:1])
    cohort.keeper = Keeper(cohort.engine, request=StopAt(0))
    with pytest.raises(RuntimeError, match="worker"):
        cohort.attempt(cohort.learners[0], lambda: (_ for _ in ()).throw(RuntimeError("worker was killed")))
    assert cohort.learners[0].status == "ok"
