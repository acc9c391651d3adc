"""``fgkd teacher``: train a suite's teachers, prove one, list those in the cache."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fgkd.cli.bench import asked
from fgkd.cli.print import console, print_json, print_table
from fgkd.errors import UserError
from fgkd.places import cache_folder, data_root, weights_folder, writable
from fgkd.text import count

if TYPE_CHECKING:
    from fgkd.models.store import WeightStore
    from fgkd.runner.teachers import Judgement
    from fgkd.spec import Feed

REFUSED, UNKNOWN = 1, 2  # exit codes: a teacher does not pass; one could not be measured


def train_teachers(args: Namespace) -> int:
    """Train, measure and record the teachers of a suite; nobody learns from them yet."""
    suite, runs, fields = asked(args)
    writable(fields["results"], "--results")
    writable(fields["cache"], "--cache")
    from fgkd import runner
    from fgkd.runner.teachers import teachers_of

    teachers = teachers_of(runs)
    if not teachers:
        raise UserError(f"{suite.name}: none of the chosen runs has a teacher; see --methods and --teachers")
    return runner.bench(suite, teachers, runner.Options(**fields))


def check_teachers(args: Namespace) -> int:
    """Measure teachers on the hold-out and compare them with what they have to exceed."""
    from fgkd import runner
    from fgkd.runner.teachers import judge_suite, judge_teacher

    if bool(args.suite) == bool(args.backbone):
        raise UserError("expected either --suite NAME, or --backbone NAME with --dataset NAME and --weights FILE")
    if args.suite:
        suite, runs, fields = asked(args)
        words = judge_suite(suite, runs, runner.Options(**fields))
        if not words:
            raise UserError(f"{suite.name}: none of the chosen runs has a teacher; see --methods and --teachers")
    else:
        words = judge_teacher(_feed(args), runner.Options(**_places(args)))
    _tell(words, as_json=args.json)
    verdicts = {word.verdict for word in words}
    return REFUSED if "refused" in verdicts else UNKNOWN if "unknown" in verdicts else 0


def _places(args: Namespace) -> dict[str, Any]:
    """Folders; a lone teacher's weights file may lie anywhere."""
    folder = args.weights if args.weights is not None and args.weights.is_dir() else None
    return {
        "data_root": data_root(args.data_root),
        "results": args.results,
        "cache": cache_folder(args.cache),
        "weights": weights_folder(folder, "--weights"),
        "workers": args.workers,
    }


def _feed(args: Namespace) -> Feed:
    """A feed whose teacher is the network that the flags name, used as it is."""
    from fgkd.models.check import native_size
    from fgkd.spec import BackboneSpec, DatasetSpec, Feed, TeacherSpec, ViewSpec

    if not args.dataset:
        raise UserError("--dataset: expected the data set that the teacher should classify; see fgkd data list")
    if args.gate is not None and not 0 <= args.gate < 1:
        raise UserError(f"--gate: expected a share from 0 to below 1, such as 0.8, found {args.gate:g}")
    file = None if args.weights is None or args.weights.is_dir() else str(args.weights)
    spec = BackboneSpec.model_validate({"name": args.backbone, "weights": file})
    size = args.size or native_size(spec, 224)
    return Feed(
        dataset=DatasetSpec(name=args.dataset, protocol=args.protocol),
        view=ViewSpec(size=size),
        teacher=TeacherSpec(backbone=spec, gate=args.gate),
    )


def _tell(words: Sequence[Judgement], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(word) for word in words])
        return
    share = lambda value: "" if value is None else f"{value:.2%}"
    rows = [
        (w.teacher, w.dataset, w.student or "any", share(w.holdout_top1), str(w.bar or ""), w.verdict) for w in words
    ]
    out = console()
    print_table(("teacher", "data set", "student", "hold-out", "to exceed", "verdict"), rows, out)
    for problem in dict.fromkeys(word.problem for word in words if word.problem):
        out.print(problem, style="red", markup=False, soft_wrap=True)


def list_teachers(args: Namespace) -> int:
    """The trained teachers whose weights are in the cache."""
    from fgkd.models.store import WeightStore

    store = WeightStore(cache_folder(args.cache) / "weights")
    rows = sorted(_rows(store), key=lambda row: (row["dataset"], row["backbone"], row["run_id"]))
    if args.json:
        print_json(rows)
        return 0
    share = lambda value: "" if value is None else f"{100 * value:.2f}"
    header = ("run", "backbone", "data set", "hold-out", "test", "weights hash", "MB", "days old")
    lines = [
        (
            *(str(row[key]) for key in ("run_id", "backbone", "dataset")),
            share(row["holdout_top1"]),
            share(row["test_top1"]),
            row["weights_hash"] or "",
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['age_days']:.1f}",
        )
        for row in rows
    ]
    print_table(header, lines)
    print(f"{count(len(rows), 'teacher')} in {store.folder}; a suite names one by weights: run:RUN_ID")
    return 0


def _rows(store: WeightStore) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC).timestamp()
    for run_id in store.ids():
        facts = store.facts(run_id)
        spec = facts.get("spec", {})
        if spec.get("role") != "teacher":
            continue
        yield {
            "run_id": run_id,
            "backbone": spec["student"]["name"],
            "dataset": spec["feed"]["dataset"]["name"],
            "epochs": spec["feed"]["epochs"],
            **{key: facts.get(key) for key in ("holdout_top1", "test_top1", "weights_hash", "num_classes")},
            "bytes": store.size(run_id),
            "saved_at": datetime.fromtimestamp(store.saved_at(run_id), UTC).isoformat(timespec="seconds"),
            "age_days": round((now - store.saved_at(run_id)) / 86400, 3),
        }
