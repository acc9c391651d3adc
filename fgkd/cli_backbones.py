"""``fgkd backbones``: timm's networks as fgkd sees them."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from fgkd.cli_print import console, print_json, table
from fgkd.errors import UserError, unknown_name


def backbones(args: Namespace) -> int:
    """A table of timm networks; with a dot in the pattern, of pretrained weights."""
    import timm

    if args.limit < 1:
        raise UserError(f"--limit: expected 1 or more, found {args.limit}")
    tagged = "." in args.pattern
    names = timm.list_models(args.pattern, pretrained=tagged) or timm.list_models(
        f"*{args.pattern}*", pretrained=tagged
    )
    if not names:
        raise unknown_name("timm network", args.pattern, timm.list_models(pretrained=tagged))
    rows = [backbone_row(name) for name in names[: args.limit]]
    if args.json:
        print_json(rows)
        return 0
    _print_backbones(rows)
    if len(names) > args.limit:
        print(f"{len(names) - args.limit} more; narrow the pattern or raise --limit")
    return 0


def backbone_row(name: str) -> dict[str, Any]:
    """A network's size and input, and the channels of its stages; `unusable` says why where fgkd cannot read it."""
    import torch

    from fgkd.models.create import build, input_spec, pretrained_config
    from fgkd.models.stages import feature_info, stage_indices
    from fgkd.spec import BackboneSpec

    spec = BackboneSpec(name=name)
    side = int((pretrained_config(spec).get("input_size") or (3, 224, 224))[-1])
    try:
        with torch.device("meta"):
            net = build(spec, size=side)
        info, stages = feature_info(net), stage_indices(net)
    except (UserError, AttributeError) as error:
        return {"name": name, "unusable": str(error)}
    eyes = input_spec(net, spec, side)
    return {
        "name": name,
        "params": sum(parameter.numel() for parameter in net.parameters()),
        "size": side,
        "mean": list(eyes.mean),
        "std": list(eyes.std),
        "stages": {str(stage): [info[i]["num_chs"], info[i]["reduction"]] for stage, i in sorted(stages.items())},
    }


def _print_backbones(rows: list[dict[str, Any]]) -> None:
    lines = []
    for row in rows:
        if "unusable" in row:
            lines.append((row["name"], "", "", "", "", f"not usable: {row['unusable']}"))
            continue
        mean, std = (" ".join(f"{value:.3g}" for value in row[key]) for key in ("mean", "std"))
        stages = " ".join(f"{channels}/{reduction}" for channels, reduction in row["stages"].values())
        lines.append((row["name"], f"{row['params'] / 1e6:.2f} M", str(row["size"]), mean, std, stages))
    console().print(table(("network", "parameters", "size", "mean", "std", "stages: channels/stride"), lines))
