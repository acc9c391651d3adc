"""``fgkd export``: a recorded run as a folder that timm, or an ONNX runtime, loads."""

from __future__ import annotations

from argparse import Namespace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from fgkd.cli.print import next_step
from fgkd.errors import UserError
from fgkd.places import cache_folder, data_root

if TYPE_CHECKING:
    from torch import Tensor

    from fgkd.data import ImageData
    from fgkd.export.choice import Chosen
    from fgkd.export.verify import Check
    from fgkd.export.writing import Exported


def export(args: Namespace) -> int:
    """Write the folder, then verify and push it where asked; 1 where it does not measure as recorded."""
    from fgkd.export.choice import choose_run
    from fgkd.export.push import check_repository, push
    from fgkd.export.writing import check_target, export_run
    from fgkd.models.store import WeightStore

    check_target(args.to)
    if args.push:
        check_repository(args.push)
    store = WeightStore(cache_folder(args.cache) / "weights")
    chosen = choose_run(args.run_id, args.results, store, args.suite)
    data = _data(chosen, args)
    images = [] if data is None else _first_images(chosen, data)
    exported = export_run(chosen, args.to, store, onnx=args.onnx, images=images)
    _tell(exported, real=bool(images))
    if args.verify and not _verified(args.to, chosen, data):
        return 1
    if args.push:
        print(f"pushed: {push(args.to, exported.deployed, args.push, private=args.private)}")
    print(next_step(args.to))
    return 0


def _data(chosen: Chosen, args: Namespace) -> ImageData | None:
    """The run's data; None where it is not here and nothing that was asked for needs it."""
    from fgkd.export.verify import open_test

    if args.verify and chosen.record.metric("top1") is None:
        raise UserError(f"--verify compares top-1, and the record of {chosen.record.run_id} has none; leave it out")
    try:
        return open_test(chosen.record, data_root(args.data_root), cache_folder(args.cache))
    except UserError as error:
        if args.verify:
            raise UserError(f"--verify measures on the test split: {error}") from None
        return None


def _first_images(chosen: Chosen, data: ImageData) -> list[Tensor]:
    from fgkd.export.verify import squares

    return [image[:8] for image, _ in islice(squares(chosen.record, data), 1)]


def _tell(exported: Exported, *, real: bool) -> None:
    from fgkd.export.onnx_file import NAME as ONNX_NAME

    folder, deployed = exported.folder, exported.deployed
    run_id = deployed.record.run_id
    if deployed.plain is not None:
        print(f"{run_id} -> {folder}: timm.create_model('local-dir:{folder}', pretrained=True)")
    else:
        written = exported.difference is not None
        print(
            f"{run_id} -> {folder}: plain timm cannot load it, for {deployed.obstacle}; "
            f"use {f'{folder / ONNX_NAME} or ' if written else ''}fgkd.load('{folder}')"
            f"{'' if written or exported.onnx_problem else '; with the extra fgkd[onnx] it is exported as ONNX too'}"
        )
    if exported.onnx_problem:
        print(f"there is no ONNX file: {exported.onnx_problem}")
    if deployed.folded:
        print("the method's linear layers were folded into the classifier; the logits are the same but for rounding")
    if exported.difference is not None:
        on = "noise and test images" if real else "noise (the test images are not here)"
        print(f"ONNX and torch differ by {exported.difference:.1g} of the largest logit at most, on {on}")


def _verified(folder: Path, chosen: Chosen, data: ImageData | None) -> bool:
    from fgkd.export.verify import verify

    assert data is not None
    checks = verify(folder, chosen.record, data)
    for check in checks:
        print(_verdict(check, chosen))
    return all(check.passed for check in checks)


def _verdict(check: Check, chosen: Chosen) -> str:
    found = f"{check.loader}: test top-1 {check.top1!r}, recorded {check.recorded!r}"
    where = chosen.record.environment
    recorded_on = f"; recorded on {where.device} in precision {where.precision}"
    return f"{found}: equal" if check.passed else f"{found}: NOT EQUAL{recorded_on}"
