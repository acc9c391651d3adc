"""Methods are tried on the networks that they will meet: teachers under a student's head, reshaped students."""

from __future__ import annotations

from typing import Any

import pytest

from fgkd.runner.check.pairs import pair_problems
from fgkd.suite.values import make_suite


def told(method: str | dict[str, Any], student: str = "test_resnet", teacher: str = "test_vit") -> list[str]:
    """What is said of `method`; test_resnet has an embedding of 96 that is the mean of its map, test_vit one of 64."""
    suite = make_suite(
        {
            "name": "pairs",
            "version": 1,
            "datasets": ["synthetic_birds"],
            "teachers": [{"backbone": teacher, "train": {"epochs": 1}}],
            "students": [student],
            "methods": ["scratch", method],
            "view": {"size": 64},
        }
    )
    runs = suite.runs()
    return pair_problems(runs, {run.feed.dataset: 10 for run in runs})


def sh_kd(base: Any, **more: Any) -> dict[str, Any]:
    return {"method": "sh_kd", "base": base, **more}


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (sh_kd("sdd"), "sdd: applies the teacher's linear head"),
        (sh_kd("simkd"), "simkd: applies the teacher's linear head"),
        (sh_kd("kd", head_method="letkd"), "expected a head student with a classifier of its own, letkd"),
        (sh_kd("kd", projector="identity"), "under that student's head: frozen_head.projector: identity needs equal"),
        ("copy_head+letkd", "letkd: the penultimate layer needs a student"),
    ],
)
def test_what_would_fail_after_earlier_runs_have_trained_is_told_before(method: Any, words: str) -> None:
    (problem,) = told(method)
    assert words in problem


@pytest.mark.parametrize(
    "method",
    [
        sh_kd("kd+crd"),
        sh_kd({"method": "th_kd", "projector": "identity"}),  # that teacher's head has the student's width
        "letkd+copy_head",
        "copy_head+kd",
        "copy_head+crd",
    ],
)
def test_pairs_that_work_are_let_through(method: Any) -> None:
    assert told(method) == []


def test_a_head_that_fits_as_it_is_leaves_the_embedding_a_mean() -> None:
    assert told(sh_kd("sdd", projector="auto"), teacher="test_resnet") == []
    for order in ("copy_head+sdd", "sdd+copy_head"):
        assert told(order, teacher="test_resnet") == []
        (problem,) = told({"method": order, "copy_head": {"projector": "orthogonal"}}, teacher="test_resnet")
        assert "sdd: applies the student's linear head" in problem
