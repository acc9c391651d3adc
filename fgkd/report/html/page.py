"""The page: one file, whose policy lets nothing run but its own script and nothing be fetched at all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from fgkd.record import RunRecord
from fgkd.report.comparison import Comparison
from fgkd.report.html.headline import answers_of
from fgkd.report.html.payload import Beside, payload
from fgkd.report.html.safety import digest, script_json, visible
from fgkd.report.lines import suite_names

SCRIPTS = (
    *("core", "state", "columns", "filters", "table", "axes", "protocol", "scatter", "forest", "curves", "calibration"),
    *("failures", "published", "ranks", "details", "main"),
)


def report_page(
    records: Sequence[RunRecord],
    problems: Sequence[str],
    *,
    title: str,
    beside: Beside | None = None,
    compared: Comparison | None = None,
) -> str:
    """The whole page, ending in a newline; a function of its arguments alone.

    Args:
        records: of one suite or of several; no run twice, but teachers with other weights.
        problems: one line per record that could not be used, beginning with its file's name and a colon.
        title: of the page.
        beside: the right answers, pictures and published numbers that are at hand.
        compared: of `records`, where it is at hand.
    """
    compared = compared or Comparison(records)
    cells, groups = compared.cells, compared.tables
    script, style = "".join(_read(f"{name}.js") for name in SCRIPTS), _read("style.css")
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    text = (
        _environment()
        .from_string(_read("report.html.j2"))
        .render(
            title=title,
            facts=_facts(records),
            answers=answers_of(groups),
            problems=[problem.split(":")[0] for problem in problems],
            data=Markup(script_json(payload(records, cells, groups, beside or Beside()))),
            script=Markup(script),
            style=Markup(style),
            policy=f"default-src 'none'; img-src data:; script-src '{digest(script)}'; style-src '{digest(style)}'; "
            "base-uri 'none'; form-action 'none'",
        )
    )
    return text.rstrip("\n") + "\n"


def _facts(records: Sequence[RunRecord]) -> dict[str, object]:
    """What stands below the title."""
    return {
        "runs": len(records),
        "failed": sum(record.status != "ok" for record in records),
        "suites": suite_names(records),
        "commits": sorted({record.environment.code_commit or "unknown" for record in records}),
        "devices": sorted({record.environment.device for record in records if record.environment.device}),
    }


@cache
def _read(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
