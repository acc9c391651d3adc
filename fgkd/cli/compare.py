"""``fgkd compare RUN_A RUN_B``: the second run against the first, on the same test images."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fgkd.choosing import find_run, suite_results
from fgkd.cli.print import print_json, print_table
from fgkd.cli.truth import revision_of, truth_of
from fgkd.errors import UserError
from fgkd.places import cache_folder, data_root
from fgkd.record import RunRecord
from fgkd.report.apart import settings_apart
from fgkd.report.latency import latencies_of
from fgkd.report.per_class import predictions_of
from fgkd.report.sheet import number, one_line
from fgkd.report.versus import Versus, check_comparable, side_by_side, versus
from fgkd.spec import RunSpec

Name = Callable[[int], str]  # of a test image
_TOLD = {
    "dataset.name",
    "dataset.protocol",
    "student.name",
    "teacher",
    "teacher.label",
    "method.name",
    "seed",
    "epochs",
}
Side = tuple[float | None, float | None, int]  # the first run's figure, the second's, decimals to show


def compare(args: Namespace) -> int:
    """Print, or give as JSON, how two recorded runs differ.

    Raises:
        UserError: no such runs, or they were not tested on the same images, or their labels are nowhere to be found.
    """
    folders = suite_results(None, args.suite, args.results)
    (folder, first), (other, second) = (find_run(wanted, folders) for wanted in (args.first, args.second))
    check_comparable(first, second)
    for record in (first, second):
        predictions_of(record)  # before the right answers are looked for
    found, name = versus(first, second, truth_of(first, [folder, other], args)), _names(first, args)
    speeds = latencies_of(folder, first), latencies_of(other, second)
    if args.json:
        print_json(_as_json(found, name, speeds))
    else:
        _show(found, name, speeds, args.limit)
    return 0


def _names(record: RunRecord, args: Namespace) -> Name:
    """Names of test images: their files where the data is at hand, else their positions."""
    from fgkd.data import open_dataset

    try:
        data = open_dataset(record.spec.feed.dataset, data_root(args.data_root), cache=cache_folder(args.cache))
    except UserError:
        return _numbered
    if data.revision != revision_of(record):
        return _numbered
    paths = data.test.paths
    return lambda position: str(Path(*paths[position].parts[-2:]))


def _numbered(position: int) -> str:
    return f"#{position}"


def _sides(found: Versus, speeds: Sequence[dict[str, float]]) -> dict[str, Side]:
    """Rows by title; without what neither run has."""
    first, second = side_by_side(found.first), side_by_side(found.second)
    rows = {title: (value, second[title][0], decimals) for title, (value, decimals) in first.items()}
    for title in dict.fromkeys([*speeds[0], *speeds[1]]):
        rows[title] = (speeds[0].get(title), speeds[1].get(title), 2)
    return {title: row for title, row in rows.items() if row[:2] != (None, None)}


def _without_places(sides: Mapping[str, Side]) -> tuple[dict[str, Side], list[str]]:
    """The rows with numbers for the places that titles end in, as in ``images/s (place)``, and notes that name them."""
    places: dict[str, int] = {}
    rows = {}
    for title, row in sides.items():
        what, bracket, place = title.removesuffix(")").partition(" (")
        mark = f" [{places.setdefault(place, len(places) + 1)}]" if bracket else ""
        rows[what + mark] = row
    return rows, [f"[{number}] on {place}" for place, number in places.items()]


def _settings(found: Versus) -> list[tuple[str, str, str]]:
    """What the runs are, side by side, "the same" where they do not differ; then every other setting that does."""
    specs = found.first.spec, found.second.spec
    first, second = map(_facts, specs)
    rows = [(title, value, "the same" if second[title] == value else second[title]) for title, value in first.items()]
    named_so = ("method.parts", first["method"], second["method"])  # labels that are the sums themselves
    return rows + [row for row in settings_apart(*specs) if row[0] not in _TOLD and row != named_so]


def _facts(spec: RunSpec) -> dict[str, str]:
    feed = spec.feed
    protocol = "" if feed.dataset.protocol == "default" else f" ({feed.dataset.protocol})"
    return {
        "data": f"{feed.dataset.name}{protocol}",
        "student": spec.student.name,
        "teacher": feed.teacher.name if feed.teacher else "none",
        "method": spec.method.label,
        "seed": str(spec.seed),
        "epochs": str(feed.epochs),
    }


def _as_json(found: Versus, name: Name, speeds: Sequence[dict[str, float]]) -> dict[str, Any]:
    gone = found.disagreement
    files = lambda positions: [{"position": p, "image": name(p)} for p in positions]
    return {
        "first": found.first.run_id,
        "second": found.second.run_id,
        "difference": asdict(found.paired),
        "classes": [{**asdict(gap), "gap": gap.gap} for gap in found.classes],
        "disagreement": {kind: files(positions) for kind, positions in vars(gone).items()},
        "figures": {title: row[:2] for title, row in _sides(found, speeds).items()},
    }


def _show(found: Versus, name: Name, speeds: Sequence[dict[str, float]], limit: int) -> None:
    first, second = found.first.run_id, found.second.run_id
    print_table(("", first, second), _settings(found))
    sides, notes = _without_places(_sides(found, speeds))
    print()
    print_table(("test split and costs", first, second, "difference"), [(t, *_three(*row)) for t, row in sides.items()])
    for note in notes:
        print(one_line(note))
    print(f"\n{_verdict(found)}\n")
    gaps = [gap for gap in found.classes if gap.gap][: limit or None]
    if gaps:
        cells = [(one_line(g.name), str(g.images), str(g.first), str(g.second), f"{100 * g.gap:+.1f}") for g in gaps]
        print_table(("classes that differ most", "images", first, second, "points"), cells)
    kinds = {f"only {first} is right": "first_right", f"only {second} is right": "second_right"}
    print(f"\n{found.disagreement.total} of {found.paired.images} images got different classes:")
    for title, kind in {**kinds, "both are wrong": "both_wrong"}.items():
        positions = getattr(found.disagreement, kind)
        shown = [one_line(name(p)) for p in positions[: limit or None]]
        more = ["..."] if len(shown) < len(positions) else []
        print(f"  {title}: {len(positions)}" + (f": {', '.join(shown + more)}" if shown else ""))
    if name is _numbered and found.disagreement.total:
        print("Numbers are positions in the test split; --data-root names the files.")


def _three(first: float | None, second: float | None, decimals: int) -> tuple[str, str, str]:
    gap = "" if first is None or second is None else f"{round(second - first, decimals) + 0.0:+.{decimals}f}"
    return number(first, decimals), number(second, decimals), gap


def _verdict(found: Versus) -> str:
    result = found.paired
    p = "" if result.p is None else f", McNemar's exact p {result.p:.2g}"
    return (
        f"{found.second.run_id} against {found.first.run_id}: {result.mean:+.2f} points (95 % bootstrap interval over "
        f"images {result.low:+.2f} to {result.high:+.2f}){p}: alone right on {result.wins} images, alone wrong on "
        f"{result.losses}. This tells of other images, not of other seeds."
    )
