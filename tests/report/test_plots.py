"""A board's pictures: drawn where records allow it, the same bytes again, and safe from names."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from fgkd.errors import UserError
from fgkd.report.comparison import cells_of
from fgkd.report.plots import write_plots
from fgkd.report.plots.files import file_name
from fgkd.report.plots.style import COLOURS, FAINT, REFERENCES, looks
from tests.board_factory import record, run_spec
from tests.report.html.factory import HOSTILE, hostile_records, varied_records


def test_every_chart_is_there_as_png_and_svg(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install fgkd[plots]")
    some = [r for r in varied_records() if r.spec.feed.dataset.name == "cub200"]
    written = write_plots(some, tmp_path)
    names = sorted({path.stem for path in written})
    assert names == [
        *("01-cub200-macs", "01-cub200-params", "01-cub200-small_net-curves", "01-cub200-small_net-forest"),
        *("01-cub200-train_seconds", "02-cub200-smaller_net-curves", "02-cub200-smaller_net-forest"),
    ]
    for name in names:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "</svg>" in (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
    before = {path: path.read_bytes() for path in written}
    assert {path: path.read_bytes() for path in write_plots(some, tmp_path)} == before


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install fgkd[plots]")
    assert write_plots([], tmp_path) == []
    assert write_plots([record(run_spec(), None, curve=[])], tmp_path) == []


@pytest.mark.filterwarnings("ignore:Glyph")  # the font has no letters of some scripts
def test_hostile_names_stay_within_the_folder(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install fgkd[plots]")
    some = [r for r in hostile_records() if "../" in r.suite or r.suite in HOSTILE[:2]]
    written = write_plots([*some, record(run_spec(dataset="folder:../../up", student="a/../b $x$"))], tmp_path / "in")
    assert written
    assert {path.parent for path in written} == {tmp_path / "in"}
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    for path in written:
        if path.suffix == ".svg":
            assert "<script" not in path.read_text(encoding="utf-8")


def test_file_names_are_plain() -> None:
    assert file_name("01", 'a/..\\b:"*?<>|', "\u202e") == "01-a-b-"
    assert len(file_name("x" * 300)) == 80


def test_references_keep_their_looks_and_others_are_told_apart() -> None:
    cells = cells_of([record(run_spec(name)) for name in ("scratch", "kd", *(f"m{i}" for i in range(8)))])
    style = {cell.method: looks(cells)[id(cell)] for cell in cells}
    assert (style["kd"][0], style["scratch"][0]) == (REFERENCES["kd"], REFERENCES["scratch"])
    assert len({style[f"m{i}"] for i in range(6)}) == len(COLOURS)
    assert style["m7"][0] == FAINT


def test_without_matplotlib_one_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UserError, match=r"install fgkd\[plots\]"):
        write_plots([record()], tmp_path)
