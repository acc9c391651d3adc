"""Memory and time of retrieval and verification on many embeddings: chunked, so that no N x N matrix ever exists.

    python benchmarks/speed/retrieval.py [--samples 50000] [--width 2048] [--classes 1000] [--device cpu]

Measured in a fresh process: the embeddings alone, then the peak while every metric of them is computed. On a CPU the
peak is resident memory, libraries included; on a GPU it is what torch allocates there.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from multiprocessing import get_context

import torch

from fgkd.metrics import summarise_embeddings

MEGABYTE = 2**20


def embeddings(samples: int, width: int, classes: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy copies of a centre for each class, (N, D), and labels (N,), in no order."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (samples,), generator=draw)
    rows = torch.randn(samples, width, generator=draw)
    centres = torch.randn(classes, width, generator=draw)
    for first in range(0, samples, 1000):  # no second copy of everything
        rows[first : first + 1000] += 0.3 * centres[labels[first : first + 1000]]
    return rows.to(device), labels.to(device)


def peak(device: str) -> float:
    """The largest memory so far, in MiB."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / MEGABYTE
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / MEGABYTE if sys.platform == "darwin" else used / 1024


def measure(samples: int, width: int, classes: int, device: str) -> dict[str, float]:
    """MiB of the embeddings, peak MiB before and with the metrics, seconds, and the metrics themselves."""
    rows, labels = embeddings(samples, width, classes, device)
    before, begun = peak(device), time.perf_counter()
    found = summarise_embeddings(rows, labels)
    return {
        "embeddings_mib": rows.numel() * rows.element_size() / MEGABYTE,
        "before_mib": before,
        "peak_mib": peak(device),
        "seconds": time.perf_counter() - begun,
        **found,
    }


def measure_apart(samples: int, width: int, classes: int, device: str = "cpu") -> dict[str, float]:
    """`measure` in a process of its own, whose peak is its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (samples, width, classes, device))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args(argv)
    for name, value in measure_apart(args.samples, args.width, args.classes, args.device).items():
        print(f"{name:>16} {value:.4g}" if value < 1 else f"{name:>16} {value:.0f}")


if __name__ == "__main__":
    main()
