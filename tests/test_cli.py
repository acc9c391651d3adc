"""The command line: every mistake a user can make is one clear message and exit code 2."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fgkd.cli import bench as cli_bench
from fgkd.cli.main import main
from fgkd.cli.methods import method_entries, methods_markdown
from fgkd.cli.parser import build_parser
from fgkd.methods import METHODS
from fgkd.tables import print_table

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of this machine, and a working folder of the test's own."""
    for name in ("FGKD_DATA", "FGKD_WEIGHTS", "FGKD_CACHE", "ACCELERATE_MIXED_PRECISION", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The message of a command that must exit with 2 and print nothing else."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fgkd: ")
    assert "Traceback" not in err
    return err


SMOKE = ("bench", "--suite", "smoke")
MISTAKES = [
    (["nope"], "invalid choice: 'nope'"),
    ([], "COMMAND"),
    (["bench"], "--suite: expected a name; suites: cifar100, cub50"),
    (["bench", "--suite", "quikstart"], "unknown suite 'quikstart'; did you mean quickstart?"),
    (["plan", "--suite", "own.yaml"], "no suite file own.yaml"),
    (["bench", "--suit", "smoke"], "unrecognized arguments"),
    ([*SMOKE, "--methods", "kdd"], "unknown method of this suite 'kdd'; did you mean kd"),
    ([*SMOKE, "--students", "resnet18"], "unknown student of this suite 'resnet18'"),
    ([*SMOKE, "--datasets", "cub"], "unknown dataset of this suite 'cub'"),
    ([*SMOKE, "--seeds", "4"], "unknown seed of this suite '4'; known: 0"),
    ([*SMOKE, "--data-seeds", "1"], "unknown data seed of this suite '1'; known: 0"),
    ([*SMOKE, "--data-seeds", ","], "--data-seeds: expected names with commas"),
    ([*SMOKE, "--teachers", " , "], "--teachers: expected names with commas"),
    ([*SMOKE, "--set", "methods=[kdd]"], "--set methods=[kdd]: methods[0]: unknown method 'kdd'; did you mean kd"),
    ([*SMOKE, "--set", "methods=[{method: kd, temprature: 3}]"], "did you mean temperature?"),
    ([*SMOKE, "--set", "methods=[{method: kd, temperature: -3}]"], "kd.temperature: expected greater than 0, found -3"),
    ([*SMOKE, "--set", "datasets=[cub20]"], "unknown data set 'cub20'; did you mean cub200"),
    ([*SMOKE, "--set", "view.augment=lite"], "unknown augmentation 'lite'; did you mean light"),
    ([*SMOKE, "--set", "recipe.lr"], "expected KEY=VALUE"),
    ([*SMOKE, "--set", "recipe.lrate=1"], "recipe.lrate: unknown key"),
    ([*SMOKE, "--epochs", "0"], "--set epochs=0: epochs: expected >= 1, found 0"),
    ([*SMOKE, "--epochs", "many"], "invalid int value: 'many'"),
    ([*SMOKE, "--shard", "4/4"], "expected I/N with I from 0 to N - 1"),
    ([*SMOKE, "--shard", "1"], "--shard"),
    ([*SMOKE, "--workers", "-1"], "--workers: expected 0 or more, found -1"),
    ([*SMOKE, "--mixed_precision", "fp8"], "expected one of no, bf16, fp16, found 'fp8'"),
    ([*SMOKE, "--data-root", "nowhere"], "data root nowhere: expected an existing folder"),
    ([*SMOKE, "--weights", "nowhere"], "weights folder nowhere: expected an existing folder"),
    (["board", "nowhere"], "results folder nowhere: does not exist"),
    (["methods", "kdd"], "unknown method 'kdd'; did you mean kd"),
    (["methods", "kd+crdd"], "unknown method 'crdd'; did you mean crd"),
    (["backbones", "nosuch*"], "unknown timm network 'nosuch*'; try a part of a name"),
    (["data", "show", "../my images"], "has no card, and is none of"),
    (["data", "show", "folder:mine"], "are called folder:PATH or table:FILE"),
    (["backbones", "resnet188"], "unknown timm network 'resnet188'; did you mean resnet18"),
    (["backbones", "resnet*", "--limit", "0"], "--limit: expected 1 or more"),
    (["data", "show", "cub20"], "unknown data set 'cub20'; did you mean cub200"),
    (["data", "check", "cub20", "cub200"], "CUB_200_2011 does not exist"),
    (["data"], "COMMAND"),
]


