"""Can timm's own weights be had? Asked without downloading them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import torch
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError
from timm.models import get_pretrained_cfg, is_model, parse_model_name

from fgkd.errors import UserError
from fgkd.models.weights import read_shapes
from fgkd.spec import BackboneSpec

TIMEOUT = 5  # seconds
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def forget_answers() -> None:
    """Ask anew: what a user was told to log in to, download or put there may be there now."""
    for ask in (config_problem, weights_problem, hub_unreachable):
        ask.cache_clear()


@cache
def config_problem(name: str) -> str | None:
    """Why the configuration of a ``hf-hub:`` or ``local-dir:`` name cannot be had; None where it can."""
    source, identity = parse_model_name(name)
    if source == "hf-hub":
        return _hub_problem(identity, ("config.json",))
    found = (Path(identity) / "config.json").is_file()
    return None if found else f"expected a folder with config.json and weights, found no config.json in {identity}"


@cache
def weights_problem(name: str) -> str | None:
    """Why the weights of a timm name with tag, ``hf-hub:`` or ``local-dir:`` cannot be had; None where they can.

    Looks in the local cache, then asks for the file's header; once for each name until `forget_answers`.
    """
    source, identity = parse_model_name(name)
    if source == "local-dir":
        return _folder_problem(Path(identity))
    if source == "hf-hub":
        return _hub_problem(identity, WEIGHT_FILES)
    config = get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        return f"timm has no weights for {name}; start from scratch with `weights: none`"
    if config.hf_hub_id:
        return _hub_problem(config.hf_hub_id, (config.hf_hub_filename,) if config.hf_hub_filename else WEIGHT_FILES)
    return _url_problem(str(config.url))


def pretrained_name(spec: BackboneSpec) -> str | None:
    """The name by which a plain timm name would start from timm's weights; None where there are none to start from.

    Example:
        >>> pretrained_name(BackboneSpec(name="resnet18")), pretrained_name(BackboneSpec(name="resnet18.a1_in1k"))
        ('resnet18.a1_in1k', None)
    """
    if spec.source != "scratch" or spec.weights is not None or not is_model(spec.name):
        return None
    config = get_pretrained_cfg(spec.name)
    return f"{spec.name}.{config.tag}" if config and config.has_weights and config.tag else None


def _folder_problem(folder: Path) -> str | None:
    """Whether the folder has whole weights; only headers are read."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        return f"no .safetensors file in {folder}; pickles are not read"
    try:
        for path in found:
            read_shapes(path)
    except UserError as error:
        return str(error)
    return None


def _hub_problem(identity: str, files: tuple[str, ...]) -> str | None:
    """Whether one of `files` is cached or on the hub; `identity` may end in ``@revision``."""
    repo, _, revision = identity.partition("@")
    revision = revision or "main"
    if any(isinstance(try_to_load_from_cache(repo, file, revision=revision), str) for file in files):
        return None
    if trouble := hub_unreachable():
        return f"{repo}: {' or '.join(files)} is not in the local cache ({constants.HF_HUB_CACHE}) and {trouble}"
    answers = [_asked(hf_hub_url(repo, file, revision=revision)) for file in files]
    return None if None in answers else f"{repo}: {answers[0]}"


def _asked(url: str) -> str | None:
    try:
        get_hf_file_metadata(url, timeout=TIMEOUT)
    except GatedRepoError:
        return "is gated; accept its terms on its page and log in with `hf auth login`"
    except RepositoryNotFoundError:
        return "no such repository on the hub (or it is private: log in with `hf auth login`)"
    except EntryNotFoundError:
        return f"has no file at {url}"
    except Exception as error:  # whatever the HTTP library raises
        return f"asking for {url} failed: {_short(error)}"
    return None


@cache
def hub_unreachable() -> str | None:
    """Why the Hugging Face hub cannot be asked; None where it answers. Tried once until `forget_answers`."""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids downloading"
    trouble = _unanswered(constants.ENDPOINT)
    return (
        trouble
        and f"the hub at {constants.ENDPOINT} cannot be reached ({trouble}); download it where there is a network"
    )


def _url_problem(url: str) -> str | None:
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if cached.is_file():
        return None
    trouble = _unanswered(url)
    return trouble and f"{url} is not in the local cache ({cached.parent}) and cannot be reached ({trouble})"


def _unanswered(url: str) -> str | None:
    try:
        with urlopen(Request(url, method="HEAD"), timeout=TIMEOUT):
            return None
    except (URLError, OSError, ValueError) as error:
        return _short(error)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
