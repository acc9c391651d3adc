"""The ONNX file of a network: written with a free batch axis, run, compared with torch. Needs the extra ``onnx``."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fgkd.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "model.onnx"
LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4  # of the largest logit, or of 1 where all are smaller
LIMIT = 1_800_000_000  # bytes of weights that one file takes; protobuf ends at 2 GiB


def missing_libraries() -> list[str]:
    """Those of the extra that are not here."""
    return [name for name in LIBRARIES if find_spec(name) is None]


def require_onnx() -> None:
    """UserError where a library of the extra is missing."""
    if missing := missing_libraries():
        raise UserError(f"ONNX needs {', '.join(missing)}, which the extra brings: pip install 'fgkd[onnx]'")


def write_onnx(network: nn.Module, size: int, path: Path) -> None:
    """Write ``image`` (batch, 3, size, size) float32, normalised -> ``logits`` (batch, K).

    Args:
        network: in evaluation mode, on the CPU.
        size: of the image in px.
        path: the file; weights beyond protobuf's limit get a file of their own beside it.

    Raises:
        UserError: torch cannot express the network in ONNX.
    """
    require_onnx()
    image = torch.zeros(2, 3, size, size)  # of one, the exporter would take the batch for a constant
    large = sum(p.numel() * p.element_size() for p in network.parameters()) > LIMIT
    try:
        with _quietly(), torch.no_grad():
            network(image)  # what a network finds out about itself at first use is not to be traced
            torch.onnx.export(
                network,
                (image,),
                path,
                input_names=["image"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                external_data=large,
                verbose=False,
            )
    except Exception as error:  # whatever the exporter raises
        cause = f"{type(error).__name__}: {error}".strip().splitlines()
        told = f"{cause[0]} ... {cause[-1]}"[:400] if len(cause) > 1 else cause[0][:400]
        raise UserError(f"torch cannot write this network as ONNX: {told}") from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's remarks on its own insides."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


class OnnxNetwork:
    """An ONNX file run by onnxruntime on the CPU: (B, 3, S, S) -> (B, K)."""

    def __init__(self, path: Path) -> None:
        require_onnx()
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = torch.get_num_threads()
        self._session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def __call__(self, image: Tensor) -> Tensor:
        """Logits of normalised float32 images, for any batch size."""
        (logits,) = self._session.run(["logits"], {"image": image.detach().cpu().contiguous().numpy()})
        return torch.from_numpy(logits)


@torch.no_grad()
def compare(network: nn.Module, onnx: OnnxNetwork, batches: Sequence[Tensor]) -> float:
    """The largest difference of logits between torch and ONNX, as a share of the largest logit (at least 1).

    Args:
        batches: normalised images (B, 3, S, S); batches of several sizes show that the batch axis is free.

    Raises:
        UserError: it is above `TOLERANCE`.
    """
    shares = [_share(network(image), onnx(image)) for image in batches]
    for share in shares:
        if not share <= TOLERANCE:  # true of NaN, too, which `max` would pass over
            raise UserError(
                f"the ONNX file gives other logits than torch: off by {share:.2g}, expected {TOLERANCE:g} at most"
            )
    return max(shares, default=0.0)


def _share(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max()) / max(1.0, float(ours.abs().max()))
