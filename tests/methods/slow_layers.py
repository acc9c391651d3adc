"""Layers of torch as plain loops over nested lists, for the twins of methods with small networks of their own.

Maps are [image][channel][row][column], vectors [image][channel].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import nn
from twins import dot, linear, mean, rows

Maps = list[list[list[list[float]]]]


def sides(maps: Maps) -> tuple[int, int]:
    """(height, width)."""
    return len(maps[0][0]), len(maps[0][0][0])


def zeros(channels: int, height: int, width: int) -> list[list[list[float]]]:
    """One image's map of zeros."""
    return [[[0.0] * width for _ in range(height)] for _ in range(channels)]


def conv(maps: Maps, layer: nn.Conv2d) -> Maps:
    """Convolution: every output cell is a sum over a window of the zero-padded input."""
    weight, groups = rows(layer.weight), layer.groups
    (stride, _), (pad, _), (kernel_h, kernel_w) = layer.stride, layer.padding, layer.kernel_size
    height, width = sides(maps)
    out_h, out_w = (height + 2 * pad - kernel_h) // stride + 1, (width + 2 * pad - kernel_w) // stride + 1
    bias = rows(layer.bias) if layer.bias is not None else [0.0] * len(weight)
    result = []
    for image in maps:
        out = zeros(len(weight), out_h, out_w)
        for c, kernels in enumerate(weight):
            first = c // (len(weight) // groups) * len(kernels)
            for i in range(out_h):
                for j in range(out_w):
                    total = bias[c]
                    for k, kernel in enumerate(kernels):
                        for y in range(kernel_h):
                            for x in range(kernel_w):
                                a, b = i * stride + y - pad, j * stride + x - pad
                                if 0 <= a < height and 0 <= b < width:
                                    total += kernel[y][x] * image[first + k][a][b]
                    out[c][i][j] = total
        result.append(out)
    return result


def transposed_conv(maps: Maps, layer: nn.ConvTranspose2d) -> Maps:
    """Transposed convolution: every input cell stamps its kernel onto the output, whose border is then cut off."""
    weight = rows(layer.weight)  # [in][out][row][column]
    (stride, _), (pad, _), (kernel, _) = layer.stride, layer.padding, layer.kernel_size
    height, width = sides(maps)
    out_h, out_w = (height - 1) * stride - 2 * pad + kernel, (width - 1) * stride - 2 * pad + kernel
    bias = rows(layer.bias)
    result = []
    for image in maps:
        out = [[[b] * out_w for _ in range(out_h)] for b in bias]
        for k, channel in enumerate(image):
            for i, line in enumerate(channel):
                for j, value in enumerate(line):
                    for c in range(len(out)):
                        for y in range(kernel):
                            for x in range(kernel):
                                a, b = i * stride + y - pad, j * stride + x - pad
                                if 0 <= a < out_h and 0 <= b < out_w:
                                    out[c][a][b] += value * weight[k][c][y][x]
        result.append(out)
    return result


def batch_norm(maps: Maps, layer: nn.BatchNorm2d) -> Maps:
    """Batch norm with the batch's own statistics."""
    result: Maps = [[] for _ in maps]
    for c, (scale, shift) in enumerate(zip(rows(layer.weight), rows(layer.bias), strict=True)):
        values = [v for image in maps for line in image[c] for v in line]
        centre = mean(values)
        deviation = math.sqrt(mean((v - centre) ** 2 for v in values) + layer.eps)
        for out, image in zip(result, maps, strict=True):
            out.append([[scale * (v - centre) / deviation + shift for v in line] for line in image[c]])
    return result


def layer_norm(row: list[float], layer: nn.LayerNorm) -> list[float]:
    """Layer norm of one vector."""
    centre = mean(row)
    deviation = math.sqrt(mean((v - centre) ** 2 for v in row) + layer.eps)
    return [w * (v - centre) / deviation + b for v, w, b in zip(row, rows(layer.weight), rows(layer.bias), strict=True)]


def each(maps: Maps, function: Callable[[float], float]) -> Maps:
    """`function` of every cell."""
    return [[[[function(v) for v in line] for line in channel] for channel in image] for image in maps]


def dense(rows_in: list[list[float]], layer: nn.Linear) -> list[list[float]]:
    """A linear layer."""
    bias = None if layer.bias is None else rows(layer.bias)
    return [linear(row, rows(layer.weight), bias) for row in rows_in]


SLOW: dict[type[nn.Module], Callable[[Any, Any], Any]] = {
    nn.Conv2d: conv,
    nn.ConvTranspose2d: transposed_conv,
    nn.BatchNorm2d: batch_norm,
    nn.Linear: dense,
    nn.ReLU: lambda x, layer: each(x, lambda v: max(v, 0.0)),
    nn.LeakyReLU: lambda x, layer: each(x, lambda v: v if v > 0 else 0.1 * v),
    nn.Sigmoid: lambda x, layer: each(x, lambda v: 1 / (1 + math.exp(-v))),
    nn.Identity: lambda x, layer: x,
}


def through(module: nn.Module, x: Any) -> Any:
    """`x` behind a stack of the layers above, and activations."""
    if isinstance(module, nn.Sequential):
        for layer in module:
            x = through(layer, x)
        return x
    return next(slow for kind, slow in SLOW.items() if isinstance(module, kind))(x, module)


def pool(maps: Maps, height: int, width: int) -> Maps:
    """Means of blocks; the sides must divide."""
    (full_h, full_w) = sides(maps)
    a, b = full_h // height, full_w // width
    assert (a * height, b * width) == (full_h, full_w)
    block = lambda c, i, j: mean(c[i * a + y][j * b + x] for y in range(a) for x in range(b))
    return [[[[block(c, i, j) for j in range(width)] for i in range(height)] for c in image] for image in maps]


def match(student: Maps, teacher: Maps) -> tuple[Maps, Maps]:
    """The larger of two maps pooled to the smaller."""
    height, width = (min(a, b) for a, b in zip(sides(student), sides(teacher), strict=True))
    return pool(student, height, width), pool(teacher, height, width)


def flat(channel: list[list[float]]) -> list[float]:
    """A channel's cells, row by row."""
    return [v for line in channel for v in line]


def squared_error(a: Any, b: Any) -> float:
    """Mean squared difference of two nests of equal form."""
    if isinstance(a, float):
        return (a - b) ** 2
    return mean(squared_error(x, y) for x, y in zip(a, b, strict=True))


def gram(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
    """Inner products of all rows with all rows."""
    return [[dot(x, y) for y in b] for x in a]
