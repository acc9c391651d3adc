"""Cells of a suite's grid -> run specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from fgkd.errors import UserError, UserErrors, unknown_name
from fgkd.spec import Feed, Precision, RunSpec, TeacherSpec
from fgkd.suite.form import explain, teacher_form
from fgkd.suite.grid import AXES, Cell, Override, Settings, cell, cells, entry_name, matches
from fgkd.suite.method_entries import MethodTable, ShKD
from fgkd.yaml_places import dotted

MOST_RUNS = 50_000
Patterns = Mapping[str, tuple[str, ...]]  # by axis, see `Filters.by_axis`; an axis without lets everything through


@dataclass(frozen=True)
class Expansion:
    """A suite's settings and overrides on the way to runs."""

    settings: Settings
    overrides: Sequence[Override]
    methods: MethodTable
    precision: Precision

    def runs(self, filters: Patterns) -> list[RunSpec]:
        """Every run whose cell the filters let through, each once, in the grid's order; see `Suite.runs`."""
        unknown = self.unknown_names(filters)
        if unknown:
            raise UserErrors(unknown)
        found: dict[str, RunSpec] = {}
        problems: list[str] = []
        for here in self._cells(filters):
            try:
                run = self.run(here)
            except UserError as error:
                problems.append(f"{_title(here)}: {error}")
            except ValidationError as error:
                problems += [f"{_title(here)}: {dotted(e['loc'])}: {explain(e)}" for e in error.errors()]
            else:
                found.setdefault(run.run_id, run)
            if len(found) > MOST_RUNS or len(problems) > 20:
                problems.append(f"the grid has more than {MOST_RUNS} runs" if len(found) > MOST_RUNS else "...")
                break
        if problems:
            raise UserErrors(problems)
        if not found:
            raise UserErrors(["the filters together let no run through; --dry-run without them lists all runs"])
        return list(found.values())

    def unknown_names(self, filters: Patterns) -> list[str]:
        """A text for every filter that nothing answers to among the cells that the filters before it let through."""
        problems: list[str] = []
        known: dict[str, tuple[str, ...]] = {}
        for axis in (axis for axis in AXES if axis in filters):
            entries = dict.fromkeys(here.names[axis] for here in self._cells(known, axis))
            names = [str(name) for name in entries if name is not None]
            kept = tuple(pattern for pattern in filters[axis] if any(matches(name, pattern) for name in names))
            noun = f"{axis.replace('_', ' ')} of this suite"
            unknown = [unknown_name(noun, pattern, names) for pattern in filters[axis] if pattern not in kept]
            hint = f"(filters choose from the suite; --set {axis}s=[...] replaces its list)"
            problems += [f"{error} {hint}" for error in unknown]
            if kept:
                known[axis] = kept
        return problems

    def run(self, here: Cell) -> RunSpec:
        """The run of one cell; its feed has a teacher only where the method asks something of one."""
        settings = here.settings
        taught = self.methods.of(settings["method"])
        teacher = self._teacher(here, taught.student_aware) if taught.needs_teacher else None
        dataset = dict(settings["dataset"])
        if settings.get("holdout") is not None:
            dataset.setdefault("holdout", settings["holdout"])
        plain = ("view", "batch_size", "epochs", "data_seed", "sampler")
        feed: dict[str, Any] = {
            **{key: settings[key] for key in plain if key in settings},
            "dataset": dataset,
            "teacher": teacher,
            "precision": self.precision,
        }
        if teacher is not None and settings.get("bank") is not None:
            feed |= {key: settings[key] for key in ("bank", "bank_precision") if key in settings}
        return RunSpec(
            feed=Feed.model_validate(feed),
            student=settings["student"],
            method=taught.spec,
            recipe=settings.get("recipe", {}),
            seed=settings["seed"],
        )

    def _teacher(self, here: Cell, plan: ShKD | None) -> TeacherSpec:
        plain = TeacherSpec.model_validate(teacher_form(here.settings["teacher"]))
        if plan is None:
            return plain
        if plain.train is None:
            raise UserError(f"sh_kd trains its teacher, but {plain.name} is used as it is (train: null)")
        return plain.model_copy(update={"head_from": self._head(here, plan), "projector": plan.projector})

    def _head(self, here: Cell, plan: ShKD) -> RunSpec:
        """The run whose head SH-KD's teacher takes over: one for all seeds, as is the plain teacher."""
        student = here.chosen["student"]
        if plan.head_student is not None:
            lists = [self.settings["students"], *(o.set["students"] for o in self.overrides if "students" in o.set)]
            every = [entry for entries in lists for entry in entries]
            student = next(e for e in every if self.name_of("student", e) == plan.head_student)
        chosen = {**here.chosen, "student": student, "method": plan.head_method, "data_seed": 0, "seed": 0}
        return self.run(cell(self._base(), self.overrides, self.name_of, chosen))

    def name_of(self, axis: str, entry: Any) -> Any:
        """What conditions and filters call an entry."""
        return self.methods.label(entry) if axis == "method" else entry_name(axis, entry)

    def _base(self) -> Settings:
        return {"seeds": [0], "data_seeds": [0], **self.settings}

    def _cells(self, filters: Patterns, last: str = AXES[-1]) -> Iterator[Cell]:
        def keep(axis: str, name: Any) -> bool:  # a name of None: the one choice of an axis without entries
            return name is None or axis not in filters or any(matches(name, pattern) for pattern in filters[axis])

        return cells(self._base(), self.overrides, self.name_of, keep, last)


def _title(here: Cell) -> str:
    return ", ".join(f"{axis} {name}" for axis, name in here.names.items() if name is not None)
