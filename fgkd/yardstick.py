"""How fast this machine trains: a rough measure by two small networks, for the hours of a plan."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import nnls

from fgkd.allocator import keep_freed_memory
from fgkd.models import create_backbone
from fgkd.price import BACKWARD, price_network
from fgkd.spec import BackboneSpec

# one that waits for arithmetic, one that waits for memory: the first by itself tells of a MobileNet a tenth of its time
PROBES = (("resnet10t", 96, 16), ("mobilenetv3_small_050", 64, 64))  # name, pixels, batch


@dataclass(frozen=True)
class Yardstick:
    """What training costs here: seconds of one multiply-accumulate and of one byte that is kept for the backward pass.

    On one core of an EPYC, training steps of thirteen small networks took from 0.6 to 1.5 times of what it says.
    """

    per_mac: float
    per_byte: float

    def seconds(self, macs: float, kept: float) -> float:
        """Of so many multiply-accumulates that move so many bytes."""
        return macs * self.per_mac + kept * self.per_byte


def measure(device: torch.device, seconds: float = 1.0) -> Yardstick:
    """Train the two networks for about `seconds` each."""
    if device.type == "cpu":
        keep_freed_memory()  # as training does
    prices, times = [], []
    for name, size, batch in PROBES:
        price = price_network(BackboneSpec(name=name), 10, size)
        prices.append([batch * BACKWARD * price.macs, batch * price.saved_bytes])
        times.append(_step_seconds(name, size, batch, device, seconds))
    costs = np.array(prices, dtype=float)
    scale = costs.max(axis=0)  # or bytes and MACs, of different sizes, would lose digits
    found, _ = nnls(costs / scale, np.array(times))
    return Yardstick(*(found / scale).tolist())


def _step_seconds(name: str, size: int, batch: int, device: torch.device, seconds: float) -> float:
    network = create_backbone(BackboneSpec(name=name), num_classes=10, view_size=size).to(device)
    layout = torch.channels_last if network.prefers_channels_last else torch.contiguous_format
    network = network.to(memory_format=layout)
    image = torch.zeros(batch, 3, size, size, device=device).contiguous(memory_format=layout)
    begun, steps = 0.0, -1
    while steps < 1 or time.perf_counter() - begun < seconds:
        if steps == 0:
            begun = time.perf_counter()
        logits = network(image).logits
        assert logits is not None
        logits.square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        steps += 1
    return (time.perf_counter() - begun) / steps
