"""`fgkd.distill` and `fgkd distill`: a folder of images to a student, by the suite's own path."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

import fgkd
from fgkd.api.distilling import _Listener
from fgkd.cli.main import main
from fgkd.cli.wording import as_flags
from fgkd.errors import UserError, UserErrors
from fgkd.export.verify import Check
from fgkd.leaderboard import check_boards
from fgkd.models import hub
from fgkd.record import read_records, records_folder
from fgkd.runner import Options, session
from fgkd.runner.check.starts import start_problems

TEACHER = {"backbone": "test_resnet", "gate": 0.0, "train": {"epochs": 1}}
SMALL: dict[str, Any] = {"student": "test_efficientnet", "epochs": 1, "view": {"size": 32}, "verbose": False}


def pets(folder: Path) -> Path:
    """Two classes, one darker than the other; 20 images each to learn from, 5 to be tested on."""
    draw = np.random.default_rng(0)
    for split, number in (("train", 20), ("test", 5)):
        for label, name in enumerate(("cats", "dogs")):
            (folder / split / name).mkdir(parents=True)
            for i in range(number):
                pixels = np.clip(draw.normal(60 + 120 * label, 30, (40, 40, 3)), 0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / split / name / f"{i}.png"), pixels)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, on which a student was distilled once; tests must not change it."""
    folder = tmp_path_factory.mktemp("home")
    pets(folder / "pets")
    return folder


def places(home: Path) -> dict[str, Path]:
    return {"results": home / "results", "cache": home / "cache"}


@pytest.fixture(scope="module")
def done(home: Path) -> fgkd.Distilled:
    return fgkd.distill(home / "pets", teacher=TEACHER, **SMALL, **places(home))


def test_the_student_comes_with_its_evidence(done: fgkd.Distilled, home: Path) -> None:
    assert done.record.status == "ok"
    assert done.record.spec.method.label == "kd"
    assert done.record.spec.feed.batch_size == 8  # four steps of 34 images
    assert done.teacher is not None
    assert done.teacher.run_id == done.record.teacher.run_id
    assert done.teacher.spec.feed.epochs == 1
    assert done.folder == home / "results" / "distill-pets"
    assert check_boards(done.folder) == []
    assert len(read_records(done.folder / "records")[0]) == 2
    assert done.top1 == done.record.metric("top1")


def test_the_student_is_the_one_that_was_measured(done: fgkd.Distilled, home: Path) -> None:
    files = {name: sorted((home / "pets/test" / name).iterdir()) for name in ("cats", "dogs")}
    seen = [done.predict(path).name == name for name, paths in files.items() for path in paths]
    assert sum(seen) / len(seen) == done.top1 == done.record.metric("top1")
    assert not done.student.training
    assert done.student(torch.zeros(3, 3, 32, 32)).shape == (3, 2)


def test_the_same_call_again_trains_nothing(
    done: fgkd.Distilled, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session._Session, "run_cohort", lambda *args: pytest.fail("trained again"))
    monkeypatch.chdir(home)
    for spelling in ("pets", "folder:pets", f"folder:{home}/pets", Path("pets")):
        again = fgkd.distill(spelling, teacher=TEACHER, **{**SMALL, "verbose": spelling == "pets"}, **places(home))
        assert again.record == done.record
    assert "recorded already" in capsys.readouterr().out
    assert all(
        torch.equal(a, b)
        for a, b in zip(again.student.state_dict().values(), done.student.state_dict().values(), strict=True)
    )


def test_weights_of_ones_own_that_have_changed_make_another_run(home: Path, tmp_path: Path) -> None:
    def leave(seed: int) -> None:
        torch.manual_seed(seed)
        net = timm.create_model("test_efficientnet", num_classes=2)
        save_file({name: value.contiguous() for name, value in net.state_dict().items()}, tmp_path / "own.safetensors")

    start = {"backbone": "test_efficientnet", "weights": str(tmp_path / "own.safetensors")}
    asked = {**SMALL, "student": start, "method": "scratch", "results": tmp_path / "results", "cache": tmp_path / "c"}
    leave(0)
    first = fgkd.distill(home / "pets", **asked)
    assert fgkd.distill(home / "pets", **asked).record == first.record
    leave(1)
    with pytest.raises(
        UserError, match=rf"own\.safetensors: have changed since run {first.record.run_id} .*rerun=True"
    ):
        fgkd.distill(home / "pets", **asked)
    again = fgkd.distill(home / "pets", **asked, rerun=True)
    assert again.record.student.start_digest != first.record.student.start_digest
    (tmp_path / "own.safetensors").unlink()  # nobody needs it who has the record
    folder = records_folder(tmp_path / "results", "distill-pets")
    assert list(start_problems([again.record.spec], folder, Options(tmp_path, tmp_path, tmp_path / "c"))) == []


