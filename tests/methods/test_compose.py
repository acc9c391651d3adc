"""From a suite's words to methods: forms, defaults, sums, weights, and all mistakes at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from toy import World

from fgkd.errors import UserError, UserErrors
from fgkd.methods import METHODS
from fgkd.methods.compose import Composed, build_method, method_spec
from fgkd.signals import Head, Needs
from fgkd.spec import MethodPart, MethodSpec


def problems_of(value: Any) -> list[str]:
    with pytest.raises(UserErrors) as caught:
        method_spec(value)
    return caught.value.problems


def test_a_name_means_its_defaults_spelt_out() -> None:
    spec = method_spec("kd")
    params = {"ce_weight": 0.1, "kd_weight": 0.9, "standardize": False, "temperature": 4.0}
    assert spec == MethodSpec(label="kd", parts=(MethodPart(name="kd", params=params),))


def test_a_mapping_gives_parameters_and_a_label() -> None:
    spec = method_spec({"method": "th_kd", "form": "paper", "name": "mine"})
    assert spec.label == "mine"
    assert spec.parts[0].params["head_weight"] == 0.5
    assert method_spec("th_kd").parts[0].params["head_weight"] == 0.02


def test_defaults_that_depend_on_a_choice_are_spelt_out() -> None:
    params = method_spec({"method": "sdd", "base": "dkd", "base_params": {"beta": 6}}).parts[0].params
    assert params["cells"] == "sum"
    assert params["base_params"] == {"alpha": 1.0, "beta": 6, "temperature": 4.0}
    params = method_spec("sdd").parts[0].params
    assert (params["cells"], params["base_params"]) == ("mean", {"temperature": 4.0})


@pytest.mark.parametrize("wrong", [{"base": ["kd"]}, {"base_params": None}, {"base_params": [1]}])
def test_choices_of_the_wrong_kind_are_told(wrong: dict) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        method_spec({"method": "sdd", **wrong})


def test_a_sum_takes_parameters_below_its_parts() -> None:
    entry = {"method": "kd + crd", "kd": {"temperature": 2}, "crd": {"dim": 64}, "weights": {"crd": 0.5}, "name": "x"}
    spec = method_spec(entry)
    assert [(p.name, p.params.get("temperature")) for p in spec.parts] == [("kd", 2.0), ("crd", 0.07)]
    assert spec.parts[1].params["dim"] == 64
    assert spec.weights == {"crd": 0.5}


def test_equal_words_mean_equal_specs() -> None:
    assert (
        method_spec("kd") == method_spec({"method": "kd", "temperature": 4}) == method_spec({"method": "kd", "kd": {}})
    )


def test_a_single_part_is_passed_through() -> None:
    assert build_method(method_spec("dkd")) == METHODS.get("dkd")()
    assert isinstance(build_method(method_spec({"method": "dkd", "weights": {"ce": 2}})), Composed)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("k_d", ["unknown method 'k_d'; did you mean kd"]),
        ({"method": "kd", "temprature": 2}, ["kd.temprature: unknown parameter; did you mean temperature?"]),
        ({"method": "kd", "temperature": -1}, ["kd.temperature: expected greater than 0, found -1"]),
        ({"method": "kd", "temperature": "hot"}, ["kd.temperature: expected a valid number"]),
        ({"method": "kd", "temperature": float("inf")}, ["kd.temperature: expected a finite number, found inf"]),
        ({"method": "kd", "temperature": "Infinity"}, ["kd.temperature: expected a finite number, found 'Infinity'"]),
        ({"method": "kd", "temperature": True}, ["kd.temperature: is no switch; expected another kind of value"]),
        ({"method": "crd", "dim": True}, ["crd.dim: is no switch"]),
        ({"method": "th_kd", "form": "code"}, ["th_kd.form: expected 'released' or 'paper', found 'code'"]),
        ({"method": "th_kd", "form": "paper", "head_weight": 2}, ["th_kd: head_weight: form paper mixes two heads"]),
        ({"method": "th_kd", "form": "paper", "head_weight": 1}, ["th_kd: head_weight: form paper at 1 teaches"]),
        ({"method": "th_kde", "form": "paper", "head_weight": 1}, ["th_kde: head_weight: form paper at 1 teaches"]),
        ({"method": "kd+kd"}, ["kd: named 2 times"]),
        ({"method": "ab", "init_epochs": 240}, ["ab.init_epochs: expected less than 240, found 240"]),
        ({"method": "kd+crd", "temperature": 2}, ["temperature: expected a part (kd, crd)"]),
        ({"method": "kd+crd", "kd": 3}, ["kd: expected a mapping of parameters, found 3"]),
        (
            {"method": "kd+crd", "weights": {"crb": 1}},
            ["weights.crb: unknown term; did you mean crd? known: ce, kd, crd"],
        ),
        ({"method": "kd+crd", "weights": {"crd": -1}}, ["weights.crd: expected a number >= 0, found -1"]),
        ({"method": "kd+crd", "weights": 0.5}, ["weights: expected a mapping"]),
        ({"name": "nothing"}, ["method: expected a name such as kd or kd+crd, found None"]),
        ({"method": "kd", "name": 7}, ["name: expected a label, found 7"]),
        ({"method": "sdd", "base": "dkd", "base_params": {"gamma": 1}}, ["sdd: base_params: expected some of alpha"]),
        (
            {"method": "sdd", "base_params": {"temperature": 0}},
            ["sdd: base_params.temperature: Input should be greater"],
        ),
        (
            {"method": "sdd", "base_params": {"temperature": float("inf")}},
            ["sdd: base_params.temperature: Input should be a finite number"],
        ),
        ({"method": "sdd", "base_params": {"temperature": "inf"}}, ["sdd: base_params.temperature: Input should be a"]),
        ({"method": "sdd", "scales": [0]}, ["sdd: scales: expected distinct whole numbers"]),
    ],
    ids=str,
)
def test_a_mistake_is_named_with_its_path(value: Any, expected: list[str]) -> None:
    found = problems_of(value)
    assert len(found) == len(expected)
    assert all(start in text for start, text in zip(expected, found, strict=True)), found


def test_all_mistakes_are_reported_together() -> None:
    entry = {"method": "kd+crdd", "kd": {"temprature": 2, "ce_weight": -1}, "extra": 1}
    assert len(problems_of(entry)) == 4


def test_build_refuses_what_no_suite_has_checked() -> None:
    with pytest.raises(UserErrors, match="unknown term"):
        build_method(MethodSpec(label="x", parts=(MethodPart(name="kd"),), weights={"crd": 1.0}))


def terms_of(value: Any, seed: int = 3) -> dict[str, float]:
    world, method = World(), build_method(method_spec(value))
    return {name: term.item() for name, term in world.pupil(method, seed).terms(world.lesson(method, 6)).items()}


def test_a_sum_counts_cross_entropy_once_from_its_first_part() -> None:
    smooth, kd, both = (terms_of(name) for name in ("label_smoothing", "kd", "label_smoothing+kd"))
    assert both == {"ce": smooth["ce"], "kd": kd["kd"]}


def test_equal_names_are_told_apart() -> None:
    kd, th, both = terms_of("kd"), terms_of("th_kd"), terms_of("kd+th_kd")
    assert both == {"ce": kd["ce"], "kd.kd": kd["kd"], "th_kd.kd": th["kd"], "th_kd": th["th_kd"]}


def test_weights_multiply_terms() -> None:
    plain = terms_of("kd+rkd")
    weighted = terms_of({"method": "kd+rkd", "weights": {"rkd": 0.5, "ce": 3}})
    assert weighted["rkd"] == pytest.approx(0.5 * plain["rkd"])
    assert weighted["ce"] == pytest.approx(3 * plain["ce"])
    assert weighted["kd"] == plain["kd"]


def test_needs_are_united() -> None:
    method = build_method(method_spec("kd+sp+crd"))
    assert method.student_needs == Needs(logits=True, pooled=True, stages=frozenset({-1}))
    assert method.teacher_needs == Needs(logits=True, pooled=True, stages=frozenset({-1}))
    assert method.name == "kd+sp+crd"
    assert "arXiv:1910.10699" in method.paper


def test_state_is_kept_under_the_parts_names() -> None:
    world, method = World(), build_method(method_spec("ctkd+crd"))
    keys = world.pupil(method).objective.state_dict()
    assert {key.split(".")[0] for key in keys} == {"ctkd", "crd"}
    assert "ctkd.theta" in keys


def test_problems_readouts_and_diagnostics_are_merged() -> None:
    world = World(teacher="normed")
    method = build_method(method_spec("sdd+simkd"))
    problems = method.problems(world.setting)
    assert [p.split(":")[0] for p in problems] == ["sdd", "simkd"]
    world, method = World(teacher="student"), build_method(method_spec("th_kd+srrl+ctkd"))
    pupil, lesson = world.pupil(method), world.lesson(method, 4)
    assert set(pupil.objective.readouts(pupil.see(lesson))) == {"teacher_head", "mixed", "srrl.teacher_head"}
    diagnostics = pupil.objective.diagnostics(Head(torch.ones(5, 10), torch.ones(5)))
    assert {"ctkd_temperature", "head_cos_mean", "head_bias_l2"} <= set(diagnostics)


def test_students_are_reshaped_in_the_parts_order() -> None:
    world, method = World(), build_method(method_spec({"method": "simkd+th_kd", "th_kd": {"inference_weight": 0.5}}))
    network = world.pupil(method).network
    assert type(network).__name__ == "TwoHeads"
    assert type(network.inner).__name__ == "SimKDStudent"
    assert method.deploys_more


@pytest.mark.parametrize("replacing", ["copy_head", "simkd"])
def test_a_classifier_that_stays_is_not_replaced_later(replacing: str) -> None:
    mixed = {"th_kd": {"inference_weight": 0.5}}
    with pytest.raises(UserErrors, match=f"th_kd: deploys the student's own .* and {replacing}, after it, .* last"):
        method_spec({"method": f"th_kd+{replacing}", **mixed})
    assert build_method(method_spec(f"th_kd+{replacing}"))  # at 0 it deploys no head
    method = build_method(method_spec({"method": f"{replacing}+th_kd", **mixed}))
    world = World()
    assert all(torch.isfinite(term) for term in world.pupil(method).terms(world.lesson(method, 4)).values())


@pytest.mark.parametrize("sum_", ["copy_head+simkd", "simkd+copy_head"])
def test_one_part_brings_the_classifier(sum_: str) -> None:
    with pytest.raises(UserErrors, match="each replaces the student's classifier; keep one"):
        method_spec(sum_)


def test_a_later_part_sees_what_an_earlier_one_made_of_the_student() -> None:
    """The copied head brings the embedding to the teacher's width, so the second head needs no projector."""
    world = World()
    method = build_method(method_spec({"method": "copy_head+th_kd", "th_kd": {"inference_weight": 0.5}}))
    pupil = world.pupil(method)
    assert pupil.network.shapes.pooled == world.teacher_net.shapes.pooled != world.student_net.shapes.pooled
    assert not [*pupil.network.teacher_head.parameters()]
    terms = pupil.terms(world.lesson(method, 4))
    assert all(torch.isfinite(term) for term in terms.values())
