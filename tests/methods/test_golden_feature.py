"""Feature and triplet losses against values that the authors' published code returned for the same inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fgkd.methods.feature import GaussianHead, attention_loss, hint_loss, selectivity_loss
from fgkd.methods.maps import sum_of
from fgkd.methods.review import context_loss
from fgkd.methods.triplet import logit_triplet_loss
from fgkd.methods.two_stage import boundary_losses, factor_loss, flow_loss

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def inputs(golden: Path) -> dict[str, Tensor]:
    """The tensors that the authors' code was given."""
    with np.load(golden / "values.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture(scope="module")
def values(golden: Path) -> dict[str, float]:
    """What it returned."""
    entries = json.loads((golden / "values.json").read_text())
    return {name: entry["value"] for name, entry in entries.items() if "value" in entry}


def stages(inputs: Mapping[str, Tensor], same: str = "_same") -> list[tuple[Tensor, Tensor]]:
    return [(inputs[f"student_stage{i}"], inputs[f"teacher_stage{i}{same}"]) for i in range(3)]


def check(found: Tensor, expected: float) -> None:
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_fitnet(inputs: dict[str, Tensor], values: dict[str, float]) -> None:
    check(hint_loss(*stages(inputs)[1]), values["fitnet_mse"])


def test_at(inputs: dict[str, Tensor], values: dict[str, float]) -> None:
    check(sum_of(attention_loss(*pair) for pair in stages(inputs, "")), values["at_sum_over_stages"])
    check(attention_loss(inputs["student_stage2"], inputs["teacher_stage2_big"]), values["at_resized"])


@pytest.mark.parametrize("channel_chunk", [5, 256])
def test_nst(inputs: dict[str, Tensor], values: dict[str, float], channel_chunk: int) -> None:
    losses = [selectivity_loss(*pair, channel_chunk=channel_chunk) for pair in stages(inputs, "")]
    check(sum_of(losses), values["nst_sum_over_stages"])


def test_vid(inputs: dict[str, Tensor], values: dict[str, float]) -> None:
    student, teacher = stages(inputs, "")[0]
    head = GaussianHead(student.shape[1], teacher.shape[1], init_variance=5.0, eps=1e-5)
    convs = [module for module in head.mean if isinstance(module, nn.Conv2d)]
    for conv, name in zip(convs, "abc", strict=True):
        conv.weight.data.copy_(inputs[f"vid_conv_{name}"])
    check(head(student, teacher), values["vid_stage0"])


def test_reviewkd(inputs: dict[str, Tensor], values: dict[str, float]) -> None:
    check(sum_of(context_loss(*pair) for pair in stages(inputs)), values["reviewkd_hcl"])


def test_ab(inputs: dict[str, Tensor], values: dict[str, float]) -> None:
    check(boundary_losses(stages(inputs)), values["ab_sum_over_stages"])


def test_fsp(inputs: dict[str, Tensor], values: dict[str, float]) -> None:
    student, teacher = zip(*stages(inputs), strict=True)
    check(flow_loss(student, teacher), values["fsp_sum"])


def test_ft(inputs: dict[str, Tensor], values: dict[str, float]) -> None:
    check(factor_loss(*stages(inputs, "")[2]), values["ft_l1_factor"])


def test_triplet(inputs: dict[str, Tensor], values: dict[str, float]) -> None:
    student = inputs["student_logits"]
    found = logit_triplet_loss(inputs["teacher_logits"], student, student.roll(1, 0), margin=5.0)
    check(found, values["triplet_oki_m5"])