def test_one_process_may_train_in_one_precision_after_the_other(home: Path, tmp_path: Path) -> None:
    asked = {**SMALL, "method": "scratch", "results": tmp_path / "results", "cache": tmp_path / "c"}
    found = [fgkd.distill(home / "pets", **asked, precision=precision).record for precision in ("bf16", "no", "bf16")]
    assert [one.environment.precision for one in found] == ["bf16", "no", "bf16"]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"workers": -1}, "workers: expected a number of processes from 0, found -1"),
        ({"student": {"backbone": "test_efficientnet", "std": 0}}, "expected numbers from 0 to 1, above 0"),
        ({"student": {"backbone": "test_efficientnet", "mean": [123.7, 116.3, 103.5]}}, "divide those of pixels in 0"),
    ],
)
def test_what_no_training_could_bear_is_told_before_it(home: Path, tmp_path: Path, wish: dict, said: str) -> None:
    asked = {**SMALL, "method": "scratch", "results": tmp_path / "results", "cache": tmp_path / "c"}
    with pytest.raises(UserError, match=said):
        fgkd.distill(home / "pets", **{**asked, **wish})
    assert not list((tmp_path / "results").rglob("*.json"))


def test_what_was_missing_is_looked_for_again(tmp_path: Path) -> None:
    name = f"local-dir:{tmp_path / 'later'}"
    assert "found no config.json" in (hub.config_problem(name) or "")
    (tmp_path / "later").mkdir()
    (tmp_path / "later/config.json").write_text("{}")
    hub.forget_answers()
    assert hub.config_problem(name) is None


def test_it_exports_what_loads_again(done: fgkd.Distilled, home: Path, tmp_path: Path) -> None:
    student = fgkd.load(done.export(tmp_path / "out", verify=True))
    assert repr(student) == f"Student(test_efficientnet, 2 classes, 32 px, folder='{tmp_path}/out')"
    picture = home / "pets/test/cats/0.png"
    assert student.predict(picture).scores == pytest.approx(done.predict(picture).scores)
    monkey = [path for path in (tmp_path / "out").iterdir() if str(home).encode() in path.read_bytes()]
    assert not monkey  # no path of this machine


def test_the_command_is_the_same_call(
    done: fgkd.Distilled,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session._Session, "run_cohort", lambda *args: pytest.fail("trained again"))
    flags = ["--teacher", "{backbone: test_resnet, gate: 0.0, train: {epochs: 1}}", "--student", "test_efficientnet"]
    flags += ["--epochs", "1", "--size", "32", "--to", str(tmp_path / "out")]
    flags += [f"--{name}={path}" for name, path in places(home).items()]
    assert main(["distill", str(home / "pets"), *flags]) == 0
    told = capsys.readouterr().out
    assert f"{done.record.run_id}: test top-1 {100 * done.top1:.2f} %" in told
    assert f"next: fgkd predict {tmp_path / 'out'} picture.jpg" in told
    assert (tmp_path / "out" / "model.safetensors").exists()
    assert main(["predict", str(tmp_path / "out"), str(home / "pets/test"), "--json"]) == 0
    found = {entry["file"]: entry["classes"][0] for entry in json.loads(capsys.readouterr().out)}
    assert len(found) == 10
    for path, one in found.items():
        prediction = done.predict(path)
        assert (one["class"], one["probability"]) == (prediction.name, pytest.approx(prediction.probability, abs=1e-5))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--onnx"], "--onnx: expected --to DIR as well"),
        (["--to", "/dev/null/x/out"], "cannot write to /dev/null/x"),
        (["--to", "OUT", "--onnx"], "ONNX needs no_such_library"),
    ],
)
def test_what_cannot_be_exported_is_told_before_training(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, flags: list[str], said: str
) -> None:
    monkeypatch.setattr("fgkd.export.onnx_file.LIBRARIES", ("no_such_library",))
    monkeypatch.setattr("fgkd.api.distilling.distill", lambda *args, **more: pytest.fail("trained"))
    flags = [str(home / "out") if flag == "OUT" else flag for flag in flags]
    assert main(["distill", str(home / "pets"), "--student", "test_efficientnet", *flags]) == 2
    assert said in capsys.readouterr().err


