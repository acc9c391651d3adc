"""``fgkd submit``: a suite as jobs of a cluster, one for each part, through submitit."""

from __future__ import annotations

import importlib.util
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fgkd.cli.bench import asked
from fgkd.cli.print import console
from fgkd.errors import UserError
from fgkd.places import writable

# of the job, not of the suite: everything else is handed on to ``fgkd bench``
OWN = {"run", "shards", "shard", "cluster", "logs", "hours", "gpus", "cpus", "slurm", "wait"}


def submit(args: Namespace) -> int:
    """Hand one job per part to the cluster; with ``--wait`` (and on this machine) wait for them; 1 if one failed."""
    check(args)
    import submitit

    executor = submitit.AutoExecutor(folder=writable(args.logs, "--logs"), cluster=args.cluster)
    executor.update_parameters(**parameters(args))
    with executor.batch():
        jobs = [
            executor.submit(submitit.helpers.CommandFunction(command(args, part), verbose=False))
            for part in range(args.shards)
        ]
    out = console()
    for part, job in enumerate(jobs):
        out.print(f"part {part}/{args.shards}: job {job.job_id}, {job.paths.stdout}", highlight=False, soft_wrap=True)
    if not args.wait and executor.cluster == "slurm":
        return 0
    failed = [part for part, job in enumerate(jobs) if job.exception() is not None]
    for part in failed:
        out.print(f"part {part}/{args.shards} failed; see {jobs[part].paths.stderr}", style="red", soft_wrap=True)
    return 1 if failed else 0


def check(args: Namespace) -> None:
    """All that can be told before a job waits in a queue.

    Raises:
        UserError: submitit or the scheduler is missing; a flag of the suite or of the jobs makes no sense.
    """
    if args.shards < 1:
        raise UserError(f"--shards: expected 1 or more, found {args.shards}")
    if args.shard is not None:
        raise UserError(f"--shard: expected --shards N, each job gets its own part; found {args.shard!r}")
    asked(args)
    parameters(args)
    if importlib.util.find_spec("submitit") is None:
        raise UserError("fgkd submit needs submitit; install it with: pip install 'fgkd[submit]'")
    if args.cluster == "slurm":
        from submitit import SlurmExecutor

        if SlurmExecutor.affinity() < 0:
            raise UserError("--cluster slurm: expected srun on the path, found none; run this on a login node")


def parameters(args: Namespace) -> dict[str, Any]:
    """What submitit is told of the jobs; UserError for a ``--slurm`` without a value."""
    asked: Mapping[str, Any] = {
        "name": "fgkd",
        "timeout_min": round(60 * args.hours),
        "gpus_per_node": args.gpus,
        "cpus_per_task": args.cpus,
    }
    own: dict[str, Any] = {}
    for text in args.slurm:
        key, equals, value = text.partition("=")
        if not (key.isidentifier() and equals and value):
            raise UserError(f"--slurm: expected KEY=VALUE such as partition=gpu or mem=32G, found {text!r}")
        own[f"slurm_{key}"] = int(value) if value.isdecimal() else value
    return {**asked, **own}


def command(args: Namespace, part: int) -> list[str]:
    """The ``fgkd bench`` of one part, with all that was said about the suite."""
    words = [sys.executable, "-m", "fgkd", "bench"]
    for name, value in sorted(vars(args).items()):
        flag = f"--{name.replace('_', '-')}"
        if name in OWN or value is None or value is False:
            continue
        if value is True:
            words.append(flag)
            continue
        for one in value if isinstance(value, list) else [value]:
            # jobs may begin in another folder
            words += [flag, str(one.absolute() if isinstance(one, Path) else one)]
    return [*words, "--shard", f"{part}/{args.shards}"]
