"""How fast a network is on the machine that this runs on."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

WARM_UP, FEWEST = 3, 10


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one image, and images per second in batches; medians over repeats."""

    batch1_ms: float
    batch1_ms_p90: float
    images_per_second: float


def time_network(
    network: nn.Module, size: int, *, batch_size: int = 64, device: torch.device, seconds: float = 2.0
) -> Timing:
    """Time the forward pass, from pixels on the device to logits on the device, in fp32.

    Args:
        network: images (B, 3, S, S) -> logits; moved to `device`, and put in evaluation mode.
        size: S in px.
        batch_size: for the throughput.
        seconds: to measure for, at either batch size; at least `FEWEST` repeats are made.
    """
    network = network.to(device).eval()
    one = _seconds(network, torch.randn(1, 3, size, size, device=device), seconds)
    many = _seconds(network, torch.randn(batch_size, 3, size, size, device=device), seconds)
    high = statistics.quantiles(one, n=10, method="inclusive")[-1]
    return Timing(1e3 * statistics.median(one), 1e3 * high, batch_size / statistics.median(many))


@torch.inference_mode()
def _seconds(network: nn.Module, images: torch.Tensor, seconds: float) -> list[float]:
    wait: Callable[[], object] = torch.cuda.synchronize if images.is_cuda else lambda: None
    found: list[float] = []
    until = time.perf_counter() + seconds
    while len(found) < WARM_UP + FEWEST or time.perf_counter() < until:
        wait()
        begun = time.perf_counter()
        network(images)
        wait()
        found.append(time.perf_counter() - begun)
    return found[WARM_UP:]


@contextmanager
def threads(count: int | None) -> Iterator[int]:
    """torch with so many threads (None: as many as it has) inside, and with those that it had after."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def device_name(device: torch.device) -> str:
    """What the device is sold as, where the system tells."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()
