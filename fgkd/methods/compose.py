"""From a suite's words (``kd+crd``) to a checked `MethodSpec`, and from that to one method: a sum of its parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from pydantic import SerializeAsAny, ValidationError
from torch import Tensor, nn

from fgkd.errors import UnknownNameError, UserErrors, near_names
from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting
from fgkd.signals import Head, Lesson, Needs, Progress, Signals
from fgkd.spec import MethodPart, MethodSpec

Routes = dict[tuple[str, str], str]  # (part, its term) -> name of the term in the sum


def term_names(method: Method) -> tuple[str, ...]:
    """The terms that `method` gives: what it declares, otherwise ``ce`` and its own name."""
    return method.term_names or ("ce", method.name)


def route_terms(parts: tuple[Method, ...]) -> Routes:
    """Where each part's terms go in the sum.

    ``ce`` counts once, from the first part that has it; other names that several parts use become ``part.term``.

    Example:
        >>> kd, crd = METHODS.get("kd")(), METHODS.get("crd")()
        >>> route_terms((kd, crd))
        {('kd', 'ce'): 'ce', ('kd', 'kd'): 'kd', ('crd', 'crd'): 'crd'}
    """
    times = Counter(term for part in parts for term in term_names(part))
    routes: Routes = {}
    for part in parts:
        for term in term_names(part):
            if term != "ce":
                routes[part.name, term] = term if times[term] == 1 else f"{part.name}.{term}"
            elif "ce" not in routes.values():
                routes[part.name, term] = "ce"
    return routes


class ComposedObjective(Objective):
    """The sum of several objectives; each is a child under its part's name, so the state dict is keyed by part."""

    def __init__(
        self,
        parts: Mapping[str, Objective],
        routes: Routes,
        weights: Mapping[str, float],
        teacher_needs: Mapping[str, Needs],
    ) -> None:
        super().__init__()
        for name, objective in parts.items():
            self.add_module(name, objective)
        self.routes, self.weights, self.teacher_needs = routes, dict(weights), dict(teacher_needs)

    def _parts(self) -> Iterator[tuple[str, Objective]]:
        for name, part in self.named_children():
            assert isinstance(part, Objective)
            yield name, part

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        terms = {}
        for part, objective in self._parts():
            for term, value in objective(student, lesson).items():
                if name := self.routes.get((part, term)):
                    terms[name] = self.weights.get(name, 1.0) * value
        return terms

    def asks(self, declared: Needs, progress: Progress) -> Needs:
        """The union of what its parts ask."""
        parts = (part.asks(declared & self.teacher_needs[name], progress) for name, part in self._parts())
        return reduce(Needs.__or__, parts)

    @property
    def has_readouts(self) -> bool:
        return any(part.has_readouts for _, part in self._parts())

    def readouts(self, student: Signals) -> Mapping[str, Tensor]:
        return _merged({name: part.readouts(student) for name, part in self._parts()})

    def diagnostics(self, student: Head | None = None) -> Mapping[str, float]:
        return _merged({name: part.diagnostics(student) for name, part in self._parts()})


