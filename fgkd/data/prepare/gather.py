"""From the words of a command to files and their places, before anything is written."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from fgkd.data.card import Card
from fgkd.data.prepare.fit import Fit, check_places, fit, told
from fgkd.data.prepare.holder import Budget
from fgkd.data.prepare.loose import Loose, Mode
from fgkd.data.prepare.names import spell
from fgkd.data.prepare.progress import Progress
from fgkd.data.prepare.streams import OPENERS
from fgkd.data.prepare.tarred import Tar
from fgkd.data.prepare.zipped import Zip
from fgkd.data.sources import SOURCES
from fgkd.errors import UserError, UserErrors
from fgkd.text import byte_size, count

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
ARCHIVE_ENDINGS = (".tar", ".tgz", ".gz", ".bz2", ".tbz2", ".xz", ".txz", ".zip")
OTHER_ENDINGS = (".rar", ".7z", ".zst", ".z01", ".001")
AHEAD = 1.02  # of the room needed, for the file system's own use

Source = Tar | Zip | Loose


def holders_of(sources: Sequence[str], mode: Mode) -> list[Source]:
    """What the paths given are; UserErrors names all that are missing or of no use."""
    found: list[Source] = []
    faults = []
    for text in dict.fromkeys(sources):
        try:
            found.append(_holder(Path(text).expanduser(), mode))
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserErrors(faults)
    if mode != "copy" and all(holder.is_archive for holder in found):
        raise UserError(f"--{mode} is for folders and files; archives are unpacked, and kept")
    return found


def _holder(path: Path, mode: Mode) -> Source:
    if path.is_dir():
        return Loose(path, mode)
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise UserError(f"{spell(path)}: {error.strerror}") from error
    if start.startswith(ZIP_STARTS):
        return Zip(path)
    if start[257:262] == b"ustar" or start.startswith(tuple(OPENERS)):
        return Tar(path)
    if path.name.lower().endswith(OTHER_ENDINGS):
        raise UserError(f"{spell(path)}: expected tar (plain, gz, bz2, xz) or zip; unpack it yourself, give the folder")
    if path.name.lower().endswith(ARCHIVE_ENDINGS):
        raise UserError(
            f"{spell(path)}: is no archive, it starts with {start[:16]!r}; if that is a web page, the download failed"
        )
    return Loose(path, mode)


def gather(card: Card, holders: Sequence[Source], home: Path, progress: Progress) -> Fit:
    """Survey everything given and find the card's layout in it.

    Args:
        card: whose layout.
        holders: what was given.
        home: an existing folder on the disk that the files are written to.
        progress: bars for what is read.

    Raises:
        UserError: an archive is damaged or hostile, the layout is not there, or there is too little room.
    """
    free = shutil.disk_usage(home).free
    budget = Budget(free)
    held = [(holder, holder.survey(progress, budget)) for holder in holders]
    found = fit(held, SOURCES.get(card.fgkd.source).needs)
    if found.missing or not found.placed or not (found.names or found.has_classes):
        raise UserError(_lacking(card, found, [holder.path for holder in holders]))
    check_places(found.placed)
    size = sum(member.size for holder, member in found.placed.values() if _takes_room(holder, home))
    if size * AHEAD > free:
        raise UserError(
            f"{card.name} needs {byte_size(size)}, but {byte_size(free)} are free in the data root; free some space, "
            "choose another with --data-root, or use --link where you have a folder"
        )
    progress.note(f"{card.name}: {len(found.placed):,} files, {byte_size(size)} to write, {byte_size(free)} free")
    return found


def _takes_room(holder: object, home: Path) -> bool:
    return not isinstance(holder, Loose) or holder.takes_room_in(home)


def _lacking(card: Card, found: Fit, sources: Sequence[Path]) -> str:
    text = f"{told(found, sources)}. Expected: {card.fgkd.layout.strip()}; other archives or files may hold the rest: "
    text += f"give them together. {card.fgkd.download.strip()}"
    inner = [file.name for path in sources if path.is_dir() for file in sorted(path.iterdir())]
    if archives := _archives(inner):
        return f"{text}\nThe folder holds archives; name those that are meant: {', '.join(archives[:8])}"
    if archives := _archives(found.placed):
        return f"{text}\nThere are archives inside; unpack each into a folder of its name: {', '.join(archives[:8])}"
    return text


def _archives(names: Iterable[str]) -> list[str]:
    return [spell(name) for name in names if name.lower().endswith((*ARCHIVE_ENDINGS, *OTHER_ENDINGS))]


def forget_moved(found: Fit, mode: Mode, progress: Progress) -> None:
    """Remove the first names of files that were moved; what may not be removed stays, and that is told."""
    if mode != "move":
        return
    used: dict[Loose, set[int]] = {}
    for holder, member in found.placed.values():
        if isinstance(holder, Loose):
            used.setdefault(holder, set()).add(member.position)
    for holder, positions in used.items():
        if stay := holder.forget(positions):
            files = count(len(stay), "file stays", "files stay")
            progress.note(f"{files} in {spell(holder.path)}, copied but not to be removed: {stay[0].strerror}")
