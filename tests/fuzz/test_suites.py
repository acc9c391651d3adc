"""The published suites, damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fgkd.cli.bench import known_names
from fgkd.errors import UserError
from fgkd.suite import load_suite
from fgkd.suite.reading import suite_names, suite_path
from tests.fuzz.mutants import damaged, fuzz, mutants

KNOWN = known_names()
TEXTS = {name: suite_path(name).read_text(encoding="utf-8") for name in suite_names()}
SMALL = sorted(TEXTS, key=lambda name: len(TEXTS[name]))[:8]  # the two grids of the literature take seconds to expand


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("suites")


def read_or_refuse(file: Path) -> None:
    """Load and expand; anything but a UserError is a defect."""
    try:
        load_suite(file, KNOWN).runs(sets=["recipe.ema=0.9"])
    except UserError as error:
        message = str(error)
    else:
        return
    assert message.strip()


@fuzz
@given(st.sampled_from(SMALL), st.data())
def test_damaged_text(folder: Path, name: str, data: st.DataObject) -> None:
    file = folder / f"{name}.yaml"
    file.write_text(data.draw(damaged(TEXTS[name])), encoding="utf-8", errors="surrogatepass", newline="")
    read_or_refuse(file)


@fuzz
@given(st.sampled_from(SMALL), st.data())
def test_damaged_values(folder: Path, name: str, data: st.DataObject) -> None:
    value: Any = data.draw(mutants(yaml.safe_load(TEXTS[name])))
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    read_or_refuse(file)
