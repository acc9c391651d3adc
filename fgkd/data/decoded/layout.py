"""What lies in a decoded cache's folder, and which folders there are.

CACHE/decoded/REVISION-SIDE/
    pixels.bin      every picture, (H, W, 3) uint8, one after another
    index.npy       (n, 3) int64: offset in bytes, height, width
    names.json      n image files relative to the folder that holds them all, sorted
    manifest.json   written last: a folder without it is no cache
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fgkd.data.split import ImageData
from fgkd.errors import UserError
from fgkd.files import alone, draft_folder

FORMAT = 1
PIXELS, INDEX, NAMES, MANIFEST = "pixels.bin", "index.npy", "names.json", "manifest.json"


class Manifest(BaseModel):
    """What a cache holds.

    Attributes:
        name, protocol: of the data set that it was built for; others of the same revision share it.
        revision: of the data set's content.
        side: shorter side in px that no picture exceeds.
        decoder: `fgkd.data.images.fingerprint` of the process that decoded.
        images: n; `size`: of pixels.bin in bytes; `index`: SHA-256 of index.npy and names.json.
        built: when its building began, in seconds since 1970; files changed later are looked at anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    name: str
    protocol: str
    revision: str
    side: int = Field(ge=1)
    decoder: str
    images: int = Field(ge=1)
    size: int = Field(ge=1)
    index: str
    built: float


def decoded_folder(cache: Path, revision: str, side: int) -> Path:
    """Where the cache of a data set's revision lies."""
    return cache / "decoded" / f"{revision}-{side}"


def relative_names(data: ImageData) -> dict[str, str]:
    """Absolute path of every image file of a data set -> its name relative to the folder that holds them all."""
    files = {os.path.abspath(path) for split in (data.train, data.holdout, data.test) for path in split.paths}
    above = len(os.path.join(os.path.commonpath([os.path.dirname(file) for file in files]), ""))
    return {file: file[above:].replace(os.sep, "/") for file in files}


def index_digest(folder: Path) -> str:
    """SHA-256 of the two files that say where every picture is."""
    return hashlib.sha256((folder / INDEX).read_bytes() + (folder / NAMES).read_bytes()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a cache; UserError where it cannot be read."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{MANIFEST} cannot be read ({str(error).splitlines()[0]})") from error
    if manifest.format != FORMAT:
        raise UserError(f"its format is {manifest.format}, and this version reads {FORMAT}")
    return manifest


def sides_of(cache: Path, revision: str) -> list[int]:
    """The sides at which a revision has a folder of pictures, finished or not."""
    found = {path.name.strip(".").removesuffix(".part") for path in (cache / "decoded").glob(f"*{revision}-*")}
    return sorted({int(name.rpartition("-")[2]) for name in found if name.rpartition("-")[2].isdecimal()})


def stores(cache: Path) -> list[tuple[Path, Manifest | None]]:
    """Every decoded cache below `cache`, sorted; None for one that is unfinished or damaged."""
    found: list[tuple[Path, Manifest | None]] = []
    for folder in sorted(path for path in (cache / "decoded").glob("*") if path.is_dir()):
        try:
            found.append((folder, read_manifest(folder)))
        except UserError:
            found.append((folder, None))
    return found


def remove(folder: Path) -> int:
    """Remove a cache, finished or not, once nobody builds it; returns the bytes it took.

    Processes that read it keep what they have mapped (on Windows, the removal fails).
    """
    with alone(folder):  # readers need no lock
        return clear(folder) + clear(draft_folder(folder))


def clear(folder: Path) -> int:
    """Remove a folder whose lock is held; returns the bytes it took."""
    freed = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    (folder / MANIFEST).unlink(missing_ok=True)  # first: what is half removed is no cache
    shutil.rmtree(folder, ignore_errors=True)
    return freed