def _merged(by_part: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part, found in by_part.items():
        merged.update({(f"{part}.{name}" if name in merged else name): value for name, value in found.items()})
    return merged


class Composed(Method):
    """Several methods as one: terms add up, needs unite, students are reshaped in the parts' order."""

    parts: tuple[SerializeAsAny[Method], ...]
    weights: dict[str, float] = {}

    @property
    def name(self) -> str:  # type: ignore[override]
        """For example ``kd+crd``."""
        return "+".join(part.name for part in self.parts)

    @property
    def paper(self) -> str:  # type: ignore[override]
        """The parts' papers."""
        return ", ".join(dict.fromkeys(part.paper for part in self.parts if part.paper))

    @property
    def term_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The terms of the sum."""
        return tuple(route_terms(self.parts).values())

    @property
    def student_needs(self) -> Needs:  # type: ignore[override]
        """The union of the parts' needs."""
        return reduce(Needs.__or__, (part.student_needs for part in self.parts))

    @property
    def teacher_needs(self) -> Needs:  # type: ignore[override]
        """The union of the parts' needs."""
        return reduce(Needs.__or__, (part.teacher_needs for part in self.parts))

    @property
    def deploys_more(self) -> bool:  # type: ignore[override]
        """Whether any part changes what is deployed."""
        return any(part.deploys_more for part in self.parts)

    @property
    def takes_mixed_labels(self) -> bool:  # type: ignore[override]
        """Whether every part does."""
        return all(part.takes_mixed_labels for part in self.parts)

    @property
    def teaches_classifier(self) -> bool:
        """Whether any part does."""
        return any(part.teaches_classifier for part in self.parts)

    @property
    def relates_samples(self) -> bool:  # type: ignore[override]
        """Whether any part does."""
        return any(part.relates_samples for part in self.parts)

    def problems(self, setting: Setting) -> list[str]:
        return list(dict.fromkeys(problem for part in self.parts for problem in part.problems(setting)))

    def reshape_student(self, model: nn.Module, setting: Setting) -> nn.Module:
        """The student as every part in turn left it.

        Raises:
            UserErrors: a part cannot work with the student that the others leave.
        """
        if not self.deploys_more:
            return model
        label = "+".join(part.name for part in self.parts)
        for part in (part for part in self.parts if part.deploys_more):
            if problems := part.problems(setting):
                raise UserErrors(
                    problems, f"{label}: {part.name}, after what stands before it, cannot reshape the student"
                )
            model = part.reshape_student(model, setting)
            setting = replace(setting, student=getattr(model, "shapes", setting.student))
        rest = [part for part in self.parts if not part.deploys_more]
        if problems := [problem for part in rest for problem in part.problems(setting)]:
            raise UserErrors(problems, f"{label}: parts cannot work with the student that the others have reshaped")
        return model

    def objective(self, setting: Setting) -> Objective:
        """The sum; whole batches are shown to those parts alone that relate samples."""
        return self.build(setting)

    def build(self, setting: Setting) -> Objective:
        return ComposedObjective(
            {part.name: part.objective(setting) for part in self.parts},
            route_terms(self.parts),
            self.weights,
            {part.name: part.teacher_needs for part in self.parts},
        )


def build_method(spec: MethodSpec) -> Method:
    """The method that `spec` describes: its only part as it is, or the sum of its parts.

    Raises:
        UserErrors: for unknown methods, parameters or term names, and values out of range.
    """
    problems: list[str] = []
    parts = tuple(filter(None, (_part(part.name, part.params, problems) for part in spec.parts)))
    problems += _repeated([part.name for part in spec.parts])
    if not problems:
        problems += [*_clashing_classifiers(parts), *_strange_weights(spec.weights, parts)]
    if problems:
        raise UserErrors(problems, title=f"method {spec.label}:")
    return parts[0] if len(parts) == 1 and not spec.weights else Composed(parts=parts, weights=spec.weights)


def method_spec(value: str | Mapping[str, Any]) -> MethodSpec:
    """Read a suite's entry, with every default spelt out and every value checked.

    Args:
        value: ``"kd"``, ``"kd+crd"``, or a mapping with ``method`` and optionally ``name`` (the label), ``weights``
            (by term), the parameters of a single method, and under each part's name those of that part.

    Raises:
        UserErrors: all that is wrong with it, each with the path of the parameter.

    Example:
        >>> spec = method_spec({"method": "kd+crd", "kd": {"temperature": 2}, "weights": {"crd": 0.5}, "name": "mine"})
        >>> spec.label, spec.parts[0].params["temperature"], spec.weights
        ('mine', 2.0, {'crd': 0.5})
    """
    given: dict[str, Any] = {"method": value} if isinstance(value, str) else dict(value)
    text = given.pop("method", None)
    if not isinstance(text, str) or not text.strip():
        raise UserErrors([f"method: expected a name such as kd or kd+crd, found {text!r}"])
    names = [name.strip() for name in text.split("+")]
    label: Any = given.pop("name", text)
    weights: Any = given.pop("weights", {})
    problems: list[str] = _repeated(names)
    params = _params_by_part(names, given, problems)
    parts = tuple(filter(None, (_part(name, params[name], problems) for name in names)))
    if not isinstance(label, str) or not label:
        problems.append(f"name: expected a label, found {label!r}")
    if not problems:
        problems += [*_clashing_classifiers(parts), *_strange_weights(weights, parts)]
    if problems:
        raise UserErrors(problems, title=f"method {text}:")
    return MethodSpec(
        label=label,
        parts=tuple(MethodPart(name=part.name, params=part.model_dump(mode="json")) for part in parts),
        weights={name: float(weight) for name, weight in weights.items()},
    )


def _params_by_part(names: list[str], given: Mapping[str, Any], problems: list[str]) -> dict[str, dict[str, Any]]:
    """Sort the keys of an entry to its parts; keys of a single method need no part name."""
    params: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, value in given.items():
        if key in params and isinstance(value, Mapping):
            params[key].update(value)
        elif key in params:
            problems.append(f"{key}: expected a mapping of parameters, found {value!r}")
        elif len(names) == 1:
            params[names[0]][key] = value
        else:
            problems.append(
                f"{key}: expected a part ({', '.join(names)}), name or weights; put parameters below a part"
            )
    return params


def _repeated(names: list[str]) -> list[str]:
    return [f"{name}: named {n} times; a part can enter a sum once" for name, n in Counter(names).items() if n > 1]


def _clashing_classifiers(parts: Sequence[Method]) -> list[str]:
    """Parts of which one takes away the classifier that another deploys."""
    replacing = [part.name for part in parts if part.replaces_classifier]
    if len(replacing) > 1:
        return [f"{' and '.join(replacing)}: each replaces the student's classifier; keep one of them"]
    found, keeping = [], ""
    for part in parts:
        if part.replaces_classifier and keeping:
            found.append(
                f"{keeping}: deploys the student's own classifier beside the teacher's, and {part.name}, after it, "
                f"replaces it; name {keeping} last, or leave its `inference_weight` at 0"
            )
        keeping = part.name if part.keeps_classifier else keeping
    return found


def _part(name: str, params: Mapping[str, Any], problems: list[str]) -> Method | None:
    """The method `name` with `params`, or None and what is wrong appended to `problems`."""
    try:
        kind = METHODS.get(name)
    except UnknownNameError as error:
        problems.append(str(error))
        return None
    try:
        return kind.model_validate(dict(params))
    except ValidationError as error:
        problems += [_readable(name, kind, detail) for detail in error.errors()]
        return None


def _readable(name: str, kind: type[Method], detail: Any) -> str:
    """One pydantic error as: path, what was expected, what was found."""
    path = ".".join([name, *map(str, detail["loc"])])
    if detail["type"] == "extra_forbidden":
        near = near_names(str(detail["loc"][-1]), kind.model_fields)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(kind.model_fields) or 'none'}"
        return f"{path}: unknown parameter; {hint}"
    if detail["type"] == "value_error":
        return f"{path}: {detail['ctx']['error']}"
    expected = detail["msg"].removeprefix("Input should be ")
    return f"{path}: expected {expected}, found {detail['input']!r}"


def _strange_weights(weights: Any, parts: tuple[Method, ...]) -> list[str]:
    if not isinstance(weights, Mapping):
        return [f"weights: expected a mapping from term to number, found {weights!r}"]
    known = list(route_terms(parts).values())
    found = []
    for term, weight in weights.items():
        if term not in known:
            near = near_names(str(term), known)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            found.append(f"weights.{term}: unknown term; {hint}known: {', '.join(known)}")
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight < 0:
            found.append(f"weights.{term}: expected a number >= 0, found {weight!r}")
    return found
