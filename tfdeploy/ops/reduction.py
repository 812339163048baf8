"""Sums, extremes and their positions along axes; running sums; the greatest elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL, INT32, INT64, DType
from ..graph.types import Extent, Shape, ValueType
from .registry import op
from .rules import (
    Inference,
    arg_reduction,
    merge_extents,
    normalize_axis,
    reduction,
    reduction_bool,
    same,
)

Array = NDArray[Any]

_ACCUMULATOR = {
    "f": np.dtype(np.float64),
    "V": np.dtype(np.float64),
    "c": np.dtype(np.complex128),
    "i": np.dtype(np.int64),
    "u": np.dtype(np.uint64),
}


def _axes(x: Array, axis: Array) -> tuple[int, ...]:
    """The axes to reduce, from the front; raises ValueError where one is outside or there twice."""
    axes = tuple(normalize_axis(int(a), x.ndim) for a in np.ravel(axis))
    if len(set(axes)) < len(axes):
        raise ValueError(f"axes {[int(a) for a in np.ravel(axis)]} name one axis twice")
    return axes


def _lowest(dtype: np.dtype[Any]) -> Any:
    return dtype.type(-np.inf) if dtype.kind in "fV" else np.iinfo(dtype).min


def _highest(dtype: np.dtype[Any]) -> Any:
    return dtype.type(np.inf) if dtype.kind in "fV" else np.iinfo(dtype).max


def _total(x: Array, axes: tuple[int, ...], keep_dims: bool) -> Any:
    """The sum in float64 for floats and in 64 bits for integers."""
    return np.sum(x, axis=axes, dtype=_ACCUMULATOR[x.dtype.kind], keepdims=keep_dims)


@op("Sum", type=reduction)
def sum_(input: Array, reduction_indices: Array, *, keep_dims: bool = False) -> Any:
    """The sum over axes (tf.reduce_sum)."""
    return _total(input, _axes(input, reduction_indices), keep_dims).astype(input.dtype)


@op("Mean", type=reduction)
def mean(input: Array, reduction_indices: Array, *, keep_dims: bool = False) -> Any:
    """The mean over axes, NaN of nothing; towards zero for integers (tf.reduce_mean)."""
    axes = _axes(input, reduction_indices)
    total = _total(input, axes, keep_dims)
    count = int(np.prod([input.shape[a] for a in axes], dtype=np.int64))
    if input.dtype.kind in "iu":
        return (np.sign(total) * (np.abs(total) // max(count, 1))).astype(input.dtype)
    return total.astype(input.dtype) / input.dtype.type(count)


@op("Prod", type=reduction, symbolic=True)
def prod(input: Array, reduction_indices: Array, *, keep_dims: bool = False) -> Any:
    """The product over axes (tf.reduce_prod)."""
    axes = _axes(input, reduction_indices)
    if input.dtype.kind in "iuO":
        return np.prod(input, axis=axes, keepdims=keep_dims, dtype=input.dtype)
    wide = _ACCUMULATOR[input.dtype.kind]
    return np.prod(input, axis=axes, keepdims=keep_dims, dtype=wide).astype(input.dtype)


@op("Max", type=reduction, exact=True)
def max_(input: Array, reduction_indices: Array, *, keep_dims: bool = False) -> Any:
    """The greatest over axes, NaN where there is one, -inf of nothing (tf.reduce_max)."""
    axes = _axes(input, reduction_indices)
    return np.max(input, axis=axes, keepdims=keep_dims, initial=_lowest(input.dtype))


@op("Min", type=reduction, exact=True)
def min_(input: Array, reduction_indices: Array, *, keep_dims: bool = False) -> Any:
    """The smallest over axes, NaN where there is one, inf of nothing (tf.reduce_min)."""
    axes = _axes(input, reduction_indices)
    return np.min(input, axis=axes, keepdims=keep_dims, initial=_highest(input.dtype))


@op("All", type=reduction_bool, exact=True)
def all_(input: Array, reduction_indices: Array, *, keep_dims: bool = False) -> Any:
    """Whether all are true over axes (tf.reduce_all)."""
    return np.all(input, axis=_axes(input, reduction_indices), keepdims=keep_dims)


@op("Any", type=reduction_bool, exact=True)
def any_(input: Array, reduction_indices: Array, *, keep_dims: bool = False) -> Any:
    """Whether any is true over axes (tf.reduce_any)."""
    return np.any(input, axis=_axes(input, reduction_indices), keepdims=keep_dims)


@op("EuclideanNorm", type=reduction)
def euclidean_norm(input: Array, reduction_indices: Array, *, keep_dims: bool = False) -> Any:
    """The root of the sum of squares over axes, cut to an integer for integers
    (tf.math.reduce_euclidean_norm)."""
    squares = input * np.conj(input) if input.dtype.kind == "c" else input * input
    total = _total(squares, _axes(input, reduction_indices), keep_dims).astype(input.dtype)
    wide = _ACCUMULATOR["c" if input.dtype.kind == "c" else "f"]
    return np.sqrt(total.astype(wide)).astype(input.dtype)


def _arg(x: Array, dimension: Array, sign: int, output_type: DType) -> Any:
    axis = normalize_axis(int(dimension), x.ndim)
    if not x.shape[axis]:
        raise ValueError(f"axis {axis} of shape {x.shape} is empty, nothing to choose from")
    if x.dtype.kind in "fV":
        x = np.where(np.isnan(x), x.dtype.type(-sign * np.inf), x)
    return (np.argmax if sign > 0 else np.argmin)(x, axis=axis).astype(output_type.numpy)


@op("ArgMax", type=arg_reduction(), exact=True, ranks=".0")
def arg_max(input: Array, dimension: Array, *, output_type: DType = INT64) -> Any:
    """Position of the first of the greatest along an axis; NaN counts as -inf (tf.argmax).

    Raises ValueError where the axis is empty.
    """
    return _arg(input, dimension, 1, output_type)


@op("ArgMin", type=arg_reduction(), exact=True, ranks=".0")
def arg_min(input: Array, dimension: Array, *, output_type: DType = INT64) -> Any:
    """Position of the first of the smallest along an axis; NaN counts as inf (tf.argmin).

    Raises ValueError where the axis is empty.
    """
    return _arg(input, dimension, -1, output_type)


def _scan(
    x: Array, axis: Array, scan: Callable[..., Array], start: Any, exclusive: bool, reverse: bool
) -> Any:
    """`scan` of all elements up to each along an axis, itself left out if `exclusive`."""
    along = normalize_axis(int(axis), x.ndim)
    moved = np.moveaxis(x, along, 0)
    moved = moved[::-1] if reverse else moved
    if exclusive:
        first = np.full((min(1, len(moved)), *moved.shape[1:]), start, x.dtype)
        moved = np.concatenate([first, moved[:-1]])
    result = scan(moved, axis=0, dtype=x.dtype)
    return np.moveaxis(result[::-1] if reverse else result, 0, along)


@op("Cumsum", type=same)
def cumsum(x: Array, axis: Array, *, exclusive: bool = False, reverse: bool = False) -> Any:
    """Running sums along an axis (tf.cumsum)."""
    return _scan(x, axis, np.add.accumulate, 0, exclusive, reverse) + x.dtype.type(0)  # no -0


@op("Cumprod", type=same)
def cumprod(x: Array, axis: Array, *, exclusive: bool = False, reverse: bool = False) -> Any:
    """Running products along an axis (tf.math.cumprod)."""
    return _scan(x, axis, np.multiply.accumulate, 1, exclusive, reverse)


def _log_sums(x: Array, axis: int, dtype: np.dtype[Any]) -> Array:
    """Running log(sum(exp(x))) along axis 0; NaN counts as what has come up before it."""
    if not np.isnan(x).any():
        return np.logaddexp.accumulate(x, axis=axis, dtype=dtype)
    result = x.copy()
    before = np.full_like(x[0], -np.inf)
    for i, row in enumerate(x):
        before = np.logaddexp(before, np.where(np.isnan(row), before, row), dtype=dtype)
        result[i] = before
    return result


@op("CumulativeLogsumexp", type=same)
def cumulative_logsumexp(
    x: Array, axis: Array, *, exclusive: bool = False, reverse: bool = False
) -> Any:
    """Running log(sum(exp(x))) along an axis (tf.math.cumulative_logsumexp)."""
    return _scan(x, axis, _log_sums, -np.inf, exclusive, reverse)


def _top_type(c: Inference, k: Extent) -> list[ValueType]:
    shape = c.inputs[0].shape
    if shape == ():
        raise ValueError("the greatest of a scalar: at least a vector is needed")
    if shape is not None and isinstance(k, int) and isinstance(shape[-1], int) and shape[-1] < k:
        raise ValueError(f"the {k} greatest of {shape[-1]} columns")
    found: Shape = None if shape is None else (*shape[:-1], k)
    return [ValueType(c.inputs[0].dtype, found), ValueType(c.attrs.get("index_type", INT32), found)]


def _top_v2_type(c: Inference) -> list[ValueType]:
    k = c.extents(1)
    return _top_type(c, c.fresh() if k is None else k[0])


@op("TopKV2", type=_top_v2_type, exact=True, outputs=("values", "indices"))
def top_k_v2(
    input: Array, k: Array, *, sorted: bool = True, index_type: DType = INT32
) -> tuple[Array, Array]:
    """The `k` greatest of each row and their positions, equal ones in their order (tf.math.top_k).

    They are sorted whether asked for or not.  Raises ValueError where rows are shorter than `k`.
    """
    count = int(k)
    if input.ndim < 1 or not 0 <= count <= input.shape[-1]:
        raise ValueError(f"the {count} greatest of each row in shape {input.shape}")
    key = input
    if input.dtype.kind in "fV":
        key = np.where(np.isnan(input), input.dtype.type(-np.inf), input)
    found = _greatest(key, count)
    return np.take_along_axis(input, found, axis=-1), found.astype(index_type.numpy)


def _greatest(rows: Array, count: int) -> Array:
    """Positions of the `count` greatest of each row, NaN first, equal ones in their order."""
    last = rows.shape[-1] - 1
    return (last - np.argsort(rows[..., ::-1], axis=-1, kind="stable")[..., ::-1])[..., :count]


@op("TopK", type=lambda c: _top_type(c, c.attrs["k"]), exact=True, outputs=("values", "indices"))
def top_k(input: Array, *, k: int, sorted: bool = True) -> tuple[Array, Array]:
    """As TopKV2, with `k` known beforehand."""
    return top_k_v2(input, np.asarray(k), sorted=sorted)


def _approximate_types(c: Inference) -> list[ValueType]:
    dtype, shape, k = c.inputs[0].dtype, c.inputs[0].shape, c.attrs["k"]
    if shape is not None:
        axis = normalize_axis(c.attrs["reduction_dimension"], len(shape))
        extent = shape[axis]
        if isinstance(extent, int) and extent < k:
            raise ValueError(f"the {k} greatest of {extent}")
        shape = (*shape[:axis], k, *shape[axis + 1 :])
    return [ValueType(dtype, shape), ValueType(INT32, shape)]


@op("ApproxTopK", type=_approximate_types, exact=True, outputs=("values", "indices"))
def approx_top_k(
    input: Array,
    *,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    is_max_k: bool = True,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Array, Array]:
    """The `k` greatest or smallest along an axis and their positions, exactly; NaN is the greatest
    (tf.math.approx_max_k, tf.math.approx_min_k)."""
    axis = normalize_axis(reduction_dimension, input.ndim)
    if not 0 <= k <= input.shape[axis]:
        raise ValueError(f"{k} elements of axis {axis} in shape {input.shape}")
    moved = np.moveaxis(input, axis, -1)
    if is_max_k:
        indices = _greatest(moved, k).astype(np.int32)
    else:
        indices = top_k_v2(-moved, np.asarray(k))[1]
    values = np.take_along_axis(moved, indices, axis=-1)
    return np.moveaxis(values, -1, axis), np.moveaxis(indices, -1, axis)


def _in_top_type(c: Inference) -> ValueType:
    predictions, targets = c.inputs[0].shape, c.inputs[1].shape
    if predictions is None or targets is None:
        return ValueType(BOOL, c.unknown(1))
    if len(predictions) != 2 or len(targets) != 1:
        raise ValueError(
            f"predictions of rank 2 and targets of rank 1 are needed, not "
            f"{len(predictions)} and {len(targets)}"
        )
    return ValueType(BOOL, (merge_extents(predictions[0], targets[0]),))


@op("InTopKV2", type=_in_top_type, exact=True, ranks="21")
def in_top_k_v2(predictions: Array, targets: Array, k: Array) -> Any:
    """Whether fewer than `k` classes have a greater prediction than the target (tf.math.in_top_k);
    false where a prediction is not finite or the target is no class."""
    if predictions.ndim != 2 or targets.shape != predictions.shape[:1]:
        raise ValueError(f"predictions {predictions.shape} do not fit targets {targets.shape}")
    rows, classes = predictions.shape
    valid = (targets >= 0) & (targets < classes) & np.isfinite(predictions).all(axis=1)
    if not classes:
        return valid
    chosen = predictions[np.arange(rows), np.where(valid, targets, 0)]
    return valid & ((predictions > chosen[:, None]).sum(axis=1) < k)


@op("InTopK", type=_in_top_type, exact=True, ranks="21")
def in_top_k(predictions: Array, targets: Array, *, k: int) -> Any:
    """As InTopKV2, with `k` known beforehand."""
    return in_top_k_v2(predictions, targets, np.asarray(k))
