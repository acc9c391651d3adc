"""What a source is: a function from a folder in some layout to class names and official splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fgkd.data.split import Split
from fgkd.errors import UserError
from fgkd.registry import Registry


@dataclass(frozen=True)
class Request:
    """What a source is asked to read.

    Attributes:
        folder: where the set lies.
        cache: where a source may write, with `fgkd.data.cache.written_once`.
        options: from the card, or none.
        reference: what followed the colon of ``hub:...`` and the like, or ID@REVISION of the card's pinned hub copy.
    """

    folder: Path
    cache: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""


@dataclass(frozen=True)
class Listing:
    """What a layout holds; `val` is None where no official validation split exists or the protocol does not use it.

    `unseen` names the classes of the test split where training has none of them; their labels follow on `class_names`'.
    """

    class_names: tuple[str, ...]
    train: Split
    test: Split
    val: Split | None = None
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A reader and what it needs.

    Attributes:
        read: the reader.
        needs: alternatives, each a tuple of paths that must exist below the folder.
        slow: whether reading writes to the cache, so that it is not done while a plan is checked.
        options: what a user may say behind a question mark, see `fgkd.data.sources.address`.
        check: what can be said against a request beforehand, raised as UserError.
    """

    read: Callable[[Request], Listing]
    needs: tuple[tuple[str, ...], ...] = ((),)
    slow: bool = False
    check: Callable[[Request], None] | None = None
    options: tuple[str, ...] = ()

    def missing(self, folder: Path) -> list[str]:
        """What the nearest alternative lacks; empty when one is complete."""
        return min(([name for name in names if not (folder / name).exists()] for names in self.needs), key=len)


SOURCES: Registry[Source] = Registry("source")


def source(
    name: str,
    *needs: tuple[str, ...],
    slow: bool = False,
    check: Callable[[Request], None] | None = None,
    options: tuple[str, ...] = (),
) -> Callable[[Callable[[Request], Listing]], Callable[[Request], Listing]]:
    """Decorator: enter a reader in `SOURCES`."""

    def enter(read: Callable[[Request], Listing]) -> Callable[[Request], Listing]:
        SOURCES.add(name, Source(read, needs or ((),), slow, check, options))
        return read

    return enter


def rows_of(path: Path, separator: str | None = None, fields: int = 2) -> Iterator[list[str]]:
    """The lines of a text file, each cut in `fields` (further separators stay in the last); blank lines are skipped.

    Raises:
        UserError: a line has fewer fields.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        row = [cell.strip() for cell in line.strip().split(separator, fields - 1)]
        if len(row) < fields:
            raise UserError(f"{path}:{number}: expected {fields} fields, found {line!r}")
        yield row


def number(text: str, where: Path) -> int:
    """An integer from a text file."""
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{where}: expected an integer, found {text!r}") from None
