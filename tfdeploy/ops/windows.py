"""Windows that slide over images: the arithmetic that convolution, pooling and patches share.

Arrays are channels-last here (batch, space ..., channels); `channels_last` and `channels_as` move
the axis for the layouts NCHW and NCDHW.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph.types import Extent, Shape
from .rules import Inference

Array = NDArray[Any]

_MOST = 2**31  # elements of a result: beyond it is a mistake, not a model
_MOST_PADDED = 2**28  # elements that padding may make of a small image
_MOST_TAPS = 2**22  # places in a window


def channels_first(data_format: str) -> bool:
    """Whether the channels are axis 1; raises ValueError for an unknown layout."""
    if data_format not in ("NHWC", "NCHW", "NDHWC", "NCDHW", "NWC", "NCW"):
        raise ValueError(f"data_format {data_format!r} is none of NHWC, NCHW, NDHWC, NCDHW")
    return data_format.startswith("NC")


def channels_last(x: Array, data_format: str) -> Array:
    """`x` as a channels-last view."""
    return np.moveaxis(x, 1, -1) if channels_first(data_format) else x


def channels_as(x: Array, data_format: str) -> Array:
    """Channels-last `x` in the layout `data_format`."""
    return np.moveaxis(x, -1, 1) if channels_first(data_format) else x


def spatial(values: Sequence[Any], data_format: str) -> list[Any]:
    """The entries of `values` (one per axis) that belong to the axes of space."""
    return list(values[2:] if channels_first(data_format) else values[1:-1])


def last(values: Sequence[Any], data_format: str) -> list[Any]:
    """The entries of `values` (one per axis) in channels-last order."""
    if channels_first(data_format):
        return [values[0], *values[2:], values[1]]
    return list(values)


class Axis(NamedTuple):
    """One axis under a window: padding on both sides, and how many positions the window takes."""

    before: int
    after: int
    out: int


def axis(
    n: int, size: int, stride: int, dilation: int, padding: str, explicit: Sequence[int] = (0, 0)
) -> Axis:
    """TensorFlow's padding arithmetic: SAME, VALID or EXPLICIT.

    Raises ValueError where sizes or paddings cannot be.
    """
    if size < 1 or stride < 1 or dilation < 1:
        raise ValueError(f"window {size}, stride {stride}, dilation {dilation}: none below 1")
    reach = (size - 1) * dilation + 1
    if padding == "SAME":
        out = -(-n // stride)
        need = max(0, (out - 1) * stride + reach - n)
        return Axis(need // 2, need - need // 2, out)
    if padding == "VALID":
        before = after = 0
    elif padding == "EXPLICIT":
        before, after = explicit
        if before < 0 or after < 0:
            raise ValueError(f"explicit padding {(before, after)} should not be negative")
    else:
        raise ValueError(f"padding {padding!r} is none of SAME, VALID, EXPLICIT")
    room = n + before + after - reach + stride
    if room <= -stride:
        raise ValueError(f"a window of {reach} does not fit into {n} padded by {before}, {after}")
    return Axis(before, after, max(0, room // stride))


def axes(
    space: Sequence[int],
    sizes: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: str,
    explicit: Sequence[int] = (),
) -> list[Axis]:
    """`axis` for each axis of space; `explicit` holds a flattened (before, after) pair for each."""
    pairs = [explicit[2 * i : 2 * i + 2] or (0, 0) for i in range(len(space))]
    return [
        axis(n, k, s, d, padding, e)
        for n, k, s, d, e in zip(space, sizes, strides, dilations, pairs, strict=True)
    ]


def explicit_space(paddings: Sequence[int], data_format: str) -> list[int]:
    """The pairs of attribute ``explicit_paddings`` (two per axis) that belong to the axes of space.

    Raises ValueError where batch or channels would be padded, or numbers lack.
    """
    if not paddings:
        return []
    if len(paddings) != 2 * len(data_format):
        raise ValueError(
            f"explicit_paddings {list(paddings)} should be two for each of {data_format}"
        )
    pairs = list(zip(paddings[::2], paddings[1::2], strict=True))
    if any(last(pairs, data_format)[0]) or any(last(pairs, data_format)[-1]):
        raise ValueError("explicit_paddings of batch and channels should be 0")
    return [n for pair in spatial(pairs, data_format) for n in pair]


def extents(
    c: Inference,
    space: Sequence[Extent],
    sizes: Sequence[Extent],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: str,
    explicit: Sequence[int] = (),
    fits: bool = True,
) -> list[Extent]:
    """The numbers of positions, for extents that may be symbols.

    Raises ValueError where a window is known not to fit, unless it need not (`fits`).
    """
    found: list[Extent] = []
    for i, (n, k, s, d) in enumerate(zip(space, sizes, strides, dilations, strict=True)):
        pair = explicit[2 * i : 2 * i + 2] or (0, 0)
        if isinstance(n, int) and isinstance(k, int):
            reach = (k - 1) * d + 1
            if fits and padding != "SAME" and n + sum(pair) < reach:
                raise ValueError(f"a window of {reach} does not fit into {n} padded by {pair}")
            found.append(axis(n, k, s, d, padding, pair).out)
        elif padding == "SAME":
            found.append((n + s - 1) // s)
        elif isinstance(k, int) and fits:
            found.append((n + sum(pair) - ((k - 1) * d + 1) + s) // s)
        else:
            found.append(c.fresh())
    return found


def spatial_shape(c: Inference, i: int, rank: int, data_format: str) -> tuple[Extent, ...]:
    """Channels-last extents of input `i`, fresh ones where unknown.

    Raises ValueError for another rank.
    """
    shape: Shape = c.inputs[i].shape
    if shape is None:
        return tuple(c.unknown(rank) or ())
    if len(shape) != rank:
        raise ValueError(f"input {i} has rank {len(shape)} and should have {rank}")
    return tuple(last(shape, data_format))


def shape_as(shape: Sequence[Extent], data_format: str) -> tuple[Extent, ...]:
    """A channels-last shape in the layout `data_format`."""
    if channels_first(data_format):
        return (shape[0], shape[-1], *shape[1:-1])
    return tuple(shape)


def lowest(dtype: np.dtype[Any]) -> Any:
    """The lowest finite number of a dtype."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min
    if dtype.kind == "f":
        return np.finfo(dtype).min
    from ml_dtypes import finfo  # only arrays of its types come here

    return finfo(dtype).min  # type: ignore[no-untyped-call]


