"""What cannot be compared is refused before anything is written."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from fgkd.cli.export import _data
from fgkd.errors import UserError
from fgkd.export.choice import Chosen
from fgkd.facts import DataFacts
from tests.board_factory import record


def test_a_retrieval_run_has_no_top1_to_verify(tmp_path: Path) -> None:
    facts = DataFacts(name="cub200", protocol="retrieval", classes=100, task="retrieval")
    run = record(data=facts, metrics={"test_last": {"recall_at_1": 0.5}})
    with pytest.raises(UserError, match=r"--verify compares top-1, and the record of .* has none"):
        _data(Chosen(run, tmp_path), Namespace(verify=True, data_root=tmp_path, cache=tmp_path))
