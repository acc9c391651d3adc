"""What holds files: an archive, a folder, or one file; first surveyed as a whole, then emptied of what is wanted."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from fgkd.data.prepare.names import spell
from fgkd.data.prepare.progress import Advance, Progress
from fgkd.errors import UserError
from fgkd.text import byte_size

MAX_MEMBERS = 2_000_000  # the largest set with a card has 160,000 files
CHUNK = 1 << 20

Wanted = Mapping[int, Sequence[Path]]  # member position -> where its content goes


@dataclass(frozen=True)
class Member:
    """A file held.

    Attributes:
        name: relative, with forward slashes.
        size: bytes.
        position: by which the holder finds it; of a link, that of the file it leads to.
    """

    name: str
    size: int
    position: int


class Holder(Protocol):
    """A source of files."""

    path: Path
    is_archive: bool
    digests: dict[str, str]  # checksums by algorithm, after the survey; none of a folder

    def survey(self, progress: Progress, budget: Budget) -> list[Member]:
        """Every file held, checked; nothing is written. UserError names what is damaged or must not be unpacked."""

    def deliver(self, wanted: Wanted, advance: Advance) -> None:
        """Write the content of members to files, each of which is either whole or absent."""


class Budget:
    """Counts what archives claim to hold, and stops where it cannot be meant well."""

    def __init__(self, room: int) -> None:
        """`room` is in bytes."""
        self.room, self.claimed, self.members = room, 0, 0

    def spend(self, size: int, holder: Path) -> None:
        """One more file of `size` bytes."""
        self.claimed, self.members = self.claimed + size, self.members + 1
        if self.members > MAX_MEMBERS:
            raise UserError(f"{spell(holder)}: has more than {MAX_MEMBERS:,} members; it is not unpacked")
        if self.claimed > self.room:
            raise UserError(
                f"{spell(holder)}: unpacked, it needs more than the {byte_size(self.room)} that are free in the data "
                "root; free some space, or choose another with --data-root"
            )


def put(stream: IO[bytes], targets: Sequence[Path], size: int, advance: Advance) -> None:
    """Write `size` bytes of `stream` to every target, under another name until whole.

    Raises:
        EOFError: the stream ends early.
    """
    first = targets[0]
    first.parent.mkdir(parents=True, exist_ok=True)
    part = first.parent / ".part"
    with part.open("wb") as file:
        left = size
        while left:
            if not (data := stream.read(min(CHUNK, left))):
                raise EOFError("the data end early")
            file.write(data)
            left -= len(data)
            advance(len(data))
    for number, other in enumerate(targets[1:]):
        other.parent.mkdir(parents=True, exist_ok=True)
        copy = other.parent / f".part{number}"
        shutil.copyfile(part, copy)
        copy.replace(other)
    part.replace(first)
