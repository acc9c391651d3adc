"""Data sets as splits of image files, views of them, and loaders whose batches are functions of seeds alone.

Names are imported on first use, so that cards and plans need neither torch nor the augmentation library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fgkd.data.card import dataset_names, read_card
    from fgkd.data.images import bound, from_pillow, read_image
    from fgkd.data.loader import EvalLoader, TrainLoader, ViewLoader
    from fgkd.data.opening import lists_read_once, open_dataset, problems
    from fgkd.data.split import ImageData, Split
    from fgkd.data.views import EvalView, TrainView, augment_names

_HOMES = {
    "dataset_names": "card",
    "read_card": "card",
    "bound": "images",
    "from_pillow": "images",
    "read_image": "images",
    "EvalLoader": "loader",
    "TrainLoader": "loader",
    "ViewLoader": "loader",
    "lists_read_once": "opening",
    "open_dataset": "opening",
    "problems": "opening",
    "ImageData": "split",
    "Split": "split",
    "EvalView": "views",
    "TrainView": "views",
    "augment_names": "views",
}

__all__ = [
    "EvalLoader",
    "EvalView",
    "ImageData",
    "Split",
    "TrainLoader",
    "TrainView",
    "ViewLoader",
    "augment_names",
    "bound",
    "dataset_names",
    "from_pillow",
    "lists_read_once",
    "open_dataset",
    "problems",
    "read_card",
    "read_image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"fgkd.data.{_HOMES[name]}"), name)