@pytest.mark.parametrize(
    ("argv", "text"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_mistake_is_one_clear_message(capsys: pytest.CaptureFixture[str], argv: list[str], text: str) -> None:
    assert text in refusal(capsys, *argv)


def test_a_misspelt_timm_name_is_told_before_training(capsys: pytest.CaptureFixture[str]) -> None:
    argv = (
        *SMOKE,
        "--cache",
        "cache",
        "--results",
        "results",
        "--set",
        "students=[resnet188]",
        "--methods",
        "scratch,kd",
    )
    assert main(argv) == 2
    assert "resnet188" in capsys.readouterr().err


def test_a_suite_with_several_faults_is_told_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text(
        "name: mine\nversion: one\ndatasets: []\nstudents: [resnet18]\nmethods: [scratch]\nextra: 1\n"
    )
    text = refusal(capsys, "bench", "--suite", "mine.yaml")
    assert "mine.yaml has 3 problems:" in text
    for part in ("mine.yaml:2:1: version", "mine.yaml:3:1: datasets", "mine.yaml:6:1: extra: unknown key"):
        assert part in text


@pytest.mark.parametrize("flag", ["--results", "--cache"])
def test_a_folder_that_cannot_be_written(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("a file, not a folder")
    text = refusal(capsys, *SMOKE, "--cache", "cache", flag, "taken/sub")
    assert "cannot write to taken/sub" in text
    assert flag in text


def test_no_records_to_make_a_board_of(capsys: pytest.CaptureFixture[str]) -> None:
    Path("results/smoke/records").mkdir(parents=True)
    Path("empty").mkdir()
    assert "no records below empty" in refusal(capsys, "board", "empty")
    assert "did you mean smoke?" in refusal(capsys, "board", "--suite", "smok")


def test_a_board_is_written_checked_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("results/smoke/records").mkdir(parents=True)
    assert main(["board", "--suite", "smoke", "--check"]) == 1
    assert "leaderboard.csv: missing" in capsys.readouterr().err
    assert main(["board", "--suite", "smoke"]) == 0
    assert Path("results/smoke/leaderboard.csv").is_file()
    assert main(["board", "results", "--check"]) == 0
    assert main(["board", "--suite", "smoke", "--svg", "board.svg"]) == 0
    picture = Path("board.svg").read_text()
    assert "records" in picture
    assert "url(" not in picture.replace("url(#", "")  # it loads no font from elsewhere
    capsys.readouterr()
    assert main(["board", "results/smoke", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    Path("results/other/records").mkdir(parents=True)
    assert main(["board", "results", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []  # one list, of all suites


@pytest.mark.parametrize("size", ["1", "3000", "x"])
@pytest.mark.parametrize("command", ["latency resnet18", "teacher check --backbone resnet18", "distill x --student y"])
def test_sides_that_no_image_has(capsys: pytest.CaptureFixture[str], command: str, size: str) -> None:
    assert main([*command.split(), "--size", size]) == 2
    most = 2048 if command.startswith("latency") else 1024
    assert f"--size: expected px from 16 to {most}, found '{size}'" in capsys.readouterr().err


def test_an_interruption_says_how_to_go_on(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_bench, "bench", interrupted)
    assert main([*SMOKE]) == 130
    assert "the same command continues" in capsys.readouterr().err


def test_only_the_first_process_tells(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert main(["bench", "--suite", "quikstart"]) == 2
    assert capsys.readouterr().err == ""


def test_precision_follows_accelerate_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    def precisions(*argv: str) -> set[str]:
        args = build_parser().parse_args([*SMOKE, *argv])
        return {run.feed.precision for run in cli_bench.chosen_runs(args)[1]}

    assert precisions() == {"no"}
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert precisions() == {"bf16"}
    assert precisions("--mixed-precision", "fp16") == {"fp16"}


def test_flags_choose_runs() -> None:
    argv = [*SMOKE, "--methods", "kd,scratch", "--students", "test_v*", "--epochs", "3", "--set", "recipe.lr=0.5"]
    _, runs = cli_bench.chosen_runs(build_parser().parse_args(argv))
    assert sorted(run.method.label for run in runs) == ["kd", "scratch"]
    assert {(run.student.name, run.feed.epochs, run.recipe.lr) for run in runs} == {("test_vit", 3, 0.5)}


def test_plan_as_json_and_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["plan", "--suite", "smoke", "--cache", "cache", "--results", "results", "--methods", "kd,scratch"]
    assert main([*argv, "--json"]) == 0
    cohorts = json.loads(capsys.readouterr().out)["cohorts"]
    assert [len(cohort["runs"]) for cohort in cohorts] == [1, 4]  # the teacher, then everybody who learns beside it
    assert main(["bench", *argv[1:], "--dry-run"]) == 0
    assert "5 runs in 2 cohorts" in capsys.readouterr().out
    assert not list(Path("results").rglob("*.json"))


def test_methods_are_listed_with_their_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    from fgkd.methods import METHODS

    assert main(["methods", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(listed) == {*METHODS, "sh_kd"}
    assert all(entry["about"] and entry["family"] for entry in listed.values())
    assert main(["methods", "kd+crd"]) == 0
    out = capsys.readouterr().out
    assert "temperature" in out
    assert "arXiv:1910.10699" in out
    (temperature,) = (row for row in listed["kd"]["parameters"] if row["name"] == "temperature")
    assert (temperature["range"], temperature["default"]) == ("> 0", 4.0)
    assert main(["methods"]) == 0
    assert "1503.02531" in capsys.readouterr().out


def test_backbones_are_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backbones", "resnet18", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["params"], row["size"], row["stages"]["-1"]) == (11_689_512, 224, [512, 7, 7])
    assert main(["backbones", "resnet1*", "--limit", "1"]) == 0
    assert "narrow the pattern" in capsys.readouterr().out


def test_data_sets_are_listed_shown_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert listed["cub200"]["counts"] == {"train": 5994, "test": 5794}
    assert not listed["cub200"]["present"]
    assert main(["data", "list"]) == 0
    assert "cub200" in capsys.readouterr().out
    assert main(["data", "show", "cub200"]) == 0
    assert "200 classes" in capsys.readouterr().out
    assert main(["data", "check", "synthetic_birds", "--protocol", "tiny", "--cache", "cache"]) == 0
    assert "25 classes; train 255, holdout 45, test 150" in capsys.readouterr().out


def test_suites_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--list"]) == 0
    assert "fine_grained" in capsys.readouterr().out


@pytest.mark.parametrize(("command", "flag"), [("bench", "--suite"), ("predict", "--top")])
def test_help_is_quick_and_light(command: str, flag: str) -> None:
    code = (
        f"import sys, time; from fgkd.cli.main import main; main(['{command}', '--help']);"
        "heavy = {'torch', 'timm', 'pandas', 'numpy', 'pydantic', 'albumentations', 'rich'} & set(sys.modules);"
        "assert not heavy, heavy; assert time.process_time() < 0.5, time.process_time()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert flag in done.stdout


def test_the_script_runs_as_a_file_and_shadows_no_library(tmp_path: Path) -> None:
    # `accelerate launch` runs it so, and Python then looks beside it first.
    shutil.copytree(ROOT / "fgkd", tmp_path / "fgkd", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks")
    (tmp_path / "fgkd" / "colorsys.py").write_text("raise ImportError('taken for the library that rich imports')")
    argv = [sys.executable, str(tmp_path / "fgkd" / "bench.py"), "--suite", "quikstart"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fgkd: unknown suite 'quikstart'; did you mean quickstart?\n"


def test_mistaken_flags_are_told_together(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--data-root", "nowhere", "--weights", "elsewhere", "--shard", "4/4", "--methods", "kdd,crdd"]
    assert main([*SMOKE, *flags]) == 2
    told = capsys.readouterr().err
    assert "5 things to mend" in told
    flags_and_names = ("data root nowhere", "weights folder elsewhere", "I from 0 to N - 1", "'kdd'", "'crdd'")
    assert all(part in told for part in flags_and_names)


def test_one_mistaken_name_is_told_without_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMOKE, "--methods", "kdd"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("fgkd: unknown method of this suite 'kdd'")
    assert told.endswith("(filters choose from the suite; --set methods=[...] replaces its list)\n")


def test_the_faults_of_a_suite_are_told_beside_a_mistaken_flag(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text("student: [x]\ndataset: [y]\n")
    assert main(["bench", "--suite", str(tmp_path / "own.yaml"), "--data-root", "nowhere"]) == 2
    told = capsys.readouterr().err
    assert "8 things to mend" in told
    assert all(part in told for part in ("data root nowhere", "own.yaml:1:1: student:", "own.yaml:2:1: dataset:"))


def test_a_command_that_loads_torch_ends_quietly(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "fgkd", "plan", "--suite", "quickstart", "--results", str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_of_methods_is_what_the_registry_says() -> None:
    page = (ROOT / "docs" / "methods.md").read_text()
    assert page == methods_markdown(method_entries()), "regenerate it: fgkd methods --markdown > docs/methods.md"
    assert all(f"| [`{name}`](#{name}) |" in page for name in METHODS)


class Terminal(io.StringIO):
    """What a terminal is told."""

    def isatty(self) -> bool:
        return True


def printed(file: io.StringIO, width: int, *rows: tuple[str, ...]) -> list[list[str]]:
    """The words of each line of a table of three columns."""
    print_table(Console(file=file, width=width), ("run", "an [b]out[/b]", "long header"), rows)
    text = file.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    return [line.split() for line in text.splitlines()]


def test_a_table_folds_between_words_and_no_column_is_lost() -> None:
    lines = printed(Terminal(), 26, ("kd-0123456789ab", "one two", "5"))
    assert lines == [["an", "long"], ["run", "[b]out[/b]", "header"], ["kd-0123456789ab", "one", "two", "5"]]
    assert printed(Terminal(), 3, ("kd-0123456789ab", "one two", "5")) == lines, "the terminal wraps what cannot fold"
    (head, first, second) = printed(Terminal(), 44, ("kd-0123456789ab", "words that need more", "5"))
    assert head == ["run", "an", "[b]out[/b]", "long", "header"]
    assert (first, second) == (["kd-0123456789ab", "words", "that", "5"], ["need", "more"])


def test_a_table_in_a_pipe_has_a_line_a_row() -> None:
    text = "word " * 99
    assert printed(io.StringIO(), 20, ("kd", text, "5"))[1] == ["kd", *text.split(), "5"]


def test_lists_keep_their_columns_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["backbones", "test_res*"]) == 0
    assert " 96 " in capsys.readouterr().out  # the last column, of embeddings
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert "(ILSVRC2012)" in out
    assert max(map(len, out.splitlines()[1:])) <= 80  # below the head, which is bold


def test_methods_are_told_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--json"]) == 0
    abouts = [entry["about"] for entry in json.loads(capsys.readouterr().out)]
    assert main(["methods"]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert all(any(line.endswith(about) for line in lines) for about in abouts)
