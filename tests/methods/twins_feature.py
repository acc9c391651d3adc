"""Twins of the methods that compare stage maps."""

from __future__ import annotations

import math
from typing import Any

from slow_layers import Maps, flat, gram, match, pool, sides, squared_error, through
from twins import Exam, ce, mean, rows, twin, unit, weighted


def pairs(exam: Exam, stages: tuple[int, ...] = (-4, -3, -2, -1)) -> dict[int, tuple[Maps, Maps]]:
    """Stage -> student's and teacher's map, for the stages of both, earliest first."""
    mine, theirs = exam.student.stages, exam.teacher.stages
    return {s: (rows(mine[s]), rows(theirs[s])) for s in sorted(stages) if s in mine and s in theirs}


@twin("fitnet", {}, {"relu": True, "fitnet_weight": 2.0}, {"stage": -1})
def fitnet(exam: Exam) -> dict[str, float]:
    m = exam.method
    student, teacher = pairs(exam)[m.stage]
    hint = squared_error(*match(through(exam.objective.regressor, student), teacher))
    return weighted(m, ce=ce(exam), fitnet=m.fitnet_weight * hint)


def attention(image: list[list[list[float]]]) -> list[float]:
    channels = [flat(channel) for channel in image]
    return unit([mean(channel[i] ** 2 for channel in channels) for i in range(len(channels[0]))])


@twin("at", {}, {"at_weight": 3.0, "ce_weight": 0.5}, {"stages": (-3, -1)}, zero=("at",))
def at(exam: Exam) -> dict[str, float]:
    total = 0.0
    for student, teacher in pairs(exam, exam.method.stages).values():
        matched = zip(*match(student, teacher), strict=True)
        total += mean(squared_error(attention(s), attention(t)) for s, t in matched)
    return weighted(exam.method, ce=ce(exam), at=exam.method.at_weight * total)


def kernel(a: list[list[float]], b: list[list[float]]) -> float:
    return mean(v**2 for line in gram(a, b) for v in line)


@twin("nst", {"stages": (-2, -1)}, {"stages": (-2,), "channel_chunk": 3, "nst_weight": 2.0}, zero=("nst",))
def nst(exam: Exam) -> dict[str, float]:
    total = 0.0
    for student, teacher in pairs(exam, exam.method.stages).values():
        for s, t in zip(*match(student, teacher), strict=True):
            a, b = ([unit_or_zero(flat(channel)) for channel in image] for image in (s, t))
            total += (kernel(b, b) + kernel(a, a) - 2 * kernel(a, b)) / len(student)
    return weighted(exam.method, ce=ce(exam), nst=exam.method.nst_weight * total)


def unit_or_zero(row: list[float]) -> list[float]:
    return unit(row) if any(row) else row


@twin("vid", {}, {"init_variance": 2.0, "eps": 0.1, "vid_weight": 0.5, "stages": (-3, -1)})
def vid(exam: Exam) -> dict[str, float]:
    m, total = exam.method, 0.0
    for stage, (student, teacher) in pairs(exam, m.stages).items():
        head = exam.objective.heads[str(stage)]
        variances = [math.log(1 + math.exp(v)) + m.eps for v in exam.state(f"heads.{stage}.scale")]
        assert all(math.isclose(v, m.init_variance, rel_tol=1e-6) for v in variances)
        means, truths = match(through(head.mean, student), teacher)
        total += mean(
            0.5 * ((mu - t) ** 2 / variance + math.log(variance))
            for image, truth in zip(means, truths, strict=True)
            for channel, wanted, variance in zip(image, truth, variances, strict=True)
            for mu, t in zip(flat(channel), flat(wanted), strict=True)
        )
    return weighted(m, ce=ce(exam), vid=m.vid_weight * total)


