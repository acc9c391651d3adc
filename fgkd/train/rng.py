"""Private random streams: what one learner draws never depends on who else is in the room."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Any

import numpy as np
import torch


def _capture(device: torch.device) -> dict[str, Any]:
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.random.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _restore(state: dict[str, Any], device: torch.device) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.random.set_rng_state(state["torch"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


class RandomStream:
    """The random state of Python, NumPy, torch and CUDA that belongs to one learner.

    Inside ``with stream:`` every global generator stands where this stream left off; outside they stand where the
    caller left them. Swapping costs tens of microseconds and no device synchronisation, so it is done always rather
    than for learners that look random.

    Args:
        seed: of all four generators.
        device: whose CUDA generator belongs to the stream; any other device has none of its own.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        outside = _capture(device)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        self._inside = _capture(device)
        self._outside: dict[str, Any] | None = None
        _restore(outside, device)

    def __enter__(self) -> RandomStream:
        assert self._outside is None, "a random stream cannot be entered twice"
        self._outside = _capture(self.device)
        _restore(self._inside, self.device)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._outside is not None
        self._inside = _capture(self.device)
        _restore(self._outside, self.device)
        self._outside = None

    def state_dict(self) -> dict[str, Any]:
        """The stream's position as plain numbers and tensors, loadable with ``weights_only=True``."""
        version, words, gauss = self._inside["python"]
        kind, keys, pos, has_gauss, cached = self._inside["numpy"]
        state = {
            "python": [version, list(words), gauss],
            "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), pos, has_gauss, cached],
            "torch": self._inside["torch"],
        }
        return state | ({"cuda": self._inside["cuda"]} if "cuda" in self._inside else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a position written by `state_dict`."""
        version, words, gauss = state["python"]
        kind, keys, pos, has_gauss, cached = state["numpy"]
        self._inside = {
            "python": (version, tuple(words), gauss),
            "numpy": (kind, keys.numpy().astype(np.uint32), pos, has_gauss, cached),
            "torch": state["torch"],
        }
        if "cuda" in state:
            self._inside["cuda"] = state["cuda"]
