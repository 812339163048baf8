"""Moving elements: transposing, reversing, repeating, padding, space and depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import ValueType, product
from .array import check_size, zero
from .registry import op
from .rules import Inference, normalize_axis, same

Array = NDArray[Any]


def _transpose_type(c: Inference) -> ValueType:
    dtype, old = c.inputs[0]
    perm = c.ints(1)
    if perm is None or old is None:
        known = perm if perm is not None else old
        return ValueType(dtype, c.unknown(None if known is None else len(known)))
    if len(perm) != len(old):
        raise ValueError(f"perm {perm} should list the axes of a rank of {len(old)}")
    return ValueType(dtype, tuple(old[normalize_axis(p, len(old))] for p in perm))


@op("Transpose", type=_transpose_type, exact=True)
def transpose(x: Array, perm: Array) -> Array:
    """`x` with axis ``perm[i]`` at place i (tf.transpose)."""
    return x.transpose(perm.tolist())


@op("ConjugateTranspose", type=_transpose_type, exact=True)
def conjugate_transpose(x: Array, perm: Array) -> Array:
    """The complex conjugate of `x`, transposed (tf.transpose with conjugate=True)."""
    moved = x.transpose(perm.tolist())
    return moved.conj() if x.dtype.kind == "c" else moved


@op("ReverseV2", type=same, exact=True, ranks=".1")
def reverse_v2(x: Array, axis: Array) -> Array:
    """`x` backwards along each listed axis (tf.reverse)."""
    axes = [normalize_axis(a, x.ndim) for a in axis.ravel().tolist()]
    if len(set(axes)) != len(axes):
        raise ValueError(f"axis {axes} lists an axis twice")
    return np.flip(x, tuple(axes))


@op("Reverse", type=same, exact=True, ranks=".1")
def reverse(x: Array, dims: Array) -> Array:
    """`x` backwards along each axis whose entry in `dims` is true (TF 0.x)."""
    if dims.shape != (x.ndim,):
        raise ValueError(f"dims should have {x.ndim} entries, not shape {dims.shape}")
    return np.flip(x, tuple(i for i, d in enumerate(dims) if d))


@op("ReverseSequence", type=same, exact=True, ranks=".1")
def reverse_sequence(x: Array, seq_lengths: Array, *, seq_dim: int, batch_dim: int = 0) -> Array:
    """The first ``seq_lengths[i]`` steps of each batch row i backwards (tf.reverse_sequence)."""
    lengths = seq_lengths.tolist()
    seq_dim, batch_dim = (normalize_axis(a, x.ndim) for a in (seq_dim, batch_dim))
    if seq_dim == batch_dim or len(lengths) != x.shape[batch_dim]:
        raise ValueError(
            f"{len(lengths)} lengths, axes {seq_dim} and {batch_dim} for shape {x.shape}"
        )
    result = x.copy()
    source, target = (np.moveaxis(a, (batch_dim, seq_dim), (0, 1)) for a in (x, result))
    for i, n in enumerate(lengths):
        if not 0 <= n <= source.shape[1]:
            raise ValueError(f"seq_lengths[{i}] = {n} is outside [0, {source.shape[1]}]")
        target[i, :n] = source[i, :n][::-1]
    return result


@op("Roll", type=same, exact=True)
def roll(x: Array, shift: Array, axis: Array) -> Array:
    """`x` shifted along each axis, what leaves at the end entering at the start (tf.roll)."""
    axes = [normalize_axis(a, x.ndim) for a in axis.ravel().tolist()]
    if len(axes) != shift.size:
        raise ValueError(f"{shift.size} shifts for {len(axes)} axes")
    return np.roll(x, tuple(shift.ravel().tolist()), tuple(axes)) if axes else x


def _tile_type(c: Inference) -> ValueType:
    dtype, old = c.inputs[0]
    multiples = c.extents(1)
    if old is None:
        return ValueType(dtype, c.unknown(None if multiples is None else len(multiples)))
    if multiples is None:
        return ValueType(dtype, c.unknown(len(old)))
    if len(multiples) != len(old):
        raise ValueError(f"multiples {multiples} should have one entry for each of {len(old)} axes")
    return ValueType(dtype, tuple(e * m for e, m in zip(old, multiples, strict=True)))


@op("Tile", type=_tile_type, exact=True, symbolic=True, ranks=".1")
def tile(x: Array, multiples: Array) -> Array:
    """`x` repeated ``multiples[i]`` times along axis i (tf.tile)."""
    if multiples.shape != (x.ndim,) or (multiples < 0).any():
        raise ValueError(f"multiples {multiples.tolist()} for a tensor of shape {x.shape}")
    check_size(e * int(m) for e, m in zip(x.shape, multiples, strict=True))
    return np.tile(x, multiples.tolist())


def _pad_type(c: Inference) -> ValueType:
    dtype, old = c.inputs[0]
    amounts = c.extents(1)
    if old is None:
        return ValueType(dtype, c.unknown(None if amounts is None else len(amounts) // 2))
    if amounts is None:
        return ValueType(dtype, c.unknown(len(old)))
    if len(amounts) != 2 * len(old):
        raise ValueError(f"paddings of {len(amounts) // 2} rows for a rank of {len(old)}")
    before, after = amounts[::2], amounts[1::2]
    return ValueType(dtype, tuple(e + a + b for e, a, b in zip(old, before, after, strict=True)))


def _paddings(x: Array, paddings: Array) -> list[tuple[int, int]]:
    if paddings.shape != (x.ndim, 2) or (paddings < 0).any():
        raise ValueError(f"paddings {paddings.tolist()} for a tensor of shape {x.shape}")
    return [(int(a), int(b)) for a, b in paddings]


@op("Pad", type=_pad_type, exact=True, ranks=".2")
def pad(x: Array, paddings: Array) -> Array:
    """`x` with ``paddings[i]`` zeros before and after along axis i (tf.pad)."""
    return pad_v2(x, paddings, np.asarray(zero(x.dtype), x.dtype))


@op("PadV2", type=_pad_type, exact=True, ranks=".20")
def pad_v2(x: Array, paddings: Array, constant_values: Array) -> Array:
    """`x` with ``paddings[i]`` times `constant_values` before and after along axis i (tf.pad)."""
    amounts = _paddings(x, paddings)
    extents = [e + a + b for e, (a, b) in zip(x.shape, amounts, strict=True)]
    check_size(extents)
    filler = constant_values.item() if x.dtype == object else constant_values
    result = np.full(extents, filler, x.dtype)
    result[tuple(slice(a, a + e) for e, (a, _) in zip(x.shape, amounts, strict=True))] = x
    return result


def mirrored(n: int, before: int, after: int, mode: str) -> Array:
    """Which of `n` elements each one is once so many of their reflection stand around them.

    Raises ValueError where a padding is longer than what can be reflected.
    """
    edge = mode == "REFLECT"
    if max(before, after) > n - edge:
        raise ValueError(f"paddings {before}, {after} reflect more than the {n} elements")
    parts = np.arange(before)[::-1] + edge, np.arange(n), n - 1 - edge - np.arange(after)
    return np.concatenate(parts).astype(np.intp)


@op("MirrorPad", type=_pad_type, exact=True, ranks=".2")
def mirror_pad(x: Array, paddings: Array, *, mode: str) -> Array:
    """`x` continued by its reflection, without (REFLECT) or with (SYMMETRIC) the edge (tf.pad).

    Raises ValueError where a padding is longer than what can be reflected.
    """
    for axis, (before, after) in enumerate(_paddings(x, paddings)):
        index = mirrored(x.shape[axis], before, after, mode)
        x = x.take(index, axis)
    return x


_LAYOUTS = {"NHWC": (1, 2, 3), "NCHW": (2, 3, 1)}


def _layout(data_format: str) -> tuple[int, int, int]:
    if data_format not in _LAYOUTS:
        raise ValueError(f"data_format {data_format} is not supported; NHWC and NCHW are")
    return _LAYOUTS[data_format]


def _depth_space_type(to_space: bool) -> Any:
    def rule(c: Inference) -> ValueType:
        dtype, old = c.inputs[0]
        block: int = c.attrs["block_size"]
        if old is None:
            return ValueType(dtype, c.unknown(4))
        new = list(old)
        for axis, power in zip(_layout(c.attrs["data_format"]), (1, 1, -2), strict=True):
            power = power if to_space else -power
            new[axis] = new[axis] * block**power if power > 0 else new[axis] // block**-power
        return ValueType(dtype, tuple(new))

    return rule


@op("DepthToSpace", type=_depth_space_type(True), exact=True, ranks="4")
def depth_to_space(x: Array, *, block_size: int, data_format: str = "NHWC") -> Array:
    """Blocks of channels laid out as squares of `block_size` (tf.nn.depth_to_space)."""
    _layout(data_format)
    if data_format == "NCHW":
        return np.moveaxis(depth_to_space(np.moveaxis(x, 1, 3), block_size=block_size), 3, 1)
    n, h, w, depth = x.shape
    s = block_size
    if s < 2 or depth % (s * s):
        raise ValueError(f"{depth} channels do not make squares of {s} x {s}")
    parts = x.reshape(n, h, w, s, s, depth // (s * s)).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, h * s, w * s, depth // (s * s))


@op("SpaceToDepth", type=_depth_space_type(False), exact=True, ranks="4")
def space_to_depth(x: Array, *, block_size: int, data_format: str = "NHWC") -> Array:
    """Squares of `block_size` laid out as channels (tf.nn.space_to_depth)."""
    _layout(data_format)
    if data_format == "NCHW":
        return np.moveaxis(space_to_depth(np.moveaxis(x, 1, 3), block_size=block_size), 3, 1)
    n, h, w, depth = x.shape
    s = block_size
    if s < 2 or h % s or w % s:
        raise ValueError(f"{h} x {w} pixels are not made of squares of {s} x {s}")
    parts = x.reshape(n, h // s, s, w // s, s, depth).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, h // s, w // s, depth * s * s)


def _batch_space(
    c: Inference, block: list[int] | None, amounts: list[int] | None, to_batch: bool
) -> ValueType:
    dtype, old = c.inputs[0]
    if old is None or block is None or amounts is None:
        return ValueType(dtype, c.unknown(None if old is None else len(old)))
    area = product(tuple(block))
    new = [old[0] * area if to_batch else old[0] // area, *old[1:]]
    for i, b in enumerate(block):
        margin = amounts[2 * i] + amounts[2 * i + 1]
        new[i + 1] = (new[i + 1] + margin) // b if to_batch else new[i + 1] * b - margin
    return ValueType(dtype, tuple(new))


def _check_blocks(x: Array, block: Sequence[int], amounts: Array) -> None:
    if (
        amounts.shape != (len(block), 2)
        or x.ndim < len(block) + 1
        or min(block, default=1) < 1
        or (amounts < 0).any()
    ):
        raise ValueError(f"blocks {list(block)} and margins {amounts.tolist()} for shape {x.shape}")


@op("SpaceToBatchND", exact=True, type=lambda c: _batch_space(c, c.ints(1), c.ints(2), True))
def space_to_batch_nd(x: Array, block_shape: Array, paddings: Array) -> Array:
    """Padded space cut into blocks; each place in a block is a batch entry (tf.space_to_batch)."""
    block = block_shape.tolist()
    _check_blocks(x, block, paddings)
    m = len(block)
    margins = np.concatenate([[[0, 0]], paddings, np.zeros((x.ndim - m - 1, 2))]).astype(int)
    x = pad(x, margins)
    shape = [x.shape[0]]
    for extent, b in zip(x.shape[1:], block, strict=False):
        if extent % b:
            raise ValueError(f"a padded extent of {extent} is not made of blocks of {b}")
        shape += [extent // b, b]
    parts = x.reshape(shape + list(x.shape[m + 1 :]))
    order = [2 * i + 2 for i in range(m)] + [0] + [2 * i + 1 for i in range(m)]
    moved = parts.transpose(order + list(range(2 * m + 1, parts.ndim)))
    return moved.reshape((x.shape[0] * product(tuple(block)), *shape[1::2], *x.shape[m + 1 :]))


@op("BatchToSpaceND", exact=True, type=lambda c: _batch_space(c, c.ints(1), c.ints(2), False))
def batch_to_space_nd(x: Array, block_shape: Array, crops: Array) -> Array:
    """The inverse of `space_to_batch_nd`, `crops` cut off in the end (tf.batch_to_space)."""
    block = block_shape.tolist()
    _check_blocks(x, block, crops)
    m, area = len(block), int(np.prod(block))
    if x.shape[0] % area:
        raise ValueError(f"a batch of {x.shape[0]} is not made of blocks of {area}")
    batch, space, rest = x.shape[0] // area, x.shape[1 : m + 1], x.shape[m + 1 :]
    parts = x.reshape((*block, batch, *space, *rest))
    order = [m, *(axis for i in range(m) for axis in (m + 1 + i, i))]
    moved = parts.transpose(order + list(range(2 * m + 1, parts.ndim)))
    whole = moved.reshape((batch, *(e * b for e, b in zip(space, block, strict=True)), *rest))
    ends = [e * b - int(crop[1]) for e, b, crop in zip(space, block, crops, strict=True)]
    if any(int(crop[0]) > end for crop, end in zip(crops, ends, strict=True)):
        raise ValueError(f"crops {crops.tolist()} leave nothing of {whole.shape}")
    return whole[(slice(None), *(slice(int(c[0]), e) for c, e in zip(crops, ends, strict=True)))]


@op(
    "SpaceToBatch",
    exact=True,
    type=lambda c: _batch_space(c, [c.attrs["block_size"]] * 2, c.ints(1), True),
    ranks="42",
)
def space_to_batch(x: Array, paddings: Array, *, block_size: int) -> Array:
    """`space_to_batch_nd` of images with square blocks."""
    return space_to_batch_nd(x, np.array([block_size, block_size]), paddings)


@op(
    "BatchToSpace",
    exact=True,
    type=lambda c: _batch_space(c, [c.attrs["block_size"]] * 2, c.ints(1), False),
    ranks="42",
)
def batch_to_space(x: Array, crops: Array, *, block_size: int) -> Array:
    """`batch_to_space_nd` of images with square blocks."""
    return batch_to_space_nd(x, np.array([block_size, block_size]), crops)
