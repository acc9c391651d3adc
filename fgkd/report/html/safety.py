"""Names and notes of strangers, as data that no page can be made to run or to display as something else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

# Controls, surrogates, and whatever turns the direction of the text around it. Letters written from right to left stay.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_SPACES = re.compile(r"[\t\r\n]+")
_DOUBTFUL = re.compile(
    r"\\[^\"\\]|\x7f|\" | \""
)  # in ASCII JSON: an escaped character, one of the unseen, outer spaces


def visible(text: str) -> str:
    r"""`text` on one line, with characters that hide or reorder others shown by their number.

    Example:
        >>> visible("a\u202eb\n")
        'a[U+202E]b'
    """
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", _SPACES.sub(" ", text).strip())


def script_json(value: Any) -> str:
    r"""`value` as compact JSON for a ``<script>`` element: ASCII, and without a character that HTML looks for.

    Example:
        >>> script_json({"a": "</script>"})
        '{"a":"\\u003c/script\\u003e"}'
    """
    text = _compact(value)
    if _DOUBTFUL.search(text):  # few pages hold such text, and going through all values takes longer than writing them
        text = _compact(_seen(value))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _seen(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(str(key)): _seen(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_seen(part) for part in value]
    return value


def digest(text: str) -> str:
    """The source expression by which a content security policy lets an inline script or style through."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
