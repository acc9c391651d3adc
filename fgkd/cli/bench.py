"""``fgkd bench`` and ``fgkd plan``: from flags to runs to the runner."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fgkd.cli.flags import FILTERS
from fgkd.cli.print import console, print_json, print_table
from fgkd.cli.values import parse_memory, parse_period, parse_shard
from fgkd.errors import UserError, answer_all
from fgkd.places import cache_folder, data_root, parse_precision, weights_folder, writable
from fgkd.spec import RunSpec
from fgkd.suite import Filters, Suite, load_suite, suite_names, suite_path
from fgkd.suite.check import Known
from fgkd.yaml_places import parse_yaml


def bench(args: Namespace) -> int:
    """Run what has no record yet, or show the plan."""
    if args.list:
        return list_suites()
    if args.dry_run:
        return plan(args)
    suite, runs, fields = asked(args)
    writable(fields["results"], "--results")
    writable(fields["cache"], "--cache")
    from fgkd import runner
    from fgkd.runner.session import main_process

    code = runner.bench(suite, runs, runner.Options(**fields))
    if main_process():
        print(f"records and board in {fields['results'] / suite.name}: report.html; fgkd board --runs lists the runs")
    return code


def plan(args: Namespace) -> int:
    """Show what is missing of a suite, in order and priced; train nothing."""
    suite, runs, fields = asked(args)
    from fgkd import runner

    screen = None if args.json else console()
    priced = runner.dry_run(suite, runs, runner.Options(**fields), screen, calibrate=args.calibrate)
    if args.json:
        print_json(priced)
    return 0


def asked(args: Namespace) -> tuple[Suite, list[RunSpec], dict[str, Any]]:
    """The suite, those of its runs that the flags ask for, and the fields of `fgkd.runner.Options`.

    Raises:
        UserError, UserErrors: everything that is wrong with the flags and the suite, together.
    """
    suite_path(_named(args))  # without a suite nothing can be said about the runs
    answers = answer_all({**_option_readers(args), "chosen": lambda: chosen_runs(args)})
    suite, runs = answers.pop("chosen")
    return suite, runs, answers


def _option_readers(args: Namespace) -> dict[str, Callable[[], Any]]:
    return {
        "data_root": lambda: _existing(args.data_root),
        "results": lambda: args.results,
        "cache": lambda: cache_folder(args.cache),
        "weights": lambda: weights_folder(args.weights, "--weights"),
        "workers": lambda: _workers(args.workers),
        "rerun": lambda: args.rerun,
        "retry_failed": lambda: args.retry_failed,
        "memory": lambda: parse_memory(args.memory),
        "compile": lambda: args.compile,
        "cuda_graphs": lambda: args.cuda_graphs,
        "shard": lambda: parse_shard(args.shard),
        "checkpoint_every": lambda: parse_period(args.checkpoint_every),
        "track": lambda: _split("--track", args.track) if args.track is not None else (),
    }


def _existing(root: Path | None) -> Path:
    if root is not None and not root.is_dir():
        raise UserError(f"data root {root}: expected an existing folder (--data-root)")
    return data_root(root)


def _workers(number: int | None) -> int | None:
    if number is not None and number < 0:
        raise UserError(f"--workers: expected 0 or more, found {number}")
    return number


def _named(args: Namespace) -> str:
    if not args.suite:
        raise UserError(f"--suite: expected a name; suites: {', '.join(suite_names()) or 'none'}")
    return str(args.suite)


def list_suites() -> int:
    """Print every suite's name and description."""
    rows = []
    for name in suite_names():
        about = parse_yaml(suite_path(name).read_text(encoding="utf-8")).value
        rows.append((name, str(about.get("description", "")) if isinstance(about, dict) else ""))
    print_table(("suite", "about"), rows)
    return 0


def chosen_runs(args: Namespace) -> tuple[Suite, list[RunSpec]]:
    """The suite and those of its runs that the flags ask for."""
    precision = parse_precision(args.mixed_precision, "--mixed_precision")
    suite = load_suite(_named(args), known_names())
    short = {"epochs": args.epochs, "bank": args.bank}
    sets = [*args.set, *(f"{key}={value}" for key, value in short.items() if value is not None)]
    return suite, suite.runs(_filters(args), sets, precision)


def known_names() -> Known:
    """The names that suites are checked against."""
    from fgkd.data import augment_names, dataset_names

    return Known(datasets=dataset_names(), augments=augment_names())


def _filters(args: Namespace) -> Filters:
    given = {axis: getattr(args, axis) for axis in FILTERS}
    return Filters(
        **{axis: _split(f"--{axis.replace('_', '-')}", text) for axis, text in given.items() if text is not None}
    )


def _split(flag: str, text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UserError(f"{flag}: expected names with commas between them, found {text!r}")
    return names
