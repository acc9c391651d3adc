"""Files that are whole or absent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fgkd import files
from fgkd.models.store import WeightStore
from fgkd.models.weights import save_weights


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the system, in order."""
    seen: list[str] = []

    def noted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            seen.append("folder" if name == "fsync" and os.path.isdir(f"/proc/self/fd/{args[0]}") else name)
            return real(*args, **kwargs)

        return call

    for name in ("fsync", "replace", "link"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    return seen


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what a descriptor is of is read from /proc")
@pytest.mark.parametrize("overwrite", [True, False])
def test_the_content_reaches_the_disk_before_the_name(tmp_path: Path, steps: list[str], overwrite: bool) -> None:
    files.write_text(tmp_path / "record.json", "{}", overwrite=overwrite)
    assert steps == ["fsync", "replace" if overwrite else "link", "folder"]
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what a descriptor is of is read from /proc")
def test_weights_do_so_too(tmp_path: Path, steps: list[str]) -> None:
    from torch import nn

    save_weights(nn.Linear(2, 2), tmp_path / "x.safetensors")
    assert steps == ["fsync", "replace", "folder"]


def test_weights_without_a_manifest_count_as_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import nn

    store = WeightStore(tmp_path)
    store.save("kd-0", nn.Linear(2, 2), {})
    assert "kd-0" in store
    monkeypatch.setattr("fgkd.models.store.write_text", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):  # the process dies between the two files
        store.save("kd-0", nn.Linear(2, 2), {})
    assert "kd-0" not in store


def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    old, young, record = tmp_path / ".a.json.1.tmp", tmp_path / ".b.json.2.tmp", tmp_path / "a.json"
    for path in (old, young, record):
        path.write_text("half")
        os.utime(path, (0, 0))
    os.utime(young)
    files.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == [young, record]
