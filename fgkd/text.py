"""Names of strangers, shown so that they cannot move, colour or forge lines of a terminal."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    r"""`text` with everything that a terminal might obey spelt out: control and format characters, broken encodings.

    Args:
        keep: characters that stay as they are nevertheless.

    Example:
        >>> printable("a\x1b[31m.jpg")
        'a\\x1b[31m.jpg'
    """
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)
