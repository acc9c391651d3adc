"""What is evaluated is what is counted and what is exported, for every method that deploys more than the student."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fgkd.errors import UserError
from fgkd.export.card import model_card
from fgkd.export.deployed import open_deployed
from fgkd.export.rebuild import Logits
from fgkd.methods import METHODS
from fgkd.metrics import summarise
from fgkd.models.cost import count_params
from fgkd.models.eyes import Eyes
from fgkd.models.store import WeightStore
from fgkd.record import unpack_predictions
from tests.export.conftest import FOLDED, KEPT, LABELS, Study

DEPLOYING = [*FOLDED, *KEPT]


def label_of(name: str) -> str:
    return LABELS.get(name, name)


def test_every_method_that_deploys_more_is_tried_here() -> None:
    assert {name for name in METHODS if METHODS.get(name)().deploys_more} <= {name.split("/")[0] for name in DEPLOYING}


@pytest.mark.parametrize("name", ["scratch", "kd", *DEPLOYING])
def test_the_rebuilt_network_is_the_one_that_was_evaluated(study: Study, name: str) -> None:
    deployed, (images, targets) = study.deployed(label_of(name)), study.images("kd")
    record = deployed.record
    with torch.no_grad():
        logits = Logits(deployed.network).eval()(Eyes(images, record.spec.feed.view.crop_pct).seen_by(deployed.sight))
    figures = summarise(logits, targets)
    assert logits.argmax(1).tolist() == unpack_predictions(str(record.predictions)).tolist()
    assert figures["top1"] == record.metric("top1")
    assert figures["nll"] == pytest.approx(record.metric("nll"), rel=1e-6)
    assert figures["ece"] == pytest.approx(record.metric("ece"), abs=1e-6)


@pytest.mark.parametrize("name", ["kd", *DEPLOYING])
def test_what_is_exported_gives_the_same_logits(study: Study, name: str, noise: Callable[[int], Tensor]) -> None:
    deployed = study.deployed(label_of(name))
    with torch.no_grad():
        ours, theirs = Logits(deployed.network).eval()(noise(5)), deployed.callable(noise(5))
    assert ours.abs().max() > 0.01
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["kd", *DEPLOYING])
def test_what_is_exported_is_what_was_counted(study: Study, name: str) -> None:
    deployed = study.deployed(label_of(name))
    assert deployed.record.student
    assert count_params(deployed.network) == deployed.record.student.param_count
    assert (deployed.plain is None) == (name in KEPT)
    assert deployed.folded == (name in FOLDED)
    page = model_card(deployed, [deployed.record], onnx=False)
    assert f"{deployed.record.student.param_count:,} parameters" in page
    if name in FOLDED:
        assert f"{deployed.params:,} parameters and gives the same logits" in page
    else:
        assert deployed.params == deployed.record.student.param_count


def test_a_kept_head_counts_although_it_never_learns(study: Study) -> None:
    extra = study.chosen("copy_head").record.student.param_count - study.chosen("kd").record.student.param_count
    width = {"student": 256, "teacher": 96}
    projector, head = width["student"] * width["teacher"] + width["teacher"], 25 * (width["teacher"] + 1)
    retired = 24 * (width["student"] + 1)  # all rows but one of the student's own
    assert extra == projector + head - retired


def test_teachers_are_exported_too(study: Study) -> None:
    deployed = study.deployed("teacher")
    assert deployed.plain is not None
    assert deployed.record.spec.role == "teacher"


def test_damaged_weights_are_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, store = study.chosen("kd"), study.store
    state = store.state(chosen.record.run_id)
    name = next(key for key in state if key.endswith("weight"))
    monkeypatch.setattr(store, "state", lambda run_id: state | {name: state[name] + 1})
    with pytest.raises(UserError, match="were damaged or replaced"):
        open_deployed(chosen, store)
    monkeypatch.setattr(store, "state", lambda run_id: {k: v for k, v in state.items() if k != name})
    with pytest.raises(UserError, match="do not fit the network of its spec"):
        open_deployed(chosen, store)


def test_weights_that_are_gone_are_said_to_be(study: Study, tmp_path: Path) -> None:
    """A recorded student counts as done, so `fgkd.distill` comes here though its cache was emptied."""
    chosen = study.chosen("kd")
    called = replace(chosen, record=chosen.record.model_copy(update={"suite": "distill-pets"}))
    with pytest.raises(UserError, match=r"its weights are not in .* fgkd\.distill with rerun=True"):
        open_deployed(called, WeightStore(tmp_path))
