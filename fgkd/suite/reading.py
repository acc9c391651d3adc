"""Suites: read benchmarks/NAME.yaml, report all its faults at once, expand it to runs.

The file's keys are those of `fgkd.suite.form.SuiteForm`; how lists and overrides make a grid is told in
`fgkd.suite.grid`. No torch is imported before methods are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fgkd.errors import UserError, UserErrors, unknown_name
from fgkd.spec import Precision, RunSpec
from fgkd.suite.check import Known, check_overrides, check_suite, override_of
from fgkd.suite.expand import Expansion
from fgkd.suite.grid import AXES, Override, Settings
from fgkd.suite.method_entries import MethodTable
from fgkd.yaml_places import Document, Fault, dotted, parse_yaml


@dataclass(frozen=True)
class Filters:
    """Names, or shell patterns such as ``vit_*``, by axis; an axis without any lets everything through."""

    datasets: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()
    students: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    data_seeds: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()

    def by_axis(self) -> dict[str, tuple[str, ...]]:
        """Axis -> patterns, for the axes that are filtered."""
        every = {axis: getattr(self, f"{axis}s") for axis in AXES}
        return {axis: patterns for axis, patterns in every.items() if patterns}


@dataclass(frozen=True)
class Suite:
    """A suite file that has passed its checks.

    Attributes:
        name, version, notes: as the file gives them; notes are disclosures for the board.
        settings, overrides: the grid, see `fgkd.suite.grid`.
    """

    name: str
    version: int
    notes: tuple[str, ...]
    settings: Settings = field(repr=False)
    overrides: tuple[Override, ...] = field(repr=False)
    known: Known = field(repr=False, compare=False)
    methods: MethodTable = field(repr=False, compare=False, default_factory=MethodTable)

    def runs(
        self, filters: Filters | None = None, sets: Sequence[str] = (), precision: Precision = "no"
    ) -> list[RunSpec]:
        """Every run of the grid, each once, in the grid's order.

        Args:
            filters: which cells to keep; a name that nothing answers to raises.
            sets: ``key=value`` with the dotted keys of overrides, values in YAML; they win over the file.
            precision: of training.

        Raises:
            UserError, UserErrors: every bad one of `sets`, with every bad filter, or settings that no run can have.
        """
        changes, problems = read_sets(sets, self)
        grid = Expansion(self.settings, (*self.overrides, *changes), self.methods, precision)
        wanted = (filters or Filters()).by_axis()
        if problems:  # no run is as asked for; what the filters name can still be judged
            raise UserErrors([*problems, *grid.unknown_names(wanted)])
        return grid.runs(wanted)


def load_suite(name_or_path: str | Path, known: Known | None = None) -> Suite:
    """Read a suite by its name in a benchmarks folder, or by the path of its .yaml file.

    Args:
        name_or_path: for example ``fine_grained`` or ``my/own.yaml``.
        known: names of data sets and augmentations to check against.

    Raises:
        UserError: no such suite. UserErrors: every fault of the file, with line, column and key.
    """
    path = suite_path(name_or_path)
    try:
        document = parse_yaml(_read(path).decode())
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected UTF-8 text; byte {error.start} is none") from None
    known, methods = known or Known(), MethodTable()
    faults = list(document.faults)
    if document.value is not None or not faults:  # nothing was read where the text is no YAML
        faults += check_suite(document.value, path.stem, known, methods)
    if faults:
        raise _report(document, faults, str(path))
    return suite_of(document.value, known, methods)


def suite_of(value: Mapping[str, Any], known: Known, methods: MethodTable) -> Suite:
    """The suite of a plain value that has passed its checks."""
    notes = value.get("notes") or ()
    about = {"name", "version", "description", "notes", "overrides"}
    return Suite(
        name=value["name"],
        version=value["version"],
        notes=(notes,) if isinstance(notes, str) else tuple(notes),
        settings={key: value[key] for key in value if key not in about},
        overrides=tuple(override_of(entry) for entry in value.get("overrides") or ()),
        known=known,
        methods=methods,
    )


def _report(document: Document, faults: Sequence[Fault], file: str) -> UserErrors:
    ordered = sorted(faults, key=lambda fault: _order(document, fault))
    problems = list(dict.fromkeys(document.describe(fault, file) for fault in ordered))
    return UserErrors(problems, f"{file} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:")


def _order(document: Document, fault: Fault) -> tuple[int, int]:
    place = fault.place or document.place(fault.path)
    return place.line, place.column


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the suite {path}: {error.strerror}") from None


def suite_folders() -> list[Path]:
    """Where suites are looked for: ./benchmarks, then the checkout's own, or the copy inside an installed package."""
    package = Path(__file__).resolve().parents[1]
    folders = [Path("benchmarks"), package.parent / "benchmarks", package / "benchmarks"]
    return [folder for folder in folders if folder.is_dir()]


def suite_names() -> list[str]:
    """The names of all suites, sorted."""
    return sorted({path.stem for folder in suite_folders() for path in folder.glob("*.yaml")})


def suite_path(name_or_path: str | Path) -> Path:
    """The file of a suite; UserError with near names where there is none."""
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        if not Path(text).is_file():
            raise UserError(
                f"no suite file {text}; expected a .yaml file, or one of: {', '.join(suite_names()) or 'none'}"
            )
        return Path(text)
    for folder in suite_folders():
        if text in {path.stem for path in folder.glob("*.yaml")}:
            return folder / f"{text}.yaml"
    raise unknown_name("suite", text, suite_names())


def read_sets(sets: Sequence[str], suite: Suite) -> tuple[list[Override], list[str]]:
    """``key=value`` texts as overrides without conditions, and what is wrong with those that this suite cannot take."""
    overrides, problems = [], []
    for text in sets:
        key, equals, value = text.partition("=")
        document = parse_yaml(value)
        if not equals or not key:
            problems.append(f"--set {text}: expected KEY=VALUE, for example --set recipe.lr=0.01")
        elif document.faults:
            problems += [f"--set {text}: {fault.text}" for fault in document.faults]
        else:
            override = override_of({"set": {key: document.value}})
            faults = check_overrides(suite.settings, [override], suite.known, suite.methods)
            problems += [f"--set {text}: {dotted(fault.path[3:]) or key}: {fault.text}" for fault in faults]
            overrides += [] if faults else [override]
    return overrides, problems
