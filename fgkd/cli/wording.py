"""What a Python call or a suite calls something, in the words of the flags of ``fgkd distill``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from fgkd.errors import UserError, UserErrors

# in this order; patterns of whole phrases first
WORDS = {
    r"^methods\[0\]: (.+) needs a teacher, but the suite lists no teachers$": (
        r"\1 needs a teacher: add --teacher NAME, or --method scratch"
    ),
    r"^(method|student|teacher)s\[0\]\.": r"--\1: ",
    r"^(method|student|teacher)s(\[0\])?:": r"--\1:",
    r"^(epochs|workers):": r"--\1:",
    r"^batch_size:": "--batch-size:",
    r"^seed(s\[0\])?:": "--seed:",
    r"--rerun, rerun=True": "--rerun",
    r"rerun=True": "--rerun",
    r"--retry-failed": "--rerun",  # this command has one flag for both
    r"another `results`": "another --results",
    r"state a `gate` for it": "state a gate for it (--teacher '{backbone: ..., gate: 0.2}')",
}


@contextmanager
def in_flags() -> Iterator[None]:
    """Errors that are raised inside name flags."""
    try:
        yield
    except UserErrors as errors:
        raise UserErrors(map(as_flags, errors.problems), errors.title) from None
    except UserError as error:
        raise UserError(as_flags(str(error))) from None


def as_flags(problem: str) -> str:
    """One problem in the words of the flags.

    Example:
        >>> as_flags("methods[0]: unknown method 'kdd'"), as_flags("teachers[0].train.epochs: expected >= 1, found 0")
        ("--method: unknown method 'kdd'", '--teacher: train.epochs: expected >= 1, found 0')
    """
    for pattern, words in WORDS.items():
        problem = re.sub(pattern, words, problem)
    return problem
