"""Gradients by the values of sparse tensors, and by rows that were picked."""

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


def _values_type(c: Inference, i: int) -> ValueType:
    """The gradient by as many values as input `i` has rows."""
    shape = c.inputs[i].shape
    return ValueType(c.inputs[0].dtype, (shape[0] if shape else c.fresh(),))


def _found(wanted: Array, indices: Array, values: Array) -> Array:
    """Those of `values`, which stand at `indices`, that stand at the rows of `wanted`; else 0."""
    if len(indices) != len(values) or indices.shape[1] != wanted.shape[1]:
        raise ValueError(f"{len(values)} gradients at indices {indices.shape} by {wanted.shape}")
    at = {tuple(row): i for i, row in enumerate(indices.tolist())}
    result = np.zeros(len(wanted), values.dtype)
    for i, row in enumerate(wanted.tolist()):
        if tuple(row) in at:
            result[i] = values[at[tuple(row)]]
    return result


@op(
    "SparseAddGrad",
    type=lambda c: [_values_type(c, 1), _values_type(c, 2)],
    exact=True,
    outputs=("a_val_grad", "b_val_grad"),
    ranks="1222",
)
def sparse_add_grad(
    backprop_val_grad: Array, a_indices: Array, b_indices: Array, sum_indices: Array
) -> tuple[Array, Array]:
    """The gradients of SparseAdd by the values of both: those at their places in the sum."""
    a, b = (_found(i, sum_indices, backprop_val_grad) for i in (a_indices, b_indices))
    return a, b


@op("SparseSliceGrad", type=lambda c: _values_type(c, 1), exact=True, ranks="1212")
def sparse_slice_grad(
    backprop_val_grad: Array, input_indices: Array, input_start: Array, output_indices: Array
) -> Array:
    """The gradient of SparseSlice by the values; 0 for those that the slice left out."""
    if input_start.shape != input_indices.shape[1:]:
        raise ValueError(f"a start of {input_start.shape} for indices {input_indices.shape}")
    result = _found(input_indices - input_start, output_indices, backprop_val_grad)
    return result


@op(
    "SparseFillEmptyRowsGrad",
    "RaggedFillEmptyRowsGrad",
    type=lambda c: [
        ValueType(c.inputs[1].dtype, c.inputs[0].shape),
        ValueType(c.inputs[1].dtype, ()),
    ],
    outputs=("d_values", "d_default_value"),
    ranks="11",
)
def fill_empty_rows_grad(reverse_index_map: Array, grad_values: Array) -> tuple[Array, Array]:
    """The gradients of SparseFillEmptyRows and of RaggedFillEmptyRows by values and default."""
    check_range(reverse_index_map, len(grad_values), "reverse_index_map")
    filled = np.ones(len(grad_values), bool)
    filled[reverse_index_map] = False
    total = grad_values[filled].sum(dtype=grad_values.dtype)
    return grad_values[reverse_index_map], np.asarray(total, grad_values.dtype)


def _rows_type(c: Inference) -> ValueType:
    (dtype, shape), count = c.inputs[0], c.extents(3)
    if shape is None:
        return ValueType(dtype)
    rows: Extent = count[0] if count else c.fresh()
    return ValueType(dtype, (rows, *shape[1:]))


def _shares(grad: Array, ids: Array, power: float) -> Array:
    """What of `grad` each picked row gets: its segment's, over a power of the segment's size."""
    if grad.ndim < 1 or ids.ndim != 1:
        raise ValueError(f"segment ids {ids.shape} for a gradient of shape {grad.shape}")
    check_range(ids, len(grad), "segment_ids")
    counts = np.maximum(np.bincount(ids, minlength=len(grad)), 1) ** power
    factors = (1 / counts)[ids].astype(grad.dtype)
    return grad[ids] * factors.reshape(-1, *[1] * (grad.ndim - 1))


def _spread(
    grad: Array, indices: Array, ids: Array, rows: Array, power: float
) -> tuple[Array, int]:
    shares, count = _shares(grad, ids, power), scalar_int(rows, "output_dim0")
    if indices.shape != ids.shape:
        raise ValueError(f"{indices.shape} indices for {ids.shape} segment ids")
    check_range(indices, count, "indices")
    return shares, count


def _segment_grad(kind: str, power: float) -> None:
    """Registers both gradients of a reduction over segments of picked rows."""

    def by_rows(grad: Array, indices: Array, segment_ids: Array, output_dim0: Array) -> Array:
        shares, count = _spread(grad, indices, segment_ids, output_dim0, power)
        check_size([count, *grad.shape[1:]])
        result = np.zeros((count, *grad.shape[1:]), grad.dtype)
        np.add.at(result, indices, shares)
        return result

    def by_picked(
        grad: Array, indices: Array, segment_ids: Array, dense_output_dim0: Array
    ) -> tuple[Array, Array]:
        shares, _ = _spread(grad, indices, segment_ids, dense_output_dim0, power)
        picked, at = np.unique(indices, return_inverse=True)
        result = np.zeros((len(picked), *grad.shape[1:]), grad.dtype)
        np.add.at(result, at, shares)
        return result, picked

    by_rows.__doc__ = f"The gradient of SparseSegment{kind} by the rows of its data."
    by_picked.__doc__ = f"As SparseSegment{kind}Grad, of the rows that were picked, and which."
    op(f"SparseSegment{kind}Grad", type=_rows_type, ranks=".110")(by_rows)
    op(
        f"SparseSegment{kind}GradV2",
        type=_picked_types,
        outputs=("output", "sorted_unique_indices"),
        ranks=".110",
    )(by_picked)


def _picked_types(c: Inference) -> list[ValueType]:
    (dtype, shape), found = c.inputs[0], c.fresh()
    rows = ValueType(dtype, None if shape is None else (found, *shape[1:]))
    return [rows, ValueType(c.inputs[1].dtype, (found,))]


for _kind, _power in (("Sum", 0.0), ("Mean", 1.0), ("SqrtN", 0.5)):
    _segment_grad(_kind, _power)
