"""Text from people stays text: no formula, no markup, no second line."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgkd.report.sheet import csv_text, markdown_text, number, one_line, to_csv


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n@x"])
def test_formulas_are_disarmed(text):
    assert csv_text(text).startswith("'")


@given(st.text())
def test_no_text_breaks_a_csv_row_or_starts_a_formula(text):
    frame = pd.DataFrame({"a": [text], "b": [1.5]})
    rows = list(csv.reader(io.StringIO(to_csv(frame, {"b": 2}), newline="")))
    assert rows == [["a", "b"], [csv_text(text), "1.50"]]
    assert not rows[1][0].startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text())
def test_no_text_breaks_a_markdown_row(text):
    shown = markdown_text(text)
    assert len(shown.splitlines()) <= 1
    assert "<" not in shown
    assert ">" not in shown
    for i, char in enumerate(shown):
        if char in "|`*[]":
            assert shown[i - 1] == "\\"


def test_ordinary_names_stay_as_they_are():
    for name in ("resnet18.a1_in1k", "kd+crd", "th_kd_paper", "vit_tiny_patch16_224.augreg_in21k_ft_in1k"):
        assert csv_text(name) == markdown_text(name) == one_line(name) == name


def test_numbers_have_fixed_decimals_and_blank_is_not_zero():
    assert [number(v, 3) for v in (1.5, 0.0, -0.0001, None, float("nan"), pd.NA)] == [
        "1.500",
        "0.000",
        "0.000",
        "",
        "",
        "",
    ]
    assert number(-1.25, 2) == "-1.25"
    frame = pd.DataFrame({"x": [-1.5, None], "n": pd.array([3, None], dtype="Int64"), "t": ["a", ""]})
    assert to_csv(frame, {"x": 3}) == "x,n,t\n-1.500,3,a\n,,\n"
