"""Notes of who trains what, in a folder that several launches share.

    <folder>/<launch>.json   a launch's host, process and the runs that it holds; written to now and then: its heartbeat
             <launch>.lock   locked while the launch lives
             guard.lock      locked for the moment in which notes are compared and written

The system unlocks the files of a process that dies, so that a launch on the same machine is known to live or not. One
on another machine, or on a file system without locks, counts as dead when its note was not touched for long enough.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from warnings import catch_warnings

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from fgkd.files import write_text
from fgkd.processes import process_exists

STALE = 300.0  # seconds without a heartbeat after which a launch elsewhere counts as dead
GUARD_HELD = 60.0  # seconds: nobody holds the guard for as long as that and lives
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@cache
def machine() -> str:
    """This machine since it was started; another container on it, or the next start, is another one."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()} {boot}".strip()


@cache
def can_lock(folder: Path) -> bool:
    """Whether the file system of a folder locks files; tried once."""
    probe = folder / f".{uuid.uuid4().hex[:8]}.probe"
    lock = FileLock(probe)
    try:
        with catch_warnings(action="always", record=True) as warned:
            lock.acquire(timeout=0)
        lock.release()
        return not any(issubclass(told.category, UserWarning) for told in warned)  # that it makes do without
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    finally:
        probe.unlink(missing_ok=True)


def lock_file(path: Path, timeout: float) -> BaseFileLock:
    """`path`, locked: by the system, or where the file system cannot, by the file's being there.

    Raises:
        Timeout: somebody else holds it.
    """
    lock = FileLock(path) if can_lock(path.parent) else SoftFileLock(path)
    lock.acquire(timeout=timeout)
    return lock


@contextmanager
def locked(path: Path, timeout: float = -1) -> Iterator[None]:
    """Nobody else is in here with the same file; waits for as long as `timeout` seconds, by default for ever."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_file(path, timeout)
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Holder:
    """A launch that holds runs.

    Attributes:
        locks: whether the system tells when it dies.
    """

    name: str
    machine: str
    pid: int
    locks: bool
    runs: frozenset[str]

    def __str__(self) -> str:
        return f"process {self.pid} on {self.machine.partition(' ')[0]}"


class Ledger:
    """The notes in one folder, seen by one launch.

    Args:
        folder: made where it is missing.
        stale: see `STALE`.
    """

    def __init__(self, folder: Path, stale: float = STALE) -> None:
        self.folder, self.stale = folder, stale
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        folder.mkdir(parents=True, exist_ok=True)
        with self.guarded():
            self._life = lock_file(folder / f"{self.name}.lock", 0)
            self.write(())

    @property
    def note(self) -> Path:
        """This launch's own."""
        return self.folder / f"{self.name}.json"

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Nobody else reads or writes notes meanwhile."""
        path = self.folder / "guard.lock"
        while True:
            try:
                lock = lock_file(path, GUARD_HELD)
                break
            except Timeout:
                if not _is_locked_by_system(path):  # else its holder lives
                    path.unlink(missing_ok=True)
        try:
            yield
        finally:
            lock.release()

    def write(self, runs: Iterable[str]) -> None:
        """Say which runs this launch holds."""
        locks = not isinstance(self._life, SoftFileLock)
        held = {"machine": machine(), "pid": os.getpid(), "locks": locks, "runs": sorted(runs)}
        write_text(self.note, json.dumps(held, indent=1) + "\n")

    def beat(self) -> None:
        """Say that this launch lives."""
        with suppress(OSError):
            os.utime(self.note)

    def others(self) -> tuple[list[Holder], list[Holder]]:
        """(the living, the dead) among the other launches; the dead ones' notes are removed. Call it `guarded`."""
        self.beat()
        now = self._touched(self.note)  # by the clock of the file system, which is one for all machines
        living: list[Holder] = []
        dead: list[Holder] = []
        for path in sorted(self.folder.glob("*.json")):
            if path.stem == self.name or (holder := _read(path)) is None:
                continue
            if self._lives(path, holder, now):
                living.append(holder)
            else:
                dead.append(holder)
                _remove(path)
        return living, dead

    def _lives(self, path: Path, holder: Holder, now: float) -> bool:
        if holder.machine == machine():
            if holder.locks:
                return _is_locked_by_system(path.with_suffix(".lock"))
            if not process_exists(holder.pid):
                return False
        return now - self._touched(path) < self.stale

    def _touched(self, path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return time.time()

    def close(self) -> None:
        """Take this launch's note away."""
        with self.guarded():
            self._life.release()
            _remove(self.note)


def _read(path: Path) -> Holder | None:
    """The note, None where it is not whole: a note is written before anything is claimed by it."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return Holder(path.stem, str(note["machine"]), int(note["pid"]), bool(note["locks"]), frozenset(note["runs"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remove(note: Path) -> None:
    for path in (note, note.with_suffix(".lock")):
        with suppress(OSError):
            path.unlink()


def _is_locked_by_system(path: Path) -> bool:
    if not path.exists() or not can_lock(path.parent):
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False
