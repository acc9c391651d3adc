"""``fgkd latency``: time networks on this machine; those of recorded runs are kept beside the records."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from fgkd.choosing import find_run, holders, meant, suite_results
from fgkd.cli.print import print_json, print_table
from fgkd.cli.values import parse_device
from fgkd.errors import UserError
from fgkd.record import RunRecord, read_records
from fgkd.report.latency import Latency, key_of, write_latencies
from fgkd.report.sheet import number

if TYPE_CHECKING:
    import torch
    from torch import nn


def latency(args: Namespace) -> int:
    """Time what is named, or every network of a suite, print it, and keep what belongs to a suite.

    Raises:
        UserError: nothing is named, or something that is neither a run nor a network, or there is no such device.
    """
    import torch

    from fgkd.models.latency import threads

    if not args.names and args.suite is None:
        raise UserError("expected run ids, names of networks, or --suite NAME for every network of a suite")
    if args.batch_size < 1 or not args.seconds > 0 or (args.threads is not None and args.threads < 1):
        raise UserError("--batch-size, --seconds, --threads: expected numbers above 0")
    runs, names = _sorted_out(args)
    device = parse_device(args.device)
    measured: list[tuple[Path | None, Latency]] = []
    with threads(args.threads) as count, torch.random.fork_rng():
        for folder, record in runs:
            measured.append((folder, _timed(record, device, count, args)))
        measured += [(None, _timed_alone(name, device, count, args)) for name in names]
    for folder in {folder for folder, _ in measured if folder is not None}:
        write_latencies(folder, [row for place, row in measured if place == folder])
    _show([row for _, row in measured], as_json=args.json)
    return 0


def _sorted_out(args: Namespace) -> tuple[list[tuple[Path, RunRecord]], list[str]]:
    """The runs that are meant, one for each different network of a suite, and the names that are no runs."""
    anything = any((args.results / "records").glob("*.json")) or any(args.results.glob("*/records"))
    folders = suite_results(None, args.suite, args.results) if args.suite or anything else []
    if not args.names:
        return _different([(folder, r) for folder in folders for r in read_records(folder / "records")[0]]), []
    known = holders(folders)
    runs, others = [], []
    for name in args.names:
        if meant(name, known):
            runs.append(find_run(name, folders))
        else:
            others.append(name)
    return _different(runs), others


def _different(runs: Sequence[tuple[Path, RunRecord]]) -> list[tuple[Path, RunRecord]]:
    return list({(folder, key_of(r)): (folder, r) for folder, r in reversed(runs) if key_of(r) and r.data}.values())


def _timed(record: RunRecord, device: torch.device, count: int, args: Namespace) -> Latency:
    """The deployed network of a run, with random weights: how fast it is does not depend on what it has learnt."""
    from fgkd.export.rebuild import Logits, rebuild

    assert record.data, "runs without data facts were left out"
    network, _ = rebuild(record.spec, num_classes=record.data.classes, train_images=record.data.counts.get("train", 1))
    student = record.student
    assert student
    facts = (record.spec.student.name, student.img_size, student.param_count, student.macs or 0)
    return _latency(Logits(network), facts, device, count, args)


def _timed_alone(name: str, device: torch.device, count: int, args: Namespace) -> Latency:
    """A network that no run names, as timm makes it for a thousand classes."""
    from fgkd.export.rebuild import Logits
    from fgkd.models import cost, create_backbone
    from fgkd.models.check import native_size
    from fgkd.spec import BackboneSpec

    spec = BackboneSpec(name=name, weights="none", size=args.size)
    size = args.size or native_size(spec, otherwise=224)
    network = create_backbone(spec, num_classes=1000, view_size=size)
    price = cost(network, size)
    return _latency(Logits(network), (name, size, price.params, price.macs), device, count, args)


def _latency(
    network: nn.Module, facts: tuple[str, int, int, int], device: torch.device, count: int, args: Namespace
) -> Latency:
    from fgkd.models.latency import device_name, time_network

    timing = time_network(network, facts[1], batch_size=args.batch_size, device=device, seconds=args.seconds)
    return Latency(
        *facts,
        batch1_ms=round(timing.batch1_ms, 3),
        batch1_ms_p90=round(timing.batch1_ms_p90, 3),
        batch_size=args.batch_size,
        images_per_second=round(timing.images_per_second, 1),
        device=device_name(device),
        threads=count if device.type == "cpu" else 0,
        precision="fp32",
        torch=version("torch"),
        timm=version("timm"),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _show(rows: Sequence[Latency], *, as_json: bool) -> None:
    if as_json:
        print_json([vars(row) for row in rows])
        return
    header = ("network", "px", "params M", "ms of 1 image", "90 % below", "batch", "images/s")
    cells = [
        (
            row.student,
            str(row.img_size),
            number(row.param_count / 1e6, 2),
            number(row.batch1_ms, 2),
            number(row.batch1_ms_p90, 2),
            str(row.batch_size),
            number(row.images_per_second, 1),
        )
        for row in rows
    ]
    print_table(header, cells)
    for place in dict.fromkeys(row.place for row in rows):
        print(f"on {place}, from pixels to logits on the device")
