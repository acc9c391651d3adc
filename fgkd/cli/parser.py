"""The parser of the ``fgkd`` command: one function for each command, none of which imports what it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from fgkd import __version__
from fgkd.cli import flags
from fgkd.errors import UserError


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
    _submit(commands)
    _board(commands)
    _watch(commands)
    _compare(commands)
    _latency(commands)
    _methods(commands)
    _backbones(commands)
    _data(commands)
    _teacher(commands)
    _export(commands)
    _predict(commands)
    _distill(commands)
    _schema(commands)
    return parser


def _bench(commands: Any) -> None:
    text = "run a suite: whatever has no record yet; then regenerate its board"
    command = flags.command(commands, "bench", "fgkd.cli.bench:bench", text)
    flags.grid(command)
    flags.places(command)
    flags.execution(command)
    command.add_argument("--dry-run", action="store_true", help="show the plan, as fgkd plan does; train nothing")
    command.set_defaults(json=False, calibrate=False)
    command.add_argument("--list", action="store_true", help="list the suites and stop")


def _plan(commands: Any) -> None:
    text = "show what a suite would run: cohorts, order, memory, estimated cost; train nothing"
    command = flags.command(commands, "plan", "fgkd.cli.bench:plan", text)
    flags.grid(command)
    flags.places(command)
    flags.execution(command)
    text = "take 20 steps of each cohort first, to tell the hours from them"
    command.add_argument("--calibrate", action="store_true", help=text)
    flags.as_json(command)


def _submit(commands: Any) -> None:
    text = "hand a suite to a cluster, as one job for each of its parts (needs submitit)"
    command = flags.command(commands, "submit", "fgkd.cli.submit:submit", text)
    flags.grid(command)
    flags.places(command)
    flags.execution(command)
    group = command.add_argument_group("jobs")
    group.add_argument("--shards", type=int, required=True, metavar="N", help="how many jobs")
    group.add_argument("--cluster", choices=("slurm", "local"), default="slurm", help="local: this machine")
    group.add_argument("--logs", type=Path, default=Path("logs"), metavar="DIR", help="default: ./logs")
    group.add_argument("--hours", type=float, default=24.0, metavar="H", help="limit of a job (default: 24)")
    group.add_argument("--gpus", type=int, default=1, metavar="N", help="of each job (default: 1)")
    group.add_argument("--cpus", type=int, default=8, metavar="N", help="of each job (default: 8)")
    group.add_argument(
        "--slurm", action="append", default=[], metavar="KEY=VALUE", help="such as partition=gpu, account=me, mem=32G"
    )
    group.add_argument("--wait", action="store_true", help="return when all jobs have ended")


def _board(commands: Any) -> None:
    text = "regenerate leaderboard.csv, summary.csv, README.md and report.html from records, and show the board"
    command = flags.command(commands, "board", "fgkd.cli.board:board", text)
    command.add_argument("folder", nargs="?", type=Path, help="a results folder, or one suite's folder in it")
    command.add_argument("--suite", metavar="NAME", help="a suite with results")
    flags.results(command)
    command.add_argument(
        "--check", action="store_true", help="change nothing; exit code 1 where files and records disagree"
    )
    command.add_argument("--runs", action="store_true", help="list the recorded runs by their ids instead")
    command.add_argument("--svg", type=Path, metavar="FILE", help="also draw the board as a picture")
    flags.board_pictures(command)
    flags.per_class(command)
    flags.as_json(command)


def _compare(commands: Any) -> None:
    text = "hold one recorded run against another: paired test, classes, images on which they differ, costs"
    command = flags.command(commands, "compare", "fgkd.cli.compare:compare", text)
    command.add_argument("first", metavar="RUN_A", help=flags.RUN)
    command.add_argument("second", metavar="RUN_B", help="the run that is held against it")
    command.add_argument("--suite", metavar="NAME", help="look among this suite's records alone")
    command.add_argument("--limit", type=int, default=10, metavar="N", help="classes and images; 0: all (default: 10)")
    flags.results(command)
    flags.data_root(command)
    flags.cache(command)
    flags.as_json(command)


def _latency(commands: Any) -> None:
    text = "time networks on this machine: one image, and throughput; for runs, kept in results/SUITE/latency/"
    command = flags.command(commands, "latency", "fgkd.cli.latency:latency", text)
    command.add_argument("names", nargs="*", metavar="NAME", help=f"timm networks, or runs: {flags.RUN}")
    command.add_argument("--suite", metavar="NAME", help="every different network of a suite's records, or look there")
    command.add_argument("--batch-size", type=int, default=64, metavar="N", help="of the throughput (default: 64)")
    command.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1 (default: cuda where there is one)")
    command.add_argument("--threads", type=int, metavar="N", help="on a CPU (default: as torch has them)")
    command.add_argument("--seconds", type=float, default=2.0, metavar="S", help="to measure for, each (default: 2)")
    text = "of the images of a timm network (default: its own)"
    command.add_argument("--size", type=flags.network_side, metavar="PX", help=text)
    flags.results(command)
    flags.as_json(command)


def _watch(commands: Any) -> None:
    text = "follow suites while they run: cohorts, epochs, losses, time left, what was recorded; Ctrl-C stops looking"
    command = flags.command(commands, "watch", "fgkd.cli.watch:watch", text)
    command.add_argument("--suite", metavar="NAME", help="this suite alone")
    flags.results(command)
    command.add_argument("--once", action="store_true", help="print what is known now, and stop")
    command.add_argument("--every", type=float, default=2.0, metavar="S", help="seconds between two looks (default: 2)")


def _methods(commands: Any) -> None:
    command = flags.command(
        commands, "methods", "fgkd.cli.methods:methods", "list the methods, or show the parameters of one"
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="a method, or a sum such as kd+crd")
    command.add_argument("--markdown", action="store_true", help="print the page docs/methods.md")
    flags.as_json(command)


def _backbones(commands: Any) -> None:
    text = "list timm networks: parameters, input size, normalisation, feature stages"
    command = flags.command(commands, "backbones", "fgkd.cli.backbones:backbones", text)
    command.add_argument(
        "pattern", metavar="PATTERN", help="such as 'resnet*' or 'vit_tiny*.*' (with a dot: pretrained weights)"
    )
    command.add_argument("--limit", type=int, default=30, metavar="N", help="show at most N (default: 30)")
    flags.as_json(command)


def _data(commands: Any) -> None:
    command = commands.add_parser(
        "data", help="list, show, prepare and check data sets", description="List, show, prepare and check data sets."
    )
    actions = command.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = flags.command(actions, "list", "fgkd.cli.data:list_data", "list the data sets that have a card")
    flags.data_root(listing)
    flags.as_json(listing)
    show = flags.command(
        actions, "show", "fgkd.cli.data:show_data", "show a data set's card: protocols, layout, how to get it"
    )
    show.add_argument("name", metavar="NAME")
    _data_prepare(actions)
    _data_cache(actions)
    text = "examine every file: broken, odd and duplicated images, counts; training uses the verdict"
    check = flags.command(actions, "check", "fgkd.cli.data_check:check_data", text)
    check.add_argument(
        "names", nargs="+", type=flags.filled, metavar="NAME", help="a card's name, or folder:PATH, table:PATH"
    )
    check.add_argument("--protocol", default="default")
    check.add_argument("--workers", type=int, metavar="N", help="decoding processes (default: one per core)")
    check.add_argument("--quick", action="store_true", help="headers and file ends only, as before a first training")
    flags.as_json(check)
    flags.data_root(check)
    flags.cache(check)


def _teacher(commands: Any) -> None:
    text = "train a suite's teachers, check whether one may teach, list those in the cache"
    command = commands.add_parser("teacher", help=text, description=f"{text[0].upper()}{text[1:]}.")
    actions = command.add_subparsers(title="commands", metavar="COMMAND", required=True)
    text = "train, measure and record the teachers of a suite, and nothing else"
    train = flags.command(actions, "train", "fgkd.cli.teacher:train_teachers", text)
    flags.grid(train)
    flags.places(train)
    flags.execution(train)
    text = "measure teachers on the hold-out, and compare them with what they have to exceed; exit code 1: refused"
    check = flags.command(actions, "check", "fgkd.cli.teacher:check_teachers", text)
    flags.grid(check)
    flags.places(check)
    flags.lone_teacher(check)
    flags.as_json(check)
    listing = flags.command(actions, "list", "fgkd.cli.teacher:list_teachers", "list the trained teachers in the cache")
    flags.cache(listing)
    flags.as_json(listing)


def _export(commands: Any) -> None:
    text = "write a recorded run as a folder that timm loads (ONNX where timm lacks its layers)"
    command = flags.command(commands, "export", "fgkd.cli.export:export", text)
    command.add_argument("run_id", metavar="RUN_ID", help=flags.RUN)
    command.add_argument("--to", type=Path, required=True, metavar="DIR", help="new, empty, or an earlier export")
    command.add_argument("--suite", metavar="NAME", help="look among this suite's records alone")
    command.add_argument("--onnx", action="store_true", help="write model.onnx too (needs the extra onnx)")
    command.add_argument(
        "--verify", action="store_true", help="load the folder again and measure it; exit code 1 unless as recorded"
    )
    command.add_argument("--push", metavar="OWNER/NAME", help="upload it to the Hugging Face hub")
    command.add_argument("--private", action="store_true", help="make the hub's repository private, where it is new")
    flags.results(command)
    flags.data_root(command)
    flags.cache(command)


def _predict(commands: Any) -> None:
    text = "tell what pictures show, by an exported student: file, class, probability; exit code 1: some are unreadable"
    command = flags.command(commands, "predict", "fgkd.cli.predict:predict", text)
    command.add_argument("folder", type=Path, metavar="DIR", help="what fgkd export or fgkd distill --to wrote")
    text = "pictures, or folders of them, looked through with all folders in them"
    command.add_argument("pictures", nargs="+", type=Path, metavar="FILE_OR_FOLDER", help=text)
    command.add_argument("--top", type=int, default=1, metavar="K", help="classes of each picture (default: 1)")
    command.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1 (default: cuda where there is one)")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print CSV: a line for each picture and class")
    flags.as_json(form)


def _data_prepare(actions: Any) -> None:
    text = "put a data set in place, from archives, folders or a copy on the Hugging Face hub; safe to interrupt"
    command = flags.command(actions, "prepare", "fgkd.cli.data_prepare:prepare_data", text)
    command.add_argument("name", metavar="NAME", help="of a card, see fgkd data list")
    command.add_argument(
        "--from",
        dest="sources",
        nargs="+",
        action="append",
        default=[],
        metavar="PATH",
        help="tar or zip archives, folders, single files, all that are needed together; or hub (the copy pinned on the "
        "card), hub:OWNER/NAME@REVISION, hub:FOLDER",
    )
    how = command.add_mutually_exclusive_group()
    for mode, what in (("copy", "copied (default)"), ("link", "linked, and stay"), ("move", "moved")):
        text = f"files of folders are {what}"
        how.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, default="copy", help=text)
    command.add_argument(
        "--accept-checksum",
        action="append",
        default=[],
        metavar="HASH",
        help="take a file with this checksum, although the card states another",
    )
    flags.data_root(command)
    flags.cache(command)
    flags.as_json(command)


def _data_cache(actions: Any) -> None:
    text = "decode a data set's images once, for views with that shorter_side to read; or list or remove such caches"
    command = flags.command(actions, "cache", "fgkd.cli.data_cache:cache_data", text)
    text = "a card's name, or folder:PATH, table:PATH"
    command.add_argument("name", nargs="?", type=flags.filled, metavar="NAME", help=text)
    command.add_argument("--size", type=int, metavar="PX", help="shorter side: a suite's view.shorter_side")
    command.add_argument("--protocol", default="default")
    command.add_argument(
        "--dry-run", action="store_true", help="tell the size, or what --remove would take; change nothing"
    )
    command.add_argument("--list", action="store_true", help="list the caches and stop")
    command.add_argument("--remove", action="store_true", help="remove the data set's caches, or that of --size")
    command.add_argument("--threads", type=int, metavar="N", help="default: one for each core")
    flags.data_root(command)
    flags.cache(command)


def _schema(commands: Any) -> None:
    text = "print a format as JSON Schema: of records, of suite files, or of the front matter of cards"
    command = flags.command(commands, "schema", "fgkd.cli.schema:schema", text)
    command.add_argument("format", choices=("record", "suite", "card"))


def _distill(commands: Any) -> None:
    text = "fine-tune a teacher on your images and distil it into a student, in one go"
    command = flags.command(commands, "distill", "fgkd.cli.distill:distill", text)
    command.add_argument("data", metavar="FOLDER", help="a folder of images, a table of them, or a data set's name")
    entry = "a timm name, or a mapping as in suites, such as '{backbone: resnet50.a1_in1k, train: {epochs: 10}}'"
    command.add_argument("--teacher", metavar="NAME", help=f"{entry}; none for methods without one")
    command.add_argument(
        "--student", required=True, metavar="NAME", help="likewise; without a tag, from random weights"
    )
    command.add_argument("--method", default="kd", metavar="NAME", help="see fgkd methods (default: kd)")
    command.add_argument("--epochs", type=int, default=60, metavar="N", help="of the student (default: 60)")
    command.add_argument("--batch-size", type=int, metavar="N", help="default: 64, or less for few images")
    command.add_argument("--size", type=flags.side, metavar="PX", help="side of the images (default: 224)")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    command.add_argument("--mixed_precision", "--mixed-precision", metavar="no|bf16|fp16")
    command.add_argument("--to", type=Path, metavar="DIR", help="export the student there, as fgkd export does")
    command.add_argument("--onnx", action="store_true", help="export model.onnx too")
    command.add_argument("--rerun", action="store_true", help="train again what is recorded, teacher included")
    command.add_argument("--workers", type=int, metavar="N", help="data loading processes (default: by device)")
    flags.places(command)