def test_changed_images_are_not_passed_off_as_the_recorded_ones(done: fgkd.Distilled, home: Path) -> None:
    extra = home / "pets/train/cats/extra.png"
    try:
        extra.write_bytes((home / "pets/train/cats/0.png").read_bytes())
        with pytest.raises(UserError, match=r"images have changed since run .* rerun=True"):
            fgkd.distill(home / "pets", teacher=TEACHER, **SMALL, **places(home))
        with pytest.raises(UserError, match="images have changed since run teacher-"):
            fgkd.distill(home / "pets", teacher=TEACHER, method="dkd", **SMALL, **places(home))
    finally:
        extra.unlink()


def test_who_leaves_out_a_tag_is_told_of_the_weights(
    done: fgkd.Distilled,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session._Session, "run_cohort", lambda *args: None)
    plain = {**SMALL, "verbose": True}
    with pytest.raises(UserErrors, match="left no record"):
        fgkd.distill(home / "pets", teacher=TEACHER, **plain, **places(tmp_path))
    told = capsys.readouterr().out
    assert "teacher test_resnet starts from random weights; test_resnet.r160_in1k would start from timm's" in told
    assert "student test_efficientnet starts from random weights" in told
    meant = {**plain, "student": {"backbone": "test_efficientnet", "weights": "none"}}
    with pytest.raises(UserErrors, match="left no record"):
        fgkd.distill(home / "pets", method="scratch", **meant, **places(tmp_path))
    fgkd.distill(home / "pets", teacher=TEACHER, **plain, **places(home))  # recorded already
    assert "random weights" not in capsys.readouterr().out


