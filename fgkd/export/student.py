"""A trained network with all that using it takes: its eyes and the names of its classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import timm
import torch
from torch import Tensor, nn

from fgkd.data import EvalView, bound, from_pillow, read_image
from fgkd.errors import UserError
from fgkd.export.manifest import Manifest, read_manifest
from fgkd.export.rebuild import Logits, rebuild
from fgkd.models import InputSpec, load_weights
from fgkd.models.eyes import Eyes
from fgkd.spec import ViewSpec

if TYPE_CHECKING:
    from PIL.Image import Image

WEIGHTS = {"timm": "model.safetensors", "network": "network.safetensors"}


@dataclass(frozen=True)
class Prediction:
    """What a student takes one image for.

    Attributes:
        name, index: the class.
        probability: of that class, in [0, 1].
        scores: every class's probability by name, highest first.
    """

    name: str
    index: int
    probability: float
    scores: Mapping[str, float]


class Student(nn.Module):
    """A network in evaluation mode: normalised images (B, 3, S, S) -> logits (B, K).

    Attributes:
        network: what is inside.
        sight: input size, mean, std and interpolation.
        view: how a picture becomes the square that the network was tested on.
        class_names: K names; logit k is that of ``class_names[k]``.
        name: of the backbone.
        folder: where it was loaded from; None where it comes from a run.
    """

    def __init__(
        self,
        network: nn.Module,
        sight: InputSpec,
        view: ViewSpec,
        class_names: tuple[str, ...],
        *,
        name: str,
        folder: Path | None = None,
    ) -> None:
        super().__init__()
        self.network, self.sight, self.view, self.class_names = network.eval(), sight, view, class_names
        self.name, self.folder = name, folder
        self._square = EvalView(view)
        self.eval()

    def __repr__(self) -> str:
        """One line, where torch would list every layer; those are shown by ``student.network``."""
        folder = "" if self.folder is None else f", folder={str(self.folder)!r}"
        return f"Student({self.name}, {len(self.class_names)} classes, {self.sight.size} px{folder})"

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) as `transform` makes them -> (B, K)."""
        return self.network(image)

    def transform(self, image: str | Path | Image | np.ndarray) -> Tensor:
        """A picture, as a file, a PIL image or (H, W, 3) uint8 RGB, of any size -> (3, S, S) float32, normalised.

        What was done to the pictures of the test split is done to this one: turned as its EXIF says, laid over white
        where it is transparent, brought to the view's `shorter_side`. An array is taken as it is but for the latter.

        Raises:
            UserError: the file cannot be read, or the array is not one of uint8 RGB.
        """
        square = torch.from_numpy(self._square(_pixels(image, self.view.shorter_side))).permute(2, 0, 1)[None]
        return Eyes(square, self.view.crop_pct).seen_by(self.sight)[0]

    def predict(self, image: str | Path | Image | np.ndarray) -> Prediction:
        """What the picture shows; see `transform` for what a picture may be."""
        return self.classify(self.transform(image)[None])[0]

    @torch.no_grad()
    def classify(self, image: Tensor) -> list[Prediction]:
        """What each of several pictures shows: (B, 3, S, S) as `transform` makes them, on any device."""
        device = next(self.parameters()).device
        return [self._prediction(shares) for shares in self(image.to(device)).float().softmax(1).cpu()]

    def _prediction(self, shares: Tensor) -> Prediction:
        order = shares.argsort(descending=True, stable=True).tolist()
        scores = {self.class_names[k]: float(shares[k]) for k in order}
        return Prediction(self.class_names[order[0]], order[0], float(shares[order[0]]), scores)


def _pixels(image: Any, shorter_side: int | None) -> np.ndarray:
    if isinstance(image, str | Path):
        return read_image(Path(image), shorter_side)
    if hasattr(image, "convert"):  # a PIL image
        return bound(from_pillow(image), shorter_side)
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return bound(image, shorter_side)
    found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    raise UserError(f"image: expected a file, a PIL image or an array (H, W, 3) of uint8 RGB, found {found}")


def load_student(folder: str | Path) -> Student:
    """The student in a folder that ``fgkd export`` wrote, of either kind; reads safetensors only.

    Raises:
        UserError: the folder is no export, or its files are missing or cut short.
    """
    folder = Path(folder).expanduser()
    manifest = read_manifest(folder)
    network = timm_network(folder) if manifest.kind == "timm" else _own_network(folder, manifest)
    spec = manifest.spec
    return Student(network, manifest.input, spec.feed.view, manifest.class_names, name=spec.student.name, folder=folder)


def timm_network(folder: Path) -> nn.Module:
    """What plain timm makes of an exported folder; UserError where its files are missing or cut short."""
    _present(folder, "timm")
    try:
        return timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    except Exception as error:  # timm and its readers raise whatever they stumble over
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"{folder}: cannot be loaded ({told}); export the run again") from error


def _own_network(folder: Path, manifest: Manifest) -> nn.Module:
    network, _ = rebuild(manifest.spec, num_classes=manifest.num_classes, train_images=manifest.train_images)
    load_weights(network, _present(folder, "network"))
    return Logits(network).eval()


def _present(folder: Path, kind: str) -> Path:
    path = folder / WEIGHTS[kind]
    if not path.is_file():
        raise UserError(f"{path}: missing; export the run again")
    return path
