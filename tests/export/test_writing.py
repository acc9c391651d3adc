"""The folder: what timm, and a process without this package, make of it; and that nobody's files are lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from fgkd.errors import UserError
from fgkd.export import export_run, load
from fgkd.export.writing import OURS
from fgkd.models.eyes import Eyes
from fgkd.models.origin import read_origin
from tests.export.conftest import Study

STRANGER = """
import sys

class NoFgkd:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "fgkd":
            raise ImportError("fgkd is not here")

sys.meta_path.insert(0, NoFgkd())
import numpy as np, timm, torch
import torch.nn.functional as F

squares, targets = np.load(sys.argv[1]), np.load(sys.argv[2])
for folder in sys.argv[3:]:
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    cfg = model.pretrained_cfg
    x = torch.from_numpy(squares).float() / 255
    x = F.interpolate(x, size=cfg["input_size"][1:], mode="bicubic", antialias=True).clamp(0, 1)
    mean, std = (torch.tensor(cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        answers = model((x - mean) / std).argmax(1).numpy()
    print(repr(float((answers == targets).mean())))
assert not [name for name in sys.modules if name.split(".")[0] == "fgkd"]
try:
    import fgkd
except ImportError:
    print("no fgkd")
"""


def test_a_process_without_fgkd_measures_the_same_top1(study: Study, tmp_path: Path) -> None:
    labels = ["kd", "copy_head", "copy_bn"]
    images, targets = study.images("kd")
    np.save(tmp_path / "squares.npy", images.numpy())
    np.save(tmp_path / "targets.npy", targets.numpy())
    for label in labels:
        export_run(study.chosen(label), tmp_path / label, study.store)
    files = [str(tmp_path / name) for name in ("squares.npy", "targets.npy", *labels)]
    done = subprocess.run([sys.executable, "-I", "-c", STRANGER, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    recorded = [repr(study.chosen(label).record.metric("top1")) for label in labels]
    assert done.stdout.split("\n")[:-1] == [*recorded, "no fgkd"]


def test_the_folder_says_what_the_network_expects(study: Study, tmp_path: Path) -> None:
    export_run(study.chosen("kd"), tmp_path / "out", study.store)
    net = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    config, names = net.pretrained_cfg, study.deployed("kd").class_names
    assert tuple(config["input_size"]) == (3, 32, 32)
    assert (config["crop_pct"], config["interpolation"]) == (0.875, "bicubic")
    assert tuple(config["label_names"]) == names
    assert (tmp_path / "out" / "labels.txt").read_text().splitlines() == list(names)
    data = timm.data.resolve_model_data_config(net)
    assert tuple(data["mean"]) == study.deployed("kd").sight.mean
    assert config["license"] is None if "license" in config else True  # not the origin's
    assert net.num_classes == 25


@pytest.mark.parametrize(("label", "file"), [("kd", "model.safetensors"), ("letkd", "network.safetensors")])
def test_the_weights_tell_what_they_were_trained_on(study: Study, tmp_path: Path, label: str, file: str) -> None:
    """So that a teacher's papers are looked at wherever the file is copied to."""
    export_run(study.chosen(label), tmp_path / "out", study.store)
    (tmp_path / file).write_bytes((tmp_path / "out" / file).read_bytes())
    origin, record = read_origin(tmp_path / file), study.chosen(label).record
    assert origin is not None
    assert (origin.run_id, origin.dataset) == (record.run_id, record.spec.feed.dataset.name)
    assert origin.class_names == study.deployed(label).class_names
    assert record.data is not None
    assert (origin.protocol, origin.revision) == (record.data.protocol, record.data.revision)


def test_keyword_arguments_travel(study: Study, tmp_path: Path) -> None:
    from dataclasses import replace

    from fgkd.export.rebuild import rebuild
    from fgkd.export.writing import write_network
    from fgkd.spec import BackboneSpec

    deployed = study.deployed("scratch")
    student = BackboneSpec(name="mobilenetv2_035", kwargs={"pad_type": "same"}, size=32, mean=(0.1, 0.2, 0.3))
    spec = deployed.record.spec.model_copy(update={"student": student})
    network, backbone = rebuild(spec, num_classes=25, train_images=10)
    other = replace(deployed, network=network.eval(), sight=backbone.input)
    write_network(other, tmp_path)
    net, image = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval(), torch.randn(2, 3, 33, 33)
    assert json.loads((tmp_path / "config.json").read_text())["model_args"]["pad_type"] == "same"
    assert tuple(net.pretrained_cfg["mean"]) == (0.1, 0.2, 0.3)
    assert torch.equal(net(image), backbone.net(image))


def test_no_path_of_this_machine_leaves_it(study: Study, tmp_path: Path) -> None:
    export_run(study.chosen("kd"), tmp_path / "out", study.store)
    for path in (tmp_path / "out").iterdir():
        assert path.name in OURS
        assert str(tmp_path).encode() not in path.read_bytes()
        assert str(study.cache).encode() not in path.read_bytes()


@pytest.mark.parametrize("label", ["kd", "copy_head"])
def test_fgkd_loads_what_timm_loads(study: Study, tmp_path: Path, label: str) -> None:
    export_run(study.chosen(label), tmp_path / "out", study.store)
    assert_usable(study, label, tmp_path / "out")


@pytest.mark.parametrize("label", ["letkd", "th_kd"])
def test_fgkd_loads_what_timm_cannot(study: Study, kept: dict[str, tuple[Path, str]], label: str) -> None:
    assert_usable(study, label, kept[label][0])


def assert_usable(study: Study, label: str, folder: Path) -> None:
    """The loaded student measures as recorded, and names what it sees."""
    student, (images, targets) = load(folder), study.images(label)
    assert not student.training
    with torch.no_grad():
        logits = student(Eyes(images, student.view.crop_pct).seen_by(student.sight))
    assert float((logits.argmax(1) == targets).double().mean()) == study.chosen(label).record.metric("top1")
    path = study.data(label).test.paths[0]
    torch.testing.assert_close(student(student.transform(path)[None])[0], logits[0], rtol=1e-4, atol=1e-5)
    seen = student.predict(str(path))
    assert seen.index == int(logits[0].argmax())
    assert seen.name == student.class_names[seen.index]
    assert sum(seen.scores.values()) == pytest.approx(1)
    assert next(iter(seen.scores)) == seen.name


def test_pictures_of_any_kind_but_only_pictures(study: Study) -> None:
    from PIL import Image

    student, path = study.deployed("kd").student(), study.data("kd").test.paths[0]
    picture = Image.open(path).convert("RGB")
    assert torch.equal(student.transform(picture), student.transform(np.asarray(picture)))
    assert torch.equal(student.transform(picture), student.transform(path))
    with pytest.raises(UserError, match="uint8 RGB, found float64"):
        student.transform(np.zeros((4, 4, 3)))


def test_a_folder_that_is_no_export_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"found no fgkd\.json"):
        load(tmp_path)
    (tmp_path / "fgkd.json").write_text("{}")
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path)


def test_nobodys_files_are_replaced(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        export_run(study.chosen("kd"), out, study.store)
    (out / "thesis.tex").rename(tmp_path / "thesis.tex")
    export_run(study.chosen("kd"), out, study.store)  # into an empty folder
    export_run(study.chosen("scratch"), out, study.store)  # over an earlier export
    assert json.loads((out / "fgkd.json").read_text())["run_id"].startswith("scratch-")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"notes\.txt"):
        export_run(study.chosen("kd"), out, study.store)
    with pytest.raises(UserError, match="found a file"):
        export_run(study.chosen("kd"), tmp_path / "thesis.tex", study.store)


def test_a_failed_export_leaves_what_was_there(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    export_run(study.chosen("scratch"), out, study.store)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr("fgkd.export.writing.model_card", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_run(study.chosen("kd"), out, study.store)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
