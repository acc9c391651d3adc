"""A view's shorter side: enough for evaluation, told in a suite's own words, and absent from the ids of old runs."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from fgkd.data.views import EvalView
from fgkd.errors import UserErrors
from fgkd.spec import DatasetSpec, Feed, ViewSpec
from fgkd.suite import load_suite


@pytest.mark.parametrize(("size", "crop_pct", "least"), [(224, 0.875, 256), (96, 0.875, 109), (32, 1.0, 32)])
def test_the_least_side_is_what_evaluation_resizes_to(size, crop_pct, least):
    view = ViewSpec(size=size, crop_pct=crop_pct, shorter_side=least)
    assert view.eval_side == least
    assert EvalView(view)._transform.transforms[0].max_size == least
    with pytest.raises(ValidationError, match=f"expected a shorter_side of at least {least}, .*found {least - 1}"):
        ViewSpec(size=size, crop_pct=crop_pct, shorter_side=least - 1)


def test_old_feeds_keep_their_digest():
    plain = Feed(dataset=DatasetSpec(name="cub200"))
    assert "shorter_side" not in plain.canonical()
    assert Feed(dataset=DatasetSpec(name="cub200"), view=ViewSpec(shorter_side=256)).digest() != plain.digest()


SUITE = "name: mine\nversion: 1\ndatasets: [cub200]\nstudents: [resnet18]\nmethods: [scratch]\n"


def test_a_suite_sets_it(tmp_path):
    (tmp_path / "mine.yaml").write_text(SUITE + "view: {size: 96, shorter_side: 128}\n")
    (run,) = load_suite(tmp_path / "mine.yaml").runs()
    assert run.feed.view.shorter_side == 128


@pytest.mark.parametrize(
    "text",
    [
        "view: {size: 96, shorter_side: 100}\n",
        "view: {size: 80, shorter_side: 100}\noverrides:\n- when: {dataset: cub200}\n  set: {view.size: 96}\n",
    ],
)
def test_too_small_a_side_is_met_when_the_suite_is_read(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(SUITE + text)
    with pytest.raises(UserErrors, match="expected a shorter_side of at least 109") as caught:
        load_suite(tmp_path / "mine.yaml")
    assert "mine.yaml:6:" in str(caught.value) or "mine.yaml:9:" in str(caught.value)
