"""Archives held to the checksums on a card."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from fgkd.data.card import Checksum
from fgkd.data.prepare.names import spell
from fgkd.data.prepare.progress import Progress
from fgkd.errors import UserError, UserErrors

CHUNK = 1 << 20
LENGTHS = (32, 64)  # hex digits of MD5 and of SHA-256


class Digest:
    """Both checksums that publishers state, taken together."""

    def __init__(self) -> None:
        self._hashes = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}

    def update(self, data: bytes) -> None:
        """Some more bytes."""
        for one in self._hashes.values():
            one.update(data)

    def values(self) -> dict[str, str]:
        """Hex digits by algorithm."""
        return {name: one.hexdigest() for name, one in self._hashes.items()}


def digests_of(path: Path, progress: Progress) -> dict[str, str]:
    """The checksums of a file."""
    digest = Digest()
    with progress.stage(f"reading {spell(path.name)}", path.stat().st_size) as advance, path.open("rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
            advance(len(data))
    return digest.values()


def verify(
    published: Sequence[Checksum],
    found: Iterable[tuple[Path, Mapping[str, str]]],
    accepted: Collection[str],
    progress: Progress,
) -> None:
    """Compare checksums with the published ones, by content first, since browsers rename what they download.

    Args:
        published: what it should be.
        found: path and checksums of every file given.
        accepted: checksums that the user takes knowingly.
        progress: told what was verified, and what could not be.

    Raises:
        UserError: a file has a published name but other content.
    """
    problems = []
    for path, digests in found:
        name = spell(path.name)
        same = next((c for c in published if _kinds(c).items() & digests.items()), None)
        named = next((c for c in published if c.file.lower() == path.name.lower()), None)
        if same is not None:
            progress.note(f"{name}: {_spell(digests, same)}, as published for {same.file}")
        elif taken := [value for value in digests.values() if value in accepted]:
            progress.note(f"{name}: {taken[0]}, accepted as asked")
        elif named is not None:
            problems.append(_mismatch(path, digests, named))
        else:
            progress.note(f"{name}: md5 {digests['md5']}; no published checksum is known for this file")
    if problems:
        raise UserErrors(problems)


def _kinds(checksum: Checksum) -> dict[str, str]:
    return {kind: value for kind in ("md5", "sha256") if (value := getattr(checksum, kind)) is not None}


def _spell(digests: Mapping[str, str], published: Checksum) -> str:
    return ", ".join(f"{kind} {digests[kind]}" for kind in _kinds(published))


def _mismatch(path: Path, digests: Mapping[str, str], named: Checksum) -> str:
    note = f" ({named.note})" if named.note else ""
    size = f" It has {path.stat().st_size:,} bytes, the published file {named.size:,}." if named.size else ""
    kind = next(iter(_kinds(named)))
    return (
        f"{spell(path)}: expected {_spell(_kinds(named), named)}{note}, found {_spell(digests, named)}.{size} Download "
        f"it again; if this very file is meant, add --accept-checksum {digests[kind]}"
    )


def check_accepted(accepted: Iterable[str]) -> None:
    """UserError for what is no checksum."""
    for text in accepted:
        if len(text) not in LENGTHS or set(text) - set("0123456789abcdef"):
            raise UserError(f"--accept-checksum: expected 32 or 64 hex digits in lower case, found {spell(text)!r}")
