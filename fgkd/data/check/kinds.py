"""What can be found in a data set, how bad it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        severity: ``error``: training would stop, or the protocol is another one; ``warning``: numbers may suffer;
            ``note``: read correctly, and good to know.
        meaning: what it is and what becomes of it.
    """

    severity: Severity
    meaning: str


KINDS: dict[str, Kind] = {
    "protocol": Kind("error", "lists or counts are not what is expected ; see below"),
    "missing": Kind("error", "listed, but not there; unpack or download the set again"),
    "zero-byte": Kind("error", "the file is empty; replace it"),
    "unreadable": Kind("error", "not an image that can be read; replace it"),
    "truncated": Kind("error", "the file ends too early; replace it"),
    "huge": Kind("error", "more pixels than are read (a mistake, or a decompression bomb); shrink it"),
    "float": Kind("error", "floating-point pixels have no known range; save with 8 or 16 bits per channel"),
    "damaged": Kind("warning", "can be read, but part of the picture is lost; replace it"),
    "duplicate-across-splits": Kind("warning", "the same file in several splits: what is tested was trained on"),
    "near-duplicate-across-splits": Kind("warning", "almost the same picture in several splits"),
    "conflicting-labels": Kind("warning", "one picture, several labels"),
    "blank": Kind("warning", "a single colour"),
    "very-small": Kind("warning", "the shorter side is under 16 pixels"),
    "extreme-aspect": Kind("warning", "one side is over 8 times the other: most of it is cut away or squeezed"),
    "duplicate": Kind("note", "the same file more than once in a split"),
    "near-duplicate": Kind("note", "almost the same picture more than once in a split"),
    "surplus": Kind("note", "an image below the set's folder that no split lists; it is not used"),
    "wrong-extension": Kind("note", "the content is of another format than the name says; the content decides"),
    "cmyk": Kind("note", "print colours, converted"),
    "16-bit": Kind("note", "more than 8 bits per channel; the high byte is used"),
    "palette": Kind("note", "colours from a palette, converted"),
    "animated": Kind("note", "several frames; the first is used"),
    "exif-rotated": Kind("note", "turned or mirrored by an EXIF tag, which is applied"),
    "transparent": Kind("note", "has an alpha channel or a transparent colour; laid over white"),
    "grayscale": Kind("note", "no colour; the one channel is used for all three"),
}


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        kind: a key of `KINDS`.
        path: of the file, below the data set's folder; empty where the finding is about the whole set.
        split: ``train``, ``holdout``, ``test``, or empty.
        detail: what exactly, for people.
        others: further files of the same finding, such as the other copies of a picture.
    """

    kind: str
    path: str = ""
    split: str = ""
    detail: str = ""
    others: tuple[str, ...] = field(default=())

    @property
    def severity(self) -> Severity:
        """Its kind's."""
        return KINDS[self.kind].severity

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        values: dict[str, Any] = {"kind": self.kind, "severity": self.severity, "path": self.path, "split": self.split}
        return {**values, "detail": self.detail, "others": list(self.others)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Finding:
        """The finding that `to_json` gave."""
        return cls(values["kind"], values["path"], values["split"], values["detail"], tuple(values["others"]))
