"""Finding a layout in what several archives and folders hold, wherever in them it lies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fgkd.data.prepare.holder import Holder, Member
from fgkd.data.prepare.names import is_junk, spell
from fgkd.data.sources.own import IMAGE_ENDINGS, SPLIT_WORDS
from fgkd.errors import UserError

ABOUT = re.compile(r"(readme|licen[cs]e)(\.\w+)?", re.IGNORECASE)

Held = Sequence[tuple[Holder, Sequence[Member]]]


@dataclass
class Fit:
    """Where files go.

    Attributes:
        names: the alternative of the layout.
        placed: path in the layout -> whose file it is.
        missing: what the layout needs and nothing holds.
    """

    names: tuple[str, ...]
    placed: dict[str, tuple[Holder, Member]] = field(default_factory=dict)

    @property
    def has_classes(self) -> bool:
        """Whether images lie in two folders at least: what a layout needs that names no folder."""
        images = (PurePosixPath(path) for path in self.placed if PurePosixPath(path).suffix.lower() in IMAGE_ENDINGS)
        return len({image.parent for image in images}) > 1

    @property
    def missing(self) -> list[str]:
        """The names that nothing was placed at or under."""
        there = folders_of(self.placed) | self.placed.keys()
        return [name for name in self.names if name not in there]


def fit(held: Held, alternatives: Sequence[tuple[str, ...]]) -> Fit:
    """The alternative that lacks least, with every file's place.

    Each holder's files are read from the folder inside it that holds most of the layout. A listed file that is found
    elsewhere, once, goes where the layout wants it; a holder with none of it fills the folder that it is named after.

    Args:
        held: what was surveyed.
        alternatives: as `Source.needs`.

    Raises:
        UserError: two holders have different files for one place.
    """
    held = [(holder, [m for m in members if not is_junk(m.name)]) for holder, members in held]
    ends = {id(members): _by_last_part(members) for _, members in held}
    fits = [_fit(held, names, ends) for names in alternatives]
    return min(fits, key=lambda found: len(found.missing))


Ends = Mapping[str, Sequence[str]]  # last part of a path -> all paths, of files and folders, that end in it


def _by_last_part(members: Sequence[Member]) -> Ends:
    ends: dict[str, list[str]] = {}
    names = {member.name for member in members}
    for path in names | folders_of(names):
        ends.setdefault(path.rpartition("/")[2], []).append(path)
    return ends


def _fit(held: Held, names: tuple[str, ...], ends: Mapping[int, Ends]) -> Fit:
    found, strays = Fit(names), []
    tops = {name.split("/")[0] for name in names}
    for holder, members in held:
        base = _base(ends[id(members)], names) if names else _descend(members)
        if base is None:
            strays.append((holder, members))
            continue
        for member in members:
            path = _undoubled(member.name[len(base) :], names)
            if member.name.startswith(base) and (holder.is_archive or _is_named(path, tops)):
                _place(found, path, holder, member, tops)
    for name in found.missing:
        if PurePosixPath(name).suffix:
            _place_stray_file(found, name, held)
        else:
            _place_stray_folder(found, name, strays)
    return found


def _base(ends: Ends, names: tuple[str, ...]) -> str | None:
    """The folder (with a trailing slash, or empty) that holds most of the layout; None where none holds any of it."""
    scores: dict[str, int] = {}
    for name in names:
        for path in ends.get(name.rpartition("/")[2], ()):
            if path == name or path.endswith(f"/{name}"):
                base = path[: len(path) - len(name)]
                scores[base] = scores.get(base, 0) + 1
    return min(scores, key=lambda base: (-scores[base], base.count("/"), base), default=None)


def _descend(members: Sequence[Member]) -> str:
    """Below folders that hold one folder and nothing else, unless that is called after a split."""
    base = ""
    while members:
        inner = {m.name[len(base) :].split("/")[0] if "/" in m.name[len(base) :] else "" for m in members}
        (only,) = inner if len(inner) == 1 else ("",)
        if not only or only.lower() in SPLIT_WORDS:
            break
        base += f"{only}/"
    return base


def _undoubled(path: str, names: tuple[str, ...]) -> str:
    """Some copies repeat a folder's name inside it: cars_train/cars_train/00001.jpg."""
    for name in names:
        last = name.rpartition("/")[2]
        if path.startswith(f"{name}/{last}/"):
            return name + path[len(name) + 1 + len(last) :]
    return path


def _is_named(path: str, tops: set[str]) -> bool:
    return not tops or path.partition("/")[0] in tops or ABOUT.fullmatch(path) is not None


def _place(found: Fit, path: str, holder: Holder, member: Member, tops: set[str]) -> None:
    other = found.placed.setdefault(path, (holder, member))
    if other[1].size != member.size and path.partition("/")[0] in tops:
        raise UserError(
            f"{spell(other[0].path)} and {spell(holder.path)} both hold {spell(path)}, with {other[1].size:,} and "
            f"{member.size:,} bytes; give one of them alone"
        )


def _place_stray_file(found: Fit, name: str, held: Held) -> None:
    last = PurePosixPath(name).name
    hits = [(holder, m) for holder, members in held for m in members if f"/{m.name}".endswith(f"/{last}")]
    if len({member.size for _, member in hits}) == 1:
        found.placed[name] = hits[0]


def _place_stray_folder(found: Fit, name: str, strays: Held) -> None:
    for holder, members in strays:
        stem, last = holder.path.name.split(".")[0].lower(), PurePosixPath(name).name.lower()
        if stem == last or last.startswith(f"{stem}_") or last.endswith(f"_{stem}"):
            base = _descend_all(members)
            found.placed.update({f"{name}/{m.name[len(base) :]}": (holder, m) for m in members})
            return


def _descend_all(members: Sequence[Member]) -> str:
    base = _descend(members)
    inner = {m.name[len(base) :].split("/")[0] for m in members if "/" in m.name[len(base) :]}
    whole = len(inner) == 1 and all("/" in m.name[len(base) :] for m in members)
    return f"{base}{inner.pop()}/" if whole else base


def check_places(placed: Mapping[str, tuple[Holder, Member]]) -> None:
    """UserError where a path is a file and a folder at once."""
    for path in sorted(folders_of(placed) & placed.keys()):
        raise UserError(f"{spell(placed[path][0].path)}: {spell(path)} is both a file and a folder")


def folders_of(paths: Iterable[str]) -> set[str]:
    """Every folder above the files.

    Example:
        >>> sorted(folders_of(["a/b/c.jpg", "a/d.jpg", "e.jpg"]))
        ['a', 'a/b']
    """
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def told(found: Fit, sources: Sequence[Path]) -> str:
    """What is lacking, for an error."""
    where = ", ".join(spell(path) for path in sources)
    lacking = ", ".join(found.missing) or "folders of images, one per class"
    return f"{where}: {'lack' if len(sources) > 1 else 'lacks'} {lacking}"
