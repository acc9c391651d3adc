"""Does a file reach the end mark of its format?"""

from __future__ import annotations

import re

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
TAIL = 64  # bytes from the end of a file that nearly always hold the mark
# Within compressed data FF 00 is a byte of data, FF FF is filling, and D0 to D7 restart the decoder.
_NEXT_SEGMENT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length


def seems_to_end(start: bytes, tail: bytes, size: int) -> bool:
    """By the first and last `TAIL` bytes of a file of `size` bytes: False where it has to be looked at whole."""
    if start.startswith(JPEG_START):
        return tail.rstrip(b"\0").endswith(JPEG_END)
    if start.startswith(b"RIFF"):
        return _riff_size(start) <= size
    return start.startswith(PNG_START) and PNG_END in tail


def ends_early(data: bytes) -> bool:
    """Whether a JPEG, PNG, GIF, WebP or BMP file stops before its end; False for formats that cannot tell."""
    if data.startswith(JPEG_START):
        return not _jpeg_ends(data)
    if data.startswith(PNG_START):
        return PNG_END not in data
    if data.startswith(b"GIF8"):
        return not data.rstrip(b"\0").endswith(b";")
    if data.startswith(b"RIFF"):
        return _riff_size(data) > len(data)
    if data.startswith(b"BM"):
        return int.from_bytes(data[2:6], "little") > len(data)
    return False


def _riff_size(data: bytes) -> int:
    return int.from_bytes(data[4:8], "little") + 8


def _jpeg_ends(data: bytes) -> bool:
    """Walk from segment to segment: the end mark of an embedded thumbnail does not count."""
    at = len(JPEG_START)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == JPEG_END[1]:
            return True
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:  # a scan: compressed data up to the next segment
            found = _NEXT_SEGMENT.search(data, at)
            at = found.start() if found else len(data)
    return data.find(JPEG_END, at) >= 0
