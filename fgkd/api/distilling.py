"""`fgkd.distill`: a suite of one run, run as any suite is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from fgkd import places, runner
from fgkd.api.distilled import Distilled
from fgkd.api.wishes import (
    Entry,
    batch_size_for,
    check_numbers,
    dataset_entry,
    network_entry,
    plain,
    student_recipe,
    suite_name,
    teacher_entry,
)
from fgkd.data import augment_names, dataset_names, open_dataset
from fgkd.errors import UserError, UserErrors
from fgkd.export.choice import Chosen
from fgkd.export.deployed import open_deployed
from fgkd.models.hub import pretrained_name
from fgkd.models.store import WeightStore
from fgkd.places import cache_folder, parse_precision, weights_folder
from fgkd.plan import with_ancestors
from fgkd.record import RunRecord, read_record, record_path, records_folder
from fgkd.runner import Options
from fgkd.runner.check.starts import start_problems
from fgkd.runner.summary import ADVICE
from fgkd.spec import DatasetSpec, RunSpec
from fgkd.suite import Suite
from fgkd.suite.check import Known
from fgkd.suite.form import explain
from fgkd.suite.values import make_suite
from fgkd.yaml_places import dotted


def distill(
    data: str | Path | Mapping[str, Any],
    *,
    student: Entry,
    teacher: Entry | None = None,
    method: Entry = "kd",
    epochs: int = 60,
    batch_size: int | None = None,
    seed: int = 0,
    view: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    results: str | Path = "results",
    cache: str | Path | None = None,
    data_root: str | Path | None = None,
    weights: str | Path | None = None,
    workers: int | None = None,
    precision: str | None = None,
    rerun: bool = False,
    verbose: bool = True,
) -> Distilled:
    """Fine-tune a teacher on some images, distil it into a student, and return the student with its evidence.

    The same path as ``fgkd bench``: a suite of one run, recorded below `results`, with the same checks, gate, hold-out
    and caches. What is recorded already, with the same arguments on the same images, is not trained again.

    Args:
        data: a folder of images (``train/CLASS/*.jpg`` and ``test/...``, or one folder of classes), a table of them, or
            a data set's name; ``folder:PATH`` and the like as in suites.
        student: a timm name (with a tag, ``resnet18.a1_in1k``, it starts from those weights, without one from
            random ones), or a suite's entry.
        teacher: likewise; a mapping may hold ``train: {epochs, batch_size, recipe, ...}``, or ``train: None`` for
            weights that classify these images already. None for methods without a teacher.
        method: such as ``kd``, ``kd+crd``, ``scratch``, or a suite's entry, such as the published sum,
            ``{"method": "kd+crd", "kd": {"ce_weight": 1, "kd_weight": 1}}``.
        epochs: of the student; the teacher's are 30 unless it says otherwise.
        batch_size: of both; by default 64, or less where there are few images.
        seed: of the student.
        view: keys of `fgkd.spec.ViewSpec`, such as size (224 px by default) and augment.
        recipe: keys of `fgkd.spec.Recipe` over the defaults, AdamW with a cosine schedule.
        results: where the folder ``distill-NAME`` of records and boards is made.
        cache: of weights; $FGKD_CACHE, else the user's cache folder.
        data_root: where named data sets lie, and where relative folders start; $FGKD_DATA or ./data, and here.
        weights: the folder of weight files.
        workers: loading processes; None: by device.
        precision: ``no``, ``bf16`` or ``fp16``; None: what accelerate launch set, else ``no``.
        rerun: train again what is recorded, teacher included, and replace its records.
        verbose: whether to show progress and the board.

    Raises:
        UserError, UserErrors: whatever the user can mend, all at once where possible, before training where possible.
    """
    sized = {} if batch_size is None else {"batch_size": batch_size}
    check_numbers(teacher, epochs=epochs, seed=seed, **sized)
    root = None if data_root is None else Path(data_root).expanduser()
    options = Options(
        data_root=places.data_root(root),
        results=Path(results).expanduser(),
        cache=cache_folder(None if cache is None else Path(cache).expanduser()),
        weights=weights_folder(None if weights is None else Path(weights).expanduser(), "weights="),
        workers=workers,
        rerun=rerun,
    )
    images = _Images.opened(dataset_entry(data, root), options)
    size = batch_size_for(images.training) if batch_size is None else batch_size
    suite = make_suite(
        {
            "name": suite_name(images.entry["name"]),
            "version": 1,
            "description": "Made by fgkd.distill.",
            "datasets": [images.entry],
            "teachers": [] if teacher is None else [teacher_entry(teacher, size)],
            "students": [network_entry(student)],
            "methods": [plain(method)],
            "view": {} if view is None else plain(view),
            "recipe": student_recipe(student, recipe, epochs),
            "epochs": int(epochs),
            "batch_size": int(size),
            "seeds": [int(seed)],
        },
        Known(datasets=dataset_names(), augments=augment_names()),
    )
    (run,) = suite.runs(precision=parse_precision(precision, "precision"))
    return _run(suite, run, options, images, verbose=verbose)


@dataclass(frozen=True)
class _Images:
    """A data set that could be opened."""

    entry: dict[str, Any]
    training: int
    revision: str

    @classmethod
    def opened(cls, entry: dict[str, Any], options: Options) -> _Images:
        try:
            spec = DatasetSpec.model_validate(entry)
        except ValidationError as error:
            raise UserErrors(f"data.{dotted(e['loc'])}: {explain(e)}" for e in error.errors()) from None
        data = open_dataset(spec, options.data_root, cache=options.cache)
        return cls(entry, len(data.train), data.revision)


class _Listener(Console):
    """A console that keeps back what is said in red: an exception says it, once, or else `release`."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__(file=io.StringIO() if silent else None)
        self._red: list[str] = []

    def print(self, *objects: Any, **options: Any) -> None:
        if options.get("style") == "red":
            self._red += map(str, objects)
        else:
            super().print(*objects, **options)

    def alarms(self) -> list[str]:
        """What was said in red, each once; a runner says it when it happens, under the data's name, and at the end."""
        alarms = dict.fromkeys(self._red)
        return [one for one in alarms if not any(other.endswith(f": {one}") for other in alarms)]

    def release(self) -> None:
        """Say what no exception says."""
        for alarm in self.alarms():
            super().print(alarm, style="red", highlight=False, markup=False, soft_wrap=True)


def _run(suite: Suite, run: RunSpec, options: Options, images: _Images, *, verbose: bool) -> Distilled:
    folder = records_folder(options.results, suite.name)
    if not options.rerun:
        _refuse_other_images(run, folder, images)
        if changed := list(start_problems([run], folder, options)):
            raise UserErrors(changed)
    console = _Listener(silent=not verbose)
    if _recorded(folder, run.run_id) is None:
        _tell_random_starts(run, console)
    runner.bench(suite, [run], options, console)
    record = _recorded(folder, run.run_id)
    if record is None:
        raise UserErrors(console.alarms() or [f"run {run.run_id} left no record; is another process training it?"])
    if record.status != "ok":
        raise UserError(_ended(record, folder))
    console.release()
    deployed = open_deployed(Chosen(record, folder), WeightStore(options.cache / "weights"))
    teacher = record.teacher.run_id if record.teacher else None
    return Distilled(
        deployed.student(),
        record,
        None if teacher is None else _recorded(folder, teacher),
        folder.parent,
        options.data_root,
        options.cache,
    )


def _ended(record: RunRecord, folder: Path) -> str:
    """Why there is no student, and what can be done about it."""
    helps = "" if record.status == "failed" else f"; what may help: {ADVICE[record.status]}"
    return (
        f"run {record.run_id} ended as {record.status}: {record.reason}; its record is in {folder}; rerun=True trains "
        f"it again{helps}"
    )


def _tell_random_starts(run: RunSpec, console: Console) -> None:
    """Say where timm's weights could have been had: who leaves out a tag seldom means to start without them."""
    networks = {"student": run.student}
    if run.feed.teacher is not None:
        networks = {"teacher": run.feed.teacher.backbone, **networks}
    for role, network in networks.items():
        if tagged := pretrained_name(network):
            said = f"{role} {network.name} starts from random weights; {tagged} would start from timm's"
            console.print(said, highlight=False, soft_wrap=True)


def _refuse_other_images(run: RunSpec, folder: Path, images: _Images) -> None:
    """A record speaks of the images that were there; UserError where they have changed since."""
    for run_id in with_ancestors([run]):
        record = _recorded(folder, run_id)
        if record and record.data and record.data.revision != images.revision:
            raise UserError(
                f"the images have changed since run {run_id} was recorded in {folder} (revision "
                f"{record.data.revision}, now {images.revision}): pass rerun=True to train again and replace "
                "the record, or another `results`"
            )


def _recorded(folder: Path, run_id: str) -> RunRecord | None:
    path = record_path(folder, run_id)
    return read_record(path) if path.is_file() else None
