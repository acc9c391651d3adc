"""The soak: a suite is killed again and again, and in the end every record is there once and says the same.

    python -m tests.soak FOLDER --kills 20 --seed 0

One process imports torch; every launch of the suite is a fork of it, so that a launch costs no import and yet dies as a
process dies. A launch writes what it is doing into shared memory; the soak waits for a phase drawn at random, then for
a random while, and sends SIGKILL. A suite that comes to its end is compared with one that was never disturbed, and the
next is begun in an empty folder, until there were enough kills.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

SUITE = """
name: soak
version: 1
datasets: [{name: synthetic_birds, protocol: tiny}]
teachers:
  - {backbone: test_resnet, size: 32, gate: 0.0, train: {epochs: 2, batch_size: 50, recipe: {lr: 0.01}}}
students: [{backbone: test_efficientnet, size: 32}]
methods: [scratch, kd, crd, fsp]
view: {size: 32, augment: light}
recipe: {lr: 0.01, ema: 0.9}
epochs: 2
batch_size: 50
"""
RUNS = 5  # a teacher, four students
PHASES = ("start", "teacher training", "student training", "evaluation", "saving", "recording")
WAITS = {  # phase -> (how often it is chosen, the longest further wait in seconds)
    "start": (2, 3.0),
    "teacher training": (4, 0.4),
    "student training": (5, 0.8),
    "evaluation": (4, 0.3),
    "saving": (5, 0.03),
    "recording": (4, 0.3),
}
TIMES = ("train_seconds", "shared_seconds", "load_seconds", "teacher_seconds", "eval_seconds", "images_per_second")


class Soak:
    """Launches of one suite in one folder after another.

    Args:
        folder: empty; everything happens below it.
        seed: of all that is random here.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.phase = mmap.mmap(-1, 1)
        self.kills: Counter[str] = Counter()
        self.lost, self.doubled, self.altered, self.rounds, self.launches = 0, 0, 0, 0, 0
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "soak.yaml").write_text(SUITE)

    def run(self, kills: int) -> dict[str, Any]:
        """Kill so many times; the figures."""
        begun = time.monotonic()
        reference = self.folder / "reference"
        assert self.wait(self.launch(reference)) == 0, (reference / "log.txt").read_text()
        self.expected = records(reference)
        assert len(self.expected) == RUNS
        while self.kills.total() < kills:
            self.rounds += 1
            self.round(self.folder / f"round{self.rounds}")
            figures = self.figures() | {"seconds": round(time.monotonic() - begun)}
            print(json.dumps(figures), flush=True)
        return figures

    def figures(self) -> dict[str, Any]:
        """What has come out so far."""
        return {
            "kills": self.kills.total(),
            "by phase": {phase: self.kills[phase] for phase in PHASES},
            "suites finished": self.rounds,
            "launches": self.launches,
            "records": self.rounds * RUNS,
            **{name: getattr(self, name) for name in ("lost", "doubled", "altered")},
        }

    def round(self, folder: Path) -> None:
        """One suite, until it comes to its end; nothing that was recorded may go or change meanwhile."""
        seen: set[str] = set()
        while True:
            pid = self.launch(folder)
            ended = self.disturb(pid)
            found = records(folder)
            self.lost += len(seen - found.keys())
            self.altered += sum(found[name] != self.expected.get(name) for name in found)
            seen |= found.keys()
            if ended is not None:
                assert ended == 0, (folder / "log.txt").read_text()
                break
        self.lost += len(self.expected.keys() - found.keys())
        self.doubled += len(found.keys() - self.expected.keys())
        assert not list((folder / "cache" / "checkpoints").iterdir()), "states of recorded runs were kept"

    def launch(self, folder: Path) -> int:
        """Run the suite in a fork; its process id."""
        self.launches += 1
        self.phase[0] = 0
        folder.mkdir(exist_ok=True)
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                with (folder / "log.txt").open("a") as log:
                    os.dup2(log.fileno(), 1)
                    os.dup2(log.fileno(), 2)
                    code = launched(folder, self.folder / "soak.yaml", self.phase)
            finally:
                os._exit(code)
        return pid

    def disturb(self, pid: int) -> int | None:
        """Kill the launch in a phase drawn at random; its exit code where it came to its end before."""
        names, weights = zip(*((name, weight) for name, (weight, _) in WAITS.items()), strict=True)
        target = self.random.choices(names, weights)[0]
        further = self.random.uniform(0, WAITS[target][1])
        while PHASES[self.phase[0]] != target:
            if (code := exit_code(pid)) is not None:
                return code
            time.sleep(0.0005)
        until = time.monotonic() + further
        while time.monotonic() < until:
            if (code := exit_code(pid)) is not None:
                return code
            time.sleep(0.0005)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.kills[PHASES[self.phase[0]]] += 1
        return None

    def wait(self, pid: int) -> int:
        """The exit code of a launch that nobody disturbs."""
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def exit_code(pid: int) -> int | None:
    """The exit code of a child, None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def launched(folder: Path, suite: Path, phase: mmap.mmap) -> int:
    """What a fork does: the command line, with the phases made visible."""
    from fgkd.cli.main import main
    from fgkd.runner.finish import Recorder
    from fgkd.train.checkpoint import Shelf
    from fgkd.train.cohort import Cohort

    def shown(name: Callable[..., str], action: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            before, phase[0] = phase[0], PHASES.index(name(*args))
            try:
                return action(*args, **kwargs)
            finally:
                phase[0] = before

        return wrapped

    training = lambda cohort, *_: "student training" if cohort.teacher else "teacher training"
    Cohort.train_epoch = shown(training, Cohort.train_epoch)  # type: ignore[method-assign]
    Cohort.answers = shown(lambda *_: "evaluation", Cohort.answers)  # type: ignore[method-assign]
    Shelf.save = shown(lambda *_: "saving", Shelf.save)  # type: ignore[method-assign]
    Recorder.cohort = shown(lambda *_: "recording", Recorder.cohort)  # type: ignore[method-assign]
    places = ["--results", str(folder / "results"), "--cache", str(folder / "cache")]
    return main(["bench", "--suite", str(suite), *places, "--checkpoint-every", "0.05s"])


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """File name -> the record without its times, and the digest of the run's weights."""
    found = {}
    for path in (folder / "results" / "soak" / "records").glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        record["costs"] = {name: value for name, value in record["costs"].items() if name not in TIMES}
        for name in ("started", "finished"):
            del record["environment"][name]
        weights = folder / "cache" / "weights" / path.stem / "model.safetensors"
        found[path.name] = {**record, "weights": sha256(weights.read_bytes()).hexdigest()}
    return found


def main(argv: list[str]) -> int:
    """Soak, and print the figures as JSON after every suite; the last line counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.update(OMP_NUM_THREADS="1", FGKD_CODE_COMMIT="soak")
    import fgkd.runner  # noqa: F401  torch, timm and all that: once for all launches
    from fgkd.runner.resume import code_digest

    code_digest()  # the code that was imported, should somebody edit it meanwhile
    Soak(args.folder, args.seed).run(args.kills)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
