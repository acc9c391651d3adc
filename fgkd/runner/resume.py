"""Which saved state a cohort may continue from, and where its own is kept.

A cohort's folder is named after its feed and its runs, so that launches with other runs do not disturb it. A state may
be continued by the same runs or by some of them, as when a launch died between two records; never by more.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import fgkd
from fgkd.data import ImageData
from fgkd.models.store import WeightStore
from fgkd.plan import PlannedCohort, dependencies
from fgkd.runner.grace import Grace
from fgkd.runner.rerun import open_reruns
from fgkd.spec import RunSpec
from fgkd.train.checkpoint import Facts, Generation, Shelf
from fgkd.train.cohort import Cohort
from fgkd.train.engine import Engine
from fgkd.train.keeper import Keeper

LIBRARIES = ("torch", "timm", "numpy", "albumentations", "accelerate")
CODE = ("collective.py", "signals.py", "spec.py", "data", "methods", "metrics", "models", "teacher", "train")


@cache
def code_digest() -> str:
    """A digest of the sources that decide what a learner becomes; commands, plans and reports are not among them."""
    here = Path(fgkd.__file__).parent
    files = [path for name in CODE for path in ([here / name] if name.endswith(".py") else (here / name).rglob("*.py"))]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(here).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def facts_of(run: RunSpec, data: ImageData, store: WeightStore, engine: Engine) -> dict[str, Any]:
    """What a state of this run belongs to beside the run's own id; any change makes it useless."""
    counts = " ".join(f"{split}={number}" for split, number in sorted(data.counts.items()))
    return {
        "code": code_digest(),
        "libraries": " ".join(f"{name}={version(name)}" for name in LIBRARIES),
        "device": engine.device.type,
        "processes": engine.world,
        "compiled": engine.compiles,
        "data": f"{data.revision} {counts}",
        "weights it starts from": {d.run_id: store.facts(d.run_id)["weights_hash"] for d in dependencies(run)},
    }


