"""Prices of cohorts, and how one that would not fit is divided."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import torch
from rich.console import Console

from fgkd.plan import make_plan
from fgkd.plan_view import print_plan
from fgkd.price import BACKWARD, UNKEPT, Pricer, peak_bytes, price_network
from fgkd.spec import BackboneSpec, RunSpec
from fgkd.yardstick import PROBES, Yardstick, measure
from tests.train.room import run

PRICER = Pricer(lambda run: (5, 40))


def test_tensors_that_share_memory_are_kept_once() -> None:
    price = price_network(BackboneSpec(name="test_resnet"), 5, 32)
    kept: dict[int, int] = {}
    network = __import__("timm").create_model("test_resnet", num_classes=5).train()
    weights = {p.untyped_storage()._cdata for p in network.parameters()}
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(storage)
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        network(torch.zeros(8, 3, 32, 32))
    assert price.saved_bytes == pytest.approx(sum(kept.values()) / 8, rel=0.05)
    assert price.largest_bytes == pytest.approx(max(kept.values()) / 8, rel=0.05)


def specs(count: int) -> list[RunSpec]:
    return [run("kd", "test_resnet", seed=seed) for seed in range(count)]


def test_one_learner_more_costs_its_weights_and_not_its_activations() -> None:
    cohort = make_plan(specs(1)).cohorts[-1]
    student = PRICER.network(cohort.runs[0].student, 5, 32)
    one, two = (PRICER.cohort(make_plan(specs(n)).cohorts[-1]).bytes for n in (1, 2))
    assert two - one == 3 * 4 * student.params  # weights, momentum, the best weights
    teacher = PRICER.network(cohort.feed.teacher.backbone, 5, 32)  # type: ignore[union-attr]
    assert one > 4 * teacher.params + 8 * student.saved_bytes


def test_a_teacher_is_counted_once_and_keeps_nothing() -> None:
    planned = make_plan(specs(2)).cohorts[-1]
    price, student = PRICER.cohort(planned), PRICER.network(planned.runs[0].student, 5, 32)
    teacher = PRICER.network(planned.feed.teacher.backbone, 5, 32)  # type: ignore[union-attr]
    assert price.macs == price.images * (2 * BACKWARD * student.macs + teacher.macs)
    assert price.kept == pytest.approx(price.images * (2 * student.saved_bytes + UNKEPT * teacher.saved_bytes))
    assert price.kept_alone - price.kept == pytest.approx(price.images * UNKEPT * teacher.saved_bytes)


@pytest.mark.parametrize(("per_mac", "per_byte"), [(2e-11, 5e-10), (3e-12, 0.0)])
def test_the_yardstick_tells_arithmetic_and_memory_apart(
    monkeypatch: pytest.MonkeyPatch, per_mac: float, per_byte: float
) -> None:
    """On a machine that takes just so long for either."""

    def step(name: str, size: int, batch: int, device: torch.device, seconds: float) -> float:
        price = price_network(BackboneSpec(name=name), 10, size)
        return batch * (BACKWARD * price.macs * per_mac + price.saved_bytes * per_byte)

    monkeypatch.setattr("fgkd.yardstick._step_seconds", step)
    found = measure(torch.device("cpu"))
    assert (found.per_mac, found.per_byte) == pytest.approx((per_mac, per_byte), abs=1e-15)
    assert found.seconds(1e9, 1e9) == pytest.approx(1e9 * (per_mac + per_byte))


def test_the_yardstick_measures_this_machine() -> None:
    found = measure(torch.device("cpu"), 0.05)
    assert len(PROBES) == 2
    assert 0 < found.seconds(1e9, 1e9) < 1e3


def test_half_precision_takes_less() -> None:
    whole = specs(1)[0]
    half = whole.model_copy(update={"feed": whole.feed.model_copy(update={"precision": "bf16"})})
    price = PRICER.network(whole.student, 5, 32)
    assert peak_bytes([(half, price)], None) < peak_bytes([(whole, price)], None)


def test_a_cohort_that_does_not_fit_is_divided_in_order() -> None:
    planned = make_plan(specs(5)).cohorts[-1]
    two = PRICER.cohort(make_plan(specs(2)).cohorts[-1]).bytes
    parts = PRICER.parts(planned, two)
    assert [len(part.runs) for part in parts] == [2, 2, 1]
    assert [r for part in parts for r in part.runs] == list(planned.runs)
    assert [len(part.runs) for part in PRICER.parts(planned, 1)] == [1] * 5
    assert PRICER.parts(planned, None) == [planned]


def told(by: Yardstick | list[float], runs: int = 1, macs: float = 3e13) -> str:
    """What people read of a plan whose cohorts take so many MACs each."""
    plan, out = make_plan(specs(runs)), io.StringIO()
    prices = [replace(price, macs=macs, macs_alone=2 * macs, kept=0.0) for price in PRICER.plan(plan)]
    print_plan(plan, prices, by, Console(file=out, width=80))
    return out.getvalue()


def test_a_plan_is_told_in_words_without_exponents() -> None:
    text = told(Yardstick(1e-12, 0.0), runs=2)
    rows = [line.split() for line in text.splitlines()]
    assert rows[1][-5:-3] == ["30.000", "60.000"]
    assert rows[1][-2:] == ["30", "s"]
    assert "3 runs in 2 cohorts: 60.000 TMACs, about 1 min here (a rough guess from a one-second trial" in text
    assert "--calibrate tells better" in text
    assert "alone: those if each run were trained by itself; GiB: predicted peak memory\n" in text
    vast = told(Yardstick(1e-12, 0.0), macs=5.142e17)
    assert "1,028,400 TMACs, about 12 days here" in vast
    assert "e+" not in vast


def test_a_calibrated_plan_says_so_and_one_run_is_told_in_the_singular() -> None:
    text = told([5.0, 7.0])
    assert "about 12 s here (by the pace of 20 steps of each cohort)" in text
    assert "1: kd" in text
    empty, out = make_plan(specs(1), recorded={run_.run_id for run_ in specs(1)}), io.StringIO()
    print_plan(empty, [], [], Console(file=out, width=80))
    assert out.getvalue() == "1 run is recorded already and will not be run again\nnothing is left to run\n"
