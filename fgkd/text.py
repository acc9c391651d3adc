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


def duration(seconds: float) -> str:
    """A time as people say it.

    Example:
        >>> duration(42), duration(125), duration(7500), duration(4960 * 86400)
        ('42 s', '2 min', '2 h 05 min', '4,960 days')
    """
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours / 24:,.1f} days" if hours < 240 else f"{hours / 24:,.0f} days"


def count(number: int, one: str, many: str = "") -> str:
    """So many of something.

    Args:
        one: what follows a 1.
        many: what follows other numbers; `one` with an s if empty.

    Example:
        >>> count(1, "run"), count(1200, "run"), count(0, "class has", "classes have")
        ('1 run', '1,200 runs', '0 classes have')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
