"""``fgkd data cache``: decode a data set once, for every later run to map; list and remove what was decoded."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from fgkd.cli.print import bar, console, print_table
from fgkd.errors import UserError
from fgkd.places import cache_folder, data_root, writable
from fgkd.spec import DatasetSpec
from fgkd.text import byte_size

if TYPE_CHECKING:
    from fgkd.data import ImageData
    from fgkd.data.decoded import Manifest

LEAST = 16  # px, as for views


def cache_data(args: Namespace) -> int:
    """Build, list or remove decoded caches."""
    cache = cache_folder(args.cache)
    if args.list:
        return _list(cache, args.name)
    if args.name is None:
        raise UserError("expected NAME, a data set; or --list")
    if args.remove:
        return _remove(args, cache)
    if args.size is None:
        raise UserError("expected --size N: the shorter side in px, a suite's view.shorter_side")
    if args.size < LEAST:
        raise UserError(f"--size: expected at least {LEAST} px, found {args.size}")
    if args.threads is not None and args.threads < 1:
        raise UserError(f"--threads: expected at least 1, found {args.threads}")
    return _build(args, writable(cache, "--cache"))


def _build(args: Namespace, cache: Path) -> int:
    from fgkd.data.decoded import build, survey

    data = _opened(args, cache)
    with bar("reading headers", sum(data.counts.values())) as advance:
        plan = survey(data, args.size, cache, threads=args.threads, advance=advance)
    _say(
        f"{data.name}: {len(plan.names):,} images with a shorter side of at most {args.size} px: "
        f"{byte_size(plan.size)} in {plan.folder} ({byte_size(plan.free)} free)"
    )
    if args.dry_run:
        return 0
    begun = time.perf_counter()
    with bar("decoding", len(plan.names)) as advance:
        decoded = build(plan, threads=args.threads, advance=advance, say=_say)
    seconds = time.perf_counter() - begun
    _say(f"{data.name}: done in {seconds:.1f} s; views with shorter_side: {decoded.manifest.side} use it from now on")
    return 0


def _opened(args: Namespace, cache: Path) -> ImageData:
    from fgkd.data import open_dataset

    return open_dataset(DatasetSpec(name=args.name, protocol=args.protocol), data_root(args.data_root), cache=cache)


def _list(cache: Path, name: str | None) -> int:
    from fgkd.data.decoded import stores

    header = ("data set", "protocol", "shorter side", "images", "size", "revision", "built", "folder")
    rows = [_row(folder, manifest) for folder, manifest in stores(cache) if name in (None, manifest and manifest.name)]
    if rows:
        print_table(header, rows)
    else:
        _say(f"no decoded caches{f' of {name}' if name else ''} below {cache}")
    return 0


def _row(folder: Path, manifest: Manifest | None) -> tuple[str, ...]:
    if manifest is None:
        taken = sum(512 * getattr(file.stat(), "st_blocks", 0) for file in folder.rglob("*") if file.is_file())
        return "unfinished or damaged", "", "", "", byte_size(taken), "", "", str(folder)
    built = time.strftime("%Y-%m-%d", time.localtime(manifest.built))
    about = manifest.name, manifest.protocol, f"{manifest.side} px", f"{manifest.images:,}", byte_size(manifest.size)
    return *about, manifest.revision, built, str(folder)


def _remove(args: Namespace, cache: Path) -> int:
    """Those of the name, whichever revision they are of, or else of the data set as it is now, finished or not."""
    from fgkd.data.decoded import decoded_folder, remove, sides_of, stores

    found = [
        folder
        for folder, manifest in stores(cache)
        if manifest is not None and manifest.name == args.name and args.size in (None, manifest.side)
    ]
    try:
        revision = _opened(args, cache).revision
        sides = sides_of(cache, revision) if args.size is None else [args.size]
        found += [decoded_folder(cache, revision, side) for side in sides]
    except UserError:  # the images may be gone: their cache goes too
        pass
    there = [folder for folder in dict.fromkeys(found) if folder.exists()]
    if args.dry_run and there:
        for folder in there:
            _say(f"{args.name}: would remove {folder}")
        return 0
    freed = 0 if args.dry_run else sum(remove(folder) for folder in dict.fromkeys(found))
    if not freed:
        raise UserError(f"no decoded cache of {args.name} below {cache}; fgkd data cache --list shows all")
    _say(f"{args.name}: removed {byte_size(freed)}")
    return 0


def _say(text: str) -> None:
    console().print(text, markup=False, soft_wrap=True)
