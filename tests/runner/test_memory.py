"""How much memory is free: on the machine, and in the control groups of this process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fgkd.runner import memory
from fgkd.runner.cgroup import V1, V2, Version, left_in_groups

CPU = torch.device("cpu")


def group(folder: Path, version: Version, limit: str, used: int, cached: int) -> None:
    """A group's files, as the kernel shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / version.limit).write_text(limit + "\n")
    (folder / version.used).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{version.cached} {cached}\n")


def own(folder: Path, *lines: str) -> Path:
    """What the kernel tells a process of its groups."""
    (folder / "own").write_text("".join(f"{line}\n" for line in lines))
    return folder / "own"


def test_most_of_the_tightest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_available", lambda: 1000)
    monkeypatch.setattr(memory, "left_in_groups", lambda: 500)
    assert memory.free_memory(CPU) == 450
    monkeypatch.setattr(memory, "left_in_groups", lambda: None)
    assert memory.free_memory(CPU) == 900
    assert memory.free_memory(CPU, processes=2) == 450  # they share the machine
    monkeypatch.setattr(memory, "_available", lambda: None)
    assert memory.free_memory(CPU) is None


def test_cached_files_are_not_in_the_way(tmp_path: Path) -> None:
    """A container that has read its images: nearly all of its 16 are used, by what may be dropped."""
    group(tmp_path, V2, "16", used=15, cached=12)
    assert left_in_groups(own(tmp_path, "0::/"), tmp_path) == 13


@pytest.mark.parametrize(("version", "mount", "line"), [(V2, "", "0::/job/step"), (V1, "memory", "4:memory:/job/step")])
def test_the_tightest_of_nested_groups_counts(tmp_path: Path, version: Version, mount: str, line: str) -> None:
    root = tmp_path / mount
    group(root / "job" / "step", version, "9223372036854771712" if version is V1 else "max", used=5, cached=0)
    group(root / "job", version, "100", used=70, cached=10)
    assert left_in_groups(own(tmp_path, "1:cpu:/elsewhere", line), tmp_path) == 40
    group(root / "job" / "step", version, "20", used=15, cached=0)
    assert left_in_groups(own(tmp_path, line), tmp_path) == 5
    group(root / "job" / "step", version, "20", used=30, cached=0)
    assert left_in_groups(own(tmp_path, line), tmp_path) == 0


@pytest.mark.parametrize("name", ["/docker/0a1b", "/../other"])
def test_a_group_that_a_container_does_not_see_is_its_root(tmp_path: Path, name: str) -> None:
    group(tmp_path / "memory", V1, "50", used=20, cached=0)
    assert left_in_groups(own(tmp_path, f"4:cpu,memory:{name}"), tmp_path) == 30


def test_no_limit_is_known_where_there_is_none(tmp_path: Path) -> None:
    assert left_in_groups(tmp_path / "absent", tmp_path) is None
    assert left_in_groups(own(tmp_path, "0::/", "1:cpu:/"), tmp_path) is None
    group(tmp_path, V2, "max", used=20, cached=0)
    assert left_in_groups(own(tmp_path, "0::/"), tmp_path) is None


def test_what_this_process_has_kept_is_given_back_first(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(memory, "return_freed_memory", lambda: order.append("returned"))
    monkeypatch.setattr(memory, "_available", lambda: order.append("read"))
    monkeypatch.setattr(memory, "left_in_groups", lambda: None)
    memory.free_memory(CPU)
    assert order == ["returned", "read"]
