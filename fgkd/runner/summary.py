"""What a launch says in the end: which runs did not end well, why, and what can be done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from fgkd.record import RunRecord
from fgkd.runner.sharing.ledger import Holder
from fgkd.text import count

ADVICE = {
    "oom": "not even alone did they fit: a smaller batch_size or view.size, --mixed_precision bf16, or a larger device",
    "diverged": "a smaller recipe.lr, a longer warm-up or recipe.clip_grad; such settings make new runs",
    "failed": "mend what the reason names, then run the same command with --retry-failed",
}
LONGEST = 400  # characters of a reason on the console; the record has all of it


def failures(records: Iterable[RunRecord], wanted: Collection[str]) -> list[str]:
    """One line for each of the wanted runs that failed, and one of advice for each way of failing."""
    lost = [record for record in records if record.status != "ok" and record.run_id in wanted]
    lines = [f"{record.run_id} {record.status}: {_cut(record.reason or 'no reason was recorded')}" for record in lost]
    for status in sorted({record.status for record in lost}):
        number = sum(record.status == status for record in lost)
        lines.append(f"{number} {status}; {ADVICE[status]}")
    if lost:
        lines.append("they are not tried again unless asked for by --retry-failed")
    return lines


def still_running(elsewhere: Mapping[str, Holder]) -> list[str]:
    """Who is still at work on what this launch left alone."""
    counts = Counter(str(holder) for holder in elsewhere.values())
    return [
        f"{count(number, 'run is', 'runs are')} still being trained by {holder}"
        for holder, number in sorted(counts.items())
    ]


def _cut(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= LONGEST else line[:LONGEST] + "..."
