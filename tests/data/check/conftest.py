"""A small data set of the user's own, in which all is well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.check.specimens import encoded, photo


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The data root with the set ``folder:mine``: two classes, ten training and two test images each."""
    for k, kind in enumerate(("robin", "wren")):
        for split, count in (("train", 10), ("test", 2)):
            folder = tmp_path / "root/mine" / split / kind
            folder.mkdir(parents=True)
            for i in range(count):
                seed = 1000 + 100 * k + i + 50 * (split == "test")
                (folder / f"{i}.jpg").write_bytes(encoded(photo(seed=seed), "JPEG"))
    return tmp_path / "root"
