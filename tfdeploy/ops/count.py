"""How often each number occurs in a row, as a sparse tensor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64
from ..graph.types import ValueType
from .array import LIST, check_size
from .index import check_splits
from .registry import op
from .rules import Inference
from .sparse import check_sparse

Array = NDArray[Any]
Pairs = Iterable[tuple[int, Any]]
_OUTPUTS = ("output_indices", "output_values", "output_dense_shape")


def _types(c: Inference, rank: int | None) -> list[ValueType]:
    found = c.fresh()
    axes = c.fresh() if rank is None else rank
    return [
        ValueType(INT64, (found, axes)),
        ValueType(c.inputs[-1].dtype, (found,)),
        ValueType(INT64, (axes,)),
    ]


def _counted(
    rows: list[Pairs], weights: Array, minlength: int, maxlength: int, binary: bool, matrix: bool
) -> tuple[Array, Array, Array]:
    """Sums of the weights of each value of each row; `rows` hold pairs of value and place."""
    indices: list[tuple[int, int]] = []
    counts = []
    most = 0
    for i, row in enumerate(rows):
        held: dict[int, Any] = {}
        for value, place in row:
            if value < 0:
                raise ValueError("numbers to count should not be negative")
            if maxlength >= 0 and value >= maxlength:
                continue
            most = max(most, value)
            weight = weights.ravel()[place] if weights.size else weights.dtype.type(1)
            held[value] = weights.dtype.type(1) if binary else held.get(value, 0) + weight
        for value in sorted(held):
            indices.append((i, value))
            counts.append(held[value])
    width = maxlength if maxlength >= 0 else max(most + 1, minlength)
    places = np.array(indices, np.int64).reshape(-1, 2)
    shape = np.array([len(rows), width], np.int64)
    return (
        places if matrix else places[:, 1:],
        np.array(counts, weights.dtype),
        shape if matrix else shape[1:],
    )


def _check_weights(weights: Array, values: Array) -> None:
    if weights.size and weights.shape != values.shape:
        raise ValueError(f"weights of shape {weights.shape} for values of shape {values.shape}")


@op("DenseCountSparseOutput", outputs=_OUTPUTS, type=lambda c: _types(c, c.inputs[0].rank))
def dense_count_sparse_output(
    values: Array, weights: Array, *, minlength: int = -1, maxlength: int = -1, binary_output: bool
) -> tuple[Array, Array, Array]:
    """Counts of the numbers in a vector or in each row of a matrix (tf.sparse.bincount).

    Numbers from `maxlength` on are left out; raises ValueError for negative ones.
    """
    if not 1 <= values.ndim <= 2:
        raise ValueError(f"a vector or a matrix is expected, not shape {values.shape}")
    _check_weights(weights, values)
    matrix = values.ndim == 2
    places = np.arange(values.size).reshape(values.shape)
    rows: list[Pairs] = [
        zip(v.tolist(), p.tolist(), strict=True)
        for v, p in zip(
            values if matrix else values[None], places if matrix else places[None], strict=True
        )
    ]
    return _counted(rows, weights, minlength, maxlength, binary_output, matrix)


def _sparse_types(c: Inference) -> list[ValueType]:
    shape = c.inputs[2].shape
    return _types(c, shape[0] if shape and isinstance(shape[0], int) else None)


@op("SparseCountSparseOutput", outputs=_OUTPUTS, type=_sparse_types, ranks="2")
def sparse_count_sparse_output(
    indices: Array,
    values: Array,
    dense_shape: Array,
    weights: Array,
    *,
    minlength: int = -1,
    maxlength: int = -1,
    binary_output: bool,
) -> tuple[Array, Array, Array]:
    """As `dense_count_sparse_output`, of a sparse vector or matrix."""
    if len(dense_shape) not in (1, 2):
        raise ValueError(f"a vector or a matrix is expected, not shape {dense_shape.tolist()}")
    check_sparse(indices, values, dense_shape)
    _check_weights(weights, values)
    matrix = len(dense_shape) == 2
    check_size([*dense_shape[:1].tolist(), LIST])
    rows: list[list[tuple[int, Any]]] = [[] for _ in range(int(dense_shape[0]) if matrix else 1)]
    for place, value in enumerate(values.tolist()):
        rows[int(indices[place, 0]) if matrix else 0].append((value, place))
    return _counted([*rows], weights, minlength, maxlength, binary_output, matrix)


@op("RaggedCountSparseOutput", outputs=_OUTPUTS, type=lambda c: _types(c, 2))
def ragged_count_sparse_output(
    splits: Array,
    values: Array,
    weights: Array,
    *,
    minlength: int = -1,
    maxlength: int = -1,
    binary_output: bool,
) -> tuple[Array, Array, Array]:
    """As `dense_count_sparse_output`, of a ragged matrix."""
    check_splits(splits, len(values))
    _check_weights(weights, values)
    rows: list[Pairs] = [
        zip(values[a:b].tolist(), range(a, b), strict=True)
        for a, b in zip(splits[:-1].tolist(), splits[1:].tolist(), strict=True)
    ]
    return _counted(rows, weights, minlength, maxlength, binary_output, True)
