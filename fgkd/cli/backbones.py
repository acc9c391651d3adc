"""``fgkd backbones``: timm's networks as fgkd sees them."""

from __future__ import annotations

from argparse import Namespace
from itertools import islice
from typing import TYPE_CHECKING, Any

from fgkd.cli.print import print_json, print_table
from fgkd.errors import UserError

if TYPE_CHECKING:
    from fgkd.models import BackboneRow

HEADER = ("network", "parameters", "size", "mean", "std", "stages: channels x side", "embedding")


def backbones(args: Namespace) -> int:
    """A table of timm networks; with a dot in the pattern, of pretrained weights."""
    from fgkd.models import list_backbones

    if args.limit < 1:
        raise UserError(f"--limit: expected 1 or more, found {args.limit}")
    found = list_backbones(args.pattern)
    rows = list(islice(found, args.limit))
    if args.json:
        print_json([_plain(row) for row in rows])
        return 0
    print_table(HEADER, [_cells(row) for row in rows])
    if next(found, None) is not None:
        print(f"There are more than {args.limit}: narrow the pattern or raise --limit.")
    return 0


def _plain(row: BackboneRow) -> dict[str, Any]:
    if row.input is None:
        return {"name": row.name, "problem": row.problem}
    return {
        "name": row.name,
        "params": row.params,
        "size": row.input.size,
        "mean": list(row.input.mean),
        "std": list(row.input.std),
        "stages": {str(stage): list(shape) for stage, shape in sorted(row.stages.items())},
        "pooled": row.pooled,
    }


def _cells(row: BackboneRow) -> tuple[str, ...]:
    if row.input is None:
        return (row.name, "", "", "", "", f"not usable: {row.problem}", "")
    mean, std = (" ".join(f"{value:.3g}" for value in values) for values in (row.input.mean, row.input.std))
    stages = " ".join(f"{channels}x{height}" for _, (channels, height, _) in sorted(row.stages.items()))
    return (row.name, f"{row.params / 1e6:.2f} M", str(row.input.size), mean, std, stages, str(row.pooled))
