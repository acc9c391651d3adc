"""Values of flags that are more than a word or a number: a part of a suite, a time, a size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fgkd.errors import UserError

if TYPE_CHECKING:
    import torch


def parse_device(text: str | None) -> torch.device:
    """The device that is meant, cuda by default where there is one; UserError where it cannot be used."""
    import torch

    try:
        device = torch.device(text or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {text}: {str(error).splitlines()[0]}; expected cpu, cuda or cuda:N") from None
    return device


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """``i/n`` with 0 <= i < n.

    Example:
        >>> parse_shard("0/4"), parse_shard(None)
        ((0, 4), None)
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found or int(found[1]) >= int(found[2]):
        raise UserError(f"--shard: expected I/N with I from 0 to N - 1, such as 0/4, found {text!r}")
    return int(found[1]), int(found[2])


def parse_period(text: str) -> float:
    """Seconds of a time such as ``90s``, ``5m`` or ``1.5h``; 0 for ``0`` and ``off``.

    Example:
        >>> parse_period("5m"), parse_period("0.5s"), parse_period("off")
        (300.0, 0.5, 0.0)
    """
    if text in ("0", "off"):
        return 0.0
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)([smh])", text)
    if not found:
        raise UserError(f"--checkpoint-every: expected a time such as 90s, 5m or 1h, or off, found {text!r}")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def parse_memory(text: str | None) -> int | None:
    """Bytes of a size such as ``8GB`` (10^9) or ``7.5GiB`` (2^30).

    Example:
        >>> parse_memory("8GB"), parse_memory("0.5GiB"), parse_memory(None)
        (8000000000, 536870912, None)
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?) ?([KMGT])(i?)B", text)
    if not found or not float(found[1]):
        raise UserError(f"--memory: expected a size such as 8GB or 7.5GiB, found {text!r}")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** ("KMGT".index(found[2]) + 1))
