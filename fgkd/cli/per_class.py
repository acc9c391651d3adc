"""``fgkd board --per-class RUN_ID``: the classes of a run, worst first."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from fgkd.choosing import find_run
from fgkd.cli.print import print_json, print_table
from fgkd.cli.truth import truth_of
from fgkd.report.per_class import ClassScore, class_scores, mean_class_accuracy, predictions_of, worst_first


def per_class(args: Namespace, folders: Sequence[Path]) -> int:
    """Print how a recorded run fares on each class.

    Raises:
        UserError: no such run; or the right answers are neither beside the records nor in the data root.
    """
    folder, record = find_run(args.per_class, folders)
    predictions_of(record)  # before the right answers are looked for
    scores = class_scores(record, truth_of(record, [folder], args))
    if args.json:
        print_json([{**vars(score), "accuracy": score.accuracy} for score in scores])
        return 0
    shown = worst_first(scores)
    rows = [_row(score) for score in shown[: args.limit or None]]
    print_table(("class", "images", "right", "top-1 %", "mostly taken for"), rows)
    right, images = (sum(getattr(score, name) for score in shown) for name in ("right", "images"))
    print(
        f"{record.run_id}: {len(rows)} of {len(shown)} classes, worst first; top-1 {100 * right / images:.2f} %, "
        f"mean over classes {100 * mean_class_accuracy(scores):.2f} %"
    )
    return 0


def _row(score: ClassScore) -> tuple[str, ...]:
    taken = f"{score.taken_for} ({score.taken})" if score.taken else ""
    return score.name, str(score.images), str(score.right), f"{100 * (score.accuracy or 0):.1f}", taken
