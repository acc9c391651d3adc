"""Data set cards: Markdown with Hugging Face front matter, in which one block `fgkd:` says how the set is read.

A set with an ordinary layout needs nothing but a card.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fgkd.errors import UnknownNameError, UserError, unknown_name
from fgkd.yaml_places import parse_yaml

SplitName = Literal["train", "val", "test"]
_PACKAGE = Path(__file__).resolve().parents[1]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProtocolCard(_Part):
    """One way to split and score a data set.

    Attributes:
        description: what is trained on, what is reported.
        task: ``retrieval`` trains on the first half of the classes, of all official splits, and tests on the others.
        counts: images per official split, before a hold-out is carved; empty where no source states them.
        exact: whether other counts on disk mean that the copy is damaged.
        options: handed to the source, over the card's own.
    """

    description: str = Field(min_length=1)
    task: Literal["classification", "retrieval"] = "classification"
    counts: dict[SplitName, int] = {}
    exact: bool = True
    options: dict[str, Any] = {}


class HubCopy(_Part):
    """A copy on the Hugging Face hub; without a pinned revision it cannot be opened by name.

    Attributes:
        options: handed to the source `hub`, such as `label_column`.
    """

    id: str
    revision: str | None = Field(None, pattern="^[0-9a-f]{40}$")
    options: dict[str, str] = {}
    note: str = ""


class Checksum(_Part):
    """Of an archive that others have published."""

    file: str
    md5: str | None = Field(None, pattern="^[0-9a-f]{32}$")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    size: int | None = None  # bytes
    note: str = ""

    @model_validator(mode="after")
    def _is_one(self) -> Checksum:
        if self.md5 is None and self.sha256 is None:
            raise ValueError("expected md5 or sha256")
        return self


class Reading(_Part):
    """The `fgkd:` block.

    Attributes:
        source: who reads the layout, see `fgkd.data.sources`; ``hub`` reads the first pinned copy listed under `hub`.
        folder: below the data root.
        num_classes: K.
        protocols: by name; the first is the default.
        class_names: where they come from and what they look like, for people.
        layout: the files expected in the folder, for people.
        origin: where the set was published.
        download: how to get it.
        options: handed to the source.
    """

    source: str
    folder: str = ""
    num_classes: int = Field(ge=2)
    protocols: dict[str, ProtocolCard] = Field(min_length=1)
    class_names: str = ""
    layout: str
    origin: str
    download: str
    hub: tuple[HubCopy, ...] = ()
    checksums: tuple[Checksum, ...] = ()
    known_issues: tuple[str, ...] = ()
    options: dict[str, Any] = {}


class Card(BaseModel):
    """A data set card; the fields beside `name`, `fgkd` and `text` are Hugging Face's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    pretty_name: str
    license: str | list[str]
    language: list[str]
    task_categories: list[str]
    task_ids: list[str]
    size_categories: list[str]
    annotations_creators: list[str] = []
    source_datasets: list[str] = []
    paperswithcode_id: str | None = None
    tags: list[str] = []
    configs: list[dict[str, Any]] = []
    dataset_info: dict[str, Any] = {}
    fgkd: Reading
    text: str

    def protocol(self, name: str) -> tuple[str, ProtocolCard]:
        """A protocol and its own name; ``default`` is the first.

        Raises:
            UnknownNameError: the card has no such protocol.
        """
        protocols = self.fgkd.protocols
        if name == "default" and name not in protocols:
            name = next(iter(protocols))
        if name not in protocols:
            raise unknown_name(f"protocol of {self.name}", name, ["default", *protocols])
        return name, protocols[name]

    def num_classes(self, protocol: str) -> int:
        """How many classes are trained on under a protocol."""
        whole = self.fgkd.num_classes
        return whole // 2 if self.protocol(protocol)[1].task == "retrieval" else whole


def card_folder() -> Path:
    """The cards of the checkout, else the copy inside an installed package."""
    checkout = _PACKAGE.parent / "dataset_cards"
    return checkout if checkout.is_dir() else _PACKAGE / "dataset_cards"


def dataset_names() -> list[str]:
    """All data sets that have a card, sorted."""
    return sorted(path.stem for path in card_folder().glob("*.md") if path.stem != "README")


@lru_cache
def read_card(name: str) -> Card:
    """The card `dataset_cards/NAME.md`.

    Raises:
        UnknownNameError: there is none.
        UserError: it cannot be parsed.
    """
    path = card_folder() / f"{name}.md"
    if name not in dataset_names():
        if any(sign in name for sign in "/\\:.") or Path(name).exists():
            raise UnknownNameError(
                f"data set {name!r}: has no card, and is none of {', '.join(dataset_names())}; images of your own are "
                "called folder:PATH or table:FILE, and need none: fgkd data check folder:PATH"
            )
        raise unknown_name("data set", name, dataset_names())
    return parse_card(path.read_text(encoding="utf-8"), name, str(path))


def parse_card(text: str, name: str, where: str) -> Card:
    """A card from its Markdown; `where` is what error texts call it."""
    try:
        head, front, body = text.split("---\n", 2)
    except ValueError:
        raise UserError(f"{where}: expected front matter between two lines '---', then text") from None
    document = parse_yaml("\n" * (head.count("\n") + 1) + front)  # so that lines are counted as in the file
    if document.faults:
        raise UserError("; ".join(document.describe(fault, where) for fault in document.faults))
    if not isinstance(document.value, dict):
        raise UserError(f"{where}: expected front matter of keys and values, found {type(document.value).__name__}")
    try:
        return Card.model_validate({**document.value, "name": name, "text": body.strip()})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UserError(f"{where}: {'; '.join(problems)}") from error
