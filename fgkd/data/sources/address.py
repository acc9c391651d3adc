"""What follows the colon of `folder:...`, `table:...` and `hub:...`: a place, and options as of a web address."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fgkd.errors import UserError, unknown_name

SPLITTING = ("test_share", "test_seed")  # for what says nothing of a test split


def parse_address(text: str, root: Path, known: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """``PLACE?KEY=VALUE&KEY=VALUE`` in its parts; a place that exists under the whole text has no options.

    Args:
        text: such as ``birds.csv?path_column=file&label_column=species``.
        root: where relative places start.
        known: the options that may be given.

    Raises:
        UserError: an option is unknown, given twice, or its value is not of its kind.

    Example:
        >>> parse_address("birds?test_share=0.2", Path("data"), SPLITTING)
        ('birds', {'test_share': 0.2})
    """
    place, mark, query = text.partition("?")
    if not mark or os.path.exists(below(root, text)):
        return text, {}
    options: dict[str, Any] = {}
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        if not equals or not value or key in options:
            raise UserError(f"{text}: expected options as ?KEY=VALUE&KEY=VALUE, each once, found {part!r}")
        if key not in known:
            raise UserError(f"{text}: {unknown_name('option', key, known)}")
        options[key] = _value(key, value, text)
    return place, options


def below(root: Path, place: str) -> Path:
    """Where a place is: below `root`, unless it is absolute or starts at a home folder.

    Raises:
        UserError: nobody has the home folder that it starts at.
    """
    try:
        return root / Path(place).expanduser()
    except RuntimeError as error:
        raise UserError(f"{place}: no home folder is known for {place.partition('/')[0]}") from error


def _value(key: str, value: str, text: str) -> Any:
    try:
        number = {"test_share": float, "test_seed": int}.get(key, str)(value)
    except ValueError:
        number = None
    fits = {"test_share": lambda x: 0 < x < 1, "test_seed": lambda x: x >= 0}.get(key, bool)
    if number is None or not fits(number):
        wanted = {"test_share": "a share between 0 and 1", "test_seed": "an integer from 0"}[key]
        raise UserError(f"{text}: {key}: expected {wanted}, found {value!r}")
    return number


def column(
    wanted: str, options: Mapping[str, Any], present: list[str], usual: tuple[str, ...], where: str
) -> str | None:
    """The column that plays a part: the one named by the option ``WANTED_column``, else the only one with a usual name.

    Args:
        wanted: the part, such as ``label``; a column of exactly this name comes first.
        options: of the request.
        present: the columns there are.
        usual: names that mean the same, in lower case and with underscores.
        where: what errors call the table.

    Returns:
        None where no column has a usual name.

    Raises:
        UserError: the named column is absent, or several columns have usual names.
    """
    key = f"{wanted}_column"
    if key in options:
        if options[key] not in present:
            raise UserError(f"{where}: {key}: {unknown_name('column', str(options[key]), present)}")
        return str(options[key])
    if wanted in present:
        return wanted
    found = [name for name in present if re.sub(r"[\s-]+", "_", name.strip().lower()) in (wanted, *usual)]
    if len(found) > 1:
        raise UserError(f"{where}: {' and '.join(found)} may each be the column {wanted}; choose with ?{key}=NAME")
    return found[0] if found else None
