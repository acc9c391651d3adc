"""Signals are changed field by field, none forgotten, in one order."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from fgkd.signals import Head, Signals

HEAD = Head(torch.ones(3, 2, requires_grad=True), None)


def full(rows: int = 4) -> Signals:
    """Every field given, maps and extras in no particular order."""
    draw = lambda *shape: torch.randn(rows, *shape, requires_grad=True)
    maps = {-1: draw(2, 1, 1), -3: draw(2, 4, 4)}
    return Signals(draw(3), draw(2), draw(2, 1, 1), maps, HEAD, {"b": draw(5), "a": draw(1)})


def tensors(signals: Signals) -> list[Tensor]:
    """In the order of the fields, of stages and of names."""
    maps = [group[key] for group in (signals.stages, signals.extras) for key in sorted(group)]
    return [x for x in (signals.logits, signals.pooled, signals.final, *maps) if x is not None]


def test_the_test_knows_every_field() -> None:
    assert all(getattr(full(), field.name) for field in fields(Signals) if field.name in ("stages", "extras", "head"))
    assert {field.name for field in fields(Signals)} == {"logits", "pooled", "final", "stages", "head", "extras"}


def test_every_tensor_is_changed_in_an_order_that_insertion_does_not_decide() -> None:
    given, seen = full(), []
    changed = given.mapped(lambda x: seen.append(x) or x[:1])  # type: ignore[func-returns-value]
    assert len(seen) == len(tensors(given)) == 7
    assert all(x is y for x, y in zip(seen, tensors(given), strict=True))
    assert [len(x) for x in tensors(changed)] == [1] * 7
    assert changed.head is HEAD


def test_several_signals_are_joined_field_by_field() -> None:
    parts = [full(4), full(4), full(1)]
    joined = parts[0].mapped(lambda *rows: torch.cat(rows), *parts[1:])
    for whole, *rows in zip(tensors(joined), *map(tensors, parts), strict=True):
        assert torch.equal(whole, torch.cat(rows))


def test_what_was_not_asked_for_stays_absent() -> None:
    assert Signals().mapped(pytest.fail) == Signals()  # type: ignore[arg-type]


def test_detached_signals_are_cut_off_with_their_head() -> None:
    cut = full().detached()
    assert cut.head is not None
    assert not any(x.requires_grad for x in [*tensors(cut), cut.head.weight])
