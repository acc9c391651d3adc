"""Command lines put together at random from every command and flag that there is: a message and an exit code, always.

What trains, prices networks or asks the network is left out; the checks before it are not.
"""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fgkd.cli.main import main
from fgkd.cli.parser import build_parser
from fgkd.errors import UserError
from tests.fuzz.mutants import fuzz

ROOT = Path(__file__).resolve().parents[2]
VALUES = (
    *(
        "",
        " ",
        "x",
        "-1",
        "0",
        "1",
        "3",
        "1e9",
        "nan",
        "inf",
        "0.5",
        "9" * 40,
        "\x00",
        "\u202e",
        "\udcff",
        "*",
        "[",
        "{",
        "=",
        "-",
        "--",
    ),
    *(
        "smoke",
        "quickstart",
        "own.yaml",
        "broken.yaml",
        "nowhere.yaml",
        "birds",
        "table.csv",
        "results",
        ".",
        "..",
        "/dev/null",
    ),
    *(
        "kd",
        "th_kd",
        "kd+crd",
        "kd+kd",
        "scratch,kd",
        ",",
        "test_vit",
        "test_*",
        "resnet18.a1_in1k",
        "nowhere.safetensors",
    ),
    *(
        "synthetic_birds",
        "cub200",
        "imagenet",
        "folder:birds",
        "folder:nowhere",
        "folder:birds?test_share=9",
        "table:table.csv",
    ),
    *(
        "table:table.csv?label_column=none",
        "hub:a/b",
        "hub:birds",
        "hub",
        "run:x",
        "teacher",
        "kd-",
        "tiny",
        "default",
        "retrieval",
    ),
    *(
        "recipe.lr=0.1",
        "recipe.lr=[",
        "recipe.lr=-1",
        "a.b=c",
        "students=[]",
        "epochs=0",
        "view.size=[1,2]",
        "methods=[{}]",
    ),
    *(
        "{backbone: test_vit}",
        "{backbone: [1]}",
        "[a, b]",
        "0/2",
        "2/2",
        "5m",
        "off",
        "5 minutes",
        "bf16",
        "no",
        "run",
        "record",
    ),
)


def leaves(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], list[argparse.Action]]]:
    """Every command that runs something, with its arguments."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield path, parser._actions
    for action in below:
        for name, command in action.choices.items():
            yield from leaves(command, (*path, name))


COMMANDS = dict(leaves(build_parser()))
LEFT_OUT = {("latency",), ("watch",)}  # they measure, or look on for ever


NUMBERS = ("0", "1", "2", "32", "-1", "9" * 40, "many")


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command, a few of its arguments with values that may fit, and now and then a stranger."""
    path = draw(st.sampled_from(sorted(set(COMMANDS) - LEFT_OUT)))
    argv = list(path)
    positional = [action for action in COMMANDS[path] if not action.option_strings]
    flags = [action for action in COMMANDS[path] if action.option_strings]
    for action in [*positional, *draw(st.lists(st.sampled_from(flags), max_size=4))]:
        argv += [draw(st.sampled_from(action.option_strings))] if action.option_strings else []
        argv += [] if action.nargs == 0 else draw(values(action))
    if draw(st.integers(0, 9)) == 0:
        argv.insert(draw(st.integers(0, len(argv))), draw(st.sampled_from(["--nope", "-x", "stray", "--json", ""])))
    return argv


def values(action: argparse.Action) -> st.SearchStrategy[list[str]]:
    """Values for an argument: mostly of its kind, one or several as it takes them, sometimes none."""
    if action.choices:
        one: st.SearchStrategy[str] = st.sampled_from([*map(str, action.choices), "x"])
    elif action.type is int:
        one = st.sampled_from(NUMBERS)
    elif action.dest == "suite":
        one = st.sampled_from(["own.yaml", "own.yaml", "smoke", "quickstart", "broken.yaml", "nowhere.yaml", "x", ""])
    else:
        one = st.sampled_from(VALUES) | st.text(max_size=5)
    several = action.nargs in ("+", "*")
    return st.lists(one, min_size=0 if several else 1, max_size=3 if several else 1)


OWN = """
name: own
version: 1
datasets: ["folder:birds"]
teachers: [{backbone: test_resnet, size: 32, train: {epochs: 1}}]
students: [{backbone: test_vit, size: 32}]
methods: [scratch, kd]
view: {size: 32}
epochs: 1
batch_size: 2
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a suite, a broken one, a few images, a table of them, and results."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "own.yaml").write_text(OWN)
    (folder / "broken.yaml").write_text(OWN.replace("epochs: 1", "epochs: [").replace("kd]", "kdd]"))
    pixels = np.random.default_rng(0).integers(0, 255, (8, 40, 40, 3), dtype=np.uint8)
    rows = ["path,label"]
    for number, image in enumerate(pixels):
        path = folder / "birds" / f"class{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        rows.append(f"{path.relative_to(folder)},{number % 2}")
    (folder / "table.csv").write_text("\n".join(rows))
    shutil.copytree(ROOT / "results" / "quickstart", folder / "results" / "quickstart")
    return folder


@pytest.fixture
def _no_work(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained or priced, and there is no network."""

    def offline(*_: object) -> None:
        raise UserError("there is no network")

    monkeypatch.chdir(desk)
    for name in ("FGKD_DATA", "FGKD_WEIGHTS", "ACCELERATE_MIXED_PRECISION", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FGKD_CACHE", str(desk / "cache"))
    monkeypatch.setattr("fgkd.runner.bench", lambda *_: 0)
    monkeypatch.setattr("fgkd.runner.dry_run", lambda *_: {})
    monkeypatch.setattr("fgkd.data.sources.hub_tables._from_hub", offline)


@pytest.mark.usefixtures("_no_work")
@fuzz
@given(command_lines())
def test_every_command_line_ends_with_a_code(argv: list[str]) -> None:
    said, refused = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(refused):
        code = main(argv)
    assert code in (0, 1, 2)
    assert "Traceback" not in refused.getvalue()
    if code == 2:
        assert refused.getvalue().startswith("fgkd: ") or said.getvalue()
