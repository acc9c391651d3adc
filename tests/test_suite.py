"""Suites: what files mean, what is wrong with bad ones, and that no text whatever brings a traceback."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fgkd.data import augment_names, dataset_names
from fgkd.errors import UserError, UserErrors
from fgkd.spec import RunSpec, teacher_run
from fgkd.suite import Filters, Suite, load_suite, suite_names
from fgkd.suite.check import Known
from fgkd.yaml_places import parse_yaml

KNOWN = Known(dataset_names(), augment_names())
SMALL: dict[str, Any] = {
    "name": "small",
    "version": 1,
    "datasets": ["cub50", "grocery_store"],
    "teachers": ["resnet34", {"backbone": "resnet50", "name": "big", "train": {"epochs": 3}}],
    "students": ["resnet18", {"backbone": "resnet10t", "size": 64}],
    "methods": ["scratch", "kd", "kd+crd"],
    "epochs": 5,
    "batch_size": 8,
    "seeds": [0, 1],
}


def suite(tmp_path: Path, **changes: Any) -> Suite:
    """SMALL with other values, written and read."""
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    return load_suite(path, KNOWN)


def faults(tmp_path: Path, text: str) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_suite(path, KNOWN)
    return str(caught.value)


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_expand_to_distinct_runs_that_survive_json(name: str) -> None:
    runs = load_suite(name, KNOWN).runs()
    assert len({run.run_id for run in runs}) == len(runs) > 1
    for run in runs[:: max(1, len(runs) // 20)]:
        assert RunSpec.model_validate_json(run.model_dump_json()).run_id == run.run_id
    other = runs[0].model_copy(update={"seed": 99})
    assert other.run_id == RunSpec.model_validate_json(other.model_dump_json()).run_id != runs[0].run_id
    assert other.without_seeds == runs[0].without_seeds


def test_grid_is_the_cross_product_and_teacher_free_runs_are_shared(tmp_path: Path) -> None:
    runs = suite(tmp_path).runs()
    counts = Counter(run.method.label for run in runs)
    assert counts == {"scratch": 2 * 2 * 2, "kd": 2 * 2 * 2 * 2, "kd+crd": 2 * 2 * 2 * 2}
    assert all((run.feed.teacher is None) == (run.method.label == "scratch") for run in runs)


def test_settings_reach_the_spec(tmp_path: Path) -> None:
    run = suite(
        tmp_path,
        view={"size": 96, "augment": "light"},
        recipe={"lr": "1e-3"},
        holdout=0.2,
        bank=4,
        data_seeds=[7],
        datasets=[{"name": "cub50", "holdout": 0.3}, "grocery_store"],
    ).runs(Filters(methods=("kd",), teachers=("big",)), precision="bf16")
    first, last = run[0], run[-1]
    assert (first.feed.view.size, first.feed.view.augment, first.recipe.lr) == (96, "light", 0.001)
    assert (first.feed.dataset.holdout, last.feed.dataset.holdout) == (0.3, 0.2)
    assert (first.feed.bank, first.feed.data_seed, first.feed.precision) == (4, 7, "bf16")
    assert first.feed.teacher is not None
    assert first.feed.teacher.train is not None
    assert (first.feed.teacher.name, first.feed.teacher.backbone.name) == ("big", "resnet50")
    assert first.feed.teacher.train.epochs == 3
    assert last.student.size == 64


def test_a_sampler_is_of_students_and_teachers_and_shuffle_is_the_default(tmp_path: Path) -> None:
    plain, spelt = suite(tmp_path).runs(), suite(tmp_path, sampler="shuffle").runs()
    assert [run.run_id for run in spelt] == [run.run_id for run in plain]
    balanced = suite(tmp_path).runs(sets=["sampler=balanced"])
    assert {run.feed.sampler for run in balanced} == {"balanced"}
    assert not {run.run_id for run in balanced} & {run.run_id for run in plain}
    taught = next(run for run in balanced if run.feed.teacher)
    assert teacher_run(taught.feed).feed.sampler == "balanced"
    with pytest.raises(UserError, match="sampler: expected 'shuffle', 'sqrt' or 'balanced', found 'fair'"):
        suite(tmp_path).runs(sets=["sampler=fair"])


def test_a_bank_is_no_part_of_runs_without_a_teacher(tmp_path: Path) -> None:
    runs = suite(tmp_path, bank=2).runs(Filters(methods=("scratch",)))
    assert all(run.feed.bank is None for run in runs)


def test_teacher_forms(tmp_path: Path) -> None:
    teachers = [
        {"backbone": "resnet34", "recipe": "finetune"},
        {"backbone": "resnet50", "train": None, "gate": 0.5, "seed": 3, "mean": 0.5, "kwargs": {"pad_type": "same"}},
    ]
    runs = suite(tmp_path, teachers=teachers).runs(Filters(methods=("kd",)))
    tuned, given_ = (next(r.feed.teacher for r in runs if r.feed.teacher.name == n) for n in ("resnet34", "resnet50"))  # type: ignore[union-attr]
    assert tuned is not None
    assert given_ is not None
    assert tuned.train is not None
    assert given_.train is None
    assert (given_.gate, given_.seed, given_.backbone.mean) == (0.5, 3, (0.5, 0.5, 0.5))
    assert given_.backbone.kwargs == {"pad_type": "same"}


def test_overrides_apply_in_order_and_narrow_the_grid(tmp_path: Path) -> None:
    overrides = [
        {"when": {"dataset": "cub50"}, "set": {"epochs": 9, "students": ["resnet10t"], "seeds": [5]}},
        {"when": {"student": "resnet1?t", "method": ["kd", "scratch"]}, "set": {"recipe": {"lr": 0.5}}},
        {"when": {"dataset": "cub50", "seed": 5}, "set": {"recipe.lr": 0.25, "teacher.train.epochs": 2}},
    ]
    runs = suite(tmp_path, overrides=overrides).runs()
    cub = [run for run in runs if run.feed.dataset.name == "cub50"]
    assert {(run.student.name, run.seed, run.feed.epochs, run.recipe.lr) for run in cub} == {("resnet10t", 5, 9, 0.25)}
    assert {run.feed.teacher.train.epochs for run in cub if run.feed.teacher} == {2}  # type: ignore[union-attr]
    rest = [run for run in runs if run.feed.dataset.name == "grocery_store"]
    lrs = {(run.student.name, run.method.label): run.recipe.lr for run in rest}
    assert lrs["resnet10t", "kd"] == 0.5 != lrs["resnet10t", "kd+crd"]
    assert lrs["resnet18", "kd"] == lrs["resnet10t", "kd+crd"] == 0.05
    assert {run.feed.epochs for run in rest} == {5}


def test_overrides_reach_into_methods(tmp_path: Path) -> None:
    half = {"when": {"method": "kd", "teacher": "big"}, "set": {"method.kd_weight": 0.5}}
    summed = {"when": {"method": "kd+crd"}, "set": {"method": {"kd": {"temperature": 2}}}}
    changed, plain = suite(tmp_path, overrides=[half, summed]).runs(), suite(tmp_path).runs()
    for run, before in zip(changed, plain, strict=True):
        assert run.method.label == before.method.label
        params = run.method.parts[0].params
        if run.method.label == "kd":
            assert params["kd_weight"] == (0.5 if run.feed.teacher.name == "big" else 0.9)
        elif run.method.label == "kd+crd":
            assert params["temperature"] == 2
        else:
            assert run.run_id == before.run_id


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ({"when": {"method": "kd"}, "set": {"method.kd_wait": 1}}, "overrides[0].set.method.kd_wait: "),
        ({"set": {"method.kd_weight": 1}}, "expected a part (kd, crd)"),
        ({"when": {"method": "kd"}, "set": {"method.kd_weight": -1}}, "expected greater than or equal to 0, found -1"),
    ],
)
def test_parameters_that_a_method_does_not_have(tmp_path: Path, override: dict[str, Any], text: str) -> None:
    assert text in faults(tmp_path, yaml.safe_dump({**SMALL, "overrides": [override]}))


def test_switches_of_a_recipe_are_booleans_and_numbers_are_not(tmp_path: Path) -> None:
    recipe = {"lr": 0.1, "decay_all": True}
    runs = suite(tmp_path, recipe=recipe, teachers=[{"backbone": "resnet34", "train": {"recipe": recipe}}]).runs()
    assert all(run.recipe.decay_all for run in runs)
    assert runs[-1].feed.teacher.train.recipe.decay_all
    text = faults(tmp_path, yaml.safe_dump({**SMALL, "recipe": {"lr": True}}))
    assert "recipe.lr: expected a number or text, found true" in text


def test_set_wins_over_overrides_and_changes_ids(tmp_path: Path) -> None:
    made = suite(tmp_path, overrides=[{"when": {"dataset": "cub50"}, "set": {"epochs": 9}}])
    plain, changed = made.runs(), made.runs(sets=["epochs=2", "students=[resnet10t]", "recipe.lr=1e-3"])
    assert {run.feed.epochs for run in changed} == {2}
    assert {run.student.name for run in changed} == {"resnet10t"}
    assert not {run.run_id for run in plain} & {run.run_id for run in changed}


def test_set_leaves_untrained_teachers_untrained(tmp_path: Path) -> None:
    made = suite(tmp_path, teachers=[{"backbone": "resnet34", "train": None}])
    assert made.runs(sets=["teacher.train.epochs=2"]) == made.runs()


def test_filters_are_names_or_patterns(tmp_path: Path) -> None:
    made = suite(tmp_path, datasets=["cub50", {"name": "synthetic_birds", "protocol": "tiny"}])
    runs = made.runs(Filters(datasets=("synthetic_birds",), students=("resnet1*",), methods=("kd*",), seeds=("1",)))
    assert {run.method.label for run in runs} == {"kd", "kd+crd"}
    assert {run.feed.dataset.protocol for run in runs} == {"tiny"}
    assert {run.seed for run in runs} == {1}


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        (Filters(methods=("kdd",)), "unknown method of this suite 'kdd'; did you mean kd"),
        (Filters(datasets=("cars",)), "known: cub50, grocery_store"),
        (Filters(seeds=("7",)), "unknown seed of this suite '7'; known: 0, 1"),
        (Filters(teachers=("huge",)), "unknown teacher"),
    ],
)
def test_filters_that_match_nothing_offer_names(tmp_path: Path, filters: Filters, text: str) -> None:
    with pytest.raises(UserError, match=r"known:|did you mean") as caught:
        suite(tmp_path).runs(filters)
    assert text in str(caught.value)


def test_sh_kd_takes_the_head_of_a_run_of_the_grid(tmp_path: Path) -> None:
    methods = ["scratch", {"method": "sh_kd", "base": "kd+crd", "head_student": "resnet10t", "share_head": True}]
    overrides = [{"when": {"student": "resnet10t"}, "set": {"recipe.lr": 0.7}}]
    runs = suite(tmp_path, methods=methods, seeds=[0, 3], overrides=overrides).runs()
    ids = {run.run_id for run in runs if run.method.label == "scratch"}
    aware = [run for run in runs if run.method.label != "scratch"]
    assert {run.method.label for run in aware} == {"sh_kd(kd+crd+copy_head)"}
    assert [part.name for part in aware[0].method.parts] == ["kd", "crd", "copy_head"]
    for run in aware:
        assert run.feed.teacher is not None
        head = run.feed.teacher.head_from
        assert head is not None
        assert head.run_id in ids
        assert (head.student.name, head.seed, head.feed.dataset, head.recipe.lr) == (
            "resnet10t",
            0,
            run.feed.dataset,
            0.7,
        )


def test_sh_kd_by_default_takes_the_runs_own_student(tmp_path: Path) -> None:
    runs = suite(tmp_path, methods=[{"method": "sh_kd", "projector": "mlp", "name": "mine"}]).runs()
    assert {run.method.label for run in runs} == {"mine"}
    for run in runs:
        assert run.feed.teacher is not None
        assert run.feed.teacher.head_from is not None
        assert run.feed.teacher.head_from.student == run.student
        assert run.feed.teacher.projector == "mlp"


def test_sh_kd_needs_a_teacher_that_is_trained(tmp_path: Path) -> None:
    made = suite(tmp_path, methods=["sh_kd"], teachers=[{"backbone": "resnet34", "train": None}])
    with pytest.raises(UserError, match="sh_kd trains its teacher, but resnet34 is used as it is"):
        made.runs()


BAD = """\
name: smal
version: 0
dataset: [a]
datasets: [cub50, stanford_car, cub50]
teachers:
  - {backbone: x, size: 3, trian: {}}
  - {backbone: y, train: {epoch: 3, augment: stnadard}, gate: 2}
  - {size: 32}
  - {backbone: z, head_from: {}}
