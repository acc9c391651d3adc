"""A running suite in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fgkd.report.live.finished import Finished
from fgkd.report.live.status import CohortStatus, LearnerStatus, Seen
from fgkd.report.text import one_line
from fgkd.text import duration

BAR, LAST, WIDEST = 24, 5, 100  # cells of a bar; recorded runs that are listed; columns where there is no terminal
STYLES = {"running": "green", "silent": "yellow", "gone": "red"}


@dataclass(frozen=True)
class SuiteView:
    """All that is known of a suite at one moment.

    Attributes:
        finished: last written first.
        unreadable: names of status files that say nothing.
        now: seconds since 1970.
    """

    name: str
    seen: Sequence[Seen]
    finished: Sequence[Finished]
    unreadable: Sequence[str]
    now: float


def draw(views: Sequence[SuiteView]) -> RenderableType:
    """All suites, one below the other."""
    return Group(*(part for view in views for part in _suite(view)))


def _suite(view: SuiteView) -> Iterable[RenderableType]:
    yield Text.assemble((one_line(view.name), "bold"), f"  {_counts(view)}")
    for seen in view.seen:
        yield Padding(Group(*_process(seen, view.now)), (0, 0, 0, 2), expand=False)
    if not view.seen:
        yield Text("  no process is at work on it", style="dim")
    for name in view.unreadable:
        yield Text(f"  {one_line(name)}: cannot be read", style="yellow")
    for run in view.finished[:LAST]:
        score = "" if run.score is None else f" {100 * run.score:.2f} %"
        text = (
            f"  recorded {duration(view.now - run.written)} ago: {one_line(run.run_id)} {one_line(run.status)}{score}"
        )
        yield Text(text, style="dim" if run.status == "ok" else "yellow")
    yield Text("")


def _counts(view: SuiteView) -> str:
    wanted = max((seen.status.runs for seen in view.seen), default=0)
    failed = sum(run.status != "ok" for run in view.finished)
    of = f" of {wanted}" if wanted >= len(view.finished) and wanted else ""
    return f"{len(view.finished)}{of} runs recorded" + (f", {failed} of them without a result" if failed else "")


def _process(seen: Seen, now: float) -> Iterable[RenderableType]:
    status = seen.status
    quiet = duration(now - status.updated)
    word = {"running": "running", "silent": f"silent for {quiet}", "gone": f"gone, last heard of {quiet} ago"}
    head = f"{one_line(status.name)}  for {duration(status.updated - status.begun)}  "
    yield Text.assemble(head, (word[seen.state], STYLES[seen.state]))
    if status.cohort is None:
        yield Text("  preparing")
        return
    yield Text(f"  {_cohort(status.cohort)}")
    yield Text(f"  {_pace(status.cohort)}")
    yield Padding(_learners(status.cohort.learners), (0, 0, 0, 2), expand=False)


def _cohort(cohort: CohortStatus) -> str:
    taught = f" taught by {one_line(cohort.teacher)}" if cohort.teacher else ""
    return f"cohort {cohort.number} of {cohort.of}: {one_line(cohort.dataset)}{taught}"


def _pace(cohort: CohortStatus) -> str:
    done, total = cohort.epoch * cohort.steps + cohort.step, cohort.epochs * cohort.steps
    facts = [f"{bar(done, total)} epoch {min(cohort.epoch + 1, cohort.epochs)}/{cohort.epochs}"]
    facts += [f"reading the {cohort.phase} split"] if cohort.phase != "training" else []
    facts += [f"{cohort.images_per_second:.0f} img/s"] if cohort.images_per_second is not None else []
    facts += [f"{cohort.waiting:.0%} waiting for data"] if cohort.waiting is not None else []
    facts += [f"{duration(cohort.seconds_left)} left"] if cohort.seconds_left else []
    return ", ".join(facts)


def bar(done: float, total: float) -> str:
    """A share as characters that any terminal shows.

    Example:
        >>> bar(1, 4)
        '[######------------------]'
    """
    filled = round(BAR * min(1.0, done / total)) if total > 0 else BAR
    return f"[{'#' * filled}{'-' * (BAR - filled)}]"


def _learners(learners: Sequence[LearnerStatus]) -> Table:
    """Learners of one method and student as one line, best on the hold-out first."""
    gathered: dict[tuple[str, str], list[LearnerStatus]] = {}
    for learner in learners:
        gathered.setdefault((learner.student, learner.method), []).append(learner)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("method", "student"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=32)
    for name in ("learners", "loss", "hold-out %"):
        table.add_column(name, justify="right", no_wrap=True)
    for (student, method), found in sorted(gathered.items(), key=lambda item: -(_mean(_held_out(item[1])) or -1.0)):
        active = sum(learner.status == "ok" for learner in found)
        count = str(active) if active == len(found) else f"{active} of {len(found)}"
        loss = _mean(learner.loss for learner in found if learner.status == "ok")
        score = _mean(_held_out(found))
        cells = (one_line(method), one_line(student), count, _number(loss, 3), _number(score and 100 * score, 1))
        table.add_row(*map(Text, cells), style=None if active == len(found) else "yellow")
    return table


def _held_out(learners: Iterable[LearnerStatus]) -> list[float | None]:
    return [learner.holdout_top1 for learner in learners if learner.status == "ok"]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
