"""Names and numbers as people read them; no name can move, colour or forge lines of a terminal."""

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


def byte_size(count: int) -> str:
    """So many bytes, for people.

    Example:
        >>> byte_size(1_150_585_339), byte_size(2_000_000)
        ('1.15 GB', '2.0 MB')
    """
    return f"{count / 1e9:.2f} GB" if count >= 5e8 else f"{count / 1e6:.1f} MB"
