"""The loop does not wait for the device within a step, and asks the teacher for what is needed at that moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from fgkd.methods import METHODS
from fgkd.methods.base import Objective
from fgkd.models.eyes import Eyes
from fgkd.signals import Needs, Progress
from fgkd.train.cohort import Cohort
from tests.train.room import BATCH, EPOCHS, TRAIN, Room, run
from tests.train.test_every_method import PARAMS, OtherRoom

STEPS = TRAIN // BATCH
# A CUDA device is waited for where a value, or a size that depends on values, is needed on the host.
VALUES = {"_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_dim"}
TO_DEVICE = {"tensor", "as_tensor", "new_tensor"}  # copies a number from the host's pageable memory
TO_HOST = {"item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__", "__array__"}


class _Values(TorchDispatchMode):
    """Notes kernels that hand a value to the host."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name in ("index", "index_put", "index_put_") and any(
            isinstance(i, Tensor) and i.dtype in (torch.bool, torch.uint8) for i in args[1]
        )
        if name in VALUES or by_mask:
            self.found.append(f"aten.{name}")
        return func(*args, **(kwargs or {}))


class _Conversions(TorchFunctionMode):
    """Notes conversions that reach no kernel on the CPU, as `tolist` does, and numbers made into tensors elsewhere."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in TO_HOST:
            self.found.append(f"Tensor.{name}")
        if name in TO_DEVICE and (kwargs or {}).get("device") is not None:
            self.found.append(f"torch.{name} on a device")
        return func(*args, **(kwargs or {}))


def waits(cohort: Cohort, steps: Iterator[int]) -> list[str]:
    """What made the host wait in these steps."""
    found: list[str] = []
    batches = [*cohort.loaders.train.epoch(0)]
    sights = [learner.belongings.sight for learner in cohort.learners]
    for sight in [*sights, *([cohort.teacher.sight] if cohort.teacher else [])]:
        Eyes(batches[0].image).seen_by(sight)  # copies the constants of normalisation, once in a process
    for step in steps:
        with _Conversions(found), _Values(found):
            cohort.teach(batches[step % STEPS], Progress(step, STEPS, EPOCHS))
    return found


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    folder: Path = tmp_path_factory.mktemp("store")
    return Room(folder)


RECIPES = [{}, {"clip_grad": 1.0, "ema": 0.9}, {"optimizer": "adamw", "lr": 1e-3}, {"mixup": 0.2, "cutmix": 1.0}]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_no_step_waits_for_the_device(room: Room, recipe: dict[str, Any]) -> None:
    method = "scratch" if "mixup" in recipe else "kd"
    cohort = room.cohort([run(method, "test_resnet", **recipe)])
    assert waits(cohort, iter(range(2))) == []
    assert cohort.active, cohort.learners[0].reason


FIRST_BATCH = {"crd", "letkd"}  # sets a constant by its first batch, as published; examines its network with it


@pytest.mark.parametrize("method", METHODS)
def test_no_method_waits_for_the_device(tmp_path: Path, method: str) -> None:
    room = OtherRoom(tmp_path, "test_efficientnet")
    cohort = room.cohort([run({"method": method, **PARAMS.get(method, {})}, "test_resnet")])
    first = waits(cohort, iter([0]))
    assert first == [] or method in FIRST_BATCH
    assert waits(cohort, iter([1, STEPS + 1])) == []
    assert cohort.active, cohort.learners[0].reason


def test_a_wait_is_seen(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    made = lambda x: torch.tensor(1.0, device=x.device)
    for careless in (Tensor.item, Tensor.tolist, bool, float, lambda x: x[x > 0], lambda x: x.cpu(), made):
        cohort = room.cohort([run("kd", "test_resnet")])
        note = cohort.learners[0]._note

        def careless_note(terms: Any, loss: Tensor, step: int, c: Any = careless, n: Any = note) -> None:
            c(loss.detach())
            n(terms, loss, step)

        monkeypatch.setattr(cohort.learners[0], "_note", careless_note)
        assert waits(cohort, iter([0]))


@pytest.mark.parametrize("method", ["ab", "fsp"])
def test_a_teacher_rests_with_the_only_stage_that_reads_it(room: Room, method: str) -> None:
    cohort = room.cohort([run({"method": method, "init_epochs": 120}, "test_resnet")])
    before = room.teacher.forwards
    cohort.run()
    assert room.teacher.forwards - before == STEPS * EPOCHS // 2


@pytest.mark.parametrize("method", ["ab", "fsp", "ab+kd"])
def test_asking_for_less_changes_nothing(room: Room, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = method.split("+")
    spec = run(method if len(names) > 1 else {"method": method, "init_epochs": 120}, "test_resnet")
    sparing = room.train([spec])
    monkeypatch.setattr("fgkd.train.learner.Learner.asks", lambda self, progress: self.belongings.teacher_needs)
    assert room.train([spec]) == sparing


def test_a_sum_asks_for_what_its_parts_ask(room: Room) -> None:
    learner = room.learner(run("ab+kd", "test_resnet"))
    assert isinstance(learner.objective, Objective)
    assert learner.asks(Progress(0, STEPS, EPOCHS)).stages
    assert learner.asks(Progress(STEPS, STEPS, EPOCHS)) == Needs(logits=True)
