"""Gradients by the filters of convolutions, and of dilation; those by images are in `conv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import ValueType
from .conv import dilation_sums, steps
from .nn import wide
from .registry import op
from .rules import Inference, same, shape_vector
from .windows import (
    axes,
    channels_last,
    check_size,
    explicit_space,
    pad,
    taps,
)

Array = NDArray[Any]
Ints = Sequence[int]


def filter_gradient(
    x: Array,
    sizes: Sequence[int],
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str,
    dilations: Ints | None = None,
    depthwise: bool = False,
) -> Array:
    """What each place of a filter of shape `sizes` met of the image, times what came of it, summed.

    Raises ValueError where image, filter and gradient do not fit together.
    """
    image, rows = wide(channels_last(x, data_format)), wide(channels_last(dy, data_format))
    if len(sizes) != x.ndim or x.ndim != dy.ndim or any(n < 0 for n in sizes):
        raise ValueError(f"filter {list(sizes)}, image {x.shape}, gradient {dy.shape} do not fit")
    window, (inner, outer) = list(sizes[:-2]), sizes[-2:]
    step = steps(strides, x.ndim, data_format, "strides")
    spread = steps(dilations, x.ndim, data_format, "dilations")
    explicit = explicit_space(explicit_paddings, data_format)
    around = axes(image.shape[1:-1], window, step, spread, padding, explicit)
    outs = [a.out for a in around]
    channels = image.shape[-1]
    groups = channels if depthwise else channels // max(1, inner)
    made = inner * outer if depthwise else outer
    wanted = (len(x), *outs, made)
    fits = channels == inner if depthwise else channels == inner * groups
    if rows.shape != wanted or not fits or made % max(1, groups):
        raise ValueError(
            f"gradient {rows.shape} does not fit image {image.shape} under filter {list(sizes)}, "
            f"which make {wanted}"
        )
    check_size(sizes)
    result = np.zeros(sizes, image.dtype)
    parts = rows.reshape(-1, groups, made // max(1, groups))
    for at, under in taps(pad(image, around), window, step, spread, outs):
        met = under.reshape(len(parts), groups, channels // max(1, groups))
        product = np.matmul(met.transpose(1, 2, 0), parts.transpose(1, 0, 2))
        result[at] = product.transpose(1, 0, 2).reshape(sizes[-2:])
    return result.astype(x.dtype, copy=False)


def _spelled_type(c: Inference) -> ValueType:
    """A filter of the shape that input 1 spells."""
    return ValueType(c.inputs[0].dtype, shape_vector(c, 1))


@op("Conv2DBackpropFilter", type=_spelled_type, ranks="414")
def conv2d_backprop_filter(
    x: Array,
    filter_sizes: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
    dilations: Ints = (1, 1, 1, 1),
) -> Array:
    """The gradient of Conv2D by its filter (tf.raw_ops.Conv2DBackpropFilter)."""
    return filter_gradient(
        x,
        filter_sizes.tolist(),
        dy,
        strides=strides,
        padding=padding,
        explicit_paddings=explicit_paddings,
        data_format=data_format,
        dilations=dilations,
    )


@op("Conv3DBackpropFilterV2", type=_spelled_type, ranks="515")
def conv3d_backprop_filter(
    x: Array,
    filter_sizes: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    data_format: str = "NDHWC",
    dilations: Ints = (1, 1, 1, 1, 1),
) -> Array:
    """The gradient of Conv3D by its filter (tf.raw_ops.Conv3DBackpropFilterV2)."""
    return filter_gradient(
        x,
        filter_sizes.tolist(),
        dy,
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilations=dilations,
    )


@op(
    "Conv3DBackpropFilter",
    type=lambda c: ValueType(c.inputs[0].dtype, c.inputs[1].shape),
    ranks="555",
)
def conv3d_backprop_filter_v1(
    x: Array,
    weights: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    dilations: Ints = (1, 1, 1, 1, 1),
) -> Array:
    """As Conv3DBackpropFilterV2; the shape is that of the second input."""
    return filter_gradient(
        x,
        weights.shape,
        dy,
        strides=strides,
        padding=padding,
        data_format="NDHWC",
        dilations=dilations,
    )


@op("DepthwiseConv2dNativeBackpropFilter", type=_spelled_type, ranks="414")
def depthwise_backprop_filter(
    x: Array,
    filter_sizes: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
    dilations: Ints = (1, 1, 1, 1),
) -> Array:
    """The gradient of DepthwiseConv2dNative by its filter
    (tf.nn.depthwise_conv2d_backprop_filter).

    TensorFlow's kernel does not look at `dilations`.
    """
    return filter_gradient(
        x,
        filter_sizes.tolist(),
        dy,
        strides=strides,
        padding=padding,
        explicit_paddings=explicit_paddings,
        data_format=data_format,
        depthwise=True,
    )


# Dilation


def _greatest(
    x: Array, weights: Array, dy: Array, strides: Ints, rates: Ints, padding: str
) -> tuple[Array, Array]:
    """Where each output of Dilation2D was found, in the image and in the filter, as flat places;
    the first of equals. Raises ValueError where the gradient has another shape."""
    best, first, sums = dilation_sums(x, weights, strides, rates, padding)
    if dy.shape != best.shape:
        raise ValueError(f"a gradient of shape {dy.shape} for an output of shape {best.shape}")
    in_image, in_filter = np.broadcast_to(first, best.shape), np.zeros(best.shape, np.int64)
    for at, place, total in sums:
        better = (place >= 0) & (total > best)
        best = np.where(better, total, best)
        in_image = np.where(better, place, in_image)
        in_filter = np.where(better, at[0] * weights.shape[1] + at[1], in_filter)
    return in_image, in_filter


@op("Dilation2DBackpropInput", type=same, ranks="434")
def dilation2d_backprop_input(
    x: Array, weights: Array, dy: Array, *, strides: Ints, rates: Ints, padding: str
) -> Array:
    """The gradient of Dilation2D by its image: all goes to where the greatest sum was."""
    places, _ = _greatest(x, weights, dy, strides, rates, padding)
    result = np.zeros((len(x), x.shape[1] * x.shape[2], x.shape[3]), x.dtype)
    rows = np.arange(len(x))[:, None, None, None]
    np.add.at(result, (rows, places, np.arange(x.shape[3])), dy)
    return result.reshape(x.shape)


@op("Dilation2DBackpropFilter", type=lambda c: c.inputs[1], ranks="434")
def dilation2d_backprop_filter(
    x: Array, weights: Array, dy: Array, *, strides: Ints, rates: Ints, padding: str
) -> Array:
    """The gradient of Dilation2D by its filter."""
    _, places = _greatest(x, weights, dy, strides, rates, padding)
    result = np.zeros((weights.shape[0] * weights.shape[1], weights.shape[2]), x.dtype)
    np.add.at(result, (places, np.arange(x.shape[3])), dy)
    return result.reshape(weights.shape)
