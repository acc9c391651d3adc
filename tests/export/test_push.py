"""Pushing to the hub: through timm, the card first, no pickle, only when asked. Nothing here reaches the hub."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fgkd.errors import UserError
from fgkd.export import push as push_module
from fgkd.export.push import check_repository
from tests.export.conftest import Study


class Hub:
    """Stands for the hub's API and for timm's call, and notes what they are asked."""

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

    def timm(self, model: Any, repo_id: str, **options: Any) -> None:
        self.asked.append(("timm", {"model": model, "repo_id": repo_id, **options}))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub()
    monkeypatch.setattr(push_module, "HfApi", lambda: made)
    monkeypatch.setattr(push_module, "push_to_hf_hub", made.timm)
    return made


def test_timm_pushes_what_timm_loads(study: Study, hub: Hub, tmp_path: Path) -> None:
    assert study.export("kd", "--to", str(tmp_path / "out")) == 0
    assert not hub.asked
    assert study.export("kd", "--to", str(tmp_path / "out"), "--push", "me/bird", "--private") == 0
    assert [what for what, _ in hub.asked] == ["create", "upload", "timm"]
    create, upload, timm = (options for _, options in hub.asked)
    assert create == {"repo_id": "me/bird", "private": True, "exist_ok": True}
    assert upload["ignore_patterns"] == ["config.json", "model.safetensors"]
    assert timm["safe_serialization"] is True
    assert len(timm["model_config"]["label_names"]) == 25
    assert timm["data_config"]["input_size"] == (3, 32, 32)
    assert "token" not in timm


def test_other_networks_are_uploaded_whole(study: Study, hub: Hub, tmp_path: Path) -> None:
    push_module.push(tmp_path, study.deployed("simkd"), "me/bird")
    assert [what for what, _ in hub.asked] == ["create", "upload"]
    assert hub.asked[1][1]["ignore_patterns"] is None


def test_a_hub_that_refuses_is_quoted(
    study: Study, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.error = OSError("401 Unauthorized")
    assert study.export("kd", "--to", str(tmp_path / "out"), "--push", "me/bird") == 2
    assert "401 Unauthorized" in (told := capsys.readouterr().err)
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
