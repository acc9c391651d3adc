"""Images per second of fgkd's loader, from files and from the decoded cache, beside torchvision's and timm's.

    python benchmarks/speed/loading.py [--dataset cub50 --data-root DIR] [--shorter 375] [--workers 2] [--rounds 7]

All sides read the same photographs, in batches of equal size, shuffled, with as many workers, and give uint8 squares:

- fgkd, whole files: the default view;
- fgkd, bounded files: a view with shorter_side, JPEGs decoded at reduced scale where that allows it;
- fgkd, decoded cache: the same pixels as those, without JPEG work;
- ImageFolder: torchvision's, with its own Pillow loader, a torch DataLoader and the very view of "whole files";
- timm: its dataset, loader and collation; the same crop, flip and jitter in its own transforms, which work on Pillow
  images. Its normalisation on the device is left out, as it is for the others.

A turn is one pass over all images, so that no worker reads ahead into another's turn. The sides take turns, round by
round; the table shows medians over rounds and their spread. With --workers 0 it also shows the processor time that an
image takes, which a busy machine disturbs less. The files lie in memory after the first round. As the pictures of a
data set may have been shrunk, --shorter enlarges copies to the size that photographs have.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader

from fgkd.data import ImageData, TrainLoader, TrainView, open_dataset, read_image
from fgkd.data.decoded import build, survey
from fgkd.data.split import as_split
from fgkd.errors import UserError
from fgkd.spec import DatasetSpec, ViewSpec

Pass = Callable[[int], Iterator[Tensor]]  # number of the pass -> batches of images


@dataclass
class Bench:
    """What all sides share."""

    args: argparse.Namespace
    data: ImageData
    root: Path

    @property
    def view(self) -> ViewSpec:
        """Of whole pictures."""
        return ViewSpec(size=self.args.size)

    def fgkd(self, view: ViewSpec, *, cached: bool) -> Pass:
        """fgkd's loader."""
        decoded = build(survey(self.data, self.args.shorter_side, self.root)) if cached else None
        args = self.args
        loader = TrainLoader(
            self.data.train, view, batch_size=args.batch_size, data_seed=0, workers=args.workers, decoded=decoded
        )
        return lambda number: (batch.image for batch in loader.epoch(number))

    def image_folder(self) -> Pass:
        """torchvision's data set in a torch DataLoader."""
        from torchvision.datasets import ImageFolder

        dataset = ImageFolder(str(self.root / "images"), transform=_Seeded(self.view))
        workers = self.args.workers
        loader: DataLoader = DataLoader(
            dataset,
            self.args.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=_start_worker,
        )
        return lambda _: (images.permute(0, 3, 1, 2) for images, _ in loader)

    def timm(self) -> Pass:
        """timm's data set and loader."""
        from timm.data import create_dataset, create_loader

        workers = self.args.workers
        loader = create_loader(
            create_dataset("", root=str(self.root / "images")),
            input_size=(3, self.args.size, self.args.size),
            batch_size=self.args.batch_size,
            is_training=True,
            scale=(0.35, 1.0),
            hflip=0.5,
            color_jitter=0.2,
            color_jitter_prob=0.8,
            interpolation="bicubic",
            num_workers=workers,
            persistent_workers=workers > 0,
            device=torch.device("cpu"),
        )
        return lambda _: (images for images, _ in loader.loader)


class _Seeded:
    """fgkd's training view as torchvision takes it: Pillow image in, tensor out, another seed each time."""

    def __init__(self, view: ViewSpec) -> None:
        self.view, self.seeds = TrainView(view), np.random.default_rng()

    def __call__(self, image: object) -> Tensor:
        return torch.from_numpy(self.view(np.asarray(image), int(self.seeds.integers(2**63))))


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)


