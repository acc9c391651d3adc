"""Losses on logits, heads, relations and CRD against values that the authors' published code returned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fgkd.methods.adapters import FrozenHead
from fgkd.methods.base import Setting
from fgkd.methods.contrastive import CRD, CRDObjective
from fgkd.methods.embedding import embedding_distance, mean_gap
from fgkd.methods.head import compare_heads
from fgkd.methods.logit import KD, dist_loss, dkd_loss, kd_loss, nkd_loss, probability_mse
from fgkd.methods.relation import (
    RKD,
    correlation_loss,
    distance_relation_loss,
    probabilistic_loss,
    similarity_loss,
)
from fgkd.signals import Head, SignalShapes

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def given(golden: Path) -> dict[str, Tensor]:
    """The tensors that the authors' code was given."""
    with np.load(golden / "values.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture(scope="module")
def entries(golden: Path) -> dict[str, Any]:
    """What it returned, with the parameters."""
    return json.loads((golden / "values.json").read_text())


def check(found: Tensor | float, expected: float) -> None:
    found = found.item() if isinstance(found, Tensor) else found
    assert found == pytest.approx(expected, rel=1e-5)


def logits(given: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return given["student_logits"], given["teacher_logits"]


@pytest.mark.parametrize("name", ["kd_T1", "kd_T4"])
def test_kd(name: str, given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    check(kd_loss(*logits(given), temperature=entries[name]["temperature"]).mean(), entries[name]["value"])


def test_kd_mse(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    check(probability_mse(*logits(given), temperature=1.0).mean(), entries["kd_mse_probs"]["value"])


def test_kd_on_standardized_logits(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    method = KD(standardize=True, temperature=entries["ls_kd_T2"]["temperature"])
    check(method.compare(*logits(given), given["target"]).mean(), entries["ls_kd_T2"]["value"])


@pytest.mark.parametrize("name", ["dkd_a1_b8_T4", "dkd_a0.5_b0.5_T1"])
def test_dkd(name: str, given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    params = {key: entries[name][key] for key in ("alpha", "beta", "temperature")}
    check(dkd_loss(*logits(given), given["target"], **params).mean(), entries[name]["value"])


@pytest.mark.parametrize(("name", "temperature"), [("dist_T1", 1.0), ("dist_T4", 4.0)])
def test_dist(name: str, temperature: float, given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    check(dist_loss(*logits(given), beta=1.0, gamma=1.0, temperature=temperature), entries[name]["value"])


def test_nkd(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    entry = entries["nkd_g1.5_T1"]
    loss = nkd_loss(*logits(given), given["target"], gamma=entry["gamma"], temperature=entry["temperature"])
    check(loss.mean(), entry["value"])


def head_of(whose: str, given: dict[str, Tensor]) -> Head:
    return Head(given[f"{whose}_head_weight"], given[f"{whose}_head_bias"])


def test_teacher_head_on_the_student(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    through = FrozenHead(head_of("teacher", given))(given["student_pooled"])
    entry = entries["thkd_teacher_head_kl_T4"]
    check(kd_loss(through, given["teacher_logits"], temperature=entry["temperature"]).mean(), entry["value"])


def test_embedding_distance_is_the_sum_over_the_batch_size(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    found = embedding_distance(given["student_pooled"], given["teacher_pooled"])
    check(found * len(given["student_pooled"]), entries["kde_sum"]["value"])


def test_head_comparison(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    found = compare_heads(head_of("student", given), head_of("teacher", given))
    for group, prefix in (("head_cosine", "head_cos"), ("head_bias", "head_bias")):
        for key, value in entries[group].items():
            if key != "inputs":
                check(found.pop(f"{prefix}_{key}"), value)
    assert not found


def test_srrl_mean_gap(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    averages = (given[name].mean((2, 3)) for name in ("student_stage2", "teacher_stage2_same"))
    check(mean_gap(*averages), entries["srrl_mean_gap"]["value"])


def test_sp(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    check(similarity_loss(given["student_stage2"], given["teacher_stage2"]), entries["sp"]["value"])


def test_cc(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    found = correlation_loss(given["student_pooled"], given["teacher_pooled"])
    check(found, entries["cc_identity_embed"]["value"])


def test_rkd(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    entry = entries["rkd_25_50"]
    method = RKD(distance_weight=entry["distance_weight"], angle_weight=entry["angle_weight"])
    check(method.loss(given["student_pooled"], given["teacher_pooled"]), entry["value"])
    narrow = distance_relation_loss(given["student_pooled_narrow"], given["teacher_pooled"])
    check(25 * narrow, entries["rkd_distance_only"]["value"])


def test_pkt(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    found = probabilistic_loss(given["student_pooled_narrow"], given["teacher_pooled"])
    check(found, entries["pkt"]["value"])


def crd_objective(given: dict[str, Tensor], **params: Any) -> CRDObjective:
    """CRD with the embeddings and the banks of the golden run."""
    width = given["student_pooled"].shape[1]
    shapes = SignalShapes(num_classes=20, pooled=width, final=None, stages={})
    num_data, dim = given["crd_memory_student"].shape
    setting = Setting(shapes, 20, torch.arange(num_data) % 20, teacher=shapes)
    objective = CRD(dim=dim, num_negatives=given["crd_contrast_index"].shape[1] - 1, **params).build(setting)
    state = {
        f"embed_{net}.{kind}": given[f"crd_embed_{net[0]}_{kind}"]
        for net in ("student", "teacher")
        for kind in ("weight", "bias")
    }
    state |= {f"bank_{net}": given[f"crd_memory_{net}"] for net in ("student", "teacher")}
    objective.load_state_dict({**objective.state_dict(), **state})
    assert isinstance(objective, CRDObjective)
    return objective


def test_crd_over_two_steps(given: dict[str, Tensor], entries: dict[str, Any]) -> None:
    objective = crd_objective(given)
    batch = [given[k] for k in ("student_pooled", "teacher_pooled", "crd_index", "crd_contrast_index")]
    first, second = entries["crd_step1"], entries["crd_step2_same_batch"]
    check(objective.contrast(*batch), first["value"])
    check(objective.normaliser[0], first["z_student"])
    check(objective.normaliser[1], first["z_teacher"])
    check(objective.contrast(*batch), second["value"])
    check(objective.normaliser[0], first["z_student"])


def test_every_golden_entry_is_reproduced_somewhere(entries: dict[str, Any]) -> None:
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("test_golden*.py"))
    assert [name for name in entries if f'"{name}"' not in sources] == []
