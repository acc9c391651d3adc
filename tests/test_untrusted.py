"""Files from elsewhere: what is no record is named and skipped, what could run code is not read, bombs are bounded."""

from __future__ import annotations

import ast
import json
import os
import pickle
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import fgkd.record
from fgkd.cli.main import main
from fgkd.data.sources.cifar import read_pickle
from fgkd.errors import UserError
from fgkd.leaderboard import write_boards
from fgkd.models.weights import find_weights, read_weights
from fgkd.record import read_records, recorded_ids, unpack_predictions, write_record
from tests.board_factory import record, run_spec

PACKAGE = Path(__file__).resolve().parents[1] / "fgkd"
VICTIM = record(run_spec(seed=1))
TEXT = VICTIM.to_json()


def with_value(path: str, value: object) -> str:
    """The victim's text with another value."""
    fields = json.loads(TEXT)
    *inner, last = path.split(".")
    part = fields
    for key in inner:
        part = part[key]
    part[last] = value
    return json.dumps(fields)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(fgkd.record.MOST_BYTES + 1)


STRANGERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "no regular file"),
    "a pipe": (os.mkfifo, "no regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
    "a link to nowhere": (lambda path: path.symlink_to("nowhere"), "No such file"),
    "a link to itself": (lambda path: path.symlink_to(path), "symbolic links"),
    "too large": (sparse, "more than the 104,857,600 that are read"),
    "deep lists": (lambda path: path.write_text("[" * 200_000), "recursion limit"),
    "deep mappings": (lambda path: path.write_text('{"a":' * 200_000), "recursion limit"),
    "other bytes": (lambda path: path.write_bytes(os.urandom(2000)), "expected a record"),
    "nul bytes": (lambda path: path.write_bytes(bytes(2000)), "expected a record"),
    "half a letter": (lambda path: path.write_text(TEXT.replace('"tiny"', '"\\ud800"')), "expected a record"),
    "a huge number": (lambda path: path.write_text(with_value("best_epoch", 10**400)), "best_epoch"),
    "a number of 64 bits": (lambda path: path.write_text(with_value("student.macs", 2**63)), "student.macs"),
    "a figure of 64 bits": (lambda path: path.write_text(with_value("metrics.test_last.nll", 2**63)), "63 bits"),
    "a seed of 64 bits": (lambda path: path.write_text(with_value("spec.seed", 2**63)), "spec.seed"),
    "text for a number": (lambda path: path.write_text(with_value("epochs_done", "ten")), "epochs_done"),
    "a list for a mapping": (lambda path: path.write_text(with_value("metrics", [])), "metrics"),
    "another run's spec": (lambda path: path.write_text(record(run_spec(seed=2)).to_json()), "named after its run"),
    "a way out of the folder": (lambda path: path.write_text(with_value("data.revision", "../../x")), "data.revision"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_stranger_among_records_is_named_and_skipped(tmp_path: Path, kind: str) -> None:
    good, records = record(), tmp_path / "records"
    write_record(good, records)
    make, words = STRANGERS[kind]
    make(records / f"{VICTIM.run_id}.json")
    found, problems = read_records(records)
    assert found == [good]
    assert len(problems) == 1
    assert problems[0].startswith(f"{VICTIM.run_id}.json: ")
    assert words in problems[0]
    assert good.run_id in recorded_ids(records)
    assert write_boards(tmp_path).problems == (problems[0],)
    assert VICTIM.run_id in (tmp_path / "README.md").read_text()


def test_an_older_record_is_brought_to_the_present_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As version 0 might have been: `outcome` for `status`, seconds not yet sorted into costs."""
    fields = json.loads(TEXT)
    old = {key: value for key, value in fields.items() if key not in ("status", "costs")}
    old |= {"schema_version": 0, "outcome": fields["status"], "seconds": 12.34}
    path = tmp_path / f"{VICTIM.run_id}.json"
    path.write_text(json.dumps(old))
    assert "nothing migrates" in read_records(tmp_path)[1][0]

    def from_0(before: fgkd.record.Fields) -> fgkd.record.Fields:
        after = {key: value for key, value in before.items() if key not in ("outcome", "seconds")}
        return {**after, "status": before["outcome"], "costs": {"train_seconds": before["seconds"]}}

    monkeypatch.setitem(fgkd.record.MIGRATIONS, 0, from_0)
    (found,), problems = read_records(tmp_path)
    assert problems == []
    assert found.schema_version == 1
    costs = fgkd.record.Costs(train_seconds=12.34)
    assert found == VICTIM.model_copy(update={"costs": costs})
    assert json.loads(path.read_text())["schema_version"] == 0  # reading changes no file


def test_a_record_of_the_future_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / f"{VICTIM.run_id}.json").write_text(with_value("schema_version", 2))
    assert "newer than 1: update fgkd" in read_records(tmp_path)[1][0]


def test_predictions_that_unpack_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fgkd.record, "MOST_BYTES", 1000)
    assert len(unpack_predictions(b64encode(zlib.compress(bytes(1000))).decode())) == 500
    with pytest.raises(ValueError, match="expected base64 of zlib of int16"):
        unpack_predictions(b64encode(zlib.compress(bytes(1_000_000))).decode())


class Spy:
    """Pickled, it would make a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (str(self.path), os.O_CREAT)


@pytest.mark.parametrize("ending", [".pth", ".pt", ".bin", ".safetensors"])
def test_weights_that_are_pickles_are_refused_unread(tmp_path: Path, ending: str) -> None:
    path, proof = tmp_path / f"weights{ending}", tmp_path / "ran"
    torch.save({"x": Spy(proof)}, path)
    with pytest.raises(UserError):
        read_weights(find_weights(str(path), None))
    assert not proof.exists()


def test_a_pickled_archive_runs_nothing(tmp_path: Path) -> None:
    path, proof = tmp_path / "train", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Spy(proof)))
    with pytest.raises(UserError, match="CIFAR-100"):
        read_pickle(path)
    assert not proof.exists()


@pytest.mark.parametrize("word", ["a\x00b", "a\udcffb"])
def test_arguments_that_no_file_can_hold_are_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", word, "--student", "test_vit"]) == 2
    assert "expected arguments in UTF-8" in capsys.readouterr().err


CALLS = [
    (path, node)
    for path in sorted(PACKAGE.rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Call)
]
NEVER = (
    "pickle.load",
    "pickle.loads",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "eval",
    "exec",
    "os.system",
    "joblib.load",
)


def test_nothing_that_runs_code_is_called() -> None:
    for path, call in CALLS:
        name = ast.unparse(call.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        where = f"{path.relative_to(PACKAGE)}:{call.lineno}: {name}"
        assert name not in NEVER, where
        assert "trust_remote_code" not in given, where
        assert given.get("shell") is None, where
        if name == "torch.load":
            assert given.get("weights_only") == "True", where
        if name in ("np.load", "numpy.load"):
            assert given.get("allow_pickle", "False") == "False", where
    assert any(ast.unparse(call.func) == "torch.load" for _, call in CALLS)  # the search finds what there is


def test_code_of_others_is_never_asked_for() -> None:
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".py", ".j2", ".yaml", ".md"):
            assert "trust_remote_code" not in path.read_text(encoding="utf-8"), path