def photographs(args: argparse.Namespace, cache: Path) -> ImageData:
    """As many images as the turns need, in a tree of one folder for each class below `cache`/images."""
    data = open_dataset(DatasetSpec(name=args.dataset), args.data_root, cache=cache)
    count = args.steps * args.batch_size
    if count > len(data.train):
        raise UserError(
            f"--steps {args.steps}: expected at most {len(data.train) // args.batch_size} for this data set"
        )
    spread = [i * len(data.train) // count for i in range(count)]
    rows = []
    for number, (path, label) in enumerate(zip(*_chosen(data, spread), strict=True)):
        copy = cache / "images" / f"{label:04d}" / f"{number:06d}.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, copy, args.shorter)
        rows.append((copy, label))
    train = as_split("train", rows)
    return replace(data, train=train, holdout=train.take([0]), test=train.take([0]), revision="bench")


def _chosen(data: ImageData, positions: Sequence[int]) -> tuple[list[Path], list[int]]:
    return [data.train.paths[i] for i in positions], data.train.targets[list(positions)].tolist()


def _copy(path: Path, copy: Path, shorter: int | None) -> None:
    """The same bytes, or a JPEG of quality 90 with that shorter side."""
    if shorter is None and path.suffix == ".jpg":
        copy.write_bytes(path.read_bytes())
        return
    pixels = read_image(path)
    scale = (shorter or min(pixels.shape[:2])) / min(pixels.shape[:2])
    pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(copy), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])


Turn = tuple[float, float]  # images per second; processor time of this process in us per image


def measure(bench: Bench, console: Console) -> dict[str, list[Turn]]:
    """The turns of every side, one for each round."""
    bounded = bench.view.model_copy(update={"shorter_side": bench.args.shorter_side})
    sides = {
        "fgkd, whole files": bench.fgkd(bench.view, cached=False),
        "fgkd, bounded files": bench.fgkd(bounded, cached=False),
        "fgkd, decoded cache": bench.fgkd(bounded, cached=True),
        "ImageFolder": bench.image_folder(),
        "timm": bench.timm(),
    }
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    for number in range(bench.args.rounds + 1):
        for name, side in sides.items():
            begun, busy, seen = time.perf_counter(), time.process_time(), 0
            for images in side(number):
                assert images.shape[1:] == (3, bench.args.size, bench.args.size), images.shape
                assert images.dtype == torch.uint8
                seen += len(images)
            if number:  # round 0 starts workers and warms up
                wall, busy = time.perf_counter() - begun, time.process_time() - busy
                turns[name].append((seen / wall, 1e6 * busy / seen))
        console.print(f"round {number} of {bench.args.rounds}", style="dim")
    return turns


def report(turns: dict[str, list[Turn]], console: Console, *, processor: bool) -> list[dict[str, object]]:
    """Print the table; returns its rows. Ratios are medians of the ratios within a round."""
    speeds = {name: [speed for speed, _ in values] for name, values in turns.items()}
    rows = []
    for name, values in speeds.items():
        row: dict[str, object] = {"loader": name, "images_per_second": round(statistics.median(values))}
        row |= {"slowest": round(min(values)), "fastest": round(max(values))}
        for other in ("ImageFolder", "timm"):
            ratios = [a / b for a, b in zip(values, speeds[other], strict=True)]
            row[f"times_{other}"] = round(statistics.median(ratios), 2)
        row["processor_us"] = round(statistics.median([busy for _, busy in turns[name]])) if processor else ""
        rows.append(row)
    table = Table(box=None, title="images per second: median over rounds, slowest, fastest; times the others' speed")
    for name in ("loader", "median", "slowest", "fastest", "x ImageFolder", "x timm", "CPU us/image"):
        table.add_column(name, justify="left" if name == "loader" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(str, row.values()))
    console.print(table)
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    real = Path("../shared/data")
    here = (real / "CUB_200_2011").is_dir()
    parser.add_argument("--dataset", default="cub50" if here else "synthetic_birds")
    parser.add_argument("--data-root", type=Path, default=real)
    parser.add_argument("--shorter", type=int, help="enlarge copies of the photographs to this shorter side")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--shorter-side", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=12, help="batches in a turn")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=min(8, os.cpu_count() or 1))
    parser.add_argument("--csv", type=Path, help="write the rows there too")
    args, console = parser.parse_args(), Console(width=None if sys.stdout.isatty() else 120)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        data = photographs(args, Path(folder))
        console.print(
            f"{len(data.train)} images of {args.dataset}, size {args.size}, shorter_side {args.shorter_side}, "
            f"{args.workers} workers, batches of {args.batch_size}"
        )
        rows = report(measure(Bench(args, data, Path(folder)), console), console, processor=args.workers == 0)
    if args.csv:
        with args.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
