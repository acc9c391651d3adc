"""The suites that repeat published tables: their pairs, recipes and weights are the published ones."""

from __future__ import annotations

from collections import defaultdict

import pytest

from fgkd.runner.check.pairs import pair_problems
from fgkd.spec import RunSpec
from fgkd.suite import load_suite

PAIRS = {  # as the tables of arXiv:1910.10699 list them, with dkd's published beta (arXiv:2203.08679)
    ("wrn_40_2", "wrn_16_2"): 6,
    ("wrn_40_2", "wrn_40_1"): 6,
    ("resnet56", "resnet20"): 2,
    ("resnet110", "resnet20"): 2,
    ("resnet110", "resnet32"): 2,
    ("resnet32x4", "resnet8x4"): 8,
    ("vgg13", "vgg8"): 6,
    ("vgg13", "mobilenetv2_half"): 6,
    ("resnet50", "mobilenetv2_half"): 8,
    ("resnet50", "vgg8"): 8,
    ("resnet32x4", "shufflenetv1"): 8,
    ("resnet32x4", "shufflenetv2"): 8,
    ("wrn_40_2", "shufflenetv1"): 8,
}
WEIGHTS = {  # (method, parameter): RepDistiller's, by its scripts
    ("kd", "kd_weight"): 0.9,
    ("kd", "ce_weight"): 0.1,
    ("kd", "temperature"): 4,
    ("fitnet", "fitnet_weight"): 100,
    ("at", "at_weight"): 1000,
    ("sp", "weight"): 3000,
    ("cc", "weight"): 0.02,
    ("vid", "vid_weight"): 1,
    ("rkd", "weight"): 1,
    ("pkt", "weight"): 30000,
    ("ab", "ab_weight"): 1,
    ("ft", "ft_weight"): 200,
    ("fsp", "fsp_weight"): 1,
    ("nst", "nst_weight"): 50,
    ("crd", "crd_weight"): 0.8,
    ("crd", "num_negatives"): 16384,
}


@pytest.fixture(scope="module")
def cifar() -> list[RunSpec]:
    return load_suite("cifar100").runs()


def bare(name: str) -> str:
    return name.removeprefix("cifar_")


def test_cifar_has_the_published_pairs_each_with_every_method_and_three_seeds(cifar: list[RunSpec]) -> None:
    found = defaultdict(list)
    for run in cifar:
        if run.feed.teacher is not None:
            found[bare(run.feed.teacher.backbone.name), bare(run.student.name)].append((run.method.label, run.seed))
    assert set(found) == set(PAIRS)
    labels = {label for label, _ in found["resnet56", "resnet20"]}
    assert {"kd", "crd", "kd+crd", "dkd", "reviewkd", "simkd", "letkd", "th_kd"} <= labels
    for runs in found.values():
        assert sorted(runs) == sorted((label, seed) for label in labels for seed in (0, 1, 2))
    alone = [run for run in cifar if run.feed.teacher is None]
    assert len(alone) == 3 * len({student for _, student in PAIRS})


def test_cifar_recipe_is_the_published_one(cifar: list[RunSpec]) -> None:
    for run in cifar:
        slow = any(word in run.student.name for word in ("shufflenet", "mobilenet"))
        teacher = run.feed.teacher
        recipes = [(run.recipe, 0.01 if slow else 0.05)]
        if teacher is not None:
            assert teacher.train is not None
            assert (teacher.train.epochs, teacher.train.batch_size) == (240, 64)
            recipes.append((teacher.train.recipe, 0.05))
        for recipe, lr in recipes:
            assert (recipe.optimizer, recipe.lr, recipe.momentum) == ("momentum", lr, 0.9)
            assert (recipe.weight_decay, recipe.decay_all) == (5e-4, True)
            assert (recipe.schedule, recipe.milestones, recipe.decay_rate) == ("step", (150, 180, 210), 0.1)
            assert recipe.warmup_epochs == 0
        assert (run.feed.epochs, run.feed.batch_size) == (240, 64)
        view = run.feed.view
        assert (view.size, view.augment, view.crop_pct) == (32, "cifar", 1.0)


