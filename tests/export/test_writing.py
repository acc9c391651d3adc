"""The folder: what timm, and a process without this package, make of it; and that nobody's files are lost."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from fgkd.data import read_image
from fgkd.errors import UserError
from fgkd.export import export_run, load, onnx_file
from fgkd.export.card import disclosures, licences
from fgkd.export.manifest import public_spec
from fgkd.export.student import Student
from fgkd.export.verify import verify
from fgkd.export.writing import OURS, write_network
from fgkd.models.eyes import Eyes
from fgkd.models.origin import read_origin
from tests.board_factory import run_spec
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
    assert config.get("license") is None  # not the origin's
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
    from fgkd.export.rebuild import rebuild
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


def test_pictures_are_cut_as_was_measured_whatever_the_weights_were_shown(study: Study, tmp_path: Path) -> None:
    """Some of timm's weights want pictures squashed, and timm's transform would do that to the student's."""
    deployed = study.deployed("kd")
    assert deployed.plain is not None
    deployed.plain.pretrained_cfg = {**deployed.plain.pretrained_cfg, "crop_mode": "squash"}
    write_network(deployed, tmp_path)
    net = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    steps = timm.data.create_transform(**timm.data.resolve_model_data_config(net)).transforms
    assert [type(step).__name__ for step in steps[:2]] == ["Resize", "CenterCrop"]
    assert isinstance(steps[0].size, int)  # the shorter side, not both


@pytest.mark.parametrize(("key", "value"), [("crop_mode", "squash"), ("crop_pct", 0.5), ("interpolation", "bilinear")])
def test_an_export_that_cuts_otherwise_does_not_verify(study: Study, tmp_path: Path, key: str, value: object) -> None:
    out, chosen = tmp_path / "out", study.chosen("kd")
    export_run(chosen, out, study.store)
    config = json.loads((out / "config.json").read_text())
    config["pretrained_cfg"][key] = value
    (out / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=f"expected {key} .*, found {value}; export the run again"):
        verify(out, chosen.record, study.data("kd"))


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
    student, path = study.deployed("kd").student(), study.data("kd").test.paths[0]
    picture = Image.open(path).convert("RGB")
    assert torch.equal(student.transform(picture), student.transform(np.asarray(picture)))
    assert torch.equal(student.transform(picture), student.transform(path))
    with pytest.raises(UserError, match="uint8 RGB, found float64"):
        student.transform(np.zeros((4, 4, 3)))