def _as_name(cohort_id: str) -> str:
    """Fit for a folder's name: that of a user's own data set may hold a whole path. Its digest, at the end, stays."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", cohort_id)[-80:]


class Checkpoints:
    """The states of a launch's cohorts, below one folder.

    Args:
        folder: ``checkpoints`` in the cache.
        engine: the processes; each keeps its own part.
        every: seconds between two savings; 0: nothing is saved, and nothing is continued.
        grace: who may ask to stop.
        say: tells the user.
        records: where the launch records its runs; a state is kept for the place that it was saved for.
        rerun: which rerun the launch belongs to; its states are nobody else's. Empty for none.
    """

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        *,
        every: float,
        grace: Grace,
        say: Callable[[str], None],
        records: Path,
        rerun: str = "",
    ) -> None:
        self.folder, self.engine, self.every, self.grace, self.say = folder, engine, every, grace, say
        self.records, self.rerun = str(records.resolve()), rerun
        self.session = engine.gather_values(uuid.uuid4().hex[:8])[0]

    @contextmanager
    def keeper(self, planned: PlannedCohort, facts: Mapping[str, Facts]) -> Iterator[Keeper]:
        """The keeper of a cohort; nobody else writes into its folder meanwhile.

        Args:
            facts: run id -> `facts_of` it.
        """
        reruns = sorted({str(of_run.get("rerun", "")) for of_run in facts.values()})
        runs = hashlib.sha256(" ".join([*reruns, *sorted(facts)]).encode()).hexdigest()[:8]
        folder = self.folder / f"{_as_name(planned.cohort_id)}-{runs}"
        with self._claimed(folder) as free:
            note = {"session": self.session, "records": self.records}
            shelf = Shelf(folder, facts, note=note, rank=self.engine.rank) if free else None
            yield Keeper(self.engine, shelf, every=self.every, request=self.grace, say=self.say)

    @contextmanager
    def _claimed(self, folder: Path) -> Iterator[bool]:
        """Whether the folder is this launch's alone; the main process claims it for all."""
        if not self.every:
            yield False
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{folder}.lock")
        free = True
        if self.engine.main:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                free = False
                self.say("another launch trains the same runs; this one keeps no state of them")
        try:
            yield self.engine.gather_values(free)[0]
        finally:
            lock.release()

    def resume(self, cohort: Cohort, facts: Mapping[str, Facts]) -> bool:
        """Continue from the furthest state that these runs left, if any; says why where one is of no use."""
        found = self._choice(facts) if self.every else None
        if found is not None:
            cohort.keeper.restore(cohort, found)
            epoch, step = found.position
            self.say(f"  continues after {epoch} epochs and {step} steps, from {found.folder}")
        return found is not None

    def _choice(self, facts: Mapping[str, Facts]) -> Generation | None:
        """What all processes can continue from. They ask for the same, else each would train something of its own."""
        usable = {generation.token: generation for generation in self._usable(facts)}
        shared = set.intersection(*map(set, self.engine.gather_values(list(usable))))
        return usable[max(shared)] if shared else None

    def _usable(self, facts: Mapping[str, Facts]) -> Iterator[Generation]:
        """Whole states of these runs; a single process asks for one, the furthest."""
        held = [generation for generation in self._saved() if generation.holds(facts) and generation.is_of_use(facts)]
        reasons, found = [], False
        for generation in sorted(held, key=lambda g: (g.position, g.folder.name), reverse=True):
            if strange := generation.strange_facts(facts):
                reasons.append(f"{', '.join(strange)} changed since")
            elif not generation.whole(facts):
                reasons.append(f"{generation.folder} is damaged")
            else:
                found = True
                yield generation
                if self.engine.world == 1:
                    break
        if reasons:
            outcome = "falls back to an earlier state" if found else "starts over, an earlier state is of no use"
            self.say(f"  {outcome}: {'; '.join(dict.fromkeys(reasons))}")

    def _saved(self) -> Iterator[Generation]:
        for name in self._names():
            yield from Shelf(self.folder / name, {}, rank=self.engine.rank).generations()

    def forget(self, recorded: Iterable[str]) -> None:
        """Remove the states that nobody will ask for: those of cohorts all of whose runs are recorded."""
        done = set(recorded)
        spent = [name for name in self._names() if self.engine.main and self._is_spent(self.folder / name, done)]
        for name in self.engine.gather_values(spent)[0]:
            Shelf(self.folder / name, {}, rank=self.engine.rank).remove()
            if self.engine.main:
                Path(f"{self.folder / name}.lock").unlink(missing_ok=True)

    def _is_spent(self, folder: Path, done: set[str]) -> bool:
        """Whether all that is in the folder is recorded where it was to be, and nobody may go on with it."""
        generations = Shelf(folder, {}, rank=self.engine.rank).generations()
        reruns = {run["facts"].get("rerun", "") for g in generations for run in g.manifest["runs"].values()}
        homes = {g.manifest.get("records", self.records) for g in generations} - {self.records}
        if any(Path(home).is_dir() for home in homes):  # of another launch, which may be stopped and come back
            return False
        if not all(set(g.manifest["runs"]) <= done for g in generations) or reruns & self._other_reruns():
            return False
        lock = FileLock(f"{folder}.lock")
        try:
            with lock.acquire(timeout=0):
                return True
        except Timeout:
            return False

    def _other_reruns(self) -> set[str]:
        """Names of the reruns and retries that were begun, not by this launch, and not ended."""
        return open_reruns(self.folder) - {self.rerun}

    def _names(self) -> list[str]:
        """Of all cohorts' folders, also those in which nothing was saved yet."""
        locked = {path.name.removesuffix(".lock") for path in self.folder.glob("*.lock")}
        return sorted(locked | {path.name for path in self.folder.glob("*") if path.is_dir()})
