"""What is wrong with a teacher by its papers alone: names, configurations and file headers; nothing is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from timm.models import parse_model_name

from fgkd.data import ImageData
from fgkd.models.create import on_meta, pretrained_config
from fgkd.models.origin import Origin, read_origin
from fgkd.models.weights import find_weights, head_classes, read_shapes
from fgkd.spec import BackboneSpec

OpenData = Callable[[], ImageData]  # opening a large set takes seconds; most teachers do not need it


def paper_problems(
    spec: BackboneSpec, *, num_classes: int, view_size: int, data: OpenData, weights_folder: Path | None = None
) -> list[str]:
    """Why weights that are used as they are cannot teach a data set; empty where nothing speaks against it.

    Args:
        spec: of a network that could be built; its weights' file, if any, is whole.
        num_classes: of the data set.
        view_size: side in px of the feed's images.
        data: opens the data set.
    """
    found = classes_of(spec, num_classes, view_size, weights_folder)
    if found is None:
        return [fresh_head(spec.name, num_classes)]
    if found != num_classes:
        return [foreign_head(spec.name, found, num_classes)]
    origin = origin_of(spec, weights_folder)
    return [] if origin is None else origin_problems(spec.name, origin, data())


def classes_of(spec: BackboneSpec, num_classes: int, view_size: int, folder: Path | None) -> int | None:
    """How many classes the classifier that `spec` brings along tells apart; None where it brings none."""
    if spec.source == "scratch":
        return None
    if spec.source == "timm":
        return pretrained_config(spec).get("num_classes") or None
    with torch.device("meta"):
        state = {
            name: torch.empty(shape) for name, shape in read_shapes(find_weights(str(spec.weights), folder)).items()
        }
    return head_classes(on_meta(spec, num_classes=num_classes, size=spec.size or view_size), state)


def origin_of(spec: BackboneSpec, folder: Path | None) -> Origin | None:
    """The data that the weights say they were trained on; None where they say nothing."""
    if spec.source == "file":
        return read_origin(find_weights(str(spec.weights), folder))
    place, identity = parse_model_name(spec.name)
    files = sorted(Path(identity).glob("*.safetensors")) if place == "local-dir" else []
    return read_origin(files[0]) if files else None


def origin_problems(name: str, origin: Origin, data: ImageData) -> list[str]:
    """Why a classifier of the right size is of another data set, by its class names.

    Names settle it, whatever the data set is called where it was trained; but plain numbers are no evidence, so that
    the data set's name, or the revision of its images, has to be the same too.
    """
    told = not all(name.isdigit() for name in data.class_names) or origin.dataset == data.name
    same_images = origin.revision is not None and origin.revision == data.revision
    if origin.class_names == data.class_names and (told or same_images):
        return []
    theirs, ours = (f"{', '.join(names[:3])}, ..." for names in (origin.class_names, data.class_names))
    return [
        f"teacher {name}: its weights were trained on {origin.dataset} ({len(origin.class_names)} classes: {theirs}), "
        f"expected {data.name} ({data.num_classes} classes: {ours}); an equal number of classes does not make them "
        "the same: fine-tune it on this data set (train: ...), or name weights trained on it"
    ]


def foreign_head(name: str, found: int, expected: int) -> str:
    """The text for a classifier of another size."""
    return (
        f"teacher {name}: expected a classifier of {expected} classes, found {found}; fine-tune it on this data set "
        "(teachers: ... train: ...), or name weights that classify this data set"
    )


def fresh_head(name: str, expected: int) -> str:
    """The text for a classifier drawn at random."""
    return (
        f"teacher {name}: its classifier would be drawn at random (its weights have none of {expected} classes) and "
        "is not trained; give it `train:`, or weights that classify this data set"
    )
