"""Gradients of pooling, and gradients of those."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, DType
from ..graph.types import ValueType
from .nn import wide
from .pool import find, places, regions, window
from .registry import op
from .rules import Inference, same, shape_vector
from .windows import channels_as, channels_last, check_size, explicit_space, last, pad, taps

Array = NDArray[Any]
Ints = Sequence[int]


def _check_gradient(grad: Array, shape: tuple[int, ...]) -> None:
    if grad.shape != shape:
        raise ValueError(f"a gradient of shape {grad.shape} for an output of shape {shape}")


# Means


def _mean_gradient(
    spelled: Array, grad: Array, ksize: Ints, strides: Ints, padding: str, data_format: str
) -> Array:
    """Every pixel's share of the means that it is part of."""
    rows = wide(channels_last(grad, data_format))
    shape = last(spelled.tolist(), data_format)
    sizes, steps = window(ksize, strides, grad.ndim, data_format)
    if len(shape) != grad.ndim or min(shape) < 0 or sizes[-1] > 1 or steps[-1] > 1:
        raise ValueError(f"ksize {list(ksize)}, strides {list(strides)} do not fit image {shape}")
    check_size(shape)
    ones = np.ones((1, *shape[1:-1], 1), rows.dtype)
    around, outs = places(ones, sizes[1:-1], steps[1:-1], padding)
    _check_gradient(rows, (shape[0], *outs, shape[-1]))
    flat = (sizes[1:-1], steps[1:-1], [1] * len(outs), outs)
    count = sum(
        (under for _, under in taps(pad(ones, around), *flat)), start=np.zeros((), rows.dtype)
    )
    padded = pad(np.broadcast_to(np.zeros((), rows.dtype), shape), around)
    image = np.array(padded)
    for _, under in taps(image, *flat):
        under += rows / count
    middle = [slice(a.before, a.before + n) for a, n in zip(around, shape[1:-1], strict=True)]
    return channels_as(image[(slice(None), *middle)].astype(grad.dtype), data_format)


def _spelled_type(c: Inference) -> ValueType:
    return ValueType(c.inputs[1].dtype, shape_vector(c, 0))


@op("AvgPoolGrad", type=_spelled_type, ranks="14")
def avg_pool_grad(
    orig_input_shape: Array,
    grad: Array,
    *,
    ksize: Ints,
    strides: Ints,
    padding: str,
    data_format: str = "NHWC",
) -> Array:
    """The gradient of AvgPool by its image (tf.raw_ops.AvgPoolGrad)."""
    return _mean_gradient(orig_input_shape, grad, ksize, strides, padding, data_format)


@op("AvgPool3DGrad", type=_spelled_type, ranks="15")
def avg_pool3d_grad(
    orig_input_shape: Array,
    grad: Array,
    *,
    ksize: Ints,
    strides: Ints,
    padding: str,
    data_format: str = "NDHWC",
) -> Array:
    """The gradient of AvgPool3D by its image (tf.raw_ops.AvgPool3DGrad)."""
    return _mean_gradient(orig_input_shape, grad, ksize, strides, padding, data_format)


# Maxima


def _scattered(image: Array, where: Array, share: Array) -> Array:
    """Zeros shaped as `image`, where each of `share` is added at its flat place."""
    result = np.zeros(image.size, image.dtype)
    np.add.at(result, where.ravel(), share.ravel())
    return result.reshape(image.shape)


def _max_gradient(
    x: Array,
    grad: Array,
    ksize: Ints,
    strides: Ints,
    padding: str,
    data_format: str,
    explicit: Ints = (),
) -> Array:
    image = channels_last(x, data_format)
    around = explicit_space(explicit, data_format)
    _, where = find(image, last(ksize, data_format), last(strides, data_format), padding, around)
    share = channels_last(grad, data_format)
    _check_gradient(share, where.shape)
    return channels_as(_scattered(image, where, share), data_format)


@op("MaxPoolGrad", type=same, exact=True, ranks="4")
def max_pool_grad(
    x: Array,
    y: Array,
    grad: Array,
    *,
    ksize: Ints,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
) -> Array:
    """Each of `grad` goes to where MaxPool found its output; used for unpooling too.

    `y`, the output, is not needed.
    """
    return _max_gradient(x, grad, ksize, strides, padding, data_format, explicit_paddings)


