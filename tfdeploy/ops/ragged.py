"""Ragged tensors: values and, for each ragged axis, the row splits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL, INT64, DType
from ..graph.types import Extent, Shape, ValueType
from .array import LIST, check_size, scalar_int
from .index import check_range, check_splits
from .registry import op
from .rules import Inference
from .sparse import fill_rows, sparse_types

Array = NDArray[Any]


def _row_ids(splits: Array) -> Array:
    """The row of each value."""
    return np.repeat(np.arange(len(splits) - 1), np.diff(splits))


def _within(rows: Array) -> Array:
    """The place of each value in its row, rows rising."""
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    lengths = np.diff(starts, append=len(rows))
    return np.arange(len(rows)) - np.repeat(starts, lengths)


def _partitions(
    tensors: Sequence[Array], kinds: Sequence[str]
) -> tuple[int, list[tuple[Array, Array]]]:
    """The number of rows, and for each partition the row of each value and its place there."""
    first = 0
    if kinds[0] == "FIRST_DIM_SIZE":
        rows, first = scalar_int(tensors[0], "the first extent"), 1
    elif kinds[0] == "ROW_SPLITS":
        rows = len(tensors[0]) - 1
    else:
        raise ValueError(f"row partition type {kinds[0]} cannot come first")
    total = rows
    found = []
    for tensor, kind in zip(tensors[first:], kinds[first:], strict=True):
        if kind == "ROW_SPLITS":
            check_splits(tensor, int(tensor[-1]) if len(tensor) else 0)
            if len(tensor) - 1 != total:
                raise ValueError(f"{len(tensor) - 1} rows are partitioned, there are {total}")
            ids = _row_ids(tensor)
        elif kind == "VALUE_ROWIDS":
            ids = tensor
            if (np.diff(ids) < 0).any():
                raise ValueError("row ids should rise")
            check_range(ids, total, "row ids")
        else:
            raise ValueError(f"unknown row partition type {kind}")
        found.append((ids, _within(ids)))
        total = len(ids)
    return rows, found


def _to_tensor_type(c: Inference) -> ValueType:
    values = c.inputs[1]
    kinds = c.attrs["row_partition_types"]
    if values.shape is None:
        return ValueType(values.dtype)
    ragged = len(kinds) - (kinds[0] == "FIRST_DIM_SIZE")
    wanted = c.extents(0) if c.inputs[0].rank == 1 else None
    inner = values.shape[1:]
    rank = ragged + 1 + len(inner)
    longest = c.inputs[0].rank == 0 or (wanted is not None and wanted[:1] == [-1])
    given = wanted if wanted is not None and len(wanted) == rank else [-1] * rank
    result: list[Extent] = [c.fresh() if e == -1 else e for e in given]
    splits = c.inputs[3].shape
    if longest and kinds[0] == "ROW_SPLITS" and splits:
        result[0] = splits[0] - 1
    for i, extent in enumerate(inner):
        result[ragged + 1 + i] = extent
    return ValueType(values.dtype, tuple(result))


@op("RaggedTensorToTensor", type=_to_tensor_type, exact=True)
def ragged_tensor_to_tensor(
    shape: Array,
    values: Array,
    default_value: Array,
    *partitions: Array,
    row_partition_types: Sequence[str],
) -> Array:
    """The dense tensor of a ragged one, cut or filled with `default_value` to `shape`.

    Extents of -1 are those of the longest row (tf.RaggedTensor.to_tensor).  Values beyond those
    that the rows have are left out.
    """
    rows, levels = _partitions(partitions, row_partition_types)
    places = [np.arange(rows)]
    for ids, place in levels:
        places = [p[ids] for p in places] + [place]
    if len(places[0]) > len(values):
        raise ValueError(f"{len(values)} values for {len(places[0])} places")
    extents = [rows, *(int(place.max(initial=-1)) + 1 for _, place in levels), *values.shape[1:]]
    if shape.ndim:
        if shape.size != len(extents):
            raise ValueError(f"shape {shape.tolist()} for a tensor of rank {len(extents)}")
        extents = [e if w == -1 else int(w) for e, w in zip(extents, shape, strict=True)]
        if extents[len(places) :] != list(values.shape[1:]):
            raise ValueError(f"shape {shape.tolist()} for values of shape {values.shape}")
    check_size(extents)
    result = np.empty(extents, values.dtype)
    result[...] = default_value
    inside = np.all([p < e for p, e in zip(places, extents, strict=False)], axis=0)
    result[tuple(p[inside] for p in places)] = values[: len(inside)][inside]
    return result


def _to_sparse_types(c: Inference) -> list[ValueType]:
    values = c.inputs[-1]
    rank = None if values.rank is None else len(c.inputs) - 1 + values.rank
    return sparse_types(c, values, rank)


@op(
    "RaggedTensorToSparse",
    exact=True,
    type=_to_sparse_types,
    outputs=("sparse_indices", "sparse_values", "sparse_dense_shape"),
)
def ragged_tensor_to_sparse(*inputs: Array) -> tuple[Array, Array, Array]:
    """The sparse tensor of a ragged one: splits, then values (tf.RaggedTensor.to_sparse)."""
    *splits, values = inputs
    _, levels = _partitions(splits, ["ROW_SPLITS"] * len(splits))
    places = [np.arange(len(splits[0]) - 1)]
    for ids, place in levels:
        places = [p[ids] for p in places] + [place]
    if len(places[0]) != len(values):
        raise ValueError(f"{len(values)} values for {len(places[0])} places")
    inner = np.indices(values.shape).reshape(values.ndim, -1)
    found = [*(p[inner[0]] for p in places), *inner[1:]]
    longest = [int(np.diff(s).max(initial=0)) for s in splits]
    shape = [len(splits[0]) - 1, *longest, *values.shape[1:]]
    indices = np.stack(found, 1).astype(np.int64)
    return indices, values.ravel(), np.array(shape, np.int64)


def _gather_types(c: Inference) -> list[ValueType]:
    indices = c.inputs[-1].shape
    splits, values = c.inputs[0], c.inputs[-2]
    first: Extent = 1
    result = []
    for extent in indices or ():
        first = first * extent
        result.append(ValueType(splits.dtype, (first + 1,)))
    while len(result) < c.attrs["OUTPUT_RAGGED_RANK"]:
        result.append(ValueType(splits.dtype, (c.fresh(),)))
    inner: Shape = None if values.shape is None else (c.fresh(), *values.shape[1:])
    return [*result, ValueType(values.dtype, inner)]


@op(
    "RaggedGather",
    exact=True,
    type=_gather_types,
    outputs=("output_nested_splits*OUTPUT_RAGGED_RANK", "output_dense_values"),
)
def ragged_gather(*inputs: Array, OUTPUT_RAGGED_RANK: int) -> tuple[Array, ...]:
    """The rows that `indices`, the last input, name of a ragged tensor (tf.gather)."""
    *splits, values, indices = inputs
    check_range(indices, len(splits[0]) - 1, "indices")
    result: list[Array] = []
    count = 1
    for extent in indices.shape[:-1]:
        count *= extent
        step = indices.shape[len(result) + 1]
        result.append(np.arange(count + 1) * step)
    rows = indices.ravel()
    totals = [*(len(level) - 1 for level in splits[1:]), len(values)]
    for level, total in zip(splits, totals, strict=True):
        check_splits(level, int(level[-1]))
        check_range(level, total + 1, "splits")
        starts, ends = level[rows], level[rows + 1]
        result.append(np.concatenate([[0], np.cumsum(ends - starts)]))
        rows = np.concatenate(
            [np.arange(a, b) for a, b in zip(starts, ends, strict=True)] or [np.arange(0)]
        ).astype(np.intp)
    return (*(r.astype(splits[0].dtype) for r in result), values[rows])


def _range_types(c: Inference) -> list[ValueType]:
    lengths = [t.shape[0] for t in c.inputs if t.shape]
    rows = lengths[0] if lengths else 1
    known = all(t.shape is not None for t in c.inputs)
    splits = ValueType(c.attrs["Tsplits"], (rows + 1 if known else c.fresh(),))
    return [splits, ValueType(c.inputs[0].dtype, (c.fresh(),))]


@op("RaggedRange", exact=True, outputs=("rt_nested_splits", "rt_dense_values"), type=_range_types)
def ragged_range(
    starts: Array, limits: Array, deltas: Array, *, Tsplits: DType = INT64
) -> tuple[Array, Array]:
    """A range for each row, empty where `deltas` leads away from `limits` (tf.ragged.range)."""
    if len({x.shape for x in (starts, limits, deltas) if x.ndim}) > 1:
        raise ValueError(f"shapes {starts.shape}, {limits.shape}, {deltas.shape} should be equal")
    if (deltas == 0).any():
        raise ValueError("a range of step 0")
    rows = []
    size = max(x.size if x.ndim else 1 for x in (starts, limits, deltas))
    if any(x.ndim and not x.size for x in (starts, limits, deltas)):
        size = 0
    spread = [np.broadcast_to(x, size) for x in (starts, limits, deltas)]
    for a, b, step in zip(*spread, strict=True):
        if a.dtype.kind in "iu":
            n = max(-((int(a) - int(b)) // int(step)), 0)
        else:
            n = max(int(np.ceil((b - a) / step)), 0)
        check_size([n, 4])  # steps, their sums, and all of them joined
        steps = np.full(n, step)
        steps[:1] = a
        rows.append(np.cumsum(steps, dtype=starts.dtype))
    splits = np.cumsum([0, *map(len, rows)])
    return splits.astype(Tsplits.numpy), np.concatenate([*rows, np.zeros(0, starts.dtype)])


def _fill_types(c: Inference) -> list[ValueType]:
    count, found = c.extents(2), c.fresh()
    return [
        ValueType(INT64, (found,)),
        ValueType(c.inputs[1].dtype, (found,)),
        ValueType(BOOL, (count[0] if count else c.fresh(),)),
        c.inputs[0],
    ]


@op(
    "RaggedFillEmptyRows",
    exact=True,
    type=_fill_types,
    outputs=("output_value_rowids", "output_values", "empty_row_indicator", "reverse_index_map"),
    ranks="1100",
)
def ragged_fill_empty_rows(
    value_rowids: Array, values: Array, nrows: Array, default_value: Array
) -> tuple[Array, Array, Array, Array]:
    """The ragged matrix with `default_value` in each empty row, as `sparse_fill_empty_rows`."""
    count = scalar_int(nrows, "nrows")
    check_size([count, LIST])
    check_range(value_rowids, count, "value_rowids")
    rows, empty, places = fill_rows(value_rowids, count)
    filled = np.empty(len(rows), values.dtype)
    filled[...] = default_value
    filled[places] = values
    return rows, filled, empty, places


def rows_of(splits: Array, values: Array) -> list[list[Any]]:
    """The rows of a ragged matrix as lists."""
    check_splits(splits, len(values))
    return [values[a:b].tolist() for a, b in pairwise(splits.tolist())]
