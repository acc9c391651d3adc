"""Which run is meant, and whether its weights are here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fgkd.cli.main import main
from fgkd.errors import UserError
from fgkd.export.choice import choose_run
from fgkd.models.store import WeightStore
from tests.export.conftest import Study


def test_a_run_by_its_id_its_beginning_or_its_hash(study: Study) -> None:
    run_id = study.chosen("simkd").record.run_id
    for text in (run_id, "simkd", run_id[:9], run_id.rpartition("-")[2][:6]):
        for results in (study.results, study.results / "small"):
            assert choose_run(text, results, study.store).record.run_id == run_id
    assert choose_run("simkd", study.results, study.store, suite="small").folder == study.records


def test_wrong_runs_are_told_apart(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"2 runs begin so: kd-\w+, kd-\w+; write more"):
        choose_run("kd-", study.results, study.store)
    near = study.chosen("simkd").record.run_id
    with pytest.raises(UserError, match=f"did you mean .*{near}"):
        choose_run(near.replace("simkd", "simdk"), study.results, study.store)
    with pytest.raises(UserError, match="no records below"):
        choose_run("simkd", tmp_path, study.store)
    with pytest.raises(UserError, match="no records below"):
        choose_run("simkd", study.results, study.store, suite="large")


def test_weights_elsewhere_are_said_to_be(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights are not in .*--cache.*fgkd bench --suite small --rerun"):
        choose_run("simkd", study.results, WeightStore(tmp_path))


def test_weights_of_another_training_are_refused(study: Study, tmp_path: Path) -> None:
    run_id = study.chosen("simkd").record.run_id
    place = tmp_path / run_id
    shutil.copytree(study.store.folder / run_id, place)
    manifest = place / "manifest.json"
    recorded = study.chosen("simkd").record.student.weights_hash
    manifest.write_text(manifest.read_text().replace(str(recorded), "0" * 16))
    with pytest.raises(UserError, match="not those that its record speaks of"):
        choose_run("simkd", study.results, WeightStore(tmp_path))


def test_a_run_without_a_result_is_not_exported(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = study.chosen("simkd").record
    folder = tmp_path / "small" / "records"
    folder.mkdir(parents=True)
    lost = record.model_copy(update={"status": "diverged", "reason": "the loss was not finite at step 3"})
    (folder / f"{record.run_id}.json").write_text(lost.to_json())
    assert main(["export", "simkd", "--to", str(tmp_path / "x"), "--results", str(tmp_path)]) == 2
    assert "no result to export: diverged" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