@pytest.mark.parametrize("kind", ["turned", "transparent", "deep"])
def test_an_opened_picture_is_what_its_file_is(study: Study, tmp_path: Path, kind: str) -> None:
    draw = np.random.default_rng(0)
    path, exif = tmp_path / "a.png", Image.Exif()
    if kind == "deep":
        Image.fromarray(draw.integers(0, 65536, (40, 60), dtype=np.uint16)).save(path)
    elif kind == "transparent":
        Image.fromarray(draw.integers(0, 256, (40, 60, 4), dtype=np.uint8), "RGBA").save(path)
    else:
        exif[0x0112] = 6
        Image.fromarray(draw.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(path, exif=exif)
    student = study.deployed("kd").student()
    assert torch.equal(student.transform(Image.open(path)), student.transform(path))


def test_pictures_are_bounded_as_those_of_the_test_split_were(study: Study, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    whole = study.deployed("kd").student()
    view = whole.view.model_copy(update={"shorter_side": 60})
    student = Student(whole.network, whole.sight, view, whole.class_names, name=whole.name)
    expected = student.transform(read_image(tmp_path / "a.png", 60))
    for picture in (tmp_path / "a.png", Image.open(tmp_path / "a.png"), pixels):
        assert torch.equal(student.transform(picture), expected)
    assert not torch.equal(whole.transform(pixels), expected)


def test_what_is_measured_otherwise_than_timm_shows_it_is_disclosed(study: Study) -> None:
    deployed = study.deployed("kd")
    feed = deployed.record.spec.feed
    view = feed.view.model_copy(update={"shorter_side": 64, "crop_pct": 1.0})
    spec = deployed.record.spec.model_copy(update={"feed": feed.model_copy(update={"view": view})})
    sight = replace(deployed.sight, crop_pct=0.6)
    other = replace(deployed, record=deployed.record.model_copy(update={"spec": spec}), sight=sight)
    told = " ".join(disclosures(other, []))
    assert "the middle 0.6 of squares that show 1 of the shorter side" in told
    assert "a shorter side of at most 64 px first" in told
    plain = " ".join(disclosures(deployed, []))
    assert "the middle" not in plain
    assert "at most" not in plain


def test_the_licence_of_weights_that_are_gone_is_not_known_here() -> None:
    spec = run_spec(student={"name": "local-dir:no/such/folder"})
    found = dict(licences(spec))["weights that local-dir:folder started from"]
    assert found == "not known here, where they are not at hand"
    assert public_spec(spec).student.name == "local-dir:folder"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("table:/home/me/birds.csv?images=/srv/photos&label_column=species", "table:birds.csv"),
        ("folder:/home/me/birds?test_share=0.2", "folder:birds"),
        ("hub:/home/me/tables?image_column=picture", "hub:tables"),
        (f"hub:me/birds@{'a' * 40}#small", f"hub:me/birds@{'a' * 40}#small"),
    ],
)
def test_data_sets_go_out_under_their_last_name(name: str, told: str) -> None:
    assert public_spec(run_spec(dataset=name)).feed.dataset.name == told


def test_a_folder_that_is_no_export_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"found no fgkd\.json"):
        load(tmp_path)
    (tmp_path / "fgkd.json").write_text("{}")
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("file", "left", "error"),
    [
        ("model.safetensors", 0.5, "SafetensorError"),
        ("config.json", 0.5, "JSONDecodeError"),
        ("config.json", None, "FileNotFoundError"),
    ],
)
def test_a_damaged_export_is_not_loaded(
    study: Study, tmp_path: Path, file: str, left: float | None, error: str
) -> None:
    export_run(study.chosen("kd"), tmp_path / "out", study.store)
    path = tmp_path / "out" / file
    whole = path.read_bytes()
    if left is None:
        path.unlink()
    else:
        path.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(UserError, match=rf"out: cannot be loaded \({error}: .*\); export the run again"):
        load(tmp_path / "out")


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


def test_what_fgkd_rebuilds_asks_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    held = lambda place: ({}, "test_resnet", {"drop_rate": 0.1, "img_size": 8}) if place == "owner/net" else {}["gone"]
    monkeypatch.setattr("fgkd.export.manifest.load_model_config_from_hf", held)
    spec = run_spec(student={"name": "hf-hub:owner/net", "kwargs": {"pad_type": "same"}})
    rebuilt = public_spec(spec, rebuilt=True).student
    assert (rebuilt.name, rebuilt.weights) == ("test_resnet", "none")
    assert rebuilt.kwargs == {"drop_rate": 0.1, "pad_type": "same"}
    assert public_spec(spec).student.name == "hf-hub:owner/net"  # where timm loads it, the origin is told


def test_a_network_that_onnx_cannot_express_is_exported_without_unless_it_was_asked_for(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*args: object) -> None:
        raise UserError("torch cannot write this network as ONNX: because")

    monkeypatch.setattr(onnx_file, "missing_libraries", list)
    monkeypatch.setattr(onnx_file, "write_onnx", refused)
    assert study.export("simkd", "--to", str(tmp_path / "plain")) == 0
    said = capsys.readouterr().out
    assert "there is no ONNX file: torch cannot write this network as ONNX: because" in said
    assert "with the extra" not in said
    assert load(tmp_path / "plain").class_names
    assert study.export("simkd", "--to", str(tmp_path / "asked"), "--onnx") == 2
    assert not (tmp_path / "asked").exists()
