"""Pushing to the hub: the folder as it is, only when asked. Nothing here reaches the hub."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fgkd.errors import UserError
from fgkd.export import push as push_module
from fgkd.export.push import check_repository
from tests.export.conftest import Study


class ConnectError(Exception):
    """As httpx's, which is neither an OSError nor one of the hub library's."""


class Hub:
    """Stands for the hub's API, and notes what it is asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.error = error

    def create_repo(self, repo_id: str, **options: Any) -> SimpleNamespace:
        if self.error:
            raise self.error
        self.asked.append(("create", {"repo_id": repo_id, **options}))
        return SimpleNamespace(repo_id=repo_id)

    def upload_folder(self, **options: Any) -> None:
        self.asked.append(("upload", options))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub()
    monkeypatch.setattr(push_module, "HfApi", lambda: made)
    return made


def test_what_was_written_is_what_is_uploaded(study: Study, hub: Hub, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert study.export("kd", "--to", str(out)) == 0
    assert not hub.asked
    assert study.export("kd", "--to", str(out), "--push", "me/bird", "--private") == 0
    assert [what for what, _ in hub.asked] == ["create", "upload"]
    create, upload = (options for _, options in hub.asked)
    assert create == {"repo_id": "me/bird", "private": True, "exist_ok": True}
    assert upload.keys() == {"repo_id", "folder_path", "commit_message"}  # no token, nothing left out
    assert upload["folder_path"] == out
    assert {"config.json", "model.safetensors", "README.md"} <= {path.name for path in out.iterdir()}
    assert json.loads((out / "config.json").read_text())["num_classes"] == 25


@pytest.mark.parametrize("error", [OSError("401 Unauthorized"), ConnectError("Name or service not known")])
def test_a_hub_that_refuses_or_is_out_of_reach_is_quoted(
    study: Study, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    hub.error = error
    assert study.export("kd", "--to", str(tmp_path / "out"), "--push", "me/bird") == 2
    assert str(error) in (told := capsys.readouterr().err)
    assert "hf auth login" in told
    assert (tmp_path / "out" / "README.md").exists()


@pytest.mark.parametrize("name", ["bird", "me/bird/x", "me/b ird", "-/x"])
def test_names_that_are_none_are_refused_before_anything_is_written(
    study: Study, hub: Hub, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UserError, match="expected OWNER/NAME"):
        check_repository(name)
    assert study.export("kd", "--to", str(tmp_path / "out"), f"--push={name}") == 2
    assert not (tmp_path / "out").exists()


def test_what_does_not_measure_as_recorded_is_not_pushed(
    study: Study, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fgkd.cli.export._verified", lambda *args: False)
    assert study.export("kd", "--to", str(tmp_path / "out"), "--verify", "--push", "me/bird") == 1
    assert not hub.asked
