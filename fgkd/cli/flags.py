"""Flags that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

FILTERS = ("datasets", "teachers", "students", "methods", "seeds", "data_seeds")  # a flag for every axis of a suite
# what may be said for a run, see `fgkd.choosing`
RUN = "as `fgkd board --runs` lists them; its beginning or its hash's will do"


def command(commands: Any, name: str, run: str, text: str) -> argparse.ArgumentParser:
    """A command that calls ``run``, a function as ``module:name``."""
    made: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    made.set_defaults(run=run)
    return made


def filled(text: str) -> str:
    """Text that names something."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a name, found nothing")
    return text


def side(text: str, most: int = 1024) -> int:
    """Pixels that an image's side may have, see `fgkd.spec.ViewSpec`."""
    if not text.isdecimal() or not 16 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected px from 16 to {most}, found {text!r}")
    return int(text)


def network_side(text: str) -> int:
    """The same of what a network is shown, see `fgkd.spec.BackboneSpec`."""
    return side(text, 2048)


def grid(command: argparse.ArgumentParser) -> None:
    """Which cells of which suite, and changed settings."""
    command.add_argument("--suite", metavar="NAME", help="a suite of benchmarks/, or the path of a .yaml file")
    names = "A,B"
    for axis in FILTERS:
        axis_named = axis.replace("_", " ")
        command.add_argument(
            f"--{axis.replace('_', '-')}",
            metavar=names,
            help=f"only these {axis_named} of the suite; names or patterns like vit_*",
        )
    command.add_argument("--epochs", type=int, metavar="N", help="short for --set epochs=N")
    text = "show every image in V fixed views and ask the teacher once for all: short for --set bank=V"
    command.add_argument("--bank", type=int, metavar="V", help=text)
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting, such as recipe.lr=0.01, view.size=96, teacher.train.epochs=5, students=[resnet18]",
    )
    command.add_argument(
        "--mixed_precision",
        "--mixed-precision",
        metavar="no|bf16|fp16",
        help="default: as accelerate launch set it, else no",
    )


def places(command: argparse.ArgumentParser) -> None:
    """Where data, results, weights and the cache lie."""
    data_root(command)
    results(command)
    command.add_argument("--weights", type=Path, metavar="DIR", help="folder of weight files (default: $FGKD_WEIGHTS)")
    cache(command)


def execution(command: argparse.ArgumentParser) -> None:
    """How a suite is run; nothing that changes a result."""
    again = command.add_mutually_exclusive_group()
    again.add_argument("--rerun", action="store_true", help="run again what has a record already")
    again.add_argument(
        "--retry-failed", action="store_true", help="run again what is recorded as failed, diverged or out of memory"
    )
    command.add_argument(
        "--checkpoint-every",
        default="5m",
        metavar="TIME",
        help="how often a cohort's state is saved: 90s, 5m, 1h, or off (default: 5m)",
    )
    command.add_argument(
        "--memory",
        metavar="SIZE",
        help="what a cohort may take, such as 8GB; larger ones are trained in parts (default: what is free)",
    )
    command.add_argument(
        "--compile",
        action="store_true",
        help="let torch compile the students; slow to start, numbers differ by rounding, records say so",
    )
    command.add_argument(
        "--cuda-graphs",
        action="store_true",
        help="on a GPU, replay the students' passes instead of launching every kernel: for small ones; takes memory",
    )
    command.add_argument(
        "--shard", metavar="I/N", help="the I-th of N parts of the suite, I from 0: for several machines"
    )
    command.add_argument(
        "--workers", type=int, metavar="N", help="data loading processes (default: by device and CPUs)"
    )
    command.add_argument(
        "--track",
        metavar="NAMES",
        help="give every learner's curve to trackers: tensorboard, wandb, trackio, ... (default: none)",
    )


def per_class(command: argparse.ArgumentParser) -> None:
    """One run by classes."""
    command.add_argument("--per-class", metavar="RUN_ID", help=f"show one run's classes, worst first, instead; {RUN}")
    command.add_argument("--limit", type=int, default=20, metavar="N", help="of --per-class; 0: all (default: 20)")
    data_root(command)
    cache(command)


def board_pictures(command: argparse.ArgumentParser) -> None:
    """What a board may have besides."""
    command.add_argument(
        "--plots", action="store_true", help="also draw its charts as PNG and SVG, into plots/ (needs fgkd[plots])"
    )
    command.add_argument(
        "--thumbnails",
        action="store_true",
        help="also write report-thumbnails.html, with images from --data-root that most runs get wrong",
    )


def lone_teacher(command: argparse.ArgumentParser) -> None:
    """A teacher that no suite names, used as it is."""
    group = command.add_argument_group("a teacher of no suite")
    group.add_argument("--backbone", metavar="NAME", help="a timm name; its weights: --weights FILE, or run:RUN_ID")
    group.add_argument("--dataset", type=filled, metavar="NAME", help="what it should classify")
    group.add_argument("--protocol", default="default", help="of the data set")
    group.add_argument("--size", type=side, metavar="PX", help="of the images (default: the network's own)")
    group.add_argument("--gate", type=float, metavar="SHARE", help="to exceed (default: see docs/teachers.md)")
    command.add_argument("--workers", type=int, metavar="N", help="data loading processes (default: none)")
    command.set_defaults(track=None, rerun=False, retry_failed=False, shard=None, checkpoint_every="off")
    command.set_defaults(memory=None, compile=False, cuda_graphs=False)


def data_root(command: argparse.ArgumentParser) -> None:
    """Where data sets lie."""
    command.add_argument(
        "--data-root", type=Path, metavar="DIR", help="folder of data sets (default: $FGKD_DATA, else ./data)"
    )


def cache(command: argparse.ArgumentParser) -> None:
    """Where weights, drawn sets, decoded pictures and verdicts are kept."""
    command.add_argument("--cache", type=Path, metavar="DIR", help="default: $FGKD_CACHE, else the user's cache folder")


def results(command: argparse.ArgumentParser) -> None:
    """Where records and boards lie."""
    command.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: ./results")


def as_json(command: argparse._ActionsContainer) -> None:
    """Print for programs."""
    command.add_argument("--json", action="store_true", help="print JSON")
