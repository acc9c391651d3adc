"""``fgkd distill``: `fgkd.distill` from the command line."""

from __future__ import annotations

import shlex
from argparse import Namespace
from typing import Any

from fgkd.cli.print import next_step
from fgkd.cli.wording import in_flags
from fgkd.errors import UserError, UserErrors
from fgkd.places import parse_precision, weights_folder, writable
from fgkd.yaml_places import parse_yaml

PLACES = ("results", "cache", "data_root")  # flags that the next command needs too


def distill(args: Namespace) -> int:
    """Distil, say where the evidence is, and export where asked; what is wrong is told in the words of the flags."""
    with in_flags():
        return _distill(args)


def _distill(args: Namespace) -> int:
    entries = _entries(args)
    _check_export(args)
    from fgkd.api.distilling import distill

    done = distill(
        args.data,
        **entries,
        epochs=args.epochs,
        batch_size=args.batch_size,
        seed=args.seed,
        view={} if args.size is None else {"size": args.size},
        results=args.results,
        cache=args.cache,
        data_root=args.data_root,
        weights=weights_folder(args.weights and args.weights.expanduser(), "--weights"),
        workers=args.workers,
        precision=parse_precision(args.mixed_precision, "--mixed_precision"),
        rerun=args.rerun,
    )
    measured = "" if done.top1 is None else f" test top-1 {100 * done.top1:.2f} %;"
    print(f"{done.record.run_id}:{measured} records and board in {done.folder}")
    if args.to is not None:
        print(f"exported to {done.export(args.to, onnx=args.onnx)}")
        print(next_step(args.to))
    else:
        places = [
            f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
            for name in PLACES
            if (value := getattr(args, name)) is not None
        ]
        print(f"next: fgkd export {done.record.run_id} {' '.join(places)} --to DIR --verify")
    return 0


def _check_export(args: Namespace) -> None:
    """UserError where what is asked for after the training could not be written then."""
    if args.to is None:
        if args.onnx:
            raise UserError("--onnx: expected --to DIR as well, the folder to export to")
        return
    from fgkd.export.onnx_file import require_onnx
    from fgkd.export.placing import staging_folder
    from fgkd.export.writing import check_target

    check_target(args.to)
    writable(staging_folder(args.to), "--to")
    if args.onnx:
        require_onnx()


def _entries(args: Namespace) -> dict[str, Any]:
    """Teacher, student and method: names, or mappings as suites write them."""
    found, problems = {}, []
    for key in ("teacher", "student", "method"):
        document = parse_yaml(text) if (text := getattr(args, key)) is not None else None
        value = None if document is None else document.value
        problems += [f"--{key}: {fault.text}" for fault in document.faults] if document else []
        found[key] = value if isinstance(value, dict) or value is None else text
    if problems:
        raise UserErrors(problems)
    return found
