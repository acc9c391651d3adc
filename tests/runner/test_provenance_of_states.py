"""Which code, data, teacher and machine records and saved states belong to, and what a run costs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import fgkd
from fgkd.cli.main import main
from fgkd.runner import resume
from fgkd.runner.outcome import _costs, code_commit
from fgkd.runner.resume import code_digest, facts_of
from fgkd.signals import Needs
from tests.board_factory import run_spec
from tests.runner.bench_desk import Desk


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_a_commit_tells_of_changes_but_not_of_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "fgkd" / "__init__.py"
    package.parent.mkdir()
    package.write_text("")
    monkeypatch.setattr(fgkd, "__file__", str(package))
    commit = code_commit.__wrapped__
    assert commit() is None
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    clean = commit()
    assert clean is not None
    assert len(clean) == 12
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new.json").write_text("{}")
    assert commit() == clean
    package.write_text("x = 1\n")
    assert commit() == f"{clean}-dirty"


PLACES = ["spec.py", "signals.py", "data/views.py", "methods/logit.py", "metrics/accuracy.py", "models/create.py"]


@pytest.mark.parametrize("name", [*PLACES, "teacher/live.py", "train/learner.py"])
def test_states_of_other_code_are_told_by_any_file_that_decides_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = Path(fgkd.__file__).parent
    shutil.copytree(own, tmp_path / "fgkd", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fgkd, "__file__", str(tmp_path / "fgkd" / "__init__.py"))
    digest = code_digest.__wrapped__
    before = digest()
    with (tmp_path / "fgkd" / "cli" / "main.py").open("a") as file:
        file.write("# a command decides none\n")
    assert digest() == before
    with (tmp_path / "fgkd" / name).open("a") as file:
        file.write("# changed\n")
    assert digest() != before


def facts(**changes: object) -> dict:
    """Of a run with a teacher, as it would be here and now, but for `changes`."""
    found = {"revision": "r1", "counts": {"train": 5}, "weights": "w1", "type": "cpu", "world": 1, "compiles": False}
    now = SimpleNamespace(**(found | changes))
    engine = SimpleNamespace(device=now, world=now.world, compiles=now.compiles)
    store = SimpleNamespace(facts=lambda run_id: {"weights_hash": now.weights})
    return facts_of(run_spec("kd"), now, store, engine)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"revision": "r2"}, "data"),
        ({"counts": {"train": 4}}, "data"),
        ({"weights": "w2"}, "weights it starts from"),
        ({"type": "cuda"}, "device"),
        ({"world": 2}, "processes"),
        ({"compiles": True}, "compiled"),
    ],
)
def test_a_state_belongs_to_data_teacher_and_machine(change: dict, name: str) -> None:
    then, now = facts(), facts(**change)
    assert [key for key in then if then[key] != now[key]] == [name]


def test_a_state_belongs_to_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    then = facts()
    monkeypatch.setattr(resume, "version", lambda name: "0.1")
    assert [key for key, value in facts().items() if value != then[key]] == ["libraries"]


def costs(needs: Needs, service: object = None) -> object:
    seconds = {"load": 3.0, "teacher": 5.0, "kd-1": 2.0, "other-1": 90.0, "evaluate/load": 0.5, "evaluate/kd-1": 0.25}
    learner = SimpleNamespace(run_id="kd-1", belongings=SimpleNamespace(teacher_needs=needs))
    clock = SimpleNamespace(seconds=lambda: seconds | {"evaluate/other-1": 70.0})
    cohort = SimpleNamespace(clock=clock, images=100, loaders=SimpleNamespace(service=service))
    return _costs(learner, cohort)  # type: ignore[arg-type]


def test_costs_are_those_of_the_run_alone() -> None:
    found = costs(Needs(logits=True))
    assert (found.train_seconds, found.load_seconds, found.teacher_seconds, found.shared_seconds) == (2, 3, 5, 8)
    assert found.eval_seconds == 0.75
    assert found.images_per_second == 100 / (2 + 3 + 5)
    alone = costs(Needs())
    assert (alone.teacher_seconds, alone.shared_seconds, alone.images_per_second) == (0, 3, 100 / 5)
    banked = costs(Needs(logits=True), SimpleNamespace(seconds=40.0))
    assert (banked.teacher_seconds, banked.shared_seconds) == (40, 43)


def test_an_averaged_student_is_kept_as_it_was_measured(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--methods", "scratch", "--set", "recipe.ema=0.9", "--set", "recipe.lr=0.1")
    assert desk.bench(*flags) == 0
    run_id = next(path.stem for path in desk.records_folder.glob("scratch-*.json"))
    places = ["--results", str(desk.results), "--cache", str(desk.cache)]
    assert main(["export", run_id, *places, "--to", str(tmp_path / "out"), "--verify"]) == 0
    assert ": equal" in capsys.readouterr().out


def test_data_seeds_give_other_runs(desk: Desk) -> None:
    assert desk.bench("--methods", "scratch", "--set", "data_seeds=[0, 1]") == 0
    found = [json.loads(path.read_text()) for path in desk.records_folder.glob("scratch-*.json")]
    assert len({record["student"]["weights_hash"] for record in found}) == 2


def test_a_record_tells_what_its_teacher_was_measured_to_know(done: Desk) -> None:
    taught, teacher = (done.records()[name] for name in ("kd 0", "teacher 0"))
    measured = taught["teacher"]["metrics"]
    assert (
        measured["holdout"]["top1"] == teacher["metrics"]["holdout_last"]["top1"] == taught["teacher"]["holdout_top1"]
    )
    assert measured["test"]["top1"] == teacher["metrics"]["test_last"]["top1"] == taught["teacher"]["test_top1"]
