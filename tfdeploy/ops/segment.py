"""Reductions over segments: groups of rows with the same number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import Extent, ValueType
from .array import check_size, scalar_int
from .index import check_range
from .registry import op
from .rules import Inference

Array = NDArray[Any]


def grouped(data: Array, ids: Array, count: int, ufunc: np.ufunc, start: Any) -> Array:
    """``result[ids[i]]`` combined by `ufunc` with ``data[i]`` in order, from `start` on."""
    check_size([count, *data.shape[1:]])
    result = np.full((count, *data.shape[1:]), start, data.dtype)
    ufunc.at(result, ids, data)
    return result


def _sorted_type(c: Inference) -> ValueType:
    dtype, shape = c.inputs[0]
    return ValueType(dtype, None if shape is None else (c.fresh(), *shape[1:]))


def _check_sorted(data: Array, ids: Array) -> int:
    """The number of segments; raises ValueError where `ids` do not number the rows in order."""
    if ids.ndim != 1 or data.ndim < 1 or len(ids) != len(data):
        raise ValueError(f"segment ids of shape {ids.shape} for data of shape {data.shape}")
    if not len(ids):
        return 0
    if (np.diff(ids) < 0).any() or ids[0] < 0:
        raise ValueError("segment ids should rise from 0 on")
    return int(ids[-1]) + 1


def _absent(result: Array, ids: Array, value: Any) -> Array:
    """`result` with `value` in the rows that no id names."""
    result[np.bincount(ids, minlength=len(result)) == 0] = value
    return result


def divided(sums: Array, by: Array) -> Array:
    """Rows of `sums` over the numbers `by`, of which 0 counts as 1."""
    by = np.maximum(by, 1).astype(sums.dtype).reshape(-1, *[1] * (sums.ndim - 1))
    if sums.dtype.kind in "iu":
        return np.sign(sums) * (abs(sums) // by)
    result: Array = sums / by
    return result


@op("SegmentSum", type=_sorted_type, ranks=".1")
def segment_sum(data: Array, segment_ids: Array) -> Array:
    """Sums of the rows with the same id; ids are sorted (tf.math.segment_sum)."""
    return grouped(data, segment_ids, _check_sorted(data, segment_ids), np.add, 0)


@op("SegmentProd", type=_sorted_type, ranks=".1")
def segment_prod(data: Array, segment_ids: Array) -> Array:
    """Products of the rows with the same id, 1 for an id that is missing (tf.math.segment_prod)."""
    return grouped(data, segment_ids, _check_sorted(data, segment_ids), np.multiply, 1)


@op("SegmentMean", type=_sorted_type, ranks=".1")
def segment_mean(data: Array, segment_ids: Array) -> Array:
    """Means of the rows with the same id, 0 for an id that is missing (tf.math.segment_mean)."""
    count = _check_sorted(data, segment_ids)
    sums = grouped(data, segment_ids, count, np.add, 0)
    return divided(sums, np.bincount(segment_ids, minlength=count))


def _bound(dtype: np.dtype[Any], largest: bool) -> Any:
    """The largest or the lowest finite number of `dtype`."""
    info = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    return info.max if largest else info.min


def extremes(data: Array, ids: Array, count: int, largest: bool) -> Array:
    """Maxima or minima of rows with the same id, the worst finite number for an id that is missing.

    TensorFlow keeps the old number only where it beats the new one: a NaN lasts until the next row.
    """
    check_size([count, *data.shape[1:]])
    better, best = (np.greater, np.maximum) if largest else (np.less, np.minimum)
    start = _bound(data.dtype, not largest)
    found = np.full((count, *data.shape[1:]), start, data.dtype)
    found[ids[::-1]] = data[::-1]
    if data.dtype.kind in "iu" or not np.isnan(data).any():
        best.at(found, ids, data)
    else:
        for i, row in zip(ids, data, strict=True):
            found[i] = np.where(better(found[i], row), found[i], row)
    return found


@op("SegmentMax", type=_sorted_type, exact=True, ranks=".1")
def segment_max(data: Array, segment_ids: Array) -> Array:
    """Maxima of the rows with the same id, 0 for an id that is missing (tf.math.segment_max)."""
    count = _check_sorted(data, segment_ids)
    found = extremes(data, segment_ids, count, True)
    return _absent(found, segment_ids, 0)


@op("SegmentMin", type=_sorted_type, exact=True, ranks=".1")
def segment_min(data: Array, segment_ids: Array) -> Array:
    """Minima of the rows with the same id, 0 for an id that is missing (tf.math.segment_min)."""
    count = _check_sorted(data, segment_ids)
    found = extremes(data, segment_ids, count, False)
    return _absent(found, segment_ids, 0)


def _unsorted_type(c: Inference) -> ValueType:
    (dtype, shape), ids = c.inputs[:2]
    if shape is None or ids.rank is None:
        return ValueType(dtype)
    count = c.extents(2)
    return ValueType(dtype, (c.fresh() if count is None else count[0], *shape[ids.rank :]))


def _kept(data: Array, ids: Array, num: Array) -> tuple[Array, Array, int]:
    """The rows of `data` with an id, their ids, and the number of segments."""
    count = scalar_int(num, "num_segments")
    if count < 0:
        raise ValueError(f"num_segments should not be negative, it is {count}")
    if data.shape[: ids.ndim] != ids.shape:
        raise ValueError(f"segment ids of shape {ids.shape} for data of shape {data.shape}")
    flat = ids.ravel()
    rows = data.reshape(flat.size, *data.shape[ids.ndim :])
    check_range(flat[flat >= 0], count, "segment_ids")
    return rows[flat >= 0], flat[flat >= 0], count


@op("UnsortedSegmentSum", type=_unsorted_type, ranks="..0")
def unsorted_segment_sum(data: Array, segment_ids: Array, num_segments: Array) -> Array:
    """Sums of the elements with the same id; negative ids are left out.

    This is tf.math.unsorted_segment_sum; raises IndexError for an id of `num_segments` or more.
    """
    return grouped(*_kept(data, segment_ids, num_segments), np.add, 0)


@op("UnsortedSegmentProd", type=_unsorted_type, ranks="..0")
def unsorted_segment_prod(data: Array, segment_ids: Array, num_segments: Array) -> Array:
    """As `unsorted_segment_sum`, products; 1 for a missing id."""
    return grouped(*_kept(data, segment_ids, num_segments), np.multiply, 1)


@op("UnsortedSegmentMax", type=_unsorted_type, exact=True, ranks="..0")
def unsorted_segment_max(data: Array, segment_ids: Array, num_segments: Array) -> Array:
    """As `unsorted_segment_sum`, maxima; the lowest number there is for a missing id."""
    return extremes(*_kept(data, segment_ids, num_segments), True)


@op("UnsortedSegmentMin", type=_unsorted_type, exact=True, ranks="..0")
def unsorted_segment_min(data: Array, segment_ids: Array, num_segments: Array) -> Array:
    """As `unsorted_segment_sum`, minima; the highest number there is for a missing id."""
    return extremes(*_kept(data, segment_ids, num_segments), False)


def _sparse_type(c: Inference) -> ValueType:
    dtype, shape = c.inputs[0]
    if shape is None:
        return ValueType(dtype)
    count = c.extents(3)
    rows: Extent = count[0] if count else c.fresh()
    return ValueType(dtype, (rows, *shape[1:]))


def _sparse(data: Array, indices: Array, ids: Array, num: Array | None) -> tuple[Array, Array]:
    """Sums of the rows of `data` that `indices` pick, and how many each is of."""
    if indices.ndim != 1 or data.ndim < 1:
        raise ValueError(f"indices {indices.shape} into data of shape {data.shape}")
    check_range(indices, len(data), "indices")
    picked = data[indices]
    count = _check_sorted(picked, ids)
    if num is not None:
        wanted = scalar_int(num, "num_segments")
        if wanted < count:
            raise ValueError(f"{wanted} segments hold no id {count - 1}")
        count = wanted
    sums = grouped(picked, ids, count, np.add, 0)
    return sums, np.bincount(ids, minlength=count)


@op("SparseSegmentSum", type=_sparse_type, ranks=".11")
def sparse_segment_sum(data: Array, indices: Array, segment_ids: Array) -> Array:
    """Sums of the rows of `data` that `indices` pick, by segment (tf.sparse.segment_sum)."""
    return _sparse(data, indices, segment_ids, None)[0]


@op("SparseSegmentSumWithNumSegments", type=_sparse_type, ranks=".110")
def sparse_segment_sum_with_num_segments(
    data: Array, indices: Array, segment_ids: Array, num_segments: Array
) -> Array:
    """As `sparse_segment_sum`, `num_segments` rows."""
    return _sparse(data, indices, segment_ids, num_segments)[0]


@op("SparseSegmentMean", type=_sparse_type, ranks=".11")
def sparse_segment_mean(data: Array, indices: Array, segment_ids: Array) -> Array:
    """Means of the rows of `data` that `indices` pick, by segment (tf.sparse.segment_mean)."""
    return divided(*_sparse(data, indices, segment_ids, None))


@op("SparseSegmentMeanWithNumSegments", type=_sparse_type, ranks=".110")
def sparse_segment_mean_with_num_segments(
    data: Array, indices: Array, segment_ids: Array, num_segments: Array
) -> Array:
    """As `sparse_segment_mean`, `num_segments` rows."""
    return divided(*_sparse(data, indices, segment_ids, num_segments))


def _root(sums: Array, counts: Array) -> Array:
    return divided(sums, np.sqrt(np.maximum(counts, 1)))


@op("SparseSegmentSqrtN", type=_sparse_type, ranks=".11")
def sparse_segment_sqrt_n(data: Array, indices: Array, segment_ids: Array) -> Array:
    """As `sparse_segment_sum`, over the root of the number of rows (tf.sparse.segment_sqrt_n)."""
    return _root(*_sparse(data, indices, segment_ids, None))


@op("SparseSegmentSqrtNWithNumSegments", type=_sparse_type, ranks=".110")
def sparse_segment_sqrt_n_with_num_segments(
    data: Array, indices: Array, segment_ids: Array, num_segments: Array
) -> Array:
    """As `sparse_segment_sqrt_n`, `num_segments` rows."""
    return _root(*_sparse(data, indices, segment_ids, num_segments))
