"""Twin of letKD's losses; how its targets are fitted is tested in test_clusters.py."""

from __future__ import annotations

from slow_layers import Maps, sides
from twins import Exam, Rows, ce, kl, log_softmax, mean, rows, softmax, twin, weighted


def cells_at(maps: Maps, height: int, width: int) -> Rows:
    """The cells of the map at a grid whose sides divide its own, or are multiples of them."""
    full_h, full_w = sides(maps)
    found = []
    for image in maps:
        for i in range(height):
            for j in range(width):
                lines = range(i * full_h // height, -(-(i + 1) * full_h // height))
                columns = range(j * full_w // width, -(-(j + 1) * full_w // width))
                found.append([mean(c[y][x] for y in lines for x in columns) for c in image])
    return found


def squared_distance(a: list[float], b: list[float]) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def matching(scores: Maps, targets: Rows) -> float:
    height, width = sides(scores)
    cells = [[c[i][j] for c in image] for image in scores for i in range(height) for j in range(width)]
    return mean(kl(target, log_softmax(cell)) for cell, target in zip(cells, targets, strict=True))


def penultimate(exam: Exam) -> float:
    scores, centres = rows(exam.student.extras["letkd.penultimate"]), exam.state("centres")
    cells = cells_at(rows(exam.teacher.final), *sides(scores))
    targets = [softmax([-exam.method.sharpness * squared_distance(cell, c) for c in centres]) for cell in cells]
    return matching(scores, targets)


def intermediate(exam: Exam) -> float:
    m, scores = exam.method, rows(exam.student.extras["letkd.intermediate"])
    average, directions, centres, decisions = map(exam.state, ("mean", "directions", "sub_centres", "decisions"))
    height, width = sides(scores)
    targets = []
    for n, cell in enumerate(cells_at(rows(exam.teacher.stages[m.stage]), height, width)):
        centred = [a - b for a, b in zip(cell, average, strict=True)]
        point = [
            sum(a * line[k] for a, line in zip(centred, directions, strict=True)) for k in range(len(directions[0]))
        ]
        label = exam.target[n // (height * width)]
        own = range(label * m.sub_classes, (label + 1) * m.sub_classes)
        targets.append(decisions[min(own, key=lambda k: squared_distance(point, centres[k]))])
    return matching(scores, targets)


@twin("letkd", {}, {"intermediate": False, "sharpness": 0.3}, {"penultimate": False, "sub_classes": 2, "stage": -1})
def letkd(exam: Exam) -> dict[str, float]:
    m = exam.method
    terms = {}
    if m.penultimate:
        terms["letkd_penultimate"] = m.penultimate_weight * penultimate(exam)
    if m.intermediate:
        terms["letkd_intermediate"] = m.intermediate_weight * intermediate(exam)
    return weighted(m, ce=ce(exam), **terms)
