"""``fgkd.json`` in an export: what the folder holds, enough to load and to verify it again, nothing of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from timm.models import load_model_config_from_hf
from timm.models._hub import load_model_config_from_path

from fgkd.data.sources.hub_tables import REFERENCE
from fgkd.errors import UserError
from fgkd.models import InputSpec
from fgkd.models.create import RESERVED
from fgkd.spec import RunSpec

NAME = "fgkd.json"


class Manifest(BaseModel):
    """The content of ``fgkd.json``.

    Attributes:
        kind: ``timm``: plain timm loads the folder; ``network``: fgkd rebuilds the network, others take the ONNX file.
        run_id: of the run that the weights come from.
        spec: that run's, without paths of the machine it ran on.
        class_names: K names, in the order of the logits.
        train_images: size of the training split.
        input: what the network expects.
        test_top1: as recorded, in [0, 1].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    kind: Literal["timm", "network"]
    run_id: str
    spec: RunSpec
    class_names: tuple[str, ...] = Field(min_length=1)
    train_images: int = Field(ge=1)
    input: InputSpec
    test_top1: float | None = None

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an exported folder; UserError where `folder` is none."""
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{folder}: expected a folder that fgkd export wrote, found no {NAME} in it") from None
    except (OSError, ValidationError) as error:
        raise UserError(f"{path}: cannot be read ({str(error).splitlines()[0]}); export the run again") from None


def is_export(folder: Path) -> bool:
    """Whether `folder` is an export of ours, whole enough to be replaced."""
    return (folder / NAME).is_file()


def public_spec(spec: RunSpec, *, rebuilt: bool = False) -> RunSpec:
    """`spec` without paths of this machine: their last parts alone, and folders of networks named by what they hold.

    Args:
        rebuilt: whether a network will be built from it; those of the hub are then named by what they hold too, so that
            nobody has to ask the hub.
    """
    opened = ("local-dir:", "hf-hub:") if rebuilt else ("local-dir:",)
    return RunSpec.model_validate(_public(spec.model_dump(mode="json"), opened))


def _public(value: Any, opened: tuple[str, ...]) -> Any:
    if not isinstance(value, dict):
        return value
    value = {key: _public(part, opened) for key, part in value.items()}
    name = value.get("name")
    if isinstance(name, str) and name.startswith(opened):
        value |= _held(name, value.get("kwargs", {}))
    elif isinstance(name, str):
        value["name"] = public_name(name)
    if isinstance(value.get("weights"), str):
        value["weights"] = Path(value["weights"]).name
    if isinstance(value.get("label"), str):
        value["label"] = public_name(value["label"])
    return value


def _held(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """What a folder or a repository of a network holds, in its place; where it is out of reach, its name alone."""
    source, _, place = name.partition(":")
    try:
        load = load_model_config_from_path if source == "local-dir" else load_model_config_from_hf
        _, architecture, model_args = load(place)
    except (OSError, ValueError):
        return {"name": public_name(name)}
    kept = {key: arg for key, arg in model_args.items() if key not in RESERVED | {"img_size"}}
    return {"name": architecture, "kwargs": kept | kwargs, "weights": "none"}


def public_name(name: str) -> str:
    """The name of a data set or network without the folders that lead to it, and without options, which may name some.

    Example:
        >>> public_name("folder:/home/me/birds"), public_name("cub200"), public_name("hf-hub:timm/resnet18.a1_in1k")
        ('folder:birds', 'cub200', 'hf-hub:timm/resnet18.a1_in1k')
        >>> public_name("table:/home/me/birds.csv?images=/srv/photos")
        'table:birds.csv'
    """
    prefix, colon, rest = name.partition(":")
    place = rest.partition("?")[0]
    if not colon or prefix not in ("folder", "table", "hub", "local-dir"):
        return name
    on_the_hub = prefix == "hub" and REFERENCE.fullmatch(place)
    return f"{prefix}:{place if on_the_hub else Path(place).name}"
