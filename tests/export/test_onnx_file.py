"""ONNX: a free batch axis, torch's logits, a friendly word where the extra is missing; and measuring an export anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fgkd.errors import UserError
from fgkd.export import load, onnx_file
from fgkd.export.onnx_file import OnnxNetwork, compare, write_onnx
from tests.export.conftest import KEPT, LABELS, Study


def needs_onnx() -> None:
    for name in onnx_file.LIBRARIES:
        pytest.importorskip(name)


@pytest.fixture(scope="module")
def folder(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kd, exported with an ONNX file."""
    needs_onnx()
    out = tmp_path_factory.mktemp("onnx") / "kd"
    assert study.export("kd", "--to", str(out), "--onnx", "--verify") == 0
    return out


def test_any_batch_size_gives_torchs_logits(study: Study, folder: Path, noise: Callable[[int], Tensor]) -> None:
    onnx, network = OnnxNetwork(folder / "model.onnx"), study.deployed("kd").callable
    assert compare(network, onnx, [noise(n) for n in (1, 3, 17)]) < 1e-5
    other = study.deployed("scratch").callable
    with pytest.raises(UserError, match=r"other logits than torch: off by .* expected 0\.0001"):
        compare(other, onnx, [noise(3)])


@pytest.mark.parametrize("name", KEPT)
def test_what_timm_cannot_load_goes_out_as_onnx(kept: dict[str, tuple[Path, str]], name: str) -> None:
    folder, told = kept[LABELS.get(name, name)]
    assert "plain timm cannot load it" in told
    assert "noise and test images" in told
    assert told.count(": equal") == 2  # fgkd and onnxruntime
    assert (folder / "model.onnx").exists()
    assert not (folder / "config.json").exists()


def test_a_wrong_export_does_not_pass(
    study: Study, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    shutil.copytree(study.results, results)
    path = results / "small" / "records" / study.chosen("kd").record.run_id
    path = path.with_name(f"{path.name}.json")
    fields = json.loads(path.read_text())
    fields["metrics"]["test_last"]["top1"] += 1 / 150
    path.write_text(json.dumps(fields))
    other = Study(results, study.cache)
    assert other.export("kd", "--to", str(tmp_path / "out"), "--verify") == 1
    assert "NOT EQUAL" in capsys.readouterr().out


def test_verifying_needs_the_images_of_the_record(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    shutil.copytree(study.results, results)
    path = next((results / "small" / "records").glob("simkd-*.json"))
    fields = json.loads(path.read_text())
    fields["data"]["revision"] = "0" * 12
    path.write_text(json.dumps(fields))
    assert Study(results, study.cache).export("simkd", "--to", str(tmp_path / "out"), "--verify") == 2
    assert "expected revision 000000000000" in capsys.readouterr().err


def test_without_the_extra_the_message_names_it(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None if name == "onnxscript" else object())
    for label in ("kd", "simkd"):
        assert study.export(label, "--to", str(tmp_path / "out"), "--onnx") == 2
        assert "needs onnxscript, which the extra brings: pip install 'fgkd[onnx]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert study.export("simkd", "--to", str(tmp_path / "out")) == 0  # fgkd.load needs none
    assert "with the extra fgkd[onnx] it is exported as ONNX too" in capsys.readouterr().out
    assert not (tmp_path / "out/model.onnx").exists()
    assert "Use fgkd." in (tmp_path / "out/README.md").read_text()
    assert load(tmp_path / "out").class_names == study.deployed("simkd").class_names


def test_what_torch_cannot_write_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_onnx()

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("step 1 of 3\n\nno such operator")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(UserError, match=r"as ONNX: RuntimeError: step 1 of 3 \.\.\. no such operator"):
        write_onnx(nn.Conv2d(3, 1, 1), 4, tmp_path / "x.onnx")
