"""Text from people that stays text: no formula, no markup, no second line, nothing that hides or turns around."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What turns the direction of a line around, hides in it, or is no character at all.
_UNSEEN = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*\[\]|~#$])")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also as full-width letters


def one_line(text: str) -> str:
    r"""`text` with line ends, tabs and other control characters as single spaces, trimmed, and nothing unseen in it.

    Example:
        >>> one_line("a\nb\u202ec")
        'a b[U+202E]c'
    """
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", _CONTROL.sub(" ", text).strip())


def csv_text(text: str) -> str:
    """`text` for a CSV cell: one line, and an apostrophe before what a spreadsheet would take for a formula.

    Example:
        >>> csv_text("=1+1"), csv_text("resnet18")
        ("'=1+1", 'resnet18')
    """
    line = one_line(text)
    return "'" + line if line.startswith(_FORMULA) else line


def markdown_text(text: str) -> str:
    """`text` for a Markdown table cell: one line; pipes, HTML and markup are shown, not obeyed.

    Example:
        >>> markdown_text("<b>|x|</b>")
        '&lt;b&gt;\\\\|x\\\\|&lt;/b&gt;'
    """
    line = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", line)


def markdown_table(names: Sequence[str], rows: Iterable[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """A table whose columns `left` stand left and the others right, ending in a newline; cells are Markdown already.

    Example:
        >>> print(markdown_table(("method", "top-1 %"), [("kd", "64.6")]), end="")
        | method | top-1 % |
        | :-- | --: |
        | kd | 64.6 |
    """
    rules = [":--" if i in left else "--:" for i in range(len(names))]
    return "".join(f"| {' | '.join(row)} |\n" for row in [names, rules, *rows])
