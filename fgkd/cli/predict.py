"""``fgkd predict``: what pictures show, by a student in a folder that ``fgkd export`` wrote."""

from __future__ import annotations

import csv
import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from fgkd.cli.print import bar, print_json, print_table
from fgkd.cli.values import parse_device
from fgkd.errors import UserError
from fgkd.report.text import csv_text, one_line

if TYPE_CHECKING:
    from fgkd.export import Student

BATCH = 32  # pictures that go through the network together
HEADER = ("file", "class", "probability")

Labelled = tuple[str, list[tuple[str, float]]]  # a picture, and its most probable classes


def predict(args: Namespace) -> int:
    """Print the classes of every picture; 1 where some could not be read, which are named at the end."""
    if args.top < 1:
        raise UserError(f"--top: expected 1 or more, found {args.top}")
    from fgkd.export import load

    student = load(args.folder).to(parse_device(args.device))
    amiss: list[str] = []
    files = list(dict.fromkeys(_files(args.pictures, amiss)))
    with bar("pictures", len(files)) as advance:
        labelled: list[Labelled] = []
        for some in (files[start : start + BATCH] for start in range(0, len(files), BATCH)):
            labelled += _labelled(student, some, args.top, amiss)
            advance(len(some))
    _show(labelled, args)
    for line in amiss:
        print(one_line(line), file=sys.stderr)
    return 1 if amiss else 0


def _files(pictures: Sequence[Path], amiss: list[str]) -> Iterator[Path]:
    """The files that are meant; a folder without any is added to what is amiss."""
    from fgkd.data.sources.own import IMAGE_ENDINGS, images_below

    for path in pictures:
        found = images_below(path) if os.path.isdir(path) else [path]  # Path's would raise at too long a name
        if not found:
            amiss.append(f"{path}: holds no images ({', '.join(sorted(IMAGE_ENDINGS))})")
        yield from found


def _labelled(student: Student, files: Sequence[Path], top: int, amiss: list[str]) -> list[Labelled]:
    """What the files show, without those that cannot be read, which are added to what is amiss.

    Of a million pictures, the scores of all classes would not fit in memory.
    """
    import torch

    seen = {}
    for path in files:
        try:
            seen[path] = student.transform(path)
        except UserError as error:
            amiss.append(str(error))
    found = student.classify(torch.stack([*seen.values()])) if seen else []
    return [(str(path), list(islice(one.scores.items(), top))) for path, one in zip(seen, found, strict=True)]


def _show(labelled: Sequence[Labelled], args: Namespace) -> None:
    rows = [(path, name, share) for path, classes in labelled for name, share in classes]
    if args.json:
        named = lambda classes: [{"class": name, "probability": share} for name, share in classes]
        print_json([{"file": path, "classes": named(classes)} for path, classes in labelled])
    elif args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((csv_text(path), csv_text(name), f"{share:.6f}") for path, name, share in rows)
    elif rows:
        print_table(HEADER, [(path, name, f"{share:.4f}") for path, name, share in rows])