def test_cifar_weights_are_the_published_ones(cifar: list[RunSpec]) -> None:
    params = {run.method.label: run.method.parts[0].params for run in cifar if len(run.method.parts) == 1}
    for (method, name), value in WEIGHTS.items():
        assert params[method][name] == value, (method, name)
    summed = next(run.method for run in cifar if run.method.label == "kd+crd")
    assert [part.params["ce_weight"] for part in summed.parts if part.name == "kd"] == [1]
    assert [part.params["kd_weight"] for part in summed.parts if part.name == "kd"] == [1]


def test_cifar_weights_that_depend_on_the_pair(cifar: list[RunSpec]) -> None:
    for run in cifar:
        if run.feed.teacher is None or len(run.method.parts) != 1:
            continue
        pair = bare(run.feed.teacher.backbone.name), bare(run.student.name)
        params, four = run.method.parts[0].params, pair[0] in {"vgg13", "resnet50"}
        if run.method.label == "dkd":
            assert params["beta"] == PAIRS[pair], pair
        elif run.method.label == "reviewkd":
            expected = {("resnet56", "resnet20"): 0.6, ("resnet32x4", "shufflenetv2"): 8}.get(pair, 5)
            assert params["reviewkd_weight"] == (1 if pair[0] == "resnet110" else expected), pair
        elif run.method.label == "fitnet":
            assert params["stage"] == (-3 if four else -2), pair  # the second behind the stem
        elif run.method.label in {"at", "vid", "ab", "nst"}:
            assert len(params["stages"]) == (4 if four else 3), pair
        elif run.method.label == "letkd":
            assert params["alpha_penultimate"] == (0.1 if pair == ("resnet50", "mobilenetv2_half") else 1)


def test_imagenet_has_the_published_pairs_and_recipe() -> None:
    runs = load_suite("imagenet").runs()
    pairs = {(run.feed.teacher.backbone.name, run.student.name) for run in runs if run.feed.teacher is not None}
    assert pairs == {("resnet34.tv_in1k", "resnet18"), ("resnet50.tv_in1k", "mobilenetv1_100")}
    for run in runs:
        recipe, view = run.recipe, run.feed.view
        assert (recipe.optimizer, recipe.lr, recipe.weight_decay) == ("momentum", 0.1, 1e-4)
        assert (recipe.milestones, run.feed.epochs, run.feed.batch_size) == ((30, 60, 90), 100, 256)
        assert (view.size, view.crop_pct, view.augment) == (224, 0.875, "imagenet")
        assert run.feed.teacher is None or run.feed.teacher.train is None


@pytest.mark.parametrize(("name", "classes"), [("cifar100", 100), ("imagenet", 1000)])
def test_every_method_can_teach_in_every_pair(name: str, classes: int) -> None:
    runs = [run for run in load_suite(name).runs() if run.seed == 0]
    assert pair_problems(runs, {run.feed.dataset: classes for run in runs}) == []


@pytest.mark.parametrize("name", ["cub50", "grocery_store"])
def test_each_method_may_choose_from_the_same_two_learning_rates(name: str) -> None:
    high, low = (load_suite(f"{name}_tuning_{which}").runs() for which in ("high", "low"))
    assert {run.recipe.lr for run in high if run.role == "student"} == {0.2}
    assert {run.recipe.lr for run in low if run.role == "student"} == {0.05}
    slowed = {run.model_copy(update={"recipe": run.recipe.model_copy(update={"lr": 0.05})}).run_id for run in high}
    heads = {run.run_id for run in low if run.feed.teacher and run.feed.teacher.head_from}  # from runs at the same rate
    assert {run.run_id for run in low} - heads < slowed
    pair = (high[-1].student, high[-1].feed.dataset)
    chosen = [r for r in load_suite(name).runs() if (r.student, r.feed.dataset) == pair]
    teacher = high[-1].feed.teacher
    firsts = {r.run_id for r in chosen if r.feed.teacher in (None, teacher) and r.seed == 0 and r.feed.data_seed == 0}
    assert firsts <= {run.run_id for run in (*high, *low)}  # so that they are taken over, not trained again
