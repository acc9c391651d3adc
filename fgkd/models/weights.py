"""Weights in safetensors files: read, written, fitted to a network, named by their content. No pickle anywhere."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fgkd.errors import UserError, near_names
from fgkd.files import move_into_place
from fgkd.models.classifier import linear_names
from fgkd.spec import BackboneSpec

FOLDER = "local-dir:"  # how timm names a folder of weights
OWN_PREFIX = "net."  # of every tensor in a Backbone's state dict, as the store keeps it
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".tar")


def find_weights(name: str, folder: Path | None) -> Path:
    """The file that `name` means: a path, or a file's name in the weights folder.

    Raises:
        UserError: there is no such file, or it is not .safetensors.
    """
    path = Path(name).expanduser()
    if path.suffix in PICKLES:
        raise UserError(
            f"weights {name}: a {path.suffix} file is a pickle, which can run code when read; "
            "convert it once with safetensors.torch.save_file and name the .safetensors file"
        )
    if path.suffix != ".safetensors":
        raise UserError(f"weights {name}: expected a .safetensors file")
    places = [path] if path.is_absolute() or folder is None else [path, folder / path]
    for place in places:
        if place.is_file():
            return place
    raise UserError(_not_found(name, path, folder))


def start_files(spec: BackboneSpec, folder: Path | None) -> list[Path]:
    """The weight files of the user's own that a network starts from; none where it has timm's, the hub's or none.

    Args:
        spec: as the store resolved it.
        folder: where weights given by file name lie.

    Raises:
        UserError: a file is not there.
    """
    if spec.source == "file":
        return [find_weights(str(spec.weights), folder)]
    if spec.source == "timm" and spec.name.startswith(FOLDER):
        return sorted(Path(spec.name.removeprefix(FOLDER)).glob("*.safetensors"))
    return []


def digest_of(paths: Iterable[Path]) -> str | None:
    """16 hex digits of SHA-256 of the files' content, one after the other; None of no file."""
    parts = [_digest(path, (found := path.stat()).st_size, found.st_mtime_ns) for path in paths]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16] if parts else None


@lru_cache(maxsize=64)  # many learners start from one file
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_found(name: str, path: Path, folder: Path | None) -> str:
    looked = path.parent if folder is None or path.is_absolute() else folder
    there = sorted(p.name for p in looked.glob("*.safetensors")) if looked.is_dir() else []
    near = near_names(path.name, there)
    hint = f"; did you mean {' or '.join(near)}?" if near else f" ({len(there)} .safetensors files are there)"
    missing = "" if looked.is_dir() else "; that folder does not exist"
    where = "; name the folder of weights by --weights DIR or $FGKD_WEIGHTS" if folder is None else ""
    return f"weights {name}: no such file; looked in {looked.resolve()}{missing or hint}{where}"


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a file's tensors, from its header alone; UserError where it is cut short."""
    try:
        with safe_open(path, framework="pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def read_weights(path: Path) -> dict[str, Tensor]:
    """A file's tensors, on the CPU; UserError where it cannot be read."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"weights {path}: not a whole .safetensors file ({error}); copy or download it again")


def load_weights(module: nn.Module, path: Path | str) -> None:
    """Fill `module` from a file, every tensor; UserError listing what is missing, unexpected or of another shape."""
    state = read_weights(Path(path))
    _refuse(misfits(state, module.state_dict()), f"weights {path} do not fit {type(module).__name__}")
    module.load_state_dict(state)


def save_weights(module: nn.Module, path: Path | str, metadata: Mapping[str, str] | None = None) -> None:
    """Write the state dict as safetensors; readers meanwhile see the old file or the new one, never half of one.

    Args:
        metadata: goes into the file's header, see `fgkd.models.origin`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")  # two processes must not write the same part
    state = {key: value.detach().cpu().contiguous().clone() for key, value in module.state_dict().items()}
    try:
        save_file(state, part, dict(metadata) if metadata else None)
        move_into_place(part, path)
    finally:
        part.unlink(missing_ok=True)


def weights_hash(module: nn.Module) -> str:
    """The first 16 hex digits of SHA-256 over the state dict: names in order, shapes, types and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        value = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return digest.hexdigest()[:16]


def fit_weights(net: nn.Module, state: dict[str, Tensor], source: str) -> bool:
    """Fill a freshly made timm network from `state`; everything but the classifier must fit exactly.

    Weights in another layout (positional embeddings of another size, the authors' own names) go through the network's
    timm filter first.

    Returns:
        Whether the classifier is fresh: its class count differs from the checkpoint's, or the checkpoint has none.
    """
    state = _translated(net, state)
    fresh = head_differs(state, net)
    own = net.state_dict()
    if fresh:
        heads = _head_tensors(net)
        state = {k: v for k, v in state.items() if k not in heads} | {k: own[k] for k in heads}
    _refuse(misfits(state, own), f"weights {source} do not fit {type(net).__name__}")
    net.load_state_dict(state)
    return fresh


def _head_tensors(net: nn.Module) -> list[str]:
    own = net.state_dict()
    return [key for name in linear_names(net) for key in (f"{name}.weight", f"{name}.bias") if key in own]


def head_classes(net: nn.Module, state: dict[str, Tensor]) -> int | None:
    """How many classes the classifier in `state` tells apart; None where it has none."""
    state = _translated(net, state)
    return next((len(state[key]) for key in _head_tensors(net) if key in state), None)


def head_differs(state: Mapping[str, Tensor], net: nn.Module) -> bool:
    """Whether `state` lacks a classifier, or has one for another number of classes than `net`."""
    own = net.state_dict()
    classes = {len(state[key]) for key in _head_tensors(net) if key in state}
    return classes != {len(own[key]) for key in _head_tensors(net)}


def _translated(net: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`state` without our own prefix, and through timm's filter for this network where it does not fit as it is."""
    if state and all(key.startswith(OWN_PREFIX) for key in state):
        state = {key.removeprefix(OWN_PREFIX): value for key, value in state.items()}
    heads = set(_head_tensors(net))
    filter_fn = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    if filter_fn is None or not any(key not in heads for key in misfits(state, net.state_dict())):
        return state
    try:
        return dict(filter_fn(dict(state), net))
    except Exception:  # filters raise whatever they stumble over; the misfits will say what does not fit
        return state


def misfits(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """Tensor name -> how `state` fails to fill `own`; empty where it fits."""
    missing = {key: "missing" for key in own if key not in state}
    unexpected = {key: "unexpected" for key in state if key not in own}
    reshaped = {
        key: f"shape {tuple(state[key].shape)}, expected {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    }
    return missing | unexpected | reshaped


def _refuse(found: Mapping[str, str], title: str, most: int = 4) -> None:
    if found:
        shown = [f"{key} ({what})" for key, what in list(found.items())[:most]]
        more = f" and {len(found) - most} more" if len(found) > most else ""
        raise UserError(f"{title}: {', '.join(shown)}{more}")
