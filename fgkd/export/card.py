"""The model card of an export: a page for people, with front matter for the hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

import fgkd
from fgkd.data import read_card
from fgkd.errors import UserError
from fgkd.export.deployed import Deployed
from fgkd.export.manifest import public_name
from fgkd.models.create import pretrained_config
from fgkd.record import RunRecord
from fgkd.report.comparison import cells_of, identify
from fgkd.report.evidence import interval
from fgkd.report.sheet import markdown_text, number, one_line
from fgkd.spec import BackboneSpec, RunSpec

SHARES = {  # fractions, shown in percent
    "top1": "top-1 %",
    "top5": "top-5 %",
    "mean_class_accuracy": "mean class accuracy %",
    "ece": "calibration error %",
    "agreement": "agreement with the teacher %",
    "recall_at_1": "recall@1 of embeddings %",
    "map_at_r": "MAP@R of embeddings %",
}


def code_text(text: str) -> str:
    """`text` for a code span in a table: one line, no backtick ends the span and no pipe the cell.

    Example:
        >>> code_text("a`|b")
        "a'/b"
    """
    return one_line(str(text)).replace("`", "'").replace("|", "/")


@cache
def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("fgkd", "export"),
        autoescape=False,  # it is Markdown: the filters escape
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters.update(text=lambda value: markdown_text(str(value)), code=code_text)
    return pages


def model_card(
    deployed: Deployed, companions: Sequence[RunRecord], *, onnx: bool, difference: float | None = None
) -> str:
    """The page; a function of its arguments and of the data set's card.

    Args:
        deployed: what is exported.
        companions: all records of its suite, for the spread over seeds.
        onnx: whether an ONNX file lies beside it.
        difference: between torch and ONNX, see `fgkd.export.onnx_file.compare`.
    """
    record = deployed.record
    dataset = public_name(record.spec.feed.dataset.name)
    page = (
        _pages()
        .get_template("card.md.j2")
        .render(
            front=front_matter(deployed, dataset),
            deployed=deployed,
            record=record,
            spec=record.spec,
            dataset=dataset,
            student=public_name(record.spec.student.name),
            params=dict(sorted((k, v) for part in record.spec.method.parts for k, v in part.params.items())),
            metrics=list(metric_rows(record, companions)),
            runs=len(_seeds(record, companions)),
            licences=list(licences(record.spec)),
            disclosures=list(disclosures(deployed, companions)),
            onnx=onnx,
            difference=difference,
            fgkd_version=record.environment.fgkd or fgkd.__version__,
        )
    )
    return page


def front_matter(deployed: Deployed, dataset: str) -> str:
    """The YAML between the lines ``---`` that the hub reads."""
    record, kind = deployed.record, "onnx" if deployed.plain is None else "timm"
    top1 = record.metric("top1")
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": dataset, "type": dataset.rpartition(":")[2], "split": "test"},
        "metrics": [{"type": "accuracy", "value": round(100 * (top1 or 0.0), 3), "name": "top-1 %"}],
    }
    values: dict[str, Any] = {
        "library_name": kind,
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", kind, "knowledge-distillation", "fine-grained", "fgkd"],
        "license": "other",
        "license_name": "see-the-section-licences",
    }
    if top1 is not None:
        name = f"{public_name(record.spec.student.name)} {record.run_id}"
        values["model-index"] = [{"name": name, "results": [result]}]
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=False).rstrip()


def _seeds(record: RunRecord, companions: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs that differ from this one in seeds alone, itself among them, that ended well."""
    same = [other for other in companions if identify(other) == identify(record)]
    cells = cells_of(same or [record])
    return [other for cell in cells for other in cell.records if other.status == "ok"]


def metric_rows(record: RunRecord, companions: Sequence[RunRecord]) -> Iterator[tuple[str, str, str]]:
    """Metric, this run's value, and mean +- half of the 95 % t-interval over seeds (blank for a single run)."""
    seeds = _seeds(record, companions)
    for name, title in {**SHARES, "nll": "negative log-likelihood"}.items():
        value = record.metric(name)
        if value is None or (name == "top5" and record.data and record.data.classes <= 5):
            continue
        scale, decimals = (100, 2) if name in SHARES else (1, 4)
        spread = interval([scale * v for run in seeds if (v := run.metric(name)) is not None])
        over = f"{number(spread.mean, decimals)} +- {number(spread.half, decimals)}" if spread.half is not None else ""
        yield title, number(scale * value, decimals), over


def licences(spec: RunSpec) -> Iterator[tuple[str, str]]:
    """(what, its licence as far as it is known) for the images, and for the weights that were started from."""
    name = spec.feed.dataset.name
    try:
        licence = read_card(name).license
        yield f"images of {name}", licence if isinstance(licence, str) else ", ".join(licence)
    except UserError:
        yield f"images of {public_name(name)}", "not known to fgkd; ask whoever made the images"
    yield f"weights that {public_name(spec.student.name)} started from", _weights_licence(spec.student)
    if spec.feed.teacher:
        backbone = spec.feed.teacher.backbone
        yield f"weights of the teacher {public_name(backbone.name)}", _weights_licence(backbone)


def _weights_licence(backbone: BackboneSpec) -> str:
    if backbone.source == "scratch":
        return "none: drawn at random"
    if backbone.source == "file":
        return "a file of weights, whose licence is not known to fgkd"
    try:
        return str(pretrained_config(backbone).get("license") or "not stated by timm")
    except UserError:
        return "not known here, where they are not at hand"


def disclosures(deployed: Deployed, companions: Sequence[RunRecord]) -> Iterator[str]:
    """What a reader of the numbers has to know, each once."""
    yield from dict.fromkeys(_remarks(deployed, companions))


def _remarks(deployed: Deployed, companions: Sequence[RunRecord]) -> Iterator[str]:
    record = deployed.record
    for run in (record, *companions):
        if run.teacher:
            yield from run.teacher.notes
    try:
        yield from read_card(record.spec.feed.dataset.name).fgkd.known_issues
    except UserError:
        yield "The images are the trainer's own; nobody else has measured anything on them."
    if record.data and record.data.task == "retrieval":
        yield (
            "The test split holds other classes than those that this classifier knows: what was measured is how well "
            "its embeddings find images of one class."
        )
    view, sight = record.spec.feed.view, deployed.sight
    if deployed.plain is not None:
        yield (
            "Measured on pictures that OpenCV resized, by area where they shrink; timm's transform resamples otherwise "
            "(antialiased), which may change a few answers. fgkd.load does as was measured."
        )
    if view.size != sight.size:
        yield (
            f"Measured through squares of {view.size} px that were then resized to {sight.size} px; timm's transform "
            "resizes once, which may move the last digits."
        )
    if sight.crop_pct is not None and sight.crop_pct < view.crop_pct:
        yield (
            f"Measured through the middle {sight.crop_pct:g} of squares that show {view.crop_pct:g} of the shorter "
            "side, enlarged; timm's transform cuts it out of the picture itself, which may move the last digits."
        )
    if view.shorter_side is not None:
        yield (
            f"Measured on pictures brought to a shorter side of at most {view.shorter_side} px first, which timm's "
            "transform leaves out; that may move the last digits."
        )
    if (record.environment.code_commit or "").endswith("-dirty"):
        yield "The code differed from its commit when this was trained."
    if record.environment.precision not in (None, "no"):
        yield f"Trained and measured in {record.environment.precision}; other precisions may move the last digits."
