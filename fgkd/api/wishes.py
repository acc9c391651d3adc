"""From the arguments of `fgkd.distill` to a suite of one run: names made unambiguous, defaults filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

from fgkd.data import dataset_names
from fgkd.errors import UserError, UserErrors, near_names
from fgkd.spec import BackboneSpec

Entry = str | Mapping[str, Any]
OWN = ("folder", "table")
LOCAL = "local-dir:"
NAMING = ("backbone", "name", "weights")  # keys of an entry that may name files
# Sound for CNNs and token networks, with and without pretraining; tuned on nobody's images.
ADAMW = {"optimizer": "adamw", "weight_decay": 0.05, "schedule": "cosine", "clip_grad": 1.0}
TEACHER_EPOCHS, WARMUP_SHARE = 30, 0.1


def dataset_entry(data: str | Path | Mapping[str, Any], data_root: Path | None) -> dict[str, Any]:
    """A suite's data set entry.

    Args:
        data: a folder of images or a table of them (a path, or ``folder:PATH``, ``table:PATH``), ``hub:...``, a card's
            name, or an entry as suites write it.
        data_root: where relative paths start; the current folder where None.

    Raises:
        UserError: neither a card nor anything on disk.
    """
    if isinstance(data, Mapping):
        name = dataset_entry(str(data.get("name", "")), data_root)["name"]
        return {**data, "name": name}
    text = str(data)
    if not text:
        raise UserError("data: expected a folder of images, a table of them, or the name of a data set, found nothing")
    prefix, colon, rest = text.partition(":")
    if colon and prefix in OWN:
        return {"name": f"{prefix}:{_absolute(rest, data_root)}"}
    if isinstance(data, str) and (text in dataset_names() or (colon and prefix == "hub")):
        return {"name": text}
    place = _absolute(text, data_root)
    if place.exists():
        return {"name": f"{'folder' if place.is_dir() else 'table'}:{place}"}
    near = near_names(text, dataset_names())
    hint = f"; did you mean the data set {' or '.join(near)}?" if near else ""
    raise UserError(
        f"data {text!r}: expected a folder of images, or the name of a data set; {place} is not there{hint}"
    )


def _absolute(text: str, root: Path | None) -> Path:
    """Absolute, so that equal names in two projects are never taken for one data set, and one place has one name."""
    return _collapsed((root or Path.cwd()).absolute() / Path(text).expanduser())


def _collapsed(path: Path) -> Path:
    """`path` without ``..``; as it is where a link on the way makes ``..`` lead elsewhere."""
    short = Path(os.path.normpath(path))
    return short if not path.exists() or (short.exists() and short.samefile(path)) else path


def suite_name(dataset: str) -> str:
    """The folder of results: ``distill-`` and the last part of the data set's name.

    Example:
        >>> suite_name("folder:/home/me/my birds"), suite_name("cub200")
        ('distill-my_birds', 'distill-cub200')
    """
    last = re.split(r"[/\\:]", dataset.partition("?")[0].rstrip("/\\"))[-1]
    return f"distill-{re.sub(r'[^A-Za-z0-9.-]+', '_', last).strip('_') or 'images'}"


def batch_size_for(images: int) -> int:
    """At most 64, and small enough for four steps an epoch, where so many images allow that.

    Example:
        >>> batch_size_for(10_000), batch_size_for(100), batch_size_for(3)
        (64, 16, 2)
    """
    return next((size for size in (64, 32, 16, 8, 4) if 4 * size <= images), 2)


def plain(entry: Any) -> Any:
    """Mappings as dicts, which a suite's checks know; anything else as it is, for them to tell what is wrong."""
    return dict(entry) if isinstance(entry, Mapping) else entry


def network_entry(entry: Any) -> Any:
    """A network's entry; a folder of weights made absolute, for exports are written from elsewhere.

    A file of weights keeps its own way of being named, for it may lie in the weights folder, but without ``..``.
    """
    if isinstance(entry, str) and entry.startswith(LOCAL):
        return f"{LOCAL}{_absolute(entry.removeprefix(LOCAL), None)}"
    if isinstance(entry, str) and entry.endswith(".safetensors"):
        return str(_collapsed(Path(entry)))
    if isinstance(entry, Mapping):
        return {key: network_entry(value) if key in NAMING else value for key, value in entry.items()}
    return entry


def check_numbers(teacher: Any, **own: Any) -> None:
    """UserErrors where a whole number is none: pydantic would read "3" as 3, after a recipe was made for no number.

    Args:
        teacher: its entry, whose training has numbers too.
        own: by the argument's name.
    """
    train = teacher.get("train") if isinstance(teacher, Mapping) else None
    theirs = train if isinstance(train, Mapping) else {}
    wishes = {**own, **{f"teachers[0].train.{key}": theirs[key] for key in ("epochs", "batch_size") if key in theirs}}
    problems = [
        f"{name}: expected a whole number, found {value!r}"
        for name, value in wishes.items()
        if isinstance(value, bool) or not isinstance(value, Integral)
    ]
    if problems:
        raise UserErrors(problems)


def recipe_entry(given: Any, epochs: int, *, pretrained: bool, gentle: bool) -> Any:
    """The recipe: the defaults with `given` over them; none of the defaults where it names an optimiser of its own.

    Args:
        given: keys of `fgkd.spec.Recipe`, or None; what is no mapping is given back.
        epochs: of the training; a tenth of them are warm-up.
        pretrained: whether the weights are to be fine-tuned.
        gentle: for teachers, which are large: a lower rate, and a higher one for their new classifier.
    """
    given = {} if given is None else plain(given)
    if not isinstance(given, dict) or "optimizer" in given:
        return given
    lr = (1e-4 if gentle else 3e-4) if pretrained else 1e-3
    head = {"head_lr_scale": 10.0} if pretrained and gentle else {}
    return {**ADAMW, "lr": lr, "warmup_epochs": round(WARMUP_SHARE * epochs, 3), **head, **given}


def teacher_entry(teacher: Entry, batch_size: int) -> Any:
    """A suite's teacher entry: fine-tuned first, unless it says ``train: null``."""
    entry = {"backbone": network_entry(teacher)} if isinstance(teacher, str) else network_entry(teacher)
    if not isinstance(entry, dict):
        return entry
    given = entry.get("train", {})
    if not isinstance(given, Mapping):  # None: used as it is; anything else is a fault that the suite's checks tell
        return entry
    train = {"epochs": TEACHER_EPOCHS, "batch_size": batch_size, **given}
    train["recipe"] = recipe_entry(train.get("recipe"), train["epochs"], pretrained=_pretrained(entry), gentle=True)
    return {**entry, "train": train}


def student_recipe(student: Entry, given: Mapping[str, Any] | None, epochs: int) -> Any:
    """The student's recipe, see `recipe_entry`."""
    return recipe_entry(given, epochs, pretrained=_pretrained(student), gentle=False)


def _pretrained(entry: Entry) -> bool:
    """Whether the entry's network starts from weights, as far as its form tells; faults are told later, together."""
    if isinstance(entry, str):
        return BackboneSpec.model_validate(entry).source != "scratch" if entry else False
    if not isinstance(entry, Mapping):
        return False
    name = str(entry.get("backbone") or entry.get("name") or "x")
    spec = BackboneSpec.model_validate(name)
    weights = entry.get("weights", spec.weights)
    return spec.model_copy(update={"weights": None if weights is None else str(weights)}).source != "scratch"
