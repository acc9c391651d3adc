"""What a person waits for before anything happens: the import, the help, a board of ten thousand records.

    python benchmarks/speed/startup.py [--records 10000]

Every measurement is a process of its own, in turns; `processor` is the time that it kept cores busy, which a crowded
machine changes less than the time on the clock.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import parser, screen, show

from fgkd.facts import Costs, Environment, StudentFacts
from fgkd.record import RunRecord, record_path
from fgkd.spec import Feed, MethodPart, MethodSpec, RunSpec, TeacherSpec

METHODS = ("scratch", "kd", "crd", "at", "dkd", "dist", "th_kd", "fitnet", "rkd", "pkt")
SEEDS, STUDENTS = 20, 10
COMMANDS = {
    "python, nothing else": ["-c", "pass"],
    "import fgkd": ["-c", "import fgkd"],
    "fgkd --help": ["-m", "fgkd", "--help"],
    "fgkd board": ["-m", "fgkd", "board"],
}


def spec(number: int) -> RunSpec:
    """One of the runs of a large suite."""
    seed, method = number % SEEDS, METHODS[number // SEEDS % len(METHODS)]
    student, dataset = divmod(number // SEEDS // len(METHODS), STUDENTS)[::-1]
    teacher = None if method == "scratch" else TeacherSpec(backbone="convnext_base")  # type: ignore[arg-type]
    return RunSpec(
        feed=Feed(dataset=f"data{dataset}", teacher=teacher),  # type: ignore[arg-type]
        student=f"student{student}",  # type: ignore[arg-type]
        method=MethodSpec(label=method, parts=(MethodPart(name=method),)),
        seed=seed,
    )


def write_records(folder: Path, count: int) -> None:
    """Records with thirty epochs of curve each."""
    folder.mkdir(parents=True)
    for number in range(count):
        run, top1 = spec(number), 0.4 + 0.3 * (number * 7919 % 1000) / 1000
        metrics = {"top1": top1, "top5": 0.9, "nll": 1.25, "ece": 0.06}
        row = {"lr": 0.1 / 3, "ce": 1 / 3, "kd": 0.1, "loss": 0.3, "holdout_top1": 0.25}
        record = RunRecord(
            run_id=run.run_id,
            spec=run,
            suite="large",
            suite_version=1,
            status="ok",
            student=StudentFacts(img_size=224, param_count=1_234_567, macs=98_765_432),
            metrics={"test_last": metrics, "test_best": metrics},
            best_epoch=3,
            curve=[{"epoch": epoch, **row} for epoch in range(30)],
            costs=Costs(train_seconds=12.34, shared_seconds=5.06, images_per_second=99.96),
            environment=Environment(device="cpu", code_commit="abc123"),
        )
        record_path(folder, run.run_id).write_text(record.to_json(), encoding="utf-8")


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds of the clock and of the processor that a process took."""
    begun, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - begun, busy


def main() -> None:
    """Measure and report."""
    made = parser(__doc__)
    made.add_argument("--records", type=int, default=10_000)
    args, console = made.parse_args(), screen()
    count = 100 if args.quick else args.records
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    with TemporaryDirectory() as folder:
        write_records(Path(folder) / "large" / "records", count)
        for _ in range(args.rounds):
            for name, command in COMMANDS.items():
                more = [str(Path(folder) / "large")] if name == "fgkd board" else []
                taken[name].append(timed([*command, *more]))
    rows = [
        {
            "what": name if name != "fgkd board" else f"fgkd board of {count} records",
            "seconds": statistics.median(clock for clock, _ in values),
            "processor": statistics.median(busy for _, busy in values),
        }
        for name, values in taken.items()
    ]
    show("one process each", rows, console, args.csv)


if __name__ == "__main__":
    sys.exit(main())
