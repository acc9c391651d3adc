"""The time of a plan from a few real steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from fgkd.plan import make_plan
from fgkd.runner import calibrate
from fgkd.runner.calibrate import Calibration, Pace
from fgkd.runner.options import Options
from fgkd.runner.sizes import size_of
from fgkd.teacher.live import Teacher
from fgkd.train.cohort import Cohort
from fgkd.train.engine import Engine
from tests.hand_clock import HandClock
from tests.train.room import run


def test_a_training_is_its_parts() -> None:
    pace = Pace(building=1, step=2, marking=0.5, examining=0.25, recording=4)
    assert pace.whole(steps=10, epochs=3, holdout=8, test=12) == 1 + 20 + 3 * 8 * 0.5 + 2 * 20 * 0.25 + 4


def test_a_bank_is_told_once_and_spares_the_asking() -> None:
    pace = Pace(building=1, step=2, marking=0.5, examining=0.25, recording=4, asking=1.5, telling=0.125)
    assert pace.whole(steps=10, epochs=3, holdout=8, test=12, banked=16) == 1 + 10 * 0.5 + 2 + 3 * 8 * 0.5 + 10 + 4


@pytest.fixture(scope="module")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    tmp_path: Path = tmp_path_factory.mktemp("drawn")
    options, data = Options(data_root=tmp_path, results=tmp_path / "results", cache=tmp_path), run("kd").feed.dataset
    return Calibration(options, Engine(), {data: size_of(data, options)})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """What calibration measures by."""
    clock = HandClock()
    monkeypatch.setattr(calibrate, "time", clock)
    return clock


def test_each_cohort_takes_twenty_steps_over_its_training(
    calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan([run("kd", "test_resnet"), run({"method": "ab", "init_epochs": 120}, "test_resnet")])
    taught: list[tuple[int, float]] = []
    teach = Cohort.teach

    def noted(cohort: Cohort, batch: object, progress: object) -> None:
        taught.append((len(cohort.learners), progress.fraction))  # type: ignore[attr-defined]
        teach(cohort, batch, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(Cohort, "teach", noted)
    pupils = next(planned for planned in plan.cohorts if planned.feed.teacher)
    assert calibration.seconds(pupils) > 0
    assert len(taught) == calibrate.STEPS
    assert {count for count, _ in taught} == {2}
    shares = [share for _, share in taught]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] > 0.9
    assert not list(calibration.options.results.glob("**/*.json"))


@pytest.mark.parametrize(("method", "replayed"), [("kd", True), ("at", False)])
def test_where_a_bank_replays_a_slow_teacher_is_paid_once_per_view(
    calibration: Calibration, clock: HandClock, monkeypatch: pytest.MonkeyPatch, method: str, replayed: bool
) -> None:
    wish = run(method, "test_resnet")
    wish = wish.model_copy(update={"feed": wish.feed.model_copy(update={"bank": 2})})
    planned = next(one for one in make_plan([wish]).cohorts if one.feed.teacher)
    signals = Teacher.signals

    def slow(teacher: Teacher, *words: object) -> object:
        clock.sleep(1)
        return signals(teacher, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Teacher, "signals", slow)
    batches = calibration.supplies.loaders(planned.feed, calibration.supplies.data(planned.feed)).train.steps_per_epoch
    passes = calibration.seconds(planned) / batches  # over the data, with the teacher
    assert passes == pytest.approx(2 if replayed else planned.feed.epochs, rel=0.01)  # a bank has the last images too


def test_every_step_is_counted(calibration: Calibration, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    planned, teach = make_plan([run("scratch", "test_resnet")]).cohorts[0], Cohort.teach

    def slow(cohort: Cohort, *words: object) -> None:
        clock.sleep(1)
        teach(cohort, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Cohort, "teach", slow)
    lessons = calibration.supplies.loaders(planned.feed, calibration.supplies.data(planned.feed)).train
    assert calibration.seconds(planned) == pytest.approx(planned.feed.epochs * lessons.steps_per_epoch)
