"""Sets: the innermost rows of tensors, dense or sparse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT32
from ..graph.types import Extent, ValueType
from .array import check_size
from .registry import op
from .rules import Inference
from .sparse import check_sparse, ordered, sparse_types
from .string import texts

Array = NDArray[Any]
Groups = list[tuple[tuple[int, ...], set[Any]]]
_OUTPUTS = ("result_indices", "result_values", "result_shape")
_OPERATIONS = {
    "a-b": set.difference,
    "b-a": lambda a, b: b - a,
    "intersection": set.intersection,
    "union": set.union,
}


def _types(c: Inference) -> list[ValueType]:
    first = c.inputs[0]
    rank: Extent | None = None
    if first.rank is not None and len(c.inputs) < 6:
        rank = first.rank
    elif len(c.inputs) == 6 and c.inputs[2].shape:
        rank = c.inputs[2].shape[0]
    return sparse_types(c, c.inputs[1 if len(c.inputs) == 6 else 0], rank)


def _dense_groups(x: Array) -> tuple[Groups, list[int]]:
    if x.ndim < 2:
        raise ValueError(f"sets need a rank of 2 at least, not shape {x.shape}")
    places = np.ndindex(x.shape[:-1])
    return [(place, set(x[place].tolist())) for place in places], list(x.shape[:-1])


def _sparse_groups(
    indices: Array, values: Array, shape: Array, validate: bool
) -> tuple[Groups, list[int]]:
    """A group is a run of places: one that is not in order, and not refused, may come again."""
    if len(shape) < 2:
        raise ValueError(f"sets need a rank of 2 at least, not shape {shape.tolist()}")
    check_sparse(indices, values, shape)
    if validate and (ordered(indices) != np.arange(len(indices))).any():
        raise ValueError("indices are out of order")
    found: Groups = []
    for place, value in zip(indices[:, :-1].tolist(), values.tolist(), strict=True):
        if not found or found[-1][0] != tuple(place):
            found.append((tuple(place), set()))
        found[-1][1].add(value)
    return found, shape[:-1].tolist()


def _beside(dense: Groups, sparse: Groups) -> Groups:
    """The sparse group of each dense one: one that is out of order waits, and those behind it."""
    later = iter([*sparse, ((), set())])
    place, values = next(later)
    found: Groups = []
    for group, _ in dense:
        found.append((group, values if group == place else set()))
        if group == place:
            place, values = next(later)
    return found


def _paired(a: Groups, b: Groups) -> Iterator[tuple[tuple[int, ...], set[Any], set[Any]]]:
    """Places with the sets of both, from a walk along the two."""
    i = j = 0
    while i < len(a) or j < len(b):
        here = min(group for group, _ in (*a[i : i + 1], *b[j : j + 1]))
        left = a[i][1] if i < len(a) and a[i][0] == here else None
        right = b[j][1] if j < len(b) and b[j][0] == here else None
        i, j = i + (left is not None), j + (right is not None)
        yield here, left or set(), right or set()


def _operated(
    left: tuple[Groups, list[int]],
    right: tuple[Groups, list[int]],
    operation: str,
    dtype: np.dtype[Any],
) -> tuple[Array, Array, Array]:
    (a, shape), (b, other) = left, right
    if shape != other:
        raise ValueError(f"groups of shapes {shape} and {other} should be equal")
    combine: Any = _OPERATIONS.get(operation)
    if combine is None:
        raise ValueError(f"unknown set operation {operation!r}; known: {', '.join(_OPERATIONS)}")
    places: list[tuple[int, ...]] = []
    values: list[Any] = []
    widest = 0
    for group, first, second in _paired(a, b):
        found = sorted(combine(first, second))
        places += [(*group, i) for i in range(len(found))]
        values += found
        widest = max(widest, len(found))
    held = texts(values, (len(values),)) if dtype.kind == "O" else np.array(values, dtype)
    return (
        np.array(places, np.int64).reshape(len(places), len(shape) + 1),
        held,
        np.array([*shape, widest], np.int64),
    )


@op("DenseToDenseSetOperation", type=_types, exact=True, outputs=_OUTPUTS)
def dense_to_dense_set_operation(
    set1: Array, set2: Array, *, set_operation: str
) -> tuple[Array, Array, Array]:
    """`a-b`, `b-a`, `intersection` or `union` of the innermost rows (tf.sets)."""
    return _operated(_dense_groups(set1), _dense_groups(set2), set_operation, set1.dtype)


@op("DenseToSparseSetOperation", type=_types, exact=True, outputs=_OUTPUTS, ranks=".211")
def dense_to_sparse_set_operation(
    set1: Array,
    indices: Array,
    values: Array,
    shape: Array,
    *,
    set_operation: str,
    validate_indices: bool = True,
) -> tuple[Array, Array, Array]:
    """As `dense_to_dense_set_operation`, the second tensor sparse."""
    dense, extents = _dense_groups(set1)
    sparse, other = _sparse_groups(indices, values, shape, validate_indices)
    beside = _beside(dense, sparse)
    return _operated((dense, extents), (beside, other), set_operation, set1.dtype)


@op("SparseToSparseSetOperation", type=_types, exact=True, outputs=_OUTPUTS, ranks="211211")
def sparse_to_sparse_set_operation(
    indices1: Array,
    values1: Array,
    shape1: Array,
    indices2: Array,
    values2: Array,
    shape2: Array,
    *,
    set_operation: str,
    validate_indices: bool = True,
) -> tuple[Array, Array, Array]:
    """As `dense_to_dense_set_operation`, both tensors sparse."""
    return _operated(
        _sparse_groups(indices1, values1, shape1, validate_indices),
        _sparse_groups(indices2, values2, shape2, validate_indices),
        set_operation,
        values1.dtype,
    )


def _size_type(c: Inference) -> ValueType:
    shape = c.extents(2)
    return ValueType(INT32, None if shape is None else tuple(shape[:-1]))


@op("SetSize", type=_size_type, exact=True)
def set_size(
    indices: Array, values: Array, shape: Array, *, validate_indices: bool = True
) -> Array:
    """The number of different values in each innermost row of a sparse tensor (tf.sets.size)."""
    found, extents = _sparse_groups(indices, values, shape, validate_indices)
    check_size(extents)
    result = np.zeros(extents, np.int32)
    for place, group in found:
        result[place] = len(group)
    return result