students: []
methods: [kdd, {method: kd, temperatur: 3}, {method: kd, temperature: -1}, {method: sh_kd, bases: kd}, 3]
view: {size: yes, augment: standrad}
recipe: {lr: fast}
epochs: 3
epochs: 4
seeds: [-1, 0, 0]
overrides:
  - {when: {dataset: cub, metod: kd}, set: {datasets: [cub200], teacher.siez: 3}}
  - {when: {method: kd, dataset: cub50}, set: {students: [resnet18], view: {augment: x}}}
  - {set: {recipe: {lr: -1, lrr: 2}, students: [{backbone: x, size: 1}], methods: []}}
"""
EXPECTED = [
    "small.yaml:1:1: name: expected small, as the file is called, found smal",
    "small.yaml:2:1: version: expected >= 1, found 0",
    "small.yaml:3:1: dataset: unknown key; did you mean datasets",
    "small.yaml:4:19: datasets[1]: unknown data set 'stanford_car'; did you mean stanford_cars",
    "small.yaml:4:33: datasets[2]: cub50 is listed already, as datasets[0]",
    "small.yaml:6:19: teachers[0].size: expected >= 16, found 3",
    "small.yaml:6:28: teachers[0].trian: unknown key; did you mean train?",
    "small.yaml:7:27: teachers[1].train.epoch: unknown key; did you mean epochs?",
    "small.yaml:7:37: teachers[1].train.augment: unknown augmentation 'stnadard'; did you mean standard?",
    "small.yaml:7:57: teachers[1].gate: expected < 1, found 2",
    "small.yaml:8:5: teachers[2].backbone: missing",
    "small.yaml:9:5: teachers[3]: unknown key 'head_from'",
    "small.yaml:10:1: students: expected at least one entry, found none",
    "small.yaml:11:11: methods[0]: unknown method 'kdd'; did you mean",
    "small.yaml:11:16: methods[1]: kd.temperatur: unknown parameter; did you mean temperature?",
    "small.yaml:11:45: methods[2]: kd.temperature: expected greater than 0, found -1",
    "small.yaml:11:76: methods[3]: sh_kd: unknown parameter 'bases'; did you mean base?",
    "small.yaml:11:104: methods[4]: expected a method's name",
    "small.yaml:12:8: view.size: expected a number or text, found true",
    "small.yaml:12:19: view.augment: unknown augmentation 'standrad'; did you mean standard?",
    "small.yaml:13:10: recipe.lr: expected a valid number, found 'fast'",
    "small.yaml:15:1: epochs: the key stands twice; it was first at 14:1",
    "small.yaml:16:9: seeds[0]: expected >= 0, found -1",
    "small.yaml:16:16: seeds[2]: 0 is listed already, as seeds[1]",
    "small.yaml:18:13: overrides[0].when.dataset: unknown dataset 'cub'; did you mean cub50",
    "small.yaml:18:27: overrides[0].when.metod: unknown key; did you mean method?",
    "small.yaml:18:45: overrides[0].set.datasets: cannot depend on the dataset",
    "small.yaml:18:65: overrides[0].set.teacher.siez: unknown key; did you mean size",
    "small.yaml:19:48: overrides[1].set.students: cannot depend on the method",
    "small.yaml:19:77: overrides[1].set.view.augment: unknown augmentation 'x'",
    "small.yaml:20:21: overrides[2].set.recipe.lr: expected > 0, found -1",
    "small.yaml:20:29: overrides[2].set.recipe.lrr: unknown key; did you mean lr?",
    "overrides[2].set.students[0].size: expected >= 16, found 1",
    "overrides[2].set.methods: expected at least one entry, found none",
]


def test_every_fault_is_reported_with_its_place(tmp_path: Path) -> None:
    text = faults(tmp_path, BAD)
    assert [expected for expected in EXPECTED if expected not in text] == []
    assert f"has {len(text.splitlines()) - 1} problems" in text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"teachers": []}, "kd needs a teacher, but the suite lists no teachers"),
        (
            {"methods": ["kd", {"method": "kd", "temperature": 2}]},
            "kd is listed already, as methods[0], with other content",
        ),
        ({"students": ["resnet18", {"backbone": "resnet18", "size": 64}]}, "with other content"),
        (
            {"students": [{"backbone": "resnet18", "name": "mine"}]},
            "the same as backbone here, found both; leave one out",
        ),
        ({"methods": [{"method": "sh_kd", "head_student": "resnet9"}]}, "unknown student of this suite 'resnet9'"),
        ({"methods": [{"method": "sh_kd", "base": "sh_kd"}]}, "must be other methods than sh_kd"),
        ({"teachers": [{"backbone": "x", "recipe": "thorough"}]}, "recipe: expected finetune"),
        ({"overrides": [{"set": {"teacher": "x"}}]}, "expected a key of it, such as teacher.name"),
        ({"overrides": [{"set": {"epochs.x": 1}}]}, "unknown setting 'epochs.x'"),
        ({"overrides": [{"when": {"dataset": "cub50"}}]}, "missing"),
        ({"datasets": "cub50"}, "expected a list, such as [cub50], found 'cub50'"),
        ({"seeds": [2**40]}, "expected < 2147483648"),
        ({"students": [{"backbone": "x", "mean": [1, 2]}]}, "students[0].mean"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    assert text in faults(tmp_path, yaml.safe_dump({**SMALL, **changes}))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "expected a mapping with name, version"),
        (b"[1, 2", "not valid YAML"),
        (b"\xff\xfe\x00", "expected UTF-8"),
        (b"a: !!python/object/apply:os.system [echo]", "expected plain data"),
        (b"a: &a [*a]", "holds itself"),
        (b"[" * 3000, "nested too deeply"),
        (b"a: " + b"x" * 600_000, "at most 500000 characters"),
        (b"name: small\nversion: .inf", "expected a finite number"),
        (b"name: small\ndescription: small: one", "2:19: not valid YAML: mapping values are not allowed here; a text"),
    ],
)
def test_unreadable_files(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "small.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_suite(path)
    assert text in str(caught.value)
    assert "not valid YAML" not in text or "expected a mapping" not in str(caught.value)  # nothing was read to judge


def test_nested_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    document = parse_yaml("\n".join(lines))
    assert "aliases nested in aliases" in document.faults[0].text


def test_anchors_and_merge_keys_work() -> None:
    document = parse_yaml("a: &x {lr: 1, ema: 2}\nb: {<<: *x, lr: 3}\nc: {<<: [*x, {lr: 4, z: 5}]}\nd: *x")
    assert not document.faults
    assert document.value["b"] == {"lr": 3, "ema": 2}
    assert document.value["c"] == {"lr": 1, "ema": 2, "z": 5}
    assert document.value["d"] == document.value["a"]


@pytest.mark.parametrize(
    "text", ["epochs", "=3", "epoch=3", "view.size=[", "recipe.lr=x", "teacher=3", "methods=[kdd]"]
)
def test_bad_sets_are_told_with_their_flag(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="--set"):
        suite(tmp_path).runs(sets=[text])


def test_bad_sets_and_filters_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(UserErrors) as caught:
        suite(tmp_path).runs(
            Filters(methods=("kdd",), datasets=("cub51",), seeds=("7", "0")), sets=["epoch=3", "epochs"]
        )
    told = caught.value.problems
    assert len(told) == 5
    for text, expected in zip(told, ("epoch=3", "--set epochs", "cub51", "kdd", "'7'"), strict=True):
        assert expected in text


def test_filters_are_judged_by_the_sets_that_hold(tmp_path: Path) -> None:
    with pytest.raises(UserErrors) as caught:
        suite(tmp_path).runs(Filters(methods=("dkd",)), sets=["methods=[dkd]", "epoch=3"])
    assert len(caught.value.problems) == 1
    assert "epoch" in caught.value.problems[0]


def test_a_filter_of_teachers_needs_teachers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown teacher of this suite 'big'; known: none"):
        suite(tmp_path, teachers=[], methods=["scratch"]).runs(Filters(teachers=("big",)))


def test_unknown_suite_offers_near_names() -> None:
    with pytest.raises(UserError, match="did you mean smoke"):
        load_suite("smok")
    with pytest.raises(UserError, match=r"no suite file nowhere/x\.yaml"):
        load_suite("nowhere/x.yaml")


def read_or_refuse(path: Path) -> None:
    """Load and expand; anything but a UserError is a defect."""
    try:
        load_suite(path, KNOWN).runs(sets=["recipe.ema=0.9"])
    except UserError:
        return


@pytest.fixture(scope="module")
def fuzz_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "small.yaml"


FULL = {
    **SMALL,
    "methods": ["scratch", {"method": "kd", "temperature": 2.0}, {"method": "sh_kd", "base": "kd"}],
    "view": {"size": 64},
    "recipe": {"lr": 0.1, "milestones": [1.0]},
    "overrides": [
        {"when": {"dataset": "cub50"}, "set": {"epochs": 9, "recipe": {"lr": 0.2}, "students": ["resnet18"]}}
    ],
}
TEXT = yaml.safe_dump(FULL)


@settings(max_examples=120)
@given(st.data())
def test_mutated_text_brings_user_errors_only(fuzz_path: Path, data: st.DataObject) -> None:
    text = TEXT
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        until = min(len(text), at + data.draw(st.integers(0, 6)))
        extra = data.draw(st.text("\n :-[]{}&*!|>'\"%@`,#?~0a\t.<=", max_size=5) | st.text(max_size=3))
        text = text[:at] + extra + text[until:]
    fuzz_path.write_text(text, encoding="utf-8", errors="surrogatepass")
    read_or_refuse(fuzz_path)


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, part in items for spot in spots(part, (*path, key)))]


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["kd", "seed", "a.b"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["set", "when", "method", "x.y", "name"]), inner)
    ),
    max_leaves=4,
)


@settings(max_examples=150)
@given(st.sampled_from(spots(FULL)[1:]), ODD)
def test_mutated_values_bring_user_errors_only(fuzz_path: Path, spot: tuple[Any, ...], odd: Any) -> None:
    value = copy.deepcopy(FULL)
    parent: Any = value
    for key in spot[:-1]:
        parent = parent[key]
    parent[spot[-1]] = odd
    fuzz_path.write_text(yaml.safe_dump(value))
    read_or_refuse(fuzz_path)


def test_many_problems_are_not_taken_for_many_runs() -> None:
    with pytest.raises(UserErrors) as raised:
        load_suite("cub50").runs(sets=["recipe.mixup=0.2"])
    assert str(raised.value).endswith("...")
