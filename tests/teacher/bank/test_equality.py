"""A bank says what the teacher says: bit for bit in fp32 on a CPU, to rounding in fp16, whoever sits in the cohort."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fgkd.models.eyes import Eyes
from fgkd.signals import Needs
from fgkd.spec import BackboneSpec, TeacherSpec
from fgkd.teacher.bank import SteadyTeacher, build
from tests.teacher.bank.classroom import CLASSES, IMAGES, Room, feed

KEPT = Needs(logits=True, pooled=True)
METHODS = ["kd", "th_kd", {"method": "crd", "num_negatives": 8}]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_cohort_learns_from_the_bank_what_it_learns_live(tmp_path: Path, precision: str) -> None:
    room = Room(tmp_path, feed(bank_precision=precision))
    specs = [room.run(method) for method in METHODS]
    live = room.train(specs, room.steady)
    assert room.steady.forwards == 3 * (IMAGES // 12)
    bank, replayer = room.bank(), SteadyTeacher(room.plain, room.feed.bank_precision)
    assert room.train(specs, replayer, bank) == live
    assert replayer.forwards == 0, "with a bank nobody asks the teacher in training"


def test_at_the_bank_s_own_batch_size_a_plain_teacher_says_the_same(tmp_path: Path) -> None:
    room = Room(tmp_path, feed(batch_size=32))
    assert room.train([room.run("kd")], room.plain, None) == room.train([room.run("kd")], room.plain, room.bank())


def test_half_precision_learns_something_else_than_single(tmp_path: Path) -> None:
    half, single = (Room(tmp_path / p, feed(bank_precision=p)) for p in ("fp16", "fp32"))
    assert half.train([half.run("kd")], half.steady) != single.train([single.run("kd")], single.steady)


def test_a_neighbour_who_needs_maps_changes_nothing(tmp_path: Path) -> None:
    room = Room(tmp_path, feed(bank_precision="fp16"))
    beside = room.train([room.run("kd"), room.run("at"), room.run("crd")], room.steady)
    alone = room.train([room.run("kd")], room.steady, room.bank())
    assert beside["kd"] == alone["kd"]


@pytest.mark.parametrize("sampler", ["shuffle", "balanced"])
def test_every_row_is_replayed_in_its_own_view(tmp_path: Path, sampler: str) -> None:
    room = Room(tmp_path, feed(sampler=sampler, bank=3))
    bank, seen = room.bank(), set()
    for epoch in range(4):
        for batch in room.lessons().epoch(epoch):
            live, stored = room.steady.signals(Eyes(batch.image), KEPT), bank.signals(batch.index, batch.views, KEPT)
            assert torch.equal(live.logits, stored.logits)
            assert torch.equal(live.pooled, stored.pooled)
            seen |= set(zip(batch.index.tolist(), batch.views.tolist(), strict=True))
    assert {view for _, view in seen} == {0, 1, 2}


@pytest.mark.parametrize("name", ["mobilenetv2_100", "resnet18", "convnext_atto", "vit_tiny_patch16_224"])
def test_what_is_said_of_an_image_does_not_depend_on_its_companions(tmp_path: Path, name: str) -> None:
    room = Room(tmp_path, feed(teacher=TeacherSpec(backbone=BackboneSpec(name=name, size=32))))
    image = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    whole = room.steady.signals(Eyes(image), KEPT)
    for rows in (torch.arange(40).flip(0), torch.arange(5), torch.tensor([17]), torch.arange(3, 40, 2)):
        part = room.steady.signals(Eyes(image[rows]), KEPT)
        assert torch.equal(part.logits, whole.logits[rows])
        assert torch.equal(part.pooled, whole.pooled[rows])


def test_a_plain_teacher_s_last_bits_do_depend_on_the_batch(tmp_path: Path) -> None:
    """The reason for passes of equal size; where this fails, the reason is gone."""
    room = Room(tmp_path, feed(teacher=TeacherSpec(backbone=BackboneSpec(name="mobilenetv2_100", size=32))))
    image = torch.randint(0, 256, (32, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    whole, one = (room.plain.signals(Eyes(x), KEPT).logits for x in (image, image[:1]))
    if torch.equal(whole[:1], one):
        pytest.skip("on this processor the kernels of one image and of 32 agree")
    assert torch.allclose(whole[:1], one, atol=1e-3)


def test_half_precision_costs_a_loss_less_than_a_thousandth(tmp_path: Path) -> None:
    room = Room(tmp_path, feed())
    exact, half = (SteadyTeacher(room.plain, precision) for precision in ("fp32", "fp16"))
    batch = next(iter(room.lessons().epoch(0)))
    true, rounded = (t.signals(Eyes(batch.image), KEPT) for t in (exact, half))
    assert not torch.equal(true.logits, rounded.logits)
    assert torch.allclose(true.logits, rounded.logits, rtol=2**-11, atol=2**-24)
    assert torch.allclose(true.pooled, rounded.pooled, rtol=2**-11, atol=2**-24)
    student = torch.randn(12, CLASSES, generator=torch.Generator().manual_seed(0))
    log_student = (student / 4).log_softmax(1)
    loss = lambda teacher: F.kl_div(log_student, (teacher.logits / 4).softmax(1), reduction="batchmean").item()
    assert loss(rounded) == pytest.approx(loss(true), rel=1e-3)


def test_numbers_beyond_half_precision_become_its_largest_in_both(tmp_path: Path) -> None:
    room = Room(tmp_path, feed(bank_precision="fp16"))
    with torch.no_grad():
        room.plain.network.net.get_classifier().bias.fill_(1e6)
    told = room.steady.signals(Eyes(torch.zeros(3, 3, 32, 32, dtype=torch.uint8)), KEPT).logits
    assert told.tolist() == [[65504.0] * CLASSES] * 3
    said: list[str] = []
    bank = build(room.key, room.steady, room.views(), room.cache, say=said.append)
    assert bank.manifest.clamped == 2 * IMAGES * CLASSES
    assert any("bank_precision: fp32" in line for line in said)
    assert torch.equal(bank.signals(torch.tensor([0, 1, 2]), torch.tensor([0, 0, 1]), KEPT).logits, told)
