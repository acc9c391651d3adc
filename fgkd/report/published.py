"""Published numbers: what others report for the pairs on a board. They stand beside measured rows, never among them.

    results/published.yaml

They are neither averaged nor ranked, and appear only where data set, protocol, teacher and student are a table's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fgkd.errors import UserError
from fgkd.report.comparison import Group
from fgkd.report.lines import lead_cell

FILE = "published.yaml"
ALONE = ("teacher", "scratch")  # first in a table: what the pair reaches without distillation

NOT_MEASURED = "not measured here, neither ranked nor averaged"

Percent = Annotated[float, Field(ge=0, le=100)]
Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Score(_Part):
    """Top-1 in percent: the mean, with the standard deviation and the number of runs where they are stated."""

    mean: Percent
    sd: float | None = Field(None, ge=0)
    n: int | None = Field(None, ge=1)


class Source(_Part):
    """Where numbers were found.

    Attributes:
        paper: title, venue and identifier of what made them.
        table: which table, and of which document.
        url: of that document.
        remarks: how the numbers came about, where that is not how they do here.
    """

    paper: Text
    table: Text
    url: str = Field(pattern=r"^https://\S+$")
    remarks: tuple[Text, ...] = ()


class Pair(_Part):
    """The scores of one teacher and student by method; ``teacher`` and ``scratch`` are the two alone."""

    teacher: Text
    student: Text
    top1: dict[Text, Score | Percent] = Field(min_length=1)


class Table(_Part):
    """One published table, or the part of it that speaks of networks which fgkd has."""

    dataset: Text
    protocol: Text = "default"
    source: Source
    pairs: tuple[Pair, ...] = Field(min_length=1)


class Published(_Part):
    """The file."""

    tables: tuple[Table, ...] = ()


NOTHING = Published()


@dataclass(frozen=True)
class PublishedRow:
    """One published number, for whoever draws it.

    Attributes:
        method: fgkd's name of it where it has one, else the paper's.
        score: in percent.
    """

    method: str
    score: Score
    source: Source

    @property
    def text(self) -> str:
        """Such as ``73.27 (sd 0.16, n 5)``: unlike the intervals of measured rows, and without a number not stated."""
        stated = [f"sd {self.score.sd:.2f}"] if self.score.sd is not None else []
        stated += [f"n {self.score.n}"] if self.score.n is not None else []
        return f"{self.score.mean:.2f}" + (f" ({', '.join(stated)})" if stated else "")


def read_published(results: Path) -> Published:
    """The file in a results folder; empty where there is none.

    Raises:
        UserError: it is not what it should be.
    """
    path = results / FILE
    try:
        fields = yaml.safe_load(path.read_bytes()) if path.exists() else {}
        return Published.model_validate(fields)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors(include_url=False))
        raise UserError(f"{FILE}: {'; '.join(problems)}") from None
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise UserError(f"{FILE}: expected YAML, found {' '.join(str(error).split())}") from None


def published_or_problem(results: Path) -> tuple[Published, list[str]]:
    """The file in a results folder, or none and what is wrong with it: a board needs it less than its records."""
    try:
        return read_published(results), []
    except UserError as error:
        return NOTHING, [str(error)]


def published_rows(published: Published, group: Group) -> list[PublishedRow]:
    """What was published for the data, protocol, teacher and student of a table; the pair alone first, then by name."""
    lead = lead_cell(group)
    teacher = lead.first.spec.feed.teacher
    if teacher is None or group.ranking.metric != "top1":
        return []
    dataset = lead.first.spec.feed.dataset
    here = (dataset.name, dataset.protocol, teacher.backbone.name, lead.first.spec.student.name)
    rows = [row for place, row in _rows(published) if place == here]
    first = {name: number for number, name in enumerate(ALONE)}
    return sorted(rows, key=lambda row: (first.get(row.method, len(first)), row.method.lower(), row.source.paper))


def sources_of(rows: list[PublishedRow]) -> list[Source]:
    """The sources of rows, each once; the row of number i + 1 names the i-th."""
    return list(dict.fromkeys(row.source for row in rows))


def citation(source: Source) -> str:
    """A source in one line."""
    remarks = f" ({'; '.join(source.remarks)})" if source.remarks else ""
    return f"{source.paper}; {source.table}, {source.url}{remarks}"


def _rows(published: Published) -> Iterator[tuple[tuple[str, str, str, str], PublishedRow]]:
    for table in published.tables:
        for pair in table.pairs:
            place = (table.dataset, table.protocol, pair.teacher, pair.student)
            for method, score in pair.top1.items():
                yield (
                    place,
                    PublishedRow(method, score if isinstance(score, Score) else Score(mean=score), table.source),
                )
