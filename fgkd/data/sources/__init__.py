"""Readers of layouts, by name; a card names the one that reads its set."""

from fgkd.data.sources import cifar, hub, matlab, own, stored, synthetic, table, text
from fgkd.data.sources.base import SOURCES, Listing, Request, Source

__all__ = [
    "SOURCES",
    "Listing",
    "Request",
    "Source",
    "cifar",
    "hub",
    "matlab",
    "own",
    "stored",
    "synthetic",
    "table",
    "text",
]
