"""Convolutions of every rank, depthwise and transposed ones, and morphological dilation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import Extent, ValueType
from .nn import wide
from .registry import op
from .rules import Inference, merge_extents
from .windows import (
    axes,
    channels_as,
    channels_last,
    check_size,
    explicit_space,
    extents,
    lowest,
    pad,
    shape_as,
    spatial,
    spatial_shape,
    taps,
)

Array = NDArray[Any]
Ints = Sequence[int]


def steps(values: Ints | None, rank: int, data_format: str, what: str) -> list[int]:
    """Strides or dilations along the axes of space.

    Raises ValueError where batch or channels have one.
    """
    if not values:
        return [1] * (rank - 2)
    if len(values) != rank:
        raise ValueError(f"{what} {list(values)} should have {rank} entries")
    inner = spatial(values, data_format)
    if np.prod(np.array(values, object)) != np.prod(np.array(inner, object)):
        raise ValueError(f"{what} {list(values)} should be 1 for batch and channels")
    return inner


# Convolution


def _product(rows: Array, weights: Array) -> Array:
    """``rows @ weights`` for weights (c / groups, o) and rows (..., c)."""
    groups = rows.shape[-1] // max(1, weights.shape[0])
    if groups == 1:
        flat = rows.reshape(-1, rows.shape[-1]) @ weights
        return flat.reshape(*rows.shape[:-1], weights.shape[1])
    split = rows.reshape(*rows.shape[:-1], groups, 1, weights.shape[0])
    per_group = np.moveaxis(weights.reshape(weights.shape[0], groups, -1), 1, 0)
    return np.matmul(split, per_group).reshape(*rows.shape[:-1], weights.shape[1])


def convolve(
    x: Array,
    weights: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str,
    dilations: Ints | None = None,
) -> Array:
    """The convolution of any rank: a sum over the taps of matrix products.

    x (n, space ..., c) or (n, c, space ...), weights (space ..., c / groups, o) -> the layout of x.
    Raises ValueError where shapes or attributes do not fit together.
    """
    if x.ndim != weights.ndim:
        raise ValueError(f"ranks of image {x.shape} and filter {weights.shape} should be equal")
    image, kernel = wide(channels_last(x, data_format)), wide(weights)
    inner, outer = kernel.shape[-2:]
    channels = image.shape[-1]
    if not inner or channels % inner or outer % (channels // inner or 1):
        raise ValueError(f"{channels} channels do not fit a filter of shape {weights.shape}")
    step = steps(strides, x.ndim, data_format, "strides")
    spread = steps(dilations, x.ndim, data_format, "dilations")
    sizes = kernel.shape[:-2]
    around = axes(
        image.shape[1:-1],
        sizes,
        step,
        spread,
        padding,
        explicit_space(explicit_paddings, data_format),
    )
    outs = [a.out for a in around]
    check_size([len(x), *outs, outer])
    total = np.zeros((len(x), *outs, outer), image.dtype)
    for at, rows in taps(pad(image, around), sizes, step, spread, outs):
        total += _product(rows, kernel[at])
    return channels_as(total.astype(x.dtype, copy=False), data_format)


def _conv_type(c: Inference) -> ValueType:
    rank = 5 if "DHW" in c.attrs["data_format"] else 4
    return convolved(c, rank, c.attrs["data_format"])


def convolved(c: Inference, rank: int, data_format: str, depthwise: bool = False) -> ValueType:
    """What a convolution of inputs 0 and 1 gives, for a node with its attributes."""
    x = spatial_shape(c, 0, rank, data_format)
    weights = spatial_shape(c, 1, rank, "NHWC")
    step = steps(c.attrs["strides"], rank, data_format, "strides")
    spread = steps(c.attrs.get("dilations"), rank, data_format, "dilations")
    explicit = explicit_space(c.attrs.get("explicit_paddings", ()), data_format)
    outs = extents(c, x[1:-1], weights[:-2], step, spread, c.attrs["padding"], explicit)
    inner, outer = weights[-2:]
    if depthwise:
        merge_extents(x[-1], inner)
        outer = inner * outer
    elif isinstance(inner, int) and isinstance(x[-1], int) and (not inner or x[-1] % inner):
        raise ValueError(f"{x[-1]} channels do not fit a filter for {inner}")
    return ValueType(c.inputs[0].dtype, shape_as((x[0], *outs, outer), data_format))


@op("Conv2D", type=_conv_type, ranks="44")
def conv2d(
    x: Array,
    weights: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
    dilations: Ints = (1, 1, 1, 1),
) -> Array:
    """Convolution (tf.nn.conv2d): weights (h, w, c / groups, o), dilated and grouped too."""
    return convolve(
        x,
        weights,
        strides=strides,
        padding=padding,
        data_format=data_format,
        explicit_paddings=explicit_paddings,
        dilations=dilations,
    )


@op("Conv3D", type=_conv_type, ranks="55")
def conv3d(
    x: Array,
    weights: Array,
    *,
    strides: Ints,
    padding: str,
    data_format: str = "NDHWC",
    dilations: Ints = (1, 1, 1, 1, 1),
) -> Array:
    """Convolution over three axes (tf.nn.conv3d): weights (d, h, w, c, o)."""
    return convolve(
        x, weights, strides=strides, padding=padding, data_format=data_format, dilations=dilations
    )


def _layout(data_format: str, rank: int) -> str:
    if data_format not in ("CHANNELS_FIRST", "CHANNELS_LAST"):
        raise ValueError(f"data_format {data_format!r} is neither CHANNELS_FIRST nor CHANNELS_LAST")
    space = "DHW"[5 - rank :]
    return f"NC{space}" if data_format == "CHANNELS_FIRST" else f"N{space}C"


def _conv_nd_type(c: Inference) -> ValueType:
    shape = c.inputs[1].shape
    if shape is None or c.attrs["batch_dims"] != 1:
        return ValueType(c.inputs[0].dtype)
    return convolved(c, len(shape), _layout(c.attrs["data_format"], len(shape)))


@op("Conv", type=_conv_nd_type)
def conv(
    x: Array,
    weights: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "CHANNELS_LAST",
    dilations: Ints = (),
    batch_dims: int = 1,
    groups: int = 1,
) -> Array:
    """Convolution over two or three axes; axes of the batch may be several (tf.raw_ops.Conv)."""
    batch = x.shape[:batch_dims]
    rows = x.reshape(-1, *x.shape[batch_dims:])
    y = convolve(
        rows,
        weights,
        strides=strides,
        padding=padding,
        dilations=dilations,
        explicit_paddings=explicit_paddings,
        data_format=_layout(data_format, rows.ndim),
    )
    return y.reshape(*batch, *y.shape[1:])


def depthwise_type(c: Inference) -> ValueType:
    """What a depthwise convolution of inputs 0 and 1 gives."""
    return convolved(c, 4, c.attrs["data_format"], depthwise=True)


@op("DepthwiseConv2dNative", type=depthwise_type, ranks="44")
def depthwise_conv2d(
    x: Array,
    weights: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
    dilations: Ints = (1, 1, 1, 1),
) -> Array:
    """Convolution of each channel by itself (tf.nn.depthwise_conv2d).

    weights (h, w, c, multiplier); output channel c * multiplier + m is input channel c under
    filter m.
    """
    image, kernel = wide(channels_last(x, data_format)), wide(weights)
    if kernel.ndim != 4 or image.ndim != 4 or kernel.shape[2] != image.shape[-1]:
        raise ValueError(f"image {x.shape} ({data_format}) does not fit filter {weights.shape}")
    step = steps(strides, 4, data_format, "strides")
    spread = steps(dilations, 4, data_format, "dilations")
    around = axes(
        image.shape[1:-1],
        kernel.shape[:2],
        step,
        spread,
        padding,
        explicit_space(explicit_paddings, data_format),
    )
    outs = [a.out for a in around]
    check_size([len(x), *outs, *kernel.shape[2:]])
    total = np.zeros((len(x), *outs, *kernel.shape[2:]), image.dtype)
    for at, under in taps(pad(image, around), kernel.shape[:2], step, spread, outs):
        total += under[..., None] * kernel[at]
    y = total.reshape(*total.shape[:3], kernel.shape[2] * kernel.shape[3])
    return channels_as(y.astype(x.dtype, copy=False), data_format)


# Transposed convolution


def _full_shape(sizes: Array, channels: int, dy: Array, data_format: str) -> list[int]:
    """Channels-last shape that ``input_sizes`` spells: all axes, or those of space alone."""
    shape = [int(n) for n in sizes]
    if len(shape) == dy.ndim:
        space = spatial(shape, data_format)
        given = shape[1] if data_format.startswith("NC") else shape[-1]
        if shape[0] not in (-1, len(dy)):
            raise ValueError(f"a batch of {shape[0]} was asked for and there are {len(dy)}")
        channels = channels if given == -1 else given
    elif len(shape) == dy.ndim - 2:
        space = shape
    else:
        raise ValueError(f"input_sizes {shape} does not fit rank {dy.ndim}")
    return [len(dy), *space, channels]


def deconvolve(
    sizes: Array,
    weights: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str,
    dilations: Ints | None = None,
    depthwise: bool = False,
) -> Array:
    """The transpose of `convolve`: what of the image each output touched, summed.

    `sizes` is the shape of the image; weights as for the convolution; dy is shaped as its output.
    Raises ValueError where they do not fit together.
    """
    rows, kernel = wide(channels_last(dy, data_format)), wide(weights)
    inner, outer = kernel.shape[-2:]
    shape = _full_shape(sizes, inner, rows, data_format)
    step = steps(strides, dy.ndim, data_format, "strides")
    spread = steps(dilations, dy.ndim, data_format, "dilations")
    window = kernel.shape[:-2]
    around = axes(
        shape[1:-1], window, step, spread, padding, explicit_space(explicit_paddings, data_format)
    )
    outs = [a.out for a in around]
    groups = 1 if depthwise else shape[-1] // max(1, inner)
    wanted = [len(dy), *outs, inner * outer if depthwise else outer]
    if list(rows.shape) != wanted or shape[-1] != inner * groups or outer % max(1, groups):
        raise ValueError(
            f"shape {list(rows.shape)} does not fit image {shape} under filter "
            f"{weights.shape}, which make {wanted}"
        )
    padded = [n + a.before + a.after for n, a in zip(shape[1:-1], around, strict=True)]
    check_size([shape[0], *padded, shape[-1]])
    image = np.zeros((shape[0], *padded, shape[-1]), rows.dtype)
    for at, under in taps(image, window, step, spread, outs):
        if depthwise:
            under += (rows.reshape(*rows.shape[:-1], inner, outer) * kernel[at]).sum(axis=-1)
        else:
            per_group = np.moveaxis(kernel[at].reshape(inner, groups, -1), 0, 2)
            under += (
                _product(rows, per_group.reshape(-1, inner))
                if groups == 1
                else (_transposed_groups(rows, per_group))
            )
    middle = tuple(slice(a.before, a.before + n) for n, a in zip(shape[1:-1], around, strict=True))
    return channels_as(image[(slice(None), *middle)].astype(dy.dtype, copy=False), data_format)


def _transposed_groups(rows: Array, per_group: Array) -> Array:
    """rows (..., o) times weights (groups, o / groups, c / groups) -> (..., c)."""
    split = rows.reshape(*rows.shape[:-1], len(per_group), 1, per_group.shape[1])
    shape = (*rows.shape[:-1], len(per_group) * per_group.shape[2])
    return np.matmul(split, per_group).reshape(shape)


def _transposed_type(c: Inference) -> ValueType:
    data_format = c.attrs["data_format"]
    rank = 5 if "DHW" in data_format else 4
    dy = spatial_shape(c, 2, rank, data_format)
    weights = spatial_shape(c, 1, rank, "NHWC")
    return ValueType(c.inputs[2].dtype, _image_shape(c, dy[0], weights[-2], rank, data_format))


def _image_shape(
    c: Inference, batch: Extent, channels: Extent, rank: int, data_format: str
) -> tuple[Extent, ...]:
    sizes = c.extents(0)
    if sizes is not None and len(sizes) == rank:
        sizes = [c.fresh() if isinstance(e, int) and e == -1 else e for e in sizes]
        given = sizes[1] if data_format.startswith("NC") else sizes[-1]
        return shape_as((batch, *spatial(sizes, data_format), given), data_format)
    if sizes is not None and len(sizes) == rank - 2:
        return shape_as((batch, *sizes, channels), data_format)
    return shape_as((batch, *(c.unknown(rank - 1) or ())), data_format)


@op("Conv2DBackpropInput", type=_transposed_type, ranks="144")
def conv2d_backprop_input(
    input_sizes: Array,
    weights: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
    dilations: Ints = (1, 1, 1, 1),
) -> Array:
    """Transposed convolution (tf.nn.conv2d_transpose).

    weights (h, w, c, o) and dy (..., o) give (..., c).
    """
    return deconvolve(
        input_sizes,
        weights,
        dy,
        strides=strides,
        padding=padding,
        explicit_paddings=explicit_paddings,
        data_format=data_format,
        dilations=dilations,
    )


def _transposed_like_type(c: Inference) -> ValueType:
    return ValueType(c.inputs[2].dtype, c.inputs[0].shape)


@op("Conv2DBackpropInputV2", type=_transposed_like_type)
def conv2d_backprop_input_v2(
    image: Array,
    weights: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
    dilations: Ints = (1, 1, 1, 1),
) -> Array:
    """As Conv2DBackpropInput; the shape is that of the first input."""
    return deconvolve(
        np.array(image.shape),
        weights,
        dy,
        strides=strides,
        padding=padding,
        explicit_paddings=explicit_paddings,
        data_format=data_format,
        dilations=dilations,
    )


@op("Conv3DBackpropInputV2", type=_transposed_type, ranks="1")
def conv3d_backprop_input(
    input_sizes: Array,
    weights: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    data_format: str = "NDHWC",
    dilations: Ints = (1, 1, 1, 1, 1),
) -> Array:
    """Transposed convolution over three axes (tf.nn.conv3d_transpose)."""
    return deconvolve(
        input_sizes,
        weights,
        dy,
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilations=dilations,
    )


@op("Conv3DBackpropInput", type=_transposed_like_type)
def conv3d_backprop_input_v1(
    image: Array,
    weights: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    dilations: Ints = (1, 1, 1, 1, 1),
) -> Array:
    """As Conv3DBackpropInputV2; the shape is that of the first input."""
    return deconvolve(
        np.array(image.shape),
        weights,
        dy,
        strides=strides,
        padding=padding,
        data_format="NDHWC",
        dilations=dilations,
    )


def _depthwise_transposed_type(c: Inference) -> ValueType:
    data_format = c.attrs["data_format"]
    dy = spatial_shape(c, 2, 4, data_format)
    inner = spatial_shape(c, 1, 4, "NHWC")[-2]
    return ValueType(c.inputs[2].dtype, _image_shape(c, dy[0], inner, 4, data_format))


@op("DepthwiseConv2dNativeBackpropInput", type=_depthwise_transposed_type, ranks="1")
def depthwise_backprop_input(
    input_sizes: Array,
    weights: Array,
    dy: Array,
    *,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
    dilations: Ints = (1, 1, 1, 1),
) -> Array:
    """The transpose of DepthwiseConv2dNative (tf.nn.depthwise_conv2d_backprop_input).

    TensorFlow's kernel does not look at `dilations`.
    """
    return deconvolve(
        input_sizes,
        weights,
        dy,
        strides=strides,
        padding=padding,
        explicit_paddings=explicit_paddings,
        data_format=data_format,
        dilations=(1, 1, 1, 1),
        depthwise=True,
    )


# Dilation


def _dilation_type(c: Inference) -> ValueType:
    x = spatial_shape(c, 0, 4, "NHWC")
    weights = spatial_shape(c, 1, 3, "NHWC")
    merge_extents(x[-1], weights[-1])
    step = steps(c.attrs["strides"], 4, "NHWC", "strides")
    spread = steps(c.attrs["rates"], 4, "NHWC", "rates")
    outs = extents(c, x[1:-1], weights[:-1], step, spread, c.attrs["padding"], fits=False)
    return ValueType(c.inputs[0].dtype, (x[0], *outs, x[-1]))


def dilation_sums(
    x: Array, weights: Array, strides: Ints, rates: Ints, padding: str
) -> tuple[Array, Array, Iterator[tuple[tuple[int, ...], Array, Array]]]:
    """What the maxima of Dilation2D start from, the first place of each window inside the image,
    and for each tap of the filter: its index, which place of the image lies under it, -1 for
    none, and the sums. Places are flat, of rows and columns."""
    step, spread = steps(strides, 4, "NHWC", "strides"), steps(rates, 4, "NHWC", "rates")
    rows, columns = x.shape[1:3]
    around = axes((rows, columns), weights.shape[:-1], step, spread, padding)
    outs = [a.out for a in around]
    check_size([len(x), *outs, x.shape[-1]])
    flat = pad(np.arange(rows * columns).reshape(1, rows, columns, 1), around, -1)
    top, left = (
        np.maximum(np.arange(n) * s - a.before, 0)
        for n, s, a in zip(outs, step, around, strict=True)
    )
    first = np.add.outer(top * columns, left)[None, :, :, None]
    under = (
        taps(image, weights.shape[:-1], step, spread, outs) for image in (pad(x, around), flat)
    )
    sums = ((at, place, part + weights[at]) for (at, part), (_, place) in zip(*under, strict=True))
    return np.full((len(x), *outs, x.shape[-1]), lowest(x.dtype), x.dtype), first, sums


@op("Dilation2D", type=_dilation_type, exact=True, ranks="43")
def dilation2d(x: Array, weights: Array, *, strides: Ints, rates: Ints, padding: str) -> Array:
    """Greatest sum of image and filter in each window (tf.nn.dilation2d): weights (h, w, c)."""
    best, _, sums = dilation_sums(x, weights, strides, rates, padding)
    for _, place, total in sums:
        best = np.where((place >= 0) & (total > best), total, best)
    return best
