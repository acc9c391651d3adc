"""Claims of runs among launches: by the system's locks, by heartbeat, and where a file system has no locks."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import SoftFileLock

from fgkd.runner.sharing import ledger as ledger_module
from fgkd.runner.sharing.claims import Claims
from fgkd.runner.sharing.ledger import Ledger, lock_file, locked, machine

Child = Callable[[Callable[[], None]], int]


@pytest.fixture
def elsewhere() -> Iterator[Child]:
    """``elsewhere(action)``: another process that does something and then waits to be killed; its id."""
    children = []

    def start(action: Callable[[], None]) -> int:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            action()
            os.write(write, b"!")
            time.sleep(60)
            os._exit(0)
        children.append(pid)
        os.close(write)
        assert os.read(read, 1) == b"!", "the other process fell over"
        os.close(read)
        return pid

    yield start
    for pid in children:
        kill(pid)


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def take(folders: list[Path], runs: set[str]) -> Callable[[], None]:
    def action() -> None:
        claims = Claims(folders, print)
        claims.__enter__()
        assert claims.take(runs) == runs

    return action


def test_what_another_launch_holds_is_not_taken(tmp_path: Path, elsewhere: Child) -> None:
    records, cache, other = tmp_path / "records", tmp_path / "cache", tmp_path / "other"
    pid = elsewhere(take([records, cache], {"a", "b"}))
    with Claims([records, tmp_path / "own"], print) as claims:  # the same records, a cache of its own
        assert claims.take({"b", "c"}) == {"c"}
        assert {run: holder.pid for run, holder in claims.elsewhere().items()} == {"a": pid, "b": pid}
    with Claims([other, cache], print) as claims:  # another suite, the same cache
        assert claims.take({"a", "c"}) == {"c"}  # c was given back


def test_a_dead_launch_holds_nothing(tmp_path: Path, elsewhere: Child) -> None:
    pid, said = elsewhere(take([tmp_path], {"a", "b"})), list[str]()
    kill(pid)
    with Claims([tmp_path], said.append) as claims:
        assert claims.take({"a"}) == {"a"}
        assert not claims.elsewhere()
    assert len(said) == 1
    assert f"process {pid} on" in said[0]
    assert "2 runs that it held are free again" in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["guard.lock"]


def test_a_launch_on_another_machine_is_known_by_its_heartbeat(tmp_path: Path) -> None:
    tmp_path.joinpath("far-1-x.json").write_text(
        json.dumps({"machine": "far away", "pid": os.getpid(), "locks": True, "runs": ["a"]})
    )
    with Claims([tmp_path], print) as claims:
        assert claims.take({"a"}) == set()
        old = time.time() - 299
        os.utime(tmp_path / "far-1-x.json", (old, old))
        assert claims.take({"a"}) == set()
        old = time.time() - 302
        os.utime(tmp_path / "far-1-x.json", (old, old))
        assert claims.take({"a"}) == {"a"}


def test_a_living_launch_beats(tmp_path: Path) -> None:
    with Claims([tmp_path], print, stale=0.5) as claims:
        (note,) = tmp_path.glob("*.json")
        os.utime(note, (0, 0))
        until = time.monotonic() + 5
        while note.stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert time.time() - note.stat().st_mtime < 60
        assert claims.take({"a"}) == {"a"}
        assert json.loads(note.read_text())["runs"] == ["a"]


@pytest.mark.parametrize("refusal", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Child, refusal: int
) -> None:
    def unable(*args: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(fcntl, "flock", unable)
    pid = elsewhere(take([tmp_path], {"a"}))
    with Claims([tmp_path], print) as claims:
        assert isinstance(claims._ledgers[0]._life, SoftFileLock)
        assert claims.take({"a", "b"}) == {"b"}
        kill(pid)
        assert claims.take({"a"}) == {"a"}


@pytest.mark.parametrize("refusal", [None, errno.ENOSYS, errno.ENOLCK])
def test_the_guard_is_one_process_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Child, refusal: int | None
) -> None:
    def unable(*args: object) -> None:
        raise OSError(refusal, "no locks")

    if refusal is not None:
        monkeypatch.setattr(fcntl, "flock", unable)
    guard = Ledger(tmp_path).guarded()
    elsewhere(guard.__enter__)
    for _ in range(2):  # to fail to get it does not take it away
        with pytest.raises(TimeoutError):
            lock_file(tmp_path / "guard.lock", 0.1)


def test_a_guard_whose_holder_is_gone_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*args: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", unable)
    monkeypatch.setattr(ledger_module, "GUARD_HELD", 0.2)
    ledger = Ledger(tmp_path)
    SoftFileLock(tmp_path / "guard.lock").acquire()
    with ledger.guarded():
        assert ledger.others() == ([], [])


def test_a_torn_note_is_nobody_s(tmp_path: Path) -> None:
    tmp_path.joinpath("torn-1-x.json").write_text('{"machine": ')
    with Claims([tmp_path], print) as claims:
        assert claims.take({"a"}) == {"a"}


def test_claims_of_nobody_need_no_folder() -> None:
    with Claims([], print) as claims:  # all processes of a launch but the first
        assert not claims.elsewhere()


def test_locked_is_exclusive_among_processes(tmp_path: Path, elsewhere: Child) -> None:
    lock = locked(tmp_path / "x")
    elsewhere(lock.__enter__)
    with pytest.raises(TimeoutError), locked(tmp_path / "x", 0.05):
        pass


def test_the_machine_has_a_name() -> None:
    assert machine() == machine()
    assert machine().strip()