def nearest(maps: Maps, height: int, width: int) -> Maps:
    full_h, full_w = sides(maps)
    pick = lambda c, i, j: c[i * full_h // height][j * full_w // width]
    return [[[[pick(c, i, j) for j in range(width)] for i in range(height)] for c in image] for image in maps]


def blended(x: Maps, above: Maps, gates: Maps) -> Maps:
    height, width = sides(x)
    cell = lambda b, c, i, j: gates[b][0][i][j] * x[b][c][i][j] + gates[b][1][i][j] * above[b][c][i][j]
    image = lambda b: [[[cell(b, c, i, j) for j in range(width)] for i in range(height)] for c in range(len(x[b]))]
    return [image(b) for b in range(len(x))]


def fused(fusion: Any, maps: Maps, above: Maps | None, height: int, width: int) -> tuple[Maps, Maps]:
    x = through(fusion.reduce, maps)
    if above is not None:
        above = nearest(above, *sides(x))
        x = blended(x, above, through(fusion.attention, [a + b for a, b in zip(x, above, strict=True)]))
    x = nearest(x, height, width)
    return through(fusion.out, x), x


def context(student: Maps, teacher: Maps) -> float:
    total, weights = squared_error(student, teacher), 1.0
    for weight, side in ((1 / 2, 4), (1 / 4, 2), (1 / 8, 1)):
        if side < sides(student)[0]:
            step = weight * (2 ** sum(s >= sides(student)[0] for s in (4, 2, 1)))  # the first level that counts is 1/2
            total += step * squared_error(pool(student, side, side), pool(teacher, side, side))
            weights += step
    return total / weights


@twin("reviewkd", {}, {"embedding": False, "reviewkd_weight": 5.0, "warmup_epochs": 0}, {"stages": (-2, -1)})
def reviewkd(exam: Exam) -> dict[str, float]:
    m = exam.method
    levels = list(pairs(exam, m.stages).values())[::-1]
    if m.embedding:
        cells = lambda pooled: [[[[v]] for v in row] for row in rows(pooled)]
        levels = [(cells(exam.student.pooled), cells(exam.teacher.pooled)), *levels]
    total, above = 0.0, None
    for fusion, (student, teacher) in zip(exam.objective.fusions, levels, strict=True):
        out, above = fused(fusion, student, above, *sides(teacher))
        total += context(out, teacher)
    progress = exam.lesson.progress
    length = min(m.warmup_epochs, m.warmup_epochs * progress.epochs / 240)
    factor = min(1.0, progress.step / progress.steps_per_epoch / length) if length else 1.0
    return weighted(m, ce=ce(exam), reviewkd=m.reviewkd_weight * factor * total)


LONG = {"init_epochs": 100}  # still in the first stage at the step where twins are asked


def first_stage(exam: Exam) -> bool:
    progress = exam.lesson.progress
    epochs = exam.method.init_epochs
    return progress.step / progress.steps_per_epoch < min(epochs, epochs * progress.epochs / 240)


@twin("ab", {}, LONG, {**LONG, "margin": 0.5, "ab_weight": 2.0, "stages": (-2, -1)})
def ab(exam: Exam) -> dict[str, float]:
    m = exam.method
    if not first_stage(exam):
        return weighted(m, ce=ce(exam), ab=0.0)
    total, compared = 0.0, pairs(exam, m.stages)
    for i, (stage, (student, teacher)) in enumerate(compared.items()):
        fires = [[[[float(v > 0) for v in line] for line in c] for c in image] for image in teacher]
        hidden, wanted = match(through(exam.objective.connectors[str(stage)], student), fires)
        for s_image, t_image in zip(hidden, wanted, strict=True):
            for s_channel, t_channel in zip(s_image, t_image, strict=True):
                for s, t in zip(flat(s_channel), flat(t_channel), strict=True):
                    wrong = (s + m.margin) ** 2 * (s > -m.margin and t <= 0.5)
                    wrong += (s - m.margin) ** 2 * (s <= m.margin and t > 0.5)
                    total += wrong * 2.0 ** (i - len(compared) + 1) * 3 / 1000 / len(hidden)
    return {"ce": 0.0, "ab": m.ab_weight * total}


def flow(earlier: Maps, later: Maps) -> list[list[list[float]]]:
    found = []
    for a, b in zip(*match(earlier, later), strict=True):
        products = gram([flat(c) for c in a], [flat(c) for c in b])
        cells = len(flat(a[0]))
        found.append([[v / cells for v in line] for line in products])
    return found


@twin("fsp", {}, LONG, {**LONG, "fsp_weight": 2.0, "stages": (-2, -1)})
def fsp(exam: Exam) -> dict[str, float]:
    m = exam.method
    if not first_stage(exam):
        return weighted(m, ce=ce(exam), fsp=0.0)
    compared = pairs(exam, m.stages)
    ours = [through(exam.objective.projections[str(stage)], student) for stage, (student, _) in compared.items()]
    theirs = [teacher for _, teacher in compared.values()]
    total = sum(squared_error(flow(*ours[i : i + 2]), flow(*theirs[i : i + 2])) for i in range(len(ours) - 1))
    return {"ce": 0.0, "fsp": m.fsp_weight * total}


@twin("ft", {}, LONG, {"factor_share": 0.25, "ft_weight": 3.0, "stage": -2}, {**LONG, "paraphraser_weight": 2.0})
def ft(exam: Exam) -> dict[str, float]:
    m, objective = exam.method, exam.objective
    student, teacher = pairs(exam)[m.stage]
    code = through(objective.paraphraser.encoder, teacher)
    assert len(code[0]) == int(len(teacher[0]) * m.factor_share)
    if first_stage(exam):
        error = squared_error(through(objective.paraphraser.decoder, code), teacher)
        return weighted(m, ce=ce(exam), ft_paraphraser=m.paraphraser_weight * error, ft=0.0)
    factors = zip(*match(through(objective.translator, student), code), strict=True)
    gaps = [abs(a - b) for s, t in factors for a, b in zip(attention(s), attention(t), strict=True)]
    return weighted(m, ce=ce(exam), ft_paraphraser=0.0, ft=m.ft_weight * mean(gaps))
