"""Names of archive members: shown safely, and refused where they lead out of the archive."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from fgkd.errors import UserError
from fgkd.text import printable

HALF = 60  # characters of a long name that are shown at its beginning, and at its end
JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", ".git"}


def spell(name: object) -> str:
    r"""A name in printable ASCII, not too long, so that no file name can colour, move or break a terminal's lines.

    Example:
        >>> spell("a\x1b[31m\nb")
        'a\\x1b[31m\\nb'
    """
    text = printable(str(name).encode("ascii", "backslashreplace").decode())
    return text if len(text) <= 2 * HALF else f"{text[:HALF]}...{text[-HALF:]}"


def inside(name: str, archive: Path) -> str:
    """The name of a member as a plain relative path, with forward slashes.

    Raises:
        UserError: it is absolute, has a drive, or climbs with ``..``; on any system, also where it would be harmless.
    """
    windows = PureWindowsPath(name)
    parts = name.replace("\\", "/").split("/")
    if name.startswith("/") or windows.drive or windows.root or ".." in parts or "\0" in name:
        raise outside(name, archive)
    return str(PurePosixPath(name.replace("\\", "/")))


def outside(name: str, archive: Path, how: str = "leads out of the folder it is unpacked in") -> UserError:
    """The refusal of a member."""
    return UserError(
        f"{spell(archive)}: the member {spell(name)!r} {how}; no published data set has such a member, so nothing of "
        "this archive is unpacked: get it from a place that you trust"
    )


def is_junk(name: str) -> bool:
    """Whether a file is what systems and editors leave behind."""
    return any(part in JUNK or part.startswith("._") for part in name.split("/"))
