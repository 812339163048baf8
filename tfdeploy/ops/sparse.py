"""Sparse tensors: indices ``int64[n, rank]``, values ``[n]``, and a dense shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL, FLOAT32, INT64
from ..graph.types import Extent, ValueType
from .array import LIST, check_size, scalar_int
from .registry import op
from .rules import Inference, normalize_axis, shape_vector

Array = NDArray[Any]


def check_sparse(indices: Array, values: Array, shape: Array) -> None:
    """Raises ValueError or IndexError where the three are no sparse tensor."""
    if (
        indices.ndim != 2
        or values.ndim != 1
        or shape.ndim != 1
        or (indices.shape != (len(values), len(shape)))
    ):
        raise ValueError(
            f"indices {indices.shape}, values {values.shape} and shape {shape.tolist()} do not fit"
        )
    wrong = ((indices < 0) | (indices >= shape)).any(1)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise IndexError(f"indices[{at}] = {indices[at].tolist()} is outside of {shape.tolist()}")


def sparse_types(c: Inference, values: ValueType, rank: Extent | None = None) -> list[ValueType]:
    """Types of a sparse tensor with as many values as there turn out to be."""
    found = c.fresh()
    axes = c.fresh() if rank is None else rank
    return [
        ValueType(INT64, (found, axes)),
        ValueType(values.dtype, (found,)),
        ValueType(INT64, (axes,)),
    ]


def _rank(c: Inference, i: int) -> Extent | None:
    """The rank that the shape vector in input `i` has."""
    shape = c.inputs[i].shape
    return shape[0] if shape else None


def _to_dense_type(c: Inference) -> ValueType:
    return ValueType(c.inputs[2].dtype, shape_vector(c, 1))


@op("SparseToDense", type=_to_dense_type, exact=True, ranks=".1.0")
def sparse_to_dense(
    indices: Array,
    output_shape: Array,
    values: Array,
    default_value: Array,
    *,
    validate_indices: bool = True,
) -> Array:
    """A tensor of `default_value` with `values` at `indices` (tf.sparse.to_dense).

    Indices may be a scalar or vector for a vector; values may be one for all.  Raises ValueError
    for indices out of order or twice, if `validate_indices`, and IndexError for those outside.
    """
    shape = output_shape.tolist()
    check_size(shape)
    places = indices.reshape(-1, 1) if indices.ndim < 2 else indices
    if (
        values.ndim > 1
        or places.shape[1] != len(shape)
        or (values.ndim == 1 and len(values) != len(places))
    ):
        raise ValueError(f"indices {indices.shape} and values {values.shape} for shape {shape}")
    check_sparse(places, np.zeros(len(places)), output_shape)
    if validate_indices and len(places) > 1:
        flat = np.ravel_multi_index(tuple(places.T), shape)
        if (np.diff(flat) <= 0).any():
            raise ValueError("indices are out of order, or one is there twice")
    result = np.full(
        shape,
        default_value.item() if default_value.dtype == object else default_value,
        default_value.dtype,
    )
    result[tuple(places.T)] = values
    return result


def _fill_types(c: Inference) -> list[ValueType]:
    shape = c.extents(2)
    rows = shape[0] if shape else c.fresh()
    found = sparse_types(c, c.inputs[1], _rank(c, 2))[:2]
    return [*found, ValueType(BOOL, (rows,)), ValueType(INT64, c.inputs[1].shape)]


def fill_rows(rows: Array, count: int) -> tuple[Array, Array, Array]:
    """Where each value (in row ``rows[i]`` of `count`) goes once each empty row has one.

    Returns the row of each new value, which rows were empty, and the new place of each old value.
    """
    empty = np.bincount(rows, minlength=count) == 0
    all_rows = np.concatenate([rows, np.flatnonzero(empty)])
    order = np.argsort(all_rows, kind="stable")
    places = np.empty(len(all_rows), np.int64)
    places[order] = np.arange(len(all_rows))
    return all_rows[order], empty, places[: len(rows)]


@op(
    "SparseFillEmptyRows",
    exact=True,
    type=_fill_types,
    outputs=("output_indices", "output_values", "empty_row_indicator", "reverse_index_map"),
    ranks="2110",
)
def sparse_fill_empty_rows(
    indices: Array, values: Array, dense_shape: Array, default_value: Array
) -> tuple[Array, Array, Array, Array]:
    """The sparse tensor with `default_value` at the start of each empty row.

    Also which rows were empty, and where each old value is now (tf.sparse.fill_empty_rows).
    """
    check_sparse(indices, values, dense_shape)
    check_size([*dense_shape[:1].tolist(), LIST])
    if not len(dense_shape):
        raise ValueError("a scalar has no rows")
    rows, empty, places = fill_rows(indices[:, 0], int(dense_shape[0]))
    result = np.zeros((len(rows), indices.shape[1]), np.int64)
    result[:, 0] = rows
    result[places] = indices
    filled = np.full(
        len(rows), default_value.item() if values.dtype == object else default_value, values.dtype
    )
    filled[places] = values
    return result, filled, empty, places


def _reshape_types(c: Inference) -> list[ValueType]:
    count = c.inputs[0].shape
    rank = _rank(c, 2)
    axes = c.fresh() if rank is None else rank
    return [ValueType(INT64, (count[0] if count else c.fresh(), axes)), ValueType(INT64, (axes,))]


@op(
    "SparseReshape",
    exact=True,
    outputs=("output_indices", "output_shape"),
    type=_reshape_types,
    ranks="211",
)
def sparse_reshape(indices: Array, shape: Array, new_shape: Array) -> tuple[Array, Array]:
    """The places in a tensor of `new_shape`, one extent of which may be -1 (tf.sparse.reshape)."""
    total = prod(shape.tolist())
    wanted = new_shape.tolist()
    if wanted.count(-1) > 1 or any(e < -1 for e in wanted):
        raise ValueError(f"shape {wanted} has a negative extent other than one -1")
    if -1 in wanted:
        rest = prod(e for e in wanted if e != -1)
        if not rest or total % rest:
            raise ValueError(f"{total} elements do not take shape {wanted}")
        wanted[wanted.index(-1)] = total // rest
    if prod(wanted) != total:
        raise ValueError(f"{total} elements do not take shape {wanted}")
    check_sparse(indices, np.zeros(len(indices)), shape)
    flat = _flat(indices, shape.tolist())
    result = np.empty((len(indices), len(wanted)), np.int64)
    for axis in range(len(wanted) - 1, -1, -1):
        flat, result[:, axis] = np.divmod(flat, max(wanted[axis], 1))
    return result, np.array(wanted, np.int64)


def _flat(indices: Array, shape: Sequence[int]) -> Array:
    """Row-major places of `indices` in a tensor of `shape`."""
    flat = np.zeros(len(indices), np.int64)
    for axis, extent in enumerate(shape):
        flat = flat * extent + indices[:, axis]
    return flat


def ordered(indices: Array) -> Array:
    """The stable order in which the rows of `indices` rise."""
    if not indices.shape[1]:
        return np.arange(len(indices))
    return np.lexsort(indices.T[::-1])


@op(
    "SparseReorder",
    exact=True,
    outputs=("output_indices", "output_values"),
    type=lambda c: list(c.inputs[:2]),
    ranks="211",
)
def sparse_reorder(indices: Array, values: Array, shape: Array) -> tuple[Array, Array]:
    """The sparse tensor with its indices in row-major order (tf.sparse.reorder)."""
    check_sparse(indices, values, shape)
    order = ordered(indices)
    return indices[order], values[order]


@op(
    "SparseSlice",
    exact=True,
    outputs=("output_indices", "output_values", "output_shape"),
    type=lambda c: sparse_types(c, c.inputs[1], _rank(c, 2)),
)
def sparse_slice(
    indices: Array, values: Array, shape: Array, start: Array, size: Array
) -> tuple[Array, Array, Array]:
    """What lies in the box of `size` at `start`, cut off at the edge (tf.sparse.slice)."""
    check_sparse(indices, values, shape)
    if (
        start.shape != shape.shape
        or size.shape != shape.shape
        or (start < 0).any()
        or (size < 0).any()
    ):
        raise ValueError(f"start {start.tolist()} and size {size.tolist()} for {shape.tolist()}")
    kept = ((indices >= start) & (indices < start + size)).all(1)
    extents = np.maximum(np.minimum(size, shape - start), 0)
    return indices[kept] - start, values[kept], extents


def _concat_types(c: Inference) -> list[ValueType]:
    n = len(c.inputs) // 3
    return sparse_types(c, c.inputs[n], _rank(c, 2 * n))


@op(
    "SparseConcat",
    exact=True,
    type=_concat_types,
    outputs=("output_indices", "output_values", "output_shape"),
)
def sparse_concat(*inputs: Array, concat_dim: int) -> tuple[Array, Array, Array]:
    """Sparse tensors, all indices, values, and shapes, joined along an axis (tf.sparse.concat)."""
    n = len(inputs) // 3
    parts = list(zip(inputs[:n], inputs[n : 2 * n], inputs[2 * n :], strict=True))
    shape = inputs[2 * n].copy()
    axis = normalize_axis(concat_dim, len(shape))
    moved = []
    offset = 0
    for indices, values, extents in parts:
        check_sparse(indices, values, extents)
        if (np.delete(extents, axis) != np.delete(shape, axis)).any():
            raise ValueError(f"shapes {extents.tolist()} and {shape.tolist()} differ off {axis}")
        step = np.zeros(len(shape), np.int64)
        step[axis] = offset
        moved.append(indices + step)
        offset += int(extents[axis])
    shape[axis] = offset
    together = np.concatenate(moved)
    order = ordered(together)
    return together[order], np.concatenate(inputs[n : 2 * n])[order], shape


def _split_types(c: Inference) -> list[ValueType]:
    n = c.attrs["num_split"]
    parts = [sparse_types(c, c.inputs[2], _rank(c, 3)) for _ in range(n)]
    return [part[i] for i in range(3) for part in parts]


@op(
    "SparseSplit",
    exact=True,
    type=_split_types,
    outputs=("output_indices*num_split", "output_values*num_split", "output_shape*num_split"),
    ranks="0...",
)
def sparse_split(
    split_dim: Array, indices: Array, values: Array, shape: Array, *, num_split: int
) -> tuple[Array, ...]:
    """The sparse tensor cut along an axis, the first parts one larger (tf.sparse.split)."""
    check_sparse(indices, values, shape)
    axis = normalize_axis(scalar_int(split_dim, "split_dim"), len(shape))
    extent = int(shape[axis])
    if not 1 <= num_split <= extent:
        raise ValueError(f"an extent of {extent} in {num_split} parts")
    least, more = divmod(extent, num_split)
    parts = []
    start = 0
    for i in range(num_split):
        n = least + (i < more)
        kept = (indices[:, axis] >= start) & (indices[:, axis] < start + n)
        step, extents = np.zeros_like(shape), shape.copy()
        step[axis], extents[axis] = start, n
        parts.append((indices[kept] - step, values[kept], extents))
        start += n
    return tuple(part[i] for i in range(3) for part in parts)


def _dense_add_type(c: Inference) -> ValueType:
    return c.inputs[3]


@op("SparseTensorDenseAdd", type=_dense_add_type, exact=True)
def sparse_tensor_dense_add(indices: Array, values: Array, shape: Array, b: Array) -> Array:
    """A sparse tensor plus a dense one of the same shape (tf.sparse.add)."""
    if tuple(shape.tolist()) != b.shape:
        raise ValueError(f"shapes {shape.tolist()} and {b.shape} should be equal")
    check_sparse(indices, values, shape)
    result = b.copy()
    np.add.at(result, tuple(indices.T), values)
    return result


def _matmul_type(c: Inference) -> ValueType:
    shape, b = c.extents(2), c.inputs[3].shape
    rows: Extent = shape[1 if c.attrs["adjoint_a"] else 0] if shape else c.fresh()
    columns: Extent = c.fresh() if b is None else b[0 if c.attrs["adjoint_b"] else 1]
    return ValueType(c.inputs[3].dtype, (rows, columns))


@op("SparseTensorDenseMatMul", type=_matmul_type, ranks="2112")
def sparse_tensor_dense_mat_mul(
    indices: Array,
    values: Array,
    shape: Array,
    b: Array,
    *,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
) -> Array:
    """A sparse matrix times a dense one (tf.sparse.sparse_dense_matmul)."""
    if len(shape) != 2 or b.ndim != 2:
        raise ValueError(f"matrices are expected, not shapes {shape.tolist()} and {b.shape}")
    check_sparse(indices, values, shape)
    rows, inner = indices.T
    extents = shape.tolist()
    if adjoint_a:
        rows, inner, values, extents = inner, rows, values.conj(), extents[::-1]
    right = b.conj().T if adjoint_b else b
    if extents[1] != len(right):
        raise ValueError(f"inner extents {extents[1]} and {len(right)} should be equal")
    check_size([extents[0], right.shape[1]])
    summed = np.float32 if b.dtype == np.float16 else b.dtype  # bfloat16 is summed as it is
    result = np.zeros((extents[0], right.shape[1]), summed)
    np.add.at(result, rows, values.astype(summed)[:, None] * right[inner].astype(summed))
    return result.astype(b.dtype, copy=False)


def _merged(
    a: tuple[Array, Array], b: tuple[Array, Array], combine: Callable[[Any, Any], Any]
) -> tuple[Array, Array, Array]:
    """Places and values of two sparse tensors, those of one place combined; and which are both's.

    One that has no value there counts as 0.
    """
    nothing = a[1].dtype.type(0)
    held: dict[tuple[int, ...], list[Any]] = {}
    for side, (indices, values) in enumerate((a, b)):
        for place, value in zip(map(tuple, indices.tolist()), values, strict=True):
            held.setdefault(place, [None, None])[side] = value
    places = sorted(held)
    merged = np.array(
        [combine(*(nothing if v is None else v for v in held[p])) for p in places], a[1].dtype
    )
    both = np.array([None not in held[p] for p in places], bool)
    return np.array(places, np.int64).reshape(len(places), a[0].shape[1]), merged, both


def _check_pair(a_shape: Array, b_shape: Array) -> None:
    if a_shape.tolist() != b_shape.tolist():
        raise ValueError(f"shapes {a_shape.tolist()} and {b_shape.tolist()} should be equal")


@op(
    "SparseAdd",
    exact=True,
    outputs=("sum_indices", "sum_values", "sum_shape"),
    type=lambda c: sparse_types(c, c.inputs[1], _rank(c, 2)),
    ranks="..1",
)
def sparse_add(
    a_indices: Array,
    a_values: Array,
    a_shape: Array,
    b_indices: Array,
    b_values: Array,
    b_shape: Array,
    thresh: Array,
) -> tuple[Array, Array, Array]:
    """The sum of two sparse tensors (tf.sparse.add).

    Sums smaller than `thresh` are left out, not what only one tensor has.
    """
    _check_pair(a_shape, b_shape)
    check_sparse(a_indices, a_values, a_shape)
    check_sparse(b_indices, b_values, b_shape)
    indices, values, both = _merged((a_indices, a_values), (b_indices, b_values), np.add)
    kept = ~both | (abs(values) >= thresh)
    return indices[kept], values[kept], a_shape


@op(
    "SparseSparseMaximum",
    exact=True,
    outputs=("output_indices", "output_values"),
    type=lambda c: sparse_types(c, c.inputs[1], _rank(c, 2))[:2],
    ranks="211211",
)
def sparse_sparse_maximum(
    a_indices: Array,
    a_values: Array,
    a_shape: Array,
    b_indices: Array,
    b_values: Array,
    b_shape: Array,
) -> tuple[Array, Array]:
    """The larger of two sparse tensors, where either has a value (tf.sparse.maximum)."""
    _check_pair(a_shape, b_shape)
    check_sparse(a_indices, a_values, a_shape)
    check_sparse(b_indices, b_values, b_shape)
    return _merged((a_indices, a_values), (b_indices, b_values), np.maximum)[:2]


@op(
    "SparseSparseMinimum",
    exact=True,
    outputs=("output_indices", "output_values"),
    type=lambda c: sparse_types(c, c.inputs[1], _rank(c, 2))[:2],
    ranks="211211",
)
def sparse_sparse_minimum(
    a_indices: Array,
    a_values: Array,
    a_shape: Array,
    b_indices: Array,
    b_values: Array,
    b_shape: Array,
) -> tuple[Array, Array]:
    """The smaller of two sparse tensors, where either has a value (tf.sparse.minimum)."""
    _check_pair(a_shape, b_shape)
    check_sparse(a_indices, a_values, a_shape)
    check_sparse(b_indices, b_values, b_shape)
    return _merged((a_indices, a_values), (b_indices, b_values), np.minimum)[:2]


def _cwise(
    indices: Array, values: Array, shape: Array, dense: Array, combine: Callable[[Any, Any], Any]
) -> Array:
    check_sparse(indices, values, shape)
    spread = np.broadcast_to(dense, shape.tolist())
    result: Array = combine(values, spread[tuple(indices.T)])
    return result.astype(values.dtype, copy=False)


def _values_type(c: Inference) -> ValueType:
    return c.inputs[1]


@op("SparseDenseCwiseAdd", type=_values_type, exact=True, ranks="2")
def sparse_dense_cwise_add(indices: Array, values: Array, shape: Array, dense: Array) -> Array:
    """`values` plus what the broadcast `dense` has in their places."""
    return _cwise(indices, values, shape, dense, np.add)


@op("SparseDenseCwiseMul", type=_values_type, exact=True, ranks="2")
def sparse_dense_cwise_mul(indices: Array, values: Array, shape: Array, dense: Array) -> Array:
    """`values` times what the broadcast `dense` has in their places."""
    return _cwise(indices, values, shape, dense, np.multiply)


def _truncated(x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return np.divide(x, y)
    if not y.all():
        raise ValueError("integer division by zero")
    return np.sign(x) * np.sign(y) * (abs(x) // abs(y))


@op("SparseDenseCwiseDiv", type=_values_type, exact=True, ranks="2")
def sparse_dense_cwise_div(indices: Array, values: Array, shape: Array, dense: Array) -> Array:
    """`values` over what the broadcast `dense` has in their places, integers towards zero."""
    return _cwise(indices, values, shape, dense, _truncated)


@op("SparseSoftmax", type=_values_type, ranks="211")
def sparse_softmax(indices: Array, values: Array, shape: Array) -> Array:
    """Softmax over the values that each innermost row has (tf.sparse.softmax)."""
    if len(shape) < 2:
        raise ValueError(f"a matrix at least is expected, not shape {shape.tolist()}")
    check_sparse(indices, values, shape)
    result = np.empty_like(values)
    for places in groups(indices[:, :-1]):
        row = np.exp(values[places] - values[places].max())
        result[places] = row / row.sum()
    return result


def groups(keys: Array) -> Iterable[list[int]]:
    """The places of equal rows of `keys`, one list for each, in the order of their first."""
    found: dict[tuple[int, ...], list[int]] = {}
    for i, key in enumerate(map(tuple, keys.tolist())):
        found.setdefault(key, []).append(i)
    return found.values()


def _reduced(
    indices: Array, values: Array, shape: Array, axes: Array, combine: Callable[[Array], Any]
) -> tuple[list[int], Array, Array]:
    """The axes that stay, the places along them that have values, and the reduced values."""
    check_sparse(indices, values, shape)
    gone = {normalize_axis(a, len(shape)) for a in axes.ravel().tolist()}
    kept = [i for i in range(len(shape)) if i not in gone]
    order = ordered(indices)
    keys = indices[order][:, kept]
    found = sorted(groups(keys), key=lambda places: tuple(keys[places[0]]))
    result = np.array([combine(values[order][places]) for places in found], values.dtype)
    return kept, keys[[places[0] for places in found]].reshape(len(found), len(kept)), result


def _sum(values: Array) -> Any:
    return values.sum(dtype=values.dtype)


def _largest(values: Array) -> Any:
    """The largest number.

    TensorFlow leaves NaN out of whole packets, of 8 numbers or 4 doubles; among the numbers behind
    them a NaN lasts until the next one.
    """
    if values.dtype.kind in "iu" or not np.isnan(values).any():
        return values.max()
    size = 4 if values.itemsize == 8 else 8
    whole = len(values) // size * size
    best, last = -np.inf, -np.inf
    for value in values[:whole].tolist():
        best = max(best, value)
    for value in values[whole:].tolist():
        last = last if last > value else value
    return best if best > last else last


def _dense_result(
    indices: Array,
    values: Array,
    shape: Array,
    axes: Array,
    keep: bool,
    combine: Callable[[Array], Any],
) -> Array:
    kept, places, reduced = _reduced(indices, values, shape, axes, combine)
    extents = [int(shape[i]) for i in kept]
    check_size(extents)
    result = np.zeros(extents, values.dtype)
    result[tuple(places.T)] = reduced if kept else reduced.sum(dtype=reduced.dtype)
    return result.reshape(
        [int(e) if i in kept else 1 for i, e in enumerate(shape)] if keep else extents
    )


def _reduce_type(c: Inference) -> ValueType:
    shape, axes = c.extents(2), c.ints(3)
    if shape is None or axes is None:
        return ValueType(c.inputs[1].dtype)
    gone = {normalize_axis(a, len(shape)) for a in axes}
    if c.attrs["keep_dims"]:
        return ValueType(
            c.inputs[1].dtype, tuple(1 if i in gone else e for i, e in enumerate(shape))
        )
    return ValueType(c.inputs[1].dtype, tuple(e for i, e in enumerate(shape) if i not in gone))


@op("SparseReduceSum", type=_reduce_type)
def sparse_reduce_sum(
    indices: Array, values: Array, shape: Array, axes: Array, *, keep_dims: bool = False
) -> Array:
    """Sums over `axes` of a sparse tensor, dense (tf.sparse.reduce_sum)."""
    return _dense_result(indices, values, shape, axes, keep_dims, _sum)


@op("SparseReduceMax", type=_reduce_type, exact=True)
def sparse_reduce_max(
    indices: Array, values: Array, shape: Array, axes: Array, *, keep_dims: bool = False
) -> Array:
    """Maxima over `axes` of the values there are, dense, 0 for none (tf.sparse.reduce_max)."""
    return _dense_result(indices, values, shape, axes, keep_dims, _largest)


def _sparse_result(
    indices: Array,
    values: Array,
    shape: Array,
    axes: Array,
    keep: bool,
    combine: Callable[[Array], Any],
) -> tuple[Array, Array, Array]:
    kept, places, reduced = _reduced(indices, values, shape, axes, combine)
    if not keep:
        return places, reduced, shape[kept]
    whole = np.zeros((len(places), len(shape)), np.int64)
    whole[:, kept] = places
    return whole, reduced, np.array([e if i in kept else 1 for i, e in enumerate(shape)], np.int64)


@op(
    "SparseReduceSumSparse",
    outputs=("output_indices", "output_values", "output_shape"),
    type=lambda c: sparse_types(c, c.inputs[1]),
)
def sparse_reduce_sum_sparse(
    indices: Array, values: Array, shape: Array, axes: Array, *, keep_dims: bool = False
) -> tuple[Array, Array, Array]:
    """As `sparse_reduce_sum`, sparse."""
    return _sparse_result(indices, values, shape, axes, keep_dims, _sum)


@op(
    "SparseReduceMaxSparse",
    outputs=("output_indices", "output_values", "output_shape"),
    type=lambda c: sparse_types(c, c.inputs[1]),
    exact=True,
)
def sparse_reduce_max_sparse(
    indices: Array, values: Array, shape: Array, axes: Array, *, keep_dims: bool = False
) -> tuple[Array, Array, Array]:
    """As `sparse_reduce_max`, sparse."""
    return _sparse_result(indices, values, shape, axes, keep_dims, _largest)


def _distance(left: Sequence[Any], right: Sequence[Any]) -> int:
    """Levenshtein's distance."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


