"""The data set cards, damaged."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from fgkd.data.card import card_folder, dataset_names, parse_card
from fgkd.errors import UserError
from tests.fuzz.mutants import damaged, fuzz, mutants

TEXTS = {name: (card_folder() / f"{name}.md").read_text(encoding="utf-8") for name in dataset_names()}


def read_or_refuse(text: str, name: str) -> None:
    """Read and ask for what users of a card ask for; anything but a UserError is a defect."""
    try:
        card = parse_card(text, name, f"{name}.md")
    except UserError as error:
        message = str(error)
    else:
        for protocol in ("default", *card.fgkd.protocols):
            assert card.protocol(protocol)
            assert card.num_classes(protocol) >= 1
        return
    assert message.startswith(f"{name}.md:")


@fuzz
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_damaged_text(name: str, data: st.DataObject) -> None:
    read_or_refuse(data.draw(damaged(TEXTS[name])), name)


@fuzz
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_damaged_values(name: str, data: st.DataObject) -> None:
    _, front, body = TEXTS[name].split("---\n", 2)
    value: Any = data.draw(mutants(yaml.safe_load(front)))
    read_or_refuse(f"---\n{yaml.safe_dump(value, allow_unicode=True)}---\n{body}", name)
