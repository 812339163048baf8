"""Pooling: the greatest or the mean of windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, DType
from ..graph.types import ValueType
from .generators import State, permutation, uniform
from .nn import wide
from .registry import RANDOM, op
from .rules import Inference
from .windows import (
    Axis,
    axes,
    channels_as,
    channels_last,
    check_size,
    explicit_space,
    extents,
    last,
    lowest,
    pad,
    shape_as,
    spatial_shape,
    taps,
)

Array = NDArray[Any]
Ints = Sequence[int]


def window(ksize: Ints, strides: Ints, rank: int, data_format: str) -> tuple[list[int], list[int]]:
    """Window and strides in channels-last order; raises ValueError for what TensorFlow refuses."""
    if len(ksize) != rank or len(strides) != rank:
        raise ValueError(f"ksize {list(ksize)} and strides {list(strides)} should have {rank} each")
    sizes, steps = last(ksize, data_format), last(strides, data_format)
    if min(sizes) < 1 or min(steps) < 1:
        raise ValueError(f"ksize {list(ksize)} and strides {list(strides)} should be at least 1")
    if sizes[0] != 1 or steps[0] != 1:
        raise ValueError("pooling over the batch is not possible")
    return sizes, steps


def _pool_type(c: Inference) -> ValueType:
    return _pooled(c, c.attrs["ksize"], c.attrs["strides"])


def _pooled(c: Inference, ksize: Ints, strides: Ints) -> ValueType:
    data_format = c.attrs.get("data_format", "NHWC")
    rank = 5 if "DHW" in data_format else 4
    x = spatial_shape(c, 0, rank, data_format)
    sizes, steps = window(ksize, strides, rank, data_format)
    explicit = explicit_space(c.attrs.get("explicit_paddings", ()), data_format)
    outs = extents(
        c, x[1:-1], sizes[1:-1], steps[1:-1], [1] * (rank - 2), c.attrs["padding"], explicit
    )
    depth = x[-1] if sizes[-1] == 1 else x[-1] // sizes[-1]
    return ValueType(c.inputs[0].dtype, shape_as((x[0], *outs, depth), data_format))


def places(
    image: Array, sizes: Ints, steps: Ints, padding: str, explicit: Ints = ()
) -> tuple[list[Axis], list[int]]:
    around = axes(image.shape[1:-1], sizes, steps, [1] * len(sizes), padding, explicit)
    outs = [a.out for a in around]
    check_size([len(image), *outs, image.shape[-1]])
    return around, outs


def _max_depth(image: Array, size: int, step: int) -> Array:
    """Greatest of groups of channels."""
    if image.shape[-1] % size or size != step:
        raise ValueError(
            f"a window of {size} with stride {step} over {image.shape[-1]} channels: "
            "it should divide them and step by its own size"
        )
    return image.reshape(*image.shape[:-1], -1, size).max(axis=-1)


def _greatest(
    x: Array, ksize: Ints, strides: Ints, padding: str, data_format: str, explicit: Ints = ()
) -> Array:
    image = channels_last(x, data_format)
    sizes, steps = window(ksize, strides, x.ndim, data_format)
    if sizes[-1] > 1:
        return channels_as(_max_depth(image, sizes[-1], steps[-1]), data_format)
    around, outs = places(
        image, sizes[1:-1], steps[1:-1], padding, explicit_space(explicit, data_format)
    )
    low = lowest(x.dtype)
    best = np.full((len(x), *outs, image.shape[-1]), low, x.dtype)
    for _, under in taps(pad(image, around, low), sizes[1:-1], steps[1:-1], [1] * len(outs), outs):
        np.fmax(best, under, out=best)
    return channels_as(best, data_format)


@op("MaxPool", type=_pool_type, exact=True, ranks="4")
def max_pool(
    x: Array,
    *,
    ksize: Ints,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
) -> Array:
    """Greatest of each window (tf.nn.max_pool2d).

    As in TensorFlow the search starts at the lowest finite number: NaN never wins, and a window
    without anything greater gives that number.
    """
    return _greatest(x, ksize, strides, padding, data_format, explicit_paddings)


@op("MaxPool3D", type=_pool_type, exact=True, ranks="5")
def max_pool3d(
    x: Array, *, ksize: Ints, strides: Ints, padding: str, data_format: str = "NDHWC"
) -> Array:
    """Greatest of each window over three axes (tf.nn.max_pool3d); NaN as in MaxPool."""
    return _greatest(x, ksize, strides, padding, data_format)


def _pool_v2_type(c: Inference) -> ValueType:
    ksize, strides = c.ints(1), c.ints(2)
    if ksize is None or strides is None:
        return ValueType(c.inputs[0].dtype, c.unknown(4))
    return _pooled(c, ksize, strides)


@op("MaxPoolV2", type=_pool_v2_type, exact=True, ranks="411")
def max_pool_v2(
    x: Array, ksize: Array, strides: Array, *, padding: str, data_format: str = "NHWC"
) -> Array:
    """As MaxPool; window and strides are inputs."""
    return _greatest(x, ksize.tolist(), strides.tolist(), padding, data_format)


def _argmax_type(c: Inference) -> list[ValueType]:
    y = _pool_type(c)
    return [y, ValueType(c.attrs["Targmax"], y.shape)]


def find(
    x: Array, ksize: Ints, strides: Ints, padding: str, explicit: Ints = ()
) -> tuple[Array, Array]:
    """Greatest of each window and its place in the flattened batch; the first of equals.

    The search starts at the window's first element, so NaN wins there alone.
    """
    sizes, steps = window(ksize, strides, x.ndim, "NHWC")
    around, outs = places(x, sizes[1:-1], steps[1:-1], padding, explicit)
    index = np.arange(x.size, dtype=np.int64).reshape(x.shape)
    best = np.full((len(x), *outs, x.shape[-1]), lowest(x.dtype), x.dtype)
    where = np.full(best.shape, -1, np.int64)
    flat = (sizes[1:-1], steps[1:-1], [1] * len(outs), outs)
    for (_, under), (_, at) in zip(
        taps(pad(x, around), *flat), taps(pad(index, around, -1), *flat), strict=True
    ):
        better = (at >= 0) & ((where < 0) | (under > best))
        best, where = np.where(better, under, best), np.where(better, at, where)
    return best, where


@op("MaxPoolWithArgmax", type=_argmax_type, exact=True, outputs=("output", "argmax"), ranks="4")
def max_pool_with_argmax(
    x: Array,
    *,
    ksize: Ints,
    strides: Ints,
    padding: str,
    Targmax: DType = INT64,
    include_batch_in_index: bool = False,
) -> tuple[Array, Array]:
    """Greatest of each window, and its place in the flattened image
    (tf.nn.max_pool_with_argmax): the first of equals; NaN wins if it is the first."""
    if not x.size:
        raise ValueError(f"shape {x.shape} is empty: nothing to find in it")
    best, where = find(x, ksize, strides, padding)
    if not include_batch_in_index:
        where = where % x[0].size
    return best, where.astype(Targmax.numpy)


def _mean(x: Array, ksize: Ints, strides: Ints, padding: str, data_format: str) -> Array:
    image = wide(channels_last(x, data_format))
    sizes, steps = window(ksize, strides, x.ndim, data_format)
    if sizes[-1] > 1 or steps[-1] > 1:
        raise ValueError("the mean over channels is not possible")
    around, outs = places(image, sizes[1:-1], steps[1:-1], padding)
    flat = (sizes[1:-1], steps[1:-1], [1] * len(outs), outs)
    total = np.zeros((len(x), *outs, image.shape[-1]), image.dtype)
    for _, under in taps(pad(image, around), *flat):
        total += under
    inside = pad(np.ones((1, *image.shape[1:-1], 1), image.dtype), around)
    count = sum((under for _, under in taps(inside, *flat)), start=np.zeros((), image.dtype))
    return channels_as((total / count).astype(x.dtype), data_format)


@op("AvgPool", type=_pool_type, exact=True, ranks="4")
def avg_pool(
    x: Array, *, ksize: Ints, strides: Ints, padding: str, data_format: str = "NHWC"
) -> Array:
    """Mean of each window, padding not counted (tf.nn.avg_pool2d)."""
    return _mean(x, ksize, strides, padding, data_format)


@op("AvgPool3D", type=_pool_type, exact=True, ranks="5")
def avg_pool3d(
    x: Array, *, ksize: Ints, strides: Ints, padding: str, data_format: str = "NDHWC"
) -> Array:
    """Mean of each window over three axes, padding not counted (tf.nn.avg_pool3d)."""
    return _mean(x, ksize, strides, padding, data_format)


# Fractional pooling


def _cuts(n: int, out: int, pseudo_random: bool, state: State, seeds: tuple[int, int]) -> Array:
    """Where `out` regions of nearly equal size begin on an axis of `n`, and its end."""
    if not 1 <= out <= n:
        raise ValueError(f"an axis of {n} cannot be pooled to {out}")
    if pseudo_random:
        ratio, least = n / out, n // out
        most = min((least + 2) / ratio - 1, (n + 1 - least) / ratio - (out - 1))
        start = uniform(state.reserve(*seeds, 1), 1, np.dtype(np.float64))[0] * most
        inner = np.ceil(ratio * (np.arange(1, out) + start)).astype(np.int64) - 1
        return np.concatenate([[0], inner, [n]])
    sizes = np.full(out, n // out, np.int64)
    sizes[: n % out] += 1
    shuffled = sizes[permutation(state.reserve(*seeds, -(-out // 4)), out)]
    return np.concatenate([[0], np.cumsum(shuffled)])


def _fractions(
    x: Array,
    pooling_ratio: Sequence[float],
    pseudo_random: bool,
    seeds: tuple[int, int],
    state: State | None,
    deterministic: bool,
) -> tuple[Array, Array]:
    """Cuts of rows and of columns; always those of the first call where `deterministic`."""
    if x.ndim != 4 or len(pooling_ratio) != 4 or pooling_ratio[0] != 1 or pooling_ratio[3] != 1:
        raise ValueError(
            f"pooling_ratio {list(pooling_ratio)} of image {x.shape}: should be "
            "[1, rows, columns, 1] of (n, h, w, c)"
        )
    if 0 in x.shape:
        raise ValueError(f"image {x.shape} is empty")
    drawn = State() if state is None or (deterministic and any(seeds)) else state
    outs = [int(np.float32(n) / np.float32(r)) for n, r in zip(x.shape, pooling_ratio, strict=True)]
    rows = _cuts(x.shape[1], outs[1], pseudo_random, drawn, seeds)
    return rows, _cuts(x.shape[2], outs[2], pseudo_random, drawn, seeds)


def regions(x: Array, rows: Array, columns: Array, overlapping: bool) -> list[list[Array]]:
    """The parts of images between cuts, with the next row and column too where `overlapping`."""
    more = int(overlapping)
    return [
        [x[:, top : bottom + more, left : right + more] for left, right in pairwise(columns)]
        for top, bottom in pairwise(rows)
    ]


def _fractional_type(c: Inference) -> list[ValueType]:
    x = spatial_shape(c, 0, 4, "NHWC")
    ratio = c.attrs["pooling_ratio"]
    outs = [
        int(np.float32(n) / np.float32(r)) if isinstance(n, int) else c.fresh()
        for n, r in zip(x[1:3], ratio[1:3], strict=True)
    ]
    cuts = [ValueType(INT64, (n + 1,)) for n in outs]
    return [ValueType(c.inputs[0].dtype, (x[0], *outs, x[3])), *cuts]


_FRACTIONAL = ("output", "row_pooling_sequence", "col_pooling_sequence")


@op(
    "FractionalMaxPool",
    type=_fractional_type,
    effect=RANDOM,
    outputs=_FRACTIONAL,
    exact=True,
    ranks="4",
)
def fractional_max_pool(
    x: Array,
    *,
    pooling_ratio: Sequence[float],
    pseudo_random: bool = False,
    overlapping: bool = False,
    deterministic: bool = False,
    seed: int = 0,
    seed2: int = 0,
    state: State | None = None,
) -> tuple[Array, Array, Array]:
    """Greatest of regions of random, nearly equal sizes
    (tf.nn.fractional_max_pool; Graham 2014)."""
    cuts = _fractions(x, pooling_ratio, pseudo_random, (seed, seed2), state, deterministic)
    start = lowest(x.dtype)
    best = [
        [np.fmax.reduce(region, axis=(1, 2), initial=start) for region in row]
        for row in regions(x, *cuts, overlapping)
    ]
    return (np.moveaxis(np.array(best, x.dtype), 2, 0), *cuts)


@op("FractionalAvgPool", type=_fractional_type, effect=RANDOM, outputs=_FRACTIONAL, ranks="4")
def fractional_avg_pool(
    x: Array,
    *,
    pooling_ratio: Sequence[float],
    pseudo_random: bool = False,
    overlapping: bool = False,
    deterministic: bool = False,
    seed: int = 0,
    seed2: int = 0,
    state: State | None = None,
) -> tuple[Array, Array, Array]:
    """Mean of regions of random, nearly equal sizes (tf.nn.fractional_avg_pool; Graham 2014)."""
    cuts = _fractions(x, pooling_ratio, pseudo_random, (seed, seed2), state, deterministic)
    mean = [[_truncated_mean(region) for region in row] for row in regions(x, *cuts, overlapping)]
    return (np.moveaxis(np.array(mean, x.dtype), 2, 0), *cuts)


def _truncated_mean(region: Array) -> Array:
    """Mean over rows and columns; of integers without the fraction, as C divides."""
    total = region.sum(axis=(1, 2), dtype=region.dtype)
    mean = total / (region.shape[1] * region.shape[2])
    return np.trunc(mean) if region.dtype.kind == "i" else mean
