"""Errors meant for the person at the keyboard: one clear message, exit code 2, no traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches
from itertools import chain
from typing import Any

SURE = 0.9  # likeness, in [0, 1], from which on the nearest name is the only one that is offered


class UserError(Exception):
    """Something the user can mend: the text says what was expected, what was found and what to do."""


class UserErrors(UserError):
    """Several `UserError` texts reported together.

    Args:
        problems: one text each, at least one; repeats are dropped, order is kept.
        title: one line above the list, for example ``benchmarks/x.yaml has 3 problems``.
    """

    def __init__(self, problems: Iterable[str], title: str = "") -> None:
        self.problems = list(dict.fromkeys(problems))
        assert self.problems, "UserErrors needs a problem to report"
        self.title = title
        lines = [title] if title else []
        lines += [f"- {problem}" for problem in self.problems] if len(self.problems) > 1 or title else self.problems
        super().__init__("\n".join(lines))


def answer_all(questions: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """The answer to every question, by its name; what the user has to mend about any of them is told at once.

    Raises:
        UserError: of the one question that had no answer, as it raised it.
        UserErrors: of several questions, in one list.
    """
    answers: dict[str, Any] = {}
    errors: list[UserError] = []
    for name, ask in questions.items():
        try:
            answers[name] = ask()
        except UserError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        lists = [error.problems if isinstance(error, UserErrors) else [str(error)] for error in errors]
        problems = list(chain.from_iterable(lists))
        raise UserErrors(problems, f"{len(problems)} things to mend")
    return answers


class Stopped(KeyboardInterrupt):
    """Somebody asked this process to stop: Ctrl-C, or the system that lends the machine.

    Not an `Exception`: nothing that guards a learner or a cohort may take it for a failure of its own.

    Args:
        signum: the signal's number.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"signal {signum}")
        self.exit_code = 128 + signum


class ProcessFailed(Exception):
    """One of several processes that train together cannot go on, and so none can; the cause is chained.

    Args:
        rank: of the process.
        first: whether it failed before all others, which then fail because of it and have nothing to tell.
    """

    def __init__(self, rank: int, *, first: bool) -> None:
        super().__init__(f"process {rank} cannot go on, so all stop")
        self.rank, self.first = rank, first


class UnknownNameError(UserError, KeyError):
    """A name that nothing answers to; the text offers the nearest names that exist."""

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return str(self.args[0])


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """At most three names in `known` that `name` may be a misspelling of, best first; one letter wrong leaves no doubt.

    Example:
        >>> near_names("th-kd", ["kd", "th_kd", "crd"])
        ['th_kd', 'kd']
    """
    by_folded = {k.lower(): k for k in known}
    near = get_close_matches(name.lower(), by_folded, n=3, cutoff=0.5)
    sure = near and SequenceMatcher(None, near[0], name.lower()).ratio() >= SURE
    return [by_folded[match] for match in (near[:1] if sure else near)]


def unknown_name(what: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a `name` that is not among `known`; `what` is the noun, for example ``method``."""
    return UnknownNameError(f"unknown {what} {name!r}; {unknown_hint(name, known)}")


def unknown_hint(name: str, known: Iterable[str]) -> str:
    """What may have been meant by a `name` that is not among `known`, or else all that is known."""
    names = sorted(known)
    near = near_names(name, names)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}"
