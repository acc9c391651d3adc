"""A board compares what learnt from the same data: runs are not added to records of another state of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from fgkd.record import read_records
from fgkd.spec import DatasetSpec


def revision_problems(folder: Path, present: Mapping[DatasetSpec, str]) -> Iterable[str]:
    """One line for each data set of which `folder` holds records that another revision of it made.

    Args:
        present: revisions of the data sets that are about to be trained on.
    """
    if not present or not folder.is_dir():
        return
    others: dict[DatasetSpec, Counter[str]] = {}
    for record in read_records(folder)[0]:
        spec, made_of = record.spec.feed.dataset, record.data and record.data.revision
        if made_of and spec in present and made_of != present[spec]:
            others.setdefault(spec, Counter())[made_of] += 1
    for spec, counts in others.items():
        told = ", ".join(f"{count} runs of revision {revision}" for revision, count in counts.most_common())
        yield (
            f"{spec.name}: expected the data that {folder} tells of ({told}), found revision {present[spec]}: images, "
            "labels or splits have changed; put them back, record into another folder (--results), or train all again "
            "(--rerun)"
        )
