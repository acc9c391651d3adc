"""The ``fgkd`` command: its parser, and what becomes of errors. Commands import what they need when they run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from fgkd import __version__
from fgkd.errors import UserError

FAILED, MISTAKEN, INTERRUPTED = 1, 2, 130  # exit codes: runs failed, the user can mend it, Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0: done; 1: some runs failed, or a board is out of date; 2: something for the user to mend, told in one message;
    130: interrupted.
    """
    try:
        args = build_parser().parse_args(argv)
        module, function = args.run.split(":")
        return int(getattr(import_module(module), function)(args) or 0)
    except UserError as error:
        _say(str(error))
        return MISTAKEN
    except KeyboardInterrupt:
        _say("interrupted; the same command continues where this one stopped")
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as stop:  # --help, --version
        return int(stop.code or 0)


def _say(message: str) -> None:
    if int(os.environ.get("RANK", "0")) > 0:  # all processes of a launch meet the same error: one tells it
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("fgkd: ", "bold red"), message), soft_wrap=True)


class _Parser(argparse.ArgumentParser):
    """Reports its errors as the rest of the package does, and takes no shortened flags."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command."""
    parser = _Parser(
        prog="fgkd",
        description="Which distillation method, with which student, should shrink your large timm model?",
        epilog="Start with: fgkd bench --suite quickstart --dry-run",
    )
    parser.add_argument("--version", action="version", version=f"fgkd {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _bench(commands)
    _plan(commands)
    _board(commands)
    _methods(commands)
    _backbones(commands)
    _data(commands)
    return parser


def _command(commands: Any, name: str, run: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    return command


def _bench(commands: Any) -> None:
    text = "run a suite: whatever has no record yet; then regenerate its board"
    command = _command(commands, "bench", "fgkd.cli.bench:bench", text)
    _grid(command)
    _places(command)
    _execution(command)
    command.add_argument("--dry-run", action="store_true", help="show the plan, as fgkd plan does; train nothing")
    command.set_defaults(json=False)
    command.add_argument("--list", action="store_true", help="list the suites and stop")


def _plan(commands: Any) -> None:
    text = "show what a suite would run: cohorts, order, memory, estimated cost; train nothing"
    command = _command(commands, "plan", "fgkd.cli.bench:plan", text)
    _grid(command)
    _places(command)
    _execution(command)
    _json(command)


def _grid(command: argparse.ArgumentParser) -> None:
    command.add_argument("--suite", metavar="NAME", help="a suite of benchmarks/, or the path of a .yaml file")
    names = "A,B"
    for axis in ("datasets", "teachers", "students", "methods", "seeds"):
        command.add_argument(
            f"--{axis}", metavar=names, help=f"only these {axis} of the suite; names or patterns like vit_*"
        )
    command.add_argument("--epochs", type=int, metavar="N", help="short for --set epochs=N")
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


def _places(command: argparse.ArgumentParser) -> None:
    _data_root(command)
    _results(command)
    command.add_argument("--weights", type=Path, metavar="DIR", help="folder of weight files (default: $FGKD_WEIGHTS)")
    command.add_argument("--cache", type=Path, metavar="DIR", help="default: $FGKD_CACHE, else the user's cache folder")


def _execution(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rerun", action="store_true", help="run again what has a record already")
    command.add_argument(
        "--shard", metavar="I/N", help="the I-th of N parts of the suite, I from 0: for several machines"
    )
    command.add_argument(
        "--workers", type=int, metavar="N", help="data loading processes (default: by device and CPUs)"
    )


def _data_root(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data-root", type=Path, metavar="DIR", help="folder of data sets (default: $FGKD_DATA, else ./data)"
    )


def _results(command: argparse.ArgumentParser) -> None:
    command.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: ./results")


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def _board(commands: Any) -> None:
    text = "regenerate leaderboard.csv, summary.csv and README.md from records, and show the board"
    command = _command(commands, "board", "fgkd.cli.board:board", text)
    command.add_argument("folder", nargs="?", type=Path, help="a results folder, or one suite's folder in it")
    command.add_argument("--suite", metavar="NAME", help="a suite with results")
    _results(command)
    command.add_argument(
        "--check", action="store_true", help="change nothing; exit code 1 where files and records disagree"
    )
    command.add_argument("--svg", type=Path, metavar="FILE", help="also draw the board as a picture")
    _json(command)


def _methods(commands: Any) -> None:
    command = _command(
        commands, "methods", "fgkd.cli.methods:methods", "list the methods, or show the parameters of one"
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="a method, or a sum such as kd+crd")
    command.add_argument("--markdown", action="store_true", help="print the page docs/methods.md")
    _json(command)


def _backbones(commands: Any) -> None:
    text = "list timm networks: parameters, input size, normalisation, feature stages"
    command = _command(commands, "backbones", "fgkd.cli.backbones:backbones", text)
    command.add_argument(
        "pattern", metavar="PATTERN", help="such as 'resnet*' or 'vit_tiny*.*' (with a dot: pretrained weights)"
    )
    command.add_argument("--limit", type=int, default=30, metavar="N", help="show at most N (default: 30)")
    _json(command)


def _data(commands: Any) -> None:
    command = commands.add_parser(
        "data", help="list, show and check data sets", description="List, show and check data sets."
    )
    actions = command.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = _command(actions, "list", "fgkd.cli.data:list_data", "list the data sets that have a card")
    _data_root(listing)
    _json(listing)
    show = _command(
        actions, "show", "fgkd.cli.data:show_data", "show a data set's card: protocols, layout, how to get it"
    )
    show.add_argument("name", metavar="NAME")
    check = _command(actions, "check", "fgkd.cli.data:check_data", "open data sets and count their images")
    check.add_argument("names", nargs="+", metavar="NAME", help="a card's name, or folder:PATH, table:PATH")
    check.add_argument("--protocol", default="default")
    _data_root(check)
    check.add_argument("--cache", type=Path, metavar="DIR", help="default: $FGKD_CACHE, else the user's cache folder")
