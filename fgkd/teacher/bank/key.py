"""What decides the content of a bank, and so which bank a feed asks for."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field

from fgkd.data import ImageData, Split
from fgkd.data.images import fingerprint
from fgkd.models import weights_hash
from fgkd.signals import Needs
from fgkd.spec import BankPrecision, Feed, Precision
from fgkd.teacher.live import Teacher

FORMAT = 1
SERVED = Needs(logits=True, pooled=True, head=True)  # what a bank can serve; the head is the teacher's, and no output
BYTES: dict[BankPrecision, int] = {"fp16": 2, "fp32": 4}


class BankKey(BaseModel):
    """All that a bank's numbers depend on; two feeds with equal keys share a bank.

    Attributes:
        dataset, view, backbone: the specs' canonical JSON.
        revision: of the data set's content; `split`: of the training split that was left by the hold-out.
        images: n of it; `views`: V fixed views of each; `classes`: K; `width`: D of the embedding.
        pixels: the versions of all that decodes and augments.
        weights: hash of the teacher's state dict; `sight`: how its input looks.
        autocast: precision in which it computes; `stored`: in which the bank keeps numbers.
        machine: device, and the libraries that compute: other ones differ in the last bits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    dataset: str
    revision: str
    split: str
    images: int = Field(ge=1)
    view: str
    data_seed: int
    views: int = Field(ge=1)
    pixels: str
    backbone: str
    weights: str
    sight: str
    autocast: Precision
    stored: BankPrecision
    classes: int = Field(ge=1)
    width: int = Field(ge=1)
    machine: str

    @classmethod
    def of(cls, feed: Feed, data: ImageData, teacher: Teacher) -> BankKey:
        """The key of a feed that has a bank, for its data and its teacher as they are now."""
        assert feed.bank is not None
        assert feed.teacher is not None
        sight = teacher.sight
        return cls(
            dataset=feed.dataset.canonical(),
            revision=data.revision,
            split=_digest(data.train),
            images=len(data.train),
            view=feed.view.canonical(),
            data_seed=feed.data_seed,
            views=feed.bank,
            pixels=f"{fingerprint()}, albumentations {version('albumentations')}",
            backbone=feed.teacher.backbone.canonical(),
            weights=weights_hash(teacher.network),
            sight=f"{sight.size} {sight.mean} {sight.std} {sight.interpolation}",
            autocast=feed.precision,
            stored=feed.bank_precision,
            classes=teacher.shapes.num_classes,
            width=teacher.shapes.pooled,
            machine=machine_text(teacher.device),
        )

    @property
    def rows(self) -> int:
        """Views of images, all together."""
        return self.images * self.views

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return bank_bytes(self.images, self.views, self.classes, self.width, self.stored)

    @property
    def dataset_name(self) -> str:
        """Of the data set, fit for a file's name."""
        found = re.search(r'"name":"([^"]*)"', self.dataset)
        return re.sub(r"[^A-Za-z0-9_]+", "-", found[1] if found else "data").strip("-")[:40]

    def digest(self) -> str:
        """16 hex digits that name it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def bank_bytes(images: int, views: int, classes: int, width: int, stored: BankPrecision) -> int:
    """Bytes of the logits and embeddings of `views` views of so many images."""
    return images * views * (classes + width) * BYTES[stored]


def _digest(split: Split) -> str:
    """Of the images' names, their order and their labels; the revision vouches for the rest."""
    told = hashlib.sha256("\n".join(Path(path).name for path in split.paths).encode(errors="surrogateescape"))
    told.update(split.targets.tobytes())
    return told.hexdigest()[:16]


def machine_text(device: torch.device) -> str:
    """The device and the libraries that compute: numbers of other ones differ in the last bits."""
    cuda = device.type == "cuda"
    chip = torch.cuda.get_device_name(device) if cuda else f"cpu {torch.backends.cpu.get_cpu_capability()}"
    return f"{chip}, torch {torch.__version__}, timm {version('timm')}"