def _edit_type(c: Inference) -> ValueType:
    left, right = c.extents(2), c.extents(5)
    if left is None or right is None:
        return ValueType(FLOAT32)
    largest = tuple(
        max(a, b) if isinstance(a, int) and isinstance(b, int) else c.fresh()
        for a, b in zip(left[:-1], right[:-1], strict=True)
    )
    return ValueType(FLOAT32, largest)


@op("EditDistance", type=_edit_type, exact=True, ranks="211211")
def edit_distance(
    hypothesis_indices: Array,
    hypothesis_values: Array,
    hypothesis_shape: Array,
    truth_indices: Array,
    truth_values: Array,
    truth_shape: Array,
    *,
    normalize: bool = True,
) -> Array:
    """Levenshtein's distance of the innermost rows of two sparse tensors (tf.edit_distance).

    Normalized by the truth's length, infinite for an empty truth and 0 for two empty rows.
    """
    check_sparse(hypothesis_indices, hypothesis_values, hypothesis_shape)
    check_sparse(truth_indices, truth_values, truth_shape)
    if len(hypothesis_shape) != len(truth_shape) or len(truth_shape) < 2:
        raise ValueError(f"shapes {hypothesis_shape.tolist()} and {truth_shape.tolist()}")
    shape = np.maximum(hypothesis_shape, truth_shape)[:-1].tolist()
    check_size(shape)
    rows: list[dict[tuple[int, ...], list[Any]]] = [{}, {}]
    for held, indices, values in (
        (rows[0], hypothesis_indices, hypothesis_values),
        (rows[1], truth_indices, truth_values),
    ):
        for place, value in zip(indices[:, :-1].tolist(), values.tolist(), strict=True):
            held.setdefault(tuple(place), []).append(value)
    result = np.zeros(shape, np.float32)
    for place in {*rows[0], *rows[1]}:
        left, right = rows[0].get(place, []), rows[1].get(place, [])
        distance = _distance(left, right)
        scale = len(right) if normalize else 1
        result[place] = np.float32(distance) / np.float32(scale) if scale else np.inf
    return result