@op("MaxPoolGradV2", type=same, exact=True, ranks="4..11")
def max_pool_grad_v2(
    x: Array,
    y: Array,
    grad: Array,
    ksize: Array,
    strides: Array,
    *,
    padding: str,
    data_format: str = "NHWC",
) -> Array:
    """As MaxPoolGrad; window and strides are inputs."""
    return _max_gradient(x, grad, ksize.tolist(), strides.tolist(), padding, data_format)


@op("MaxPoolGradWithArgmax", type=same, exact=True, ranks="4")
def max_pool_grad_with_argmax(
    x: Array,
    grad: Array,
    argmax: Array,
    *,
    ksize: Ints,
    strides: Ints,
    padding: str,
    include_batch_in_index: bool = False,
    Targmax: DType = INT64,
) -> Array:
    """Each of `grad` goes to the place that `argmax` names (tf.raw_ops.MaxPoolGradWithArgmax)."""
    _check_gradient(grad, argmax.shape)
    base = 0 if include_batch_in_index or not len(x) else x.size // len(x)
    where = argmax + (np.arange(len(argmax)) * base).reshape(-1, *[1] * (argmax.ndim - 1))
    if np.any((where < 0) | (where >= x.size)):
        raise ValueError(f"argmax holds places outside of an image of shape {x.shape}")
    return _scattered(x, where, grad)


def _equals(
    x: Array, y: Array, ksize: Ints, strides: Ints, padding: str, *others: Array
) -> Iterator[tuple[Array, ...]]:
    """For each tap of the windows over channels-last `x`: where it equals the output `y`, and what
    of each of `others`, padded as `x` is, lies under it."""
    sizes, steps = window(ksize, strides, x.ndim, "NHWC")
    around, outs = places(x, sizes[1:-1], steps[1:-1], padding)
    _check_gradient(y, (len(x), *outs, x.shape[-1]))
    flat = (sizes[1:-1], steps[1:-1], [1] * len(outs), outs)
    inside = pad(np.ones((1, *x.shape[1:-1], 1), bool), around, False)
    for tap in zip(*(taps(a, *flat) for a in (inside, pad(x, around), *others)), strict=True):
        (_, real), (_, under), *rest = tap
        yield (real & (under == y), *(part for _, part in rest))


def _padded(x: Array, ksize: Ints, strides: Ints, padding: str) -> tuple[Array, tuple[slice, ...]]:
    """Channels-last `x` under the padding of the windows, and where `x` itself lies in it."""
    sizes, steps = window(ksize, strides, x.ndim, "NHWC")
    around, _ = places(x, sizes[1:-1], steps[1:-1], padding)
    middle = (slice(a.before, a.before + n) for a, n in zip(around, x.shape[1:-1], strict=True))
    return np.array(pad(x, around)), (slice(None), *middle)


@op("MaxPool3DGrad", type=same, ranks="555")
def max_pool3d_grad(
    x: Array,
    y: Array,
    grad: Array,
    *,
    ksize: Ints,
    strides: Ints,
    padding: str,
    data_format: str = "NDHWC",
) -> Array:
    """Each of `grad` goes to all elements of its window that equal the output `y`
    (tf.raw_ops.MaxPool3DGrad)."""
    image, found, share = (channels_last(a, data_format) for a in (x, y, grad))
    _check_gradient(share, found.shape)
    where = last(ksize, data_format), last(strides, data_format), padding
    result, middle = _padded(np.zeros_like(image), *where)
    for equal, under in _equals(image, found, *where, result):
        under += np.where(equal, share, share.dtype.type(0))
    return channels_as(result[middle], data_format)


def _picked(
    x: Array, y: Array, grad: Array, ksize: Ints, strides: Ints, padding: str, data_format: str
) -> Array:
    """What of `grad`, shaped as `x`, stands where each window first equals its output `y`."""
    image, found, share = (channels_last(a, data_format) for a in (x, y, grad))
    _check_gradient(share, image.shape)
    where = last(ksize, data_format), last(strides, data_format), padding
    result = np.zeros(found.shape, grad.dtype)
    left = np.ones(found.shape, bool)
    for equal, under in _equals(image, found, *where, _padded(share, *where)[0]):
        result = np.where(equal & left, under, result)
        left &= ~equal
    return channels_as(result, data_format)


