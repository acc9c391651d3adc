"""A bank is whole or absent, is built once, goes on where it stopped, and is that of one feed, teacher and data set."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch

from fgkd.data import ViewLoader
from fgkd.errors import UserError
from fgkd.files import alone
from fgkd.signals import Batch
from fgkd.spec import DatasetSpec, ViewSpec
from fgkd.teacher.bank import BankKey, NoRoom, SteadyTeacher, bank_folder, build, building, open_bank
from tests.teacher.bank.classroom import CLASSES, IMAGES, Room, draw, feed

ROWS = 2 * IMAGES
PASSES = -(-ROWS // 32)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path, feed())


class Cut(Exception):
    """The power goes."""


class Interrupted(ViewLoader):
    """Yields two batches, and no more."""

    def rows(self, rows: Any, batch_size: int) -> Iterator[Batch]:
        for number, batch in enumerate(super().rows(rows, batch_size)):
            if number == 2:
                raise Cut
            yield batch


def interrupt(room: Room) -> None:
    loader = Interrupted(room.data.train, room.feed.view, data_seed=room.feed.data_seed)
    with pytest.raises(Cut):
        build(room.key, room.steady, loader, room.cache)


def test_it_is_built_once_and_then_found(room: Room) -> None:
    said: list[str] = []
    first = build(room.key, room.steady, room.views(), room.cache, say=said.append)
    assert room.steady.forwards == PASSES
    again = build(room.key, room.steady, room.views(), room.cache, say=said.append)
    assert room.steady.forwards == PASSES + 1, "a look at whether it is still true"
    assert again.manifest == first.manifest
    assert first.manifest.seconds > 0
    assert f"2 views of {IMAGES} images (fp32" in said[0]
    assert "replayed from" in said[-1]


def test_its_size_is_the_one_foretold(room: Room) -> None:
    folder = room.bank().folder
    on_disk = sum((folder / f"{name}.npy").stat().st_size for name in ("logits", "pooled"))
    assert room.key.size == ROWS * (CLASSES + room.plain.shapes.pooled) * 4
    assert on_disk - room.key.size == 2 * 128, "NumPy's headers"
    assert room.key.model_copy(update={"stored": "fp16"}).size * 2 == room.key.size


def test_an_interrupted_build_goes_on(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "SAVE_EVERY", 0.0)
    interrupt(room)
    assert open_bank(room.cache, room.key) is None
    advanced: list[int] = []
    teacher = SteadyTeacher(room.plain, "fp32")
    bank = build(room.key, teacher, room.views(), room.cache, advance=advanced.append)
    assert advanced == [64, ROWS - 64]
    assert teacher.forwards == PASSES - 2
    whole = build(room.key, teacher, room.views(), tmp_path / "elsewhere")
    for name in ("logits.npy", "pooled.npy"):
        assert (bank.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert not list(bank.folder.parent.glob(".*.part"))


@pytest.mark.parametrize("harm", ["no note", "cut note", "lost array"])
def test_an_unreadable_draft_is_begun_anew(room: Room, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    monkeypatch.setattr(building, "SAVE_EVERY", 0.0)
    interrupt(room)
    (draft,) = bank_folder(room.cache, room.key).parent.glob(".*.part")
    if harm == "no note":
        (draft / "progress.json").unlink()
    elif harm == "cut note":
        (draft / "progress.json").write_text('{"key": ')
    else:
        (draft / "pooled.npy").unlink()
    teacher = SteadyTeacher(room.plain, "fp32")
    build(room.key, teacher, room.views(), room.cache)
    assert teacher.forwards == PASSES


def test_two_builders_build_one(room: Room) -> None:
    teachers = [SteadyTeacher(room.plain, "fp32") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        banks = list(pool.map(lambda t: build(room.key, t, room.views(), room.cache), teachers))
    assert sorted(teacher.forwards for teacher in teachers) == [1, PASSES]
    assert banks[0].manifest == banks[1].manifest


def test_who_finds_a_builder_at_work_says_so_and_waits(room: Room) -> None:
    told = Event()
    with ThreadPoolExecutor(1) as pool:
        with alone(bank_folder(room.cache, room.key)):
            say = lambda line: told.set() if "waiting for it" in line else None
            later = pool.submit(build, room.key, room.steady, room.views(), room.cache, say=say)
            assert told.wait(20)
            assert not later.done()
        assert later.result(20).manifest.key == room.key


def test_a_full_disk_is_told_before_anything_is_written(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 1000))
    with pytest.raises(NoRoom, match=r"it takes 0\.00 GB, .* more than are free below"):
        room.bank()
    assert room.steady.forwards == 0
    assert not list(bank_folder(room.cache, room.key).parent.glob(".*.part"))


def other_feeds() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "dataset", {"dataset": DatasetSpec(name="synthetic_birds", holdout=0.2)}
    yield "view", {"view": ViewSpec(size=32, augment="light")}
    yield "data_seed", {"data_seed": 1}
    yield "views", {"bank": 3}
    yield "stored", {"bank_precision": "fp16"}
    yield "autocast", {"precision": "bf16"}


@pytest.mark.parametrize(("field", "change"), other_feeds(), ids=[name for name, _ in other_feeds()])
def test_another_feed_has_another_bank(room: Room, field: str, change: dict[str, Any]) -> None:
    other = BankKey.of(feed(**change), room.data, room.plain)
    assert [n for n in BankKey.model_fields if getattr(other, n) != getattr(room.key, n)] == [field]
    assert bank_folder(room.cache, other) != bank_folder(room.cache, room.key)


@pytest.mark.parametrize("change", [{"epochs": 9}, {"batch_size": 8}, {"sampler": "balanced"}])
def test_a_feed_that_sees_the_same_views_shares_the_bank(room: Room, change: dict[str, Any]) -> None:
    assert BankKey.of(feed(**change), room.data, room.plain) == room.key


def test_file_names_need_not_be_utf_8(room: Room) -> None:
    """As archives of old leave them; a revision takes them, too."""
    paths = (Path(os.fsdecode(b"caf\xe9.jpg")), *room.data.train.paths[1:])
    renamed = replace(room.data, train=replace(room.data.train, paths=paths))
    assert BankKey.of(room.feed, renamed, room.plain).split != room.key.split


def test_other_data_or_weights_have_another_bank(room: Room) -> None:
    before = room.key
    changed = replace(room.data, revision="1" * 12)
    assert BankKey.of(room.feed, changed, room.plain).digest() != before.digest()
    fewer = replace(room.data, train=room.data.train.take(range(40)))
    assert BankKey.of(room.feed, fewer, room.plain).split != before.split
    with torch.no_grad():
        next(room.plain.network.parameters()).add_(1e-3)
    assert room.key.weights != before.weights


def harmed(folder: Path, harm: str) -> None:
    manifest = folder / "manifest.json"
    if harm == "other key":
        told = json.loads(manifest.read_text())
        told["key"]["data_seed"] = 5
        manifest.write_text(json.dumps(told))
    elif harm == "no json":
        manifest.write_text("{")
    elif harm == "short":
        (folder / "logits.npy").write_bytes((folder / "logits.npy").read_bytes()[:300])
    elif harm == "gone":
        (folder / "pooled.npy").unlink()
    else:
        np.save(folder / "logits.npy", np.zeros((ROWS, CLASSES), np.float64))


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        ("other key", "of another data_seed"),
        ("no json", "manifest.json cannot be read"),
        ("short", "logits.npy cannot be read"),
        ("gone", "pooled.npy cannot be read"),
        ("other type", r"should hold \(82, 3\) float32, and holds \(82, 3\) float64"),
    ],
)
def test_a_bank_that_is_not_what_it_should_be_is_refused(room: Room, harm: str, text: str) -> None:
    harmed(room.bank().folder, harm)
    with pytest.raises(UserError, match=f"{text}.*remove that folder"):
        room.bank()


def test_pictures_changed_since_are_noticed(room: Room) -> None:
    room.bank()
    for path in room.data.train.paths[:6]:
        draw(path, 99)
    with pytest.raises(UserError, match="does not hold what the teacher says now"):
        room.bank()


def test_a_folder_without_a_manifest_is_no_bank(room: Room) -> None:
    (room.bank().folder / "manifest.json").unlink()
    assert open_bank(room.cache, room.key) is None
    assert room.bank().signals(torch.tensor([0]), torch.tensor([1]), building.KEPT).logits is not None
