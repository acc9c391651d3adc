"""``fgkd data``: what data sets there are, what their cards say."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from fgkd.cli.print import console, print_json, print_table
from fgkd.places import data_root
from fgkd.spec import DatasetSpec


def list_data(args: Namespace) -> int:
    """Every data set that has a card, and whether it is there."""
    from fgkd.data import dataset_names

    rows = [_row(name, args) for name in dataset_names()]
    if args.json:
        print_json(rows)
        return 0
    lines = []
    for row in rows:
        counts = [_blank(row["counts"].get(split)) for split in ("train", "val", "test")]
        lines.append(
            (row["name"], str(row["num_classes"]), *counts, "yes" if row["present"] else "no", row["pretty_name"])
        )
    print_table(("data set", "classes", "train", "val", "test", "here", "about"), lines)
    print(f"Looked for in {data_root(args.data_root)}; fgkd data show NAME tells how to get one.")
    return 0


def _row(name: str, args: Namespace) -> dict[str, Any]:
    from fgkd.data import problems, read_card

    card = read_card(name)
    protocol, rules = card.protocol("default")
    return {
        "name": name,
        "pretty_name": card.pretty_name,
        "num_classes": card.fgkd.num_classes,
        "protocol": protocol,
        "protocols": list(card.fgkd.protocols),
        "counts": dict(rules.counts),
        "present": not problems(DatasetSpec(name=name), data_root(args.data_root)),
        "license": card.license,
    }


def _blank(count: int | None) -> str:
    return "" if count is None else str(count)


def show_data(args: Namespace) -> int:
    """A data set's card, for reading."""
    from rich.markdown import Markdown

    from fgkd.data import read_card

    card, out = read_card(args.name), console()
    out.print(f"{card.name}: {card.pretty_name}; {card.fgkd.num_classes} classes; licence {card.license}", markup=False)
    for protocol, rules in card.fgkd.protocols.items():
        counts = ", ".join(f"{split} {count}" for split, count in rules.counts.items())
        out.print(f"protocol {protocol}: {rules.description} {counts and f'({counts} images)'}", markup=False)
    out.print(
        f"layout: {card.fgkd.layout.strip()}\norigin: {card.fgkd.origin}\n{card.fgkd.download.strip()}\n", markup=False
    )
    out.print(Markdown(card.text))
    return 0