def test_what_went_wrong_is_raised_and_not_only_printed(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = {**TEACHER, "gate": 0.999}
    with pytest.raises(UserErrors, match=r"test_resnet: expected a hold-out top-1 above 99\.90"):
        fgkd.distill(home / "pets", teacher=strict, **SMALL, results=tmp_path, cache=tmp_path / "cache")
    with pytest.raises(UserError, match=r"ended as diverged: the loss was not finite.*; what may help: a smaller"):
        fgkd.distill(
            home / "pets", method="scratch", recipe={"optimizer": "sgd", "lr": 1e30}, **SMALL, **places(tmp_path)
        )
    assert capsys.readouterr().out == ""


def test_a_refused_teacher_is_told_once(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strict = "{backbone: test_resnet, gate: 0.999, train: {epochs: 1}}"
    flags = ["--student", "test_efficientnet", "--epochs", "1", "--size", "32", "--teacher", strict]
    flags += [f"--{name}={path}" for name, path in places(tmp_path).items()]
    assert main(["distill", str(home / "pets"), *flags]) == 2
    told = "\n".join(capsys.readouterr())
    assert told.count("expected a hold-out top-1 above 99.90") == 1
    assert "or state a gate for it (--teacher '{backbone: ..., gate: 0.2}')" in told
    assert "mean +- half" not in told, "the legend of a board without tables"


def test_what_no_exception_says_is_printed_in_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    console = _Listener(silent=False)
    for text in ("pets: a record is broken", "a record is broken", "another"):
        console.print(text, style="red")
    assert capsys.readouterr().out == ""
    assert console.alarms() == ["pets: a record is broken", "another"]
    console.release()
    assert capsys.readouterr().out == "pets: a record is broken\nanother\n"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "fgkd: kd needs a teacher: add --teacher NAME, or --method scratch"),
        (["--method", "kdd"], "--method: unknown method 'kdd'; did you mean kd"),
        (["--teacher", "{backbone: test_resnet, trian: 1}"], "--teacher: trian: unknown key; did you mean train"),
        (["--method", "scratch", "--epochs", "0"], "fgkd: --epochs: expected >= 1, found 0"),
        (["--method", "scratch", "--batch-size", "1"], "fgkd: --batch-size: expected >= 2, found 1"),
        (["--method", "scratch", "--seed", "-1"], "fgkd: --seed: expected >= 0, found -1"),
        (["--method", "scratch", "--student", "{backbone: x, sise: 1}"], "--student: sise: unknown key"),
    ],
)
def test_the_command_names_its_flags(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    named = [f"--{name}={path}" for name, path in places(tmp_path).items()]
    assert main(["distill", str(home / "pets"), "--student", "test_efficientnet", *named, *flags]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "[0]" not in told


def test_advice_of_the_python_call_is_told_as_flags() -> None:
    assert as_flags("pass rerun=True to train again, or another `results`") == (
        "pass --rerun to train again, or another --results"
    )
    assert as_flags("train again (--rerun, rerun=True), or elsewhere") == "train again (--rerun), or elsewhere"
    assert as_flags("see its record, and --retry-failed") == "see its record, and --rerun"
    assert as_flags("students[0]: methods[0] stays") == "--student: methods[0] stays"


def test_a_result_is_shown_in_a_line(done: fgkd.Distilled) -> None:
    shown = repr(done)
    assert shown == f"Distilled({done.record.run_id}, top1={done.top1:.4f}, folder={str(done.folder)!r})"
    assert repr(done.student) == "Student(test_efficientnet, 2 classes, 32 px)"


def test_mistakes_are_told_before_anything_is_trained(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UserErrors) as told:
        fgkd.distill(
            home / "pets", teacher={"backbone": "test_resnet", "trian": {}}, method="kdd", **SMALL, **places(tmp_path)
        )
    assert len(told.value.problems) == 2
    assert "did you mean train" in str(told.value)
    with pytest.raises(UserErrors, match="kd needs a teacher, but the suite lists no teachers"):
        fgkd.distill(home / "pets", **SMALL, **places(tmp_path))
    with pytest.raises(UserError, match="expected a folder of images, or the name of a data set"):
        fgkd.distill("synthetic_brids", **SMALL, **places(tmp_path))
    with pytest.raises(UserError, match="test_efficientnot"):
        fgkd.distill(home / "pets", method="scratch", **{**SMALL, "student": "test_efficientnot"}, **places(tmp_path))
    assert not list((tmp_path / "results").rglob("*.json"))


def test_arguments_are_named_as_they_were_given(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wish = {"method": "scratch", **SMALL, **places(home / "unused")}
    with pytest.raises(UserError, match=r"weights folder nowhere: .* \(weights= or"):
        fgkd.distill(home / "pets", weights="nowhere", **wish)
    with pytest.raises(UserError, match="precision: expected one of no, bf16, fp16, found 'int8'"):
        fgkd.distill(home / "pets", precision="int8", **wish)
    for flags, said in (["--weights", "nowhere"], "(--weights or"), (["--mixed_precision", "int8"], "_precision: exp"):
        assert main(["distill", str(home / "pets"), "--student", "test_efficientnet", *flags]) == 2
        assert said in capsys.readouterr().err


def test_the_stub_tells_what_the_package_offers() -> None:
    stub = ast.parse(Path(fgkd.__file__).with_suffix(".pyi").read_text())
    imported = {
        alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported == fgkd._HOMES
    assert set(fgkd.__all__) == set(fgkd._HOMES) <= set(dir(fgkd))
    assert all(getattr(fgkd, name) is not None for name in fgkd.__all__)
    with pytest.raises(AttributeError, match="no attribute 'destill'"):
        fgkd.destill  # noqa: B018


def test_every_wish_reaches_the_run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(suite: object, run: Any, options: Any, images: object, *, verbose: bool) -> Any:
        return run, options

    monkeypatch.setattr("fgkd.api.distilling._run", told)
    run, options = fgkd.distill(
        home / "pets",
        student="test_efficientnet",
        teacher=TEACHER,
        method={"method": "kd", "temperature": 2.0},
        epochs=3,
        batch_size=4,
        seed=5,
        view={"size": 48},
        recipe={"optimizer": "sgd", "lr": 0.5},
        **places(tmp_path),
        weights=tmp_path,
        workers=2,
        precision="bf16",
        rerun=True,
    )
    feed = run.feed
    assert (run.seed, feed.epochs, feed.batch_size, feed.view.size, feed.precision) == (5, 3, 4, 48, "bf16")
    assert (run.recipe.optimizer, run.recipe.lr, run.method.parts[0].params["temperature"]) == ("sgd", 0.5, 2.0)
    assert feed.teacher.train.batch_size == 4
    assert (options.results, options.cache) == (tmp_path / "results", tmp_path / "cache")
    assert (options.weights, options.workers, options.rerun) == (tmp_path, 2, True)


def test_an_export_that_measures_otherwise_is_raised(
    done: fgkd.Distilled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fgkd.api.distilled.verify", lambda *args: [Check("timm", 0.25, 0.5)])
    with pytest.raises(UserError, match=r"timm measures 0\.25, recorded is 0\.5"):
        done.export(tmp_path / "out", verify=True)
    done.export(tmp_path / "unasked")
