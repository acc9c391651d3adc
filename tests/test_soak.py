"""A suite that is killed over and over leaves the records of one that was not; see tests/soak.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KILLS = int(os.environ.get("FGKD_SOAK_KILLS", "20"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a launch is a fork of the soak's process")
def test_no_record_is_lost_doubled_or_altered_however_often_a_suite_is_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", str(tmp_path / "soak"), "--kills", str(KILLS)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(figures, indent=1))
    assert figures["kills"] >= KILLS
    assert sum(number > 0 for number in figures["by phase"].values()) >= 4
    assert (figures["lost"], figures["doubled"], figures["altered"]) == (0, 0, 0)