def check_size(shape: Sequence[int]) -> None:
    """Raises ValueError for a result that only a damaged or hostile graph asks for."""
    if prod(shape) > _MOST:
        raise ValueError(f"a tensor of shape {tuple(shape)} is beyond what tfdeploy makes")


def pad(x: Array, around: Sequence[Axis], fill: Any = 0) -> Array:
    """`x` with `fill` around its axes of space."""
    if not any(a.before or a.after for a in around):
        return x
    widths = [(0, 0), *((a.before, a.after) for a in around), (0, 0)]
    wanted = [n + b + a for n, (b, a) in zip(x.shape, widths, strict=True)]
    if prod(wanted) > max(_MOST_PADDED, 16 * x.size):
        raise ValueError(f"an image of shape {x.shape} would be padded to {wanted}")
    return np.pad(x, widths, constant_values=fill)


def taps(
    padded: Array,
    sizes: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    outs: Sequence[int],
) -> Iterator[tuple[tuple[int, ...], Array]]:
    """For each place in the window: its index, and a view of what lies under it."""
    if prod(sizes) > _MOST_TAPS:
        raise ValueError(f"a window of {list(sizes)} has more places than tfdeploy tries")
    for at in np.ndindex(*sizes):
        places = tuple(
            slice(i * d, i * d + (o - 1) * s + 1, s) if o else slice(0, 0)
            for i, s, d, o in zip(at, strides, dilations, outs, strict=True)
        )
        yield at, padded[(slice(None), *places)]
