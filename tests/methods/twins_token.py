"""Twins of VkD and OFA-KD."""

from __future__ import annotations

import math
from typing import Any

from slow_layers import Maps, flat, layer_norm, sides, through
from torch import nn
from twins import Exam, Rows, ce, linear, log_softmax, mean, rows, softmax, twin, weighted
from twins_logit import kd_of


@twin("vkd", {}, {"vkd_weight": 2.0, "kd_weight": 0.5, "temperature": 3.0}, zero=("kd",))
def vkd(exam: Exam) -> dict[str, float]:
    m, matrix = exam.method, rows(exam.objective.projector.weight)
    gaps = []
    for student, teacher in zip(rows(exam.student.pooled), rows(exam.teacher.pooled), strict=True):
        centre = mean(teacher)
        deviation = math.sqrt(mean((v - centre) ** 2 for v in teacher) + 1e-5)
        for a, b in zip(linear(student, matrix), teacher, strict=True):
            gap = abs(a - (b - centre) / deviation)
            gaps.append(gap**2 / 2 if gap < 1 else gap - 0.5)
    logits = zip(rows(exam.student.logits), rows(exam.teacher.logits), strict=True)
    kd = mean(kd_of(s, t, m.temperature) for s, t in logits)
    return weighted(m, ce=ce(exam), kd=m.kd_weight * kd, vkd=m.vkd_weight * mean(gaps))


def ofa_of(exam: Exam, logits: Rows) -> float:
    total = 0.0
    for student, teacher, label in zip(logits, rows(exam.teacher.logits), exam.target, strict=True):
        for k, (p, log_q) in enumerate(zip(softmax(teacher), log_softmax(student), strict=True)):
            truth = float(k == label)
            total -= ((p + truth) ** exam.method.eps - truth) * log_q / len(logits)
    return total


def merged(maps: Maps, layer: Any) -> Maps:
    """2x2 blocks to one token: channel by channel the four cells row by row, norm, linear layer."""
    height, width = sides(maps)
    cell = lambda c, i, j: c[i][j] if i < height and j < width else 0.0
    result = []
    for image in maps:
        out: list[list[list[float]]] = [[] for _ in range(layer.reduce.out_features)]
        for i in range(0, height, 2):
            for channel in out:
                channel.append([])
            for j in range(0, width, 2):
                block = [cell(c, i + y, j + x) for c in image for y in (0, 1) for x in (0, 1)]
                for channel, value in zip(
                    out, linear(layer_norm(block, layer.norm), rows(layer.reduce.weight)), strict=True
                ):
                    channel[-1].append(value)
        result.append(out)
    return result


def branch(module: Any, maps: Maps) -> Rows:
    for down in module.downs:
        maps = through(down, maps) if isinstance(down, nn.Sequential) else merged(maps, down)
    average = [[mean(flat(channel)) for channel in image] for image in maps]
    if isinstance(module.norm, nn.LayerNorm):
        average = [layer_norm(row, module.norm) for row in average]
    return through(module.head, average)


@twin("ofa_kd", {}, {"eps": 1.5, "ofa_weight": 2.0, "stages_weight": 0.5}, {"stages": (-3,), "eps": 0.5})
def ofa_kd(exam: Exam) -> dict[str, float]:
    m, stages = exam.method, exam.student.stages
    found = sum(ofa_of(exam, branch(exam.objective.branches[str(s)], rows(stages[s]))) for s in m.stages if s in stages)
    own = ofa_of(exam, rows(exam.student.logits))
    return weighted(m, ce=ce(exam), ofa_kd=m.ofa_weight * own, ofa_stages=m.stages_weight * found)
