"""Passes replayed from CUDA graphs: the same signals, the same learning."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fgkd.errors import UserErrors
from fgkd.methods.orthogonal import orthogonal_linear
from fgkd.models.surgery import Inserted
from fgkd.runner.check.preflight import check
from fgkd.runner.options import Options
from fgkd.signals import Needs, Signals
from fgkd.train import replay
from fgkd.train.engine import Engine
from tests.runner.bench_desk import Desk
from tests.train.room import Room, run

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
ALL = Needs(logits=True, pooled=True, final=True, stages=frozenset({-2, -1}), head=True)


def test_signals_come_back_from_plain_tensors(tmp_path: Path) -> None:
    room = Room(tmp_path)
    network, image = room.teacher.network.train(), torch.randn(2, 3, 32, 32, device=room.engine.device)
    flat = replay._Flat(network, ALL, nullcontext)
    tensors = flat(image)
    rebuilt = Signals(**replay._signals(dict(zip(flat.names, tensors, strict=True))))
    assert rebuilt.head is None
    assert rebuilt.stages.keys() == {-2, -1}
    for name in ("logits", "pooled", "final"):
        assert getattr(rebuilt, name) is tensors[flat.names.index((name, None))]
    assert rebuilt.stages[-1] is tensors[flat.names.index(("stages", -1))]


def test_what_cannot_be_captured_is_left_as_it_is() -> None:
    assert replay.can_replay(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    assert not replay.can_replay(nn.Sequential(nn.Linear(2, 2), orthogonal_linear(2, 3)))
    assert not replay.can_replay(nn.Sequential(Inserted.__new__(Inserted)))


def test_without_a_gpu_nothing_is_replayed_and_who_asks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    options = Options(data_root=tmp_path, results=tmp_path, cache=tmp_path, compile=True, cuda_graphs=True)
    with pytest.raises(UserErrors, match=r"(?s)expected a CUDA device, found none.*choose one"):
        check([run("scratch")], options, tmp_path)


def test_a_cpu_replays_nothing() -> None:
    assert Engine(replays=True).replays is torch.cuda.is_available()


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """What was captured, where a capture is no more than the passes that it takes and a replay a pass."""
    found: list[nn.Module] = []

    def capture(flat: nn.Module, images: tuple[Tensor, ...], **_: object) -> nn.Module:
        found.append(flat)
        for _number in range(3):
            torch.stack([x.sum() for x in flat(*images)]).sum().backward()
        flat.zero_grad(set_to_none=True)
        return flat

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", capture)
    return found


@pytest.mark.parametrize("method", ["scratch", "kd+crd", "fitnet", "copy_head", "srrl"])
def test_capturing_leaves_no_trace_and_what_is_replayed_teaches(
    tmp_path: Path, captured: list[nn.Module], method: str
) -> None:
    spec = run(method, "test_resnet", ema=0.9)
    plain, replaying = Room(tmp_path / "plain"), Room(tmp_path / "replaying")
    replaying.engine.replays = True
    hashes = plain.train([spec])
    assert not captured
    assert replaying.train([spec]) == hashes
    assert len(captured) == 1


def test_the_flag_reaches_every_learner(
    tmp_path: Path, captured: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Willing(Engine):
        def __init__(self, *args: Any, replays: bool = False, **more: Any) -> None:
            super().__init__(*args, **more)
            self.replays = replays

    monkeypatch.setattr("fgkd.runner.session.Engine", Willing)
    monkeypatch.setattr("fgkd.runner.check.preflight._graph_problems", lambda options: [])
    launched, replaying = (Desk(tmp_path / name, ("scratch", "kd")) for name in ("launched", "replaying"))
    launched.folder.mkdir()
    replaying.folder.mkdir()
    assert launched.bench() == 0
    assert not captured
    assert replaying.bench("--cuda-graphs") == 0
    assert len(captured) == 3  # the teacher learns too
    assert replaying.records() == launched.records()


@on_cuda
@pytest.mark.parametrize("method", ["scratch", "kd", "fitnet", "kd+crd", "copy_head", "th_kd", "simkd"])
def test_a_learner_learns_alike(tmp_path: Path, method: str) -> None:
    spec = run(method, "test_resnet", ema=0.9)
    sides = [Room(tmp_path / str(replays), replays=replays).cohort([spec]) for replays in (False, True)]
    assert sides[0].learners[0].pupil.look is None
    assert sides[1].learners[0].pupil.look is not None
    before = [{k: v.clone() for k, v in side.learners[0].network.state_dict().items()} for side in sides]
    for name, value in before[0].items():
        assert torch.equal(value, before[1][name]), name  # capturing moved nothing
    for side in sides:
        side.run()
        assert side.learners[0].status == "ok", side.learners[0].reason
    theirs = sides[0].learners[0].evaluated.state_dict()
    for name, value in sides[1].learners[0].evaluated.state_dict().items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=1e-4)
    assert any(
        not torch.equal(value, before[1][name]) for name, value in sides[1].learners[0].network.state_dict().items()
    )


class _Forgetful(nn.Module):
    def forward(self, image: Tensor, needs: Needs) -> Signals:
        return Signals(logits=nn.functional.dropout(image.flatten(1), 0.5, self.training))


@on_cuda
def test_what_is_drawn_at_random_is_the_same(tmp_path: Path) -> None:
    """A graph draws from the stream of the learner whose it is, a new draw in every step."""
    network = _Forgetful().cuda().train()
    image = torch.ones(4, 3, 8, 8, device="cuda")
    look = replay.replayed(network, Needs(logits=True), image, nullcontext)
    torch.manual_seed(3)
    replayed = [look(image).logits.clone() for _ in range(3)]  # type: ignore[union-attr]
    torch.manual_seed(3)
    plain = [network(image, Needs(logits=True)).logits for _ in range(3)]
    assert not torch.equal(plain[0], plain[1])
    for ours, theirs in zip(replayed, plain, strict=True):
        assert torch.equal(ours, theirs)