@op("MaxPoolGradGrad", type=lambda c: c.inputs[1], exact=True, ranks="444")
def max_pool_grad_grad(
    x: Array,
    y: Array,
    grad: Array,
    *,
    ksize: Ints,
    strides: Ints,
    padding: str,
    data_format: str = "NHWC",
) -> Array:
    """The gradient of MaxPoolGrad: what of `grad` stands where the maxima were."""
    return _picked(x, y, grad, ksize, strides, padding, data_format)


@op("MaxPool3DGradGrad", type=lambda c: c.inputs[1], exact=True, ranks="555")
def max_pool3d_grad_grad(
    x: Array,
    y: Array,
    grad: Array,
    *,
    ksize: Ints,
    strides: Ints,
    padding: str,
    data_format: str = "NDHWC",
) -> Array:
    """The gradient of MaxPool3DGrad: what of `grad` stands where the maxima were."""
    if not x.size:
        raise ValueError(f"image {x.shape} is empty")
    return _picked(x, y, grad, ksize, strides, padding, data_format)


@op("MaxPoolGradGradV2", type=lambda c: c.inputs[1], exact=True, ranks="44411")
def max_pool_grad_grad_v2(
    x: Array,
    y: Array,
    grad: Array,
    ksize: Array,
    strides: Array,
    *,
    padding: str,
    data_format: str = "NHWC",
) -> Array:
    """As MaxPoolGradGrad; window and strides are inputs."""
    return _picked(x, y, grad, ksize.tolist(), strides.tolist(), padding, data_format)


# Fractional pooling


def _regions(
    x: Array, rows: Array, columns: Array, overlapping: bool, shape: tuple[int, ...]
) -> Iterator[tuple[int, int, Array]]:
    """The regions of images between cuts, as views, and which place of the output each is."""
    if not x.size:
        raise ValueError(f"image {x.shape} is empty")
    if (len(x), len(rows) - 1, len(columns) - 1, x.shape[3]) != shape:
        raise ValueError(f"an output of shape {shape} for an image of shape {x.shape} and cuts")
    for i, line in enumerate(regions(x, rows, columns, overlapping)):
        for j, part in enumerate(line):
            if 0 in part.shape[1:3]:
                raise ValueError(f"cuts {rows.tolist()}, {columns.tolist()} leave a region empty")
            yield i, j, part


@op("FractionalMaxPoolGrad", type=same, exact=True, ranks="44411")
def fractional_max_pool_grad(
    x: Array,
    y: Array,
    grad: Array,
    rows: Array,
    columns: Array,
    *,
    overlapping: bool = False,
) -> Array:
    """Each of `grad` goes to where FractionalMaxPool found its output `y`; the first of equals."""
    _check_gradient(grad, y.shape)
    result = np.zeros_like(x)
    shares = _regions(result, rows, columns, overlapping, y.shape)
    for (i, j, part), (_, _, share) in zip(
        _regions(x, rows, columns, overlapping, y.shape), shares, strict=True
    ):
        flat = part.reshape(len(x), -1, x.shape[3])
        best, where = flat[:, 0], np.zeros(flat[:, 0].shape, np.int64)
        for k in range(1, flat.shape[1]):
            better = flat[:, k] > best
            best, where = np.where(better, flat[:, k], best), np.where(better, k, where)
        if not np.array_equal(best, y[:, i, j]):
            raise ValueError("the output is not what FractionalMaxPool gives for image and cuts")
        at = np.unravel_index(where, part.shape[1:3])
        share[np.arange(len(x))[:, None], *at, np.arange(x.shape[3])] += grad[:, i, j]
    return result


@op("FractionalAvgPoolGrad", type=_spelled_type, ranks="1411")
def fractional_avg_pool_grad(
    orig_input_tensor_shape: Array,
    grad: Array,
    rows: Array,
    columns: Array,
    *,
    overlapping: bool = False,
) -> Array:
    """The gradient of FractionalAvgPool: each of `grad` is shared by its region."""
    shape = orig_input_tensor_shape.tolist()
    if len(shape) != 4 or min(shape) < 0:
        raise ValueError(f"the shape {shape} is not that of images")
    check_size(shape)
    result = np.zeros(shape)
    for i, j, part in _regions(result, rows, columns, overlapping, grad.shape):
        part += (grad[:, i, j] / (part.shape[1] * part.shape[2]))[:, None, None]
    return result.astype(grad.dtype)
