"""Disks that are full, over quota or read-only: what is said, what stays whole, and that the same command continues."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from fgkd.errors import UserError
from fgkd.models import weights as weights_module
from fgkd.record import read_records
from fgkd.runner import session
from fgkd.runner.check import space
from fgkd.runner.check.space import Need, check_space, disk_told, refused_by_disk, size
from fgkd.runner.finish import Recorder
from tests.faulty import Faulty
from tests.runner.bench_desk import Desk

CALLS = ("fsync", "replace", "link", "rename")


class Disk:
    """Refuses the k-th call that writes; never, while `k` is 0.

    Attributes:
        calls: so many came so far.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.k, self.calls, self.error = 0, 0, errno.ENOSPC
        for name in CALLS:
            monkeypatch.setattr(os, name, self._guarded(getattr(os, name)))
        monkeypatch.setattr(Path, "open", self._opened(Path.open))
        save = weights_module.save_file

        def saved(state: Any, path: Path, metadata: Any) -> None:
            if self.strikes():
                path.write_bytes(b"half")
                raise SafetensorError(f'IoError(Os {{ code: {self.error}, message: "{os.strerror(self.error)}" }})')
            save(state, path, metadata)

        monkeypatch.setattr(weights_module, "save_file", saved)

    def strikes(self) -> bool:
        self.calls += 1
        return self.calls == self.k

    def arm(self, k: int) -> None:
        self.k, self.calls = k, 0

    def refuse(self, path: object = None) -> None:
        raise OSError(self.error, os.strerror(self.error), None if isinstance(path, int) else str(path))

    def _guarded(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(path: Any, *args: Any, **kwargs: Any) -> Any:
            if self.strikes():
                self.refuse(path)
            return action(path, *args, **kwargs)

        return guarded

    def _opened(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def opened(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if mode[0] in "wxa" and self.strikes():
                self.refuse(path)
            return action(path, mode, *args, **kwargs)

        return opened


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def trained(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A cohort of two, trained; a function that records it."""
    kept: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "cohort", lambda *args, **kwargs: kept.append((args, kwargs)) or [])
        assert desk.bench("--methods", "scratch,kd") == 1  # nothing was recorded
    (((recorder, *args), kwargs),) = kept
    return lambda: recorder.cohort(*args, **kwargs)


def weights(desk: Desk) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in (desk.cache / "weights").glob("*/model.safetensors")}


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_whichever_write_is_refused_nothing_is_broken(
    done: Desk, desk: Desk, trained: Callable[[], None], disk: Disk, error: int
) -> None:
    disk.error, k, refusals = error, 0, 0
    recorded, stored = list(desk.records_folder.glob("*.json")), set(weights(desk))
    teacher = {path: path.read_bytes() for path in recorded}
    expected = {name: record for name, record in done.records().items() if name in ("teacher 0", "scratch 0", "kd 0")}
    while True:
        k += 1
        disk.arm(k)
        try:
            trained()
        except Exception as caught:
            if not refused_by_disk(caught):
                raise
            refusals += 1
        else:
            if disk.calls < k:
                break
        disk.arm(0)
        _nothing_is_broken(desk, expected)
        trained()  # there is room again
        assert desk.records() == expected
        assert {path: path.read_bytes() for path in recorded} == teacher
        for path in desk.records_folder.glob("*.json"):
            if path not in teacher:
                path.unlink()
        for run_id in set(weights(desk)) - stored:
            shutil.rmtree(desk.cache / "weights" / run_id)
    assert refusals >= 15, refusals
    assert disk.calls < k


def _nothing_is_broken(desk: Desk, expected: dict[str, Any]) -> None:
    records, problems = read_records(desk.records_folder)
    assert not problems
    assert desk.records().items() <= expected.items()
    for record in records:
        assert (desk.cache / "weights" / record.run_id / "manifest.json").exists(), "a record without its weights"
    left = [*desk.records_folder.glob(".*"), *(desk.cache / "weights").glob("*/.*")]
    assert not left, "half a file was left behind"


@pytest.mark.parametrize(("call", "place"), [("records", "results"), ("weights", "cache"), (".claims", "results")])
def test_the_command_line_says_what_to_do_and_continues(  # noqa: PLR0917
    done: Desk, desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], call: str, place: str
) -> None:
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        name = Path(target).parent.name
        if name == call or (call == "weights" and Path(target).name == "model.safetensors"):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        replace(source, target)

    before = {path: path.read_bytes() for path in desk.records_folder.iterdir()}
    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(os, "link", full)
    assert desk.bench() == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{getattr(desk, place)}/" in said
    assert "cannot be written to: No space left on device" in said
    assert "--cache and --results. What is recorded is whole, and the same command continues" in said
    assert {path: path.read_bytes() for path in desk.records_folder.iterdir()} == before
    monkeypatch.undo()
    assert desk.bench() == 0
    assert desk.records() == done.records()
    assert call == ".claims" or "continues after 2 epochs" in " ".join(capsys.readouterr().out.split())


def test_what_cannot_fit_is_refused_before_training(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda folder: 1_000_000)
    assert desk.bench() == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"folder {desk.cache} and {desk.records_folder}: expected" in told
    assert "of weights" in told
    assert "of states of cohorts (--checkpoint-every off: none)" in told
    assert "found 1 MB; free some, or choose another disk with --cache or --results" in told
    assert desk.statuses() == {"teacher 0": "ok"}


def test_the_estimate_covers_what_is_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    estimates: list[Need] = []
    monkeypatch.setattr(session, "check_space", lambda found, say: estimates.extend(found))
    before = sum(map(len, weights(desk).values()))
    assert desk.bench() == 0
    by_what = {need.what.split()[0]: need.bytes for need in estimates}
    written = sum(map(len, weights(desk).values())) - before
    assert 0.8 * written < by_what["weights"] < 1.2 * written
    records = sum(path.stat().st_size for path in (desk.results / "small").rglob("*") if path.is_file())
    assert records < by_what["records"]
    assert "data" not in by_what  # drawn already


def test_a_state_fits_into_its_estimate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    estimates: list[Need] = []
    monkeypatch.setattr(session, "check_space", lambda found, say: estimates.extend(found))
    sizes = []
    remove = shutil.rmtree

    def weighed(path: Any, **kwargs: Any) -> None:
        sizes.append(sum(file.stat().st_size for file in Path(path).rglob("*.pt")))
        remove(path, **kwargs)

    monkeypatch.setattr(shutil, "rmtree", weighed)
    assert desk.bench() == 0
    (estimate,) = (need.bytes for need in estimates if need.what.startswith("states"))
    assert 0 < max(sizes) <= estimate / space.GENERATIONS


def test_disks_are_added_up_and_tight_ones_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(space, "free_bytes", lambda folder: 1000)
    halves = [Need(tmp_path / "a", "weights", 500), Need(tmp_path / "b" / "c", "records", 400)]
    check_space(halves, said.append)
    assert "nearly full: 900 B will be written, 1 kB are free" in said[0]
    check_space(halves[:1], pytest.fail)
    with pytest.raises(UserError, match=r"expected 1\.4 kB free"):
        check_space([*halves, Need(tmp_path, "states", 500)])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EROFS, "x"), True),
        (OSError(errno.ENOENT, "x"), False),
        (RuntimeError("[enforce fail at inline_container.cc:659] . unexpected pos 64 vs 0"), False),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), True),
        (ValueError("no"), False),
    ],
)
def test_what_counts_as_a_disk_s_refusal(error: Exception, expected: bool) -> None:
    assert refused_by_disk(error) is expected


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), disk_told([tmp_path]):
        1 // 0  # noqa: B018


def test_sizes_are_for_people() -> None:
    assert [size(n) for n in (0, 999, 1234, 5e6, 7.25e9, 3e12, 4e15)] == [
        "0 B", "999 B", "1.23 kB", "5 MB", "7.25 GB", "3 TB", "4e+03 TB",
    ]  # fmt: skip


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(
    done: Desk, desk: Desk, small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(desk.results, small_disk / "results")
    desk.results, desk.records_folder = small_disk / "results", small_disk / "results" / "small" / "records"
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 24 * 1024))
    assert desk.bench() == 2
    assert "free some, or choose another disk" in " ".join(capsys.readouterr().err.split())
    with monkeypatch.context() as patch:
        patch.setattr(session, "check_space", lambda *args: None)  # it was somebody else who filled it meanwhile
        assert desk.bench() == 2
    assert "No space left on device" in " ".join(capsys.readouterr().err.split())
    assert read_records(desk.records_folder)[1] == []
    assert len(desk.records()) < 5
    filler.unlink()
    assert desk.bench() == 0
    assert desk.records() == done.records()


def test_a_file_system_that_became_read_only(desk: Desk, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(desk.results, small_disk / "results")
    desk.results = small_disk / "results"
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert desk.bench() == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "--results" in told
    assert "Read-only file system" in told or "writ" in told


def test_a_disk_that_refuses_what_a_method_fits_is_no_learner_s_fault(
    desk: Desk, faulty: type[Faulty], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    desk.methods = ("scratch", "{method: faulty, where: nowhere}")
    monkeypatch.setattr(faulty, "build", full)
    assert desk.bench() == 2
    assert "Disk quota exceeded" in capsys.readouterr().err.replace("\n", " ")
    assert desk.statuses() == {"teacher 0": "ok"}
