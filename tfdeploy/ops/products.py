"""Products of matrices, stacked ones too, and Einstein sums."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, DType
from ..graph.types import Extent, Shape, ValueType
from .registry import op
from .rules import Inference, broadcast_shapes, merge_extents

Array = NDArray[Any]
Label = Hashable


def widened(x: Array) -> Array:
    """Half precision as float32, in which TensorFlow computes it; the rest as it is."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x


def adjoint_of(x: Array) -> Array:
    return np.conj(np.swapaxes(x, -1, -2)) if x.dtype.kind == "c" else np.swapaxes(x, -1, -2)


def product_shape(
    c: Inference, a: Shape, b: Shape, flip_a: bool, flip_b: bool, batch: bool = True
) -> Shape:
    """Shape of a @ b with batch extents that broadcast; raises ValueError where they do not fit."""
    if a is None or b is None:
        return None
    if min(len(a), len(b)) < 2 or (not batch and max(len(a), len(b)) > 2):
        raise ValueError(f"matrices are needed, not ranks {len(a)} and {len(b)}")
    rows, inner = (a[-1], a[-2]) if flip_a else (a[-2], a[-1])
    columns, outer = (b[-2], b[-1]) if flip_b else (b[-1], b[-2])
    merge_extents(inner, outer)
    stacked = broadcast_shapes(c, a[:-2], b[:-2])
    return None if stacked is None else (*stacked, rows, columns)


def _matmul_type(c: Inference) -> ValueType:
    shape = product_shape(
        c,
        c.inputs[0].shape,
        c.inputs[1].shape,
        c.attrs["transpose_a"],
        c.attrs["transpose_b"],
        batch=False,
    )
    return ValueType(c.inputs[0].dtype, shape or c.unknown(2))


def _batch_matmul_type(c: Inference) -> ValueType:
    shape = product_shape(
        c, c.inputs[0].shape, c.inputs[1].shape, c.attrs["adj_x"], c.attrs["adj_y"]
    )
    return ValueType(c.attrs.get("Tout") or c.inputs[0].dtype, shape)


@op("MatMul", type=_matmul_type, ranks="22")
def matmul(a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """The product of two matrices (tf.linalg.matmul of rank 2)."""
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"matrices are needed, not shapes {a.shape} and {b.shape}")
    x = widened(a).T if transpose_a else widened(a)
    y = widened(b).T if transpose_b else widened(b)
    return np.matmul(x, y).astype(a.dtype)


@op("SparseMatMul", type=lambda c: _matmul_type(c)._replace(dtype=FLOAT32), ranks="22")
def sparse_matmul(
    a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False
) -> Any:
    """The product of two matrices with many zeros, in float32 (tf.raw_ops.SparseMatMul)."""
    return matmul(
        a.astype(np.float32), b.astype(np.float32), transpose_a=transpose_a, transpose_b=transpose_b
    )


@op("BatchMatMulV2", "BatchMatMulV3", type=_batch_matmul_type)
def batch_matmul_v2(
    x: Array, y: Array, *, adj_x: bool = False, adj_y: bool = False, Tout: DType | None = None
) -> Any:
    """Products of stacked matrices whose batch extents broadcast, adjoint where asked for
    (tf.linalg.matmul); `Tout` is the type to compute in, if any."""
    if min(x.ndim, y.ndim) < 2:
        raise ValueError(f"matrices are needed, not shapes {x.shape} and {y.shape}")
    result = np.dtype(x.dtype if Tout is None else Tout.numpy)
    if Tout is not None and result.kind in "iu":
        x, y = x.astype(result), y.astype(result)
    left = adjoint_of(widened(x)) if adj_x else widened(x)
    right = adjoint_of(widened(y)) if adj_y else widened(y)
    return np.matmul(left, right).astype(result)


@op("BatchMatMul", type=_batch_matmul_type)
def batch_matmul(x: Array, y: Array, *, adj_x: bool = False, adj_y: bool = False) -> Any:
    """As BatchMatMulV2, with equal batch extents."""
    if x.shape[:-2] != y.shape[:-2]:
        raise ValueError(f"batches {x.shape[:-2]} and {y.shape[:-2]} should be equal")
    return batch_matmul_v2(x, y, adj_x=adj_x, adj_y=adj_y)


def _labels(equation: str, ranks: Sequence[int]) -> tuple[list[list[Label]], list[Label]]:
    """Labels of each operand's axes and of the result's.

    A label is a character; the axes that an ellipsis stands for have the labels ..., -2, -1.
    Raises ValueError where the equation does not fit the ranks.
    """
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != len(ranks):
        raise ValueError(f"equation {equation!r} does not fit {len(ranks)} operands")
    hidden = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    operands: list[list[Label]] = []
    for term, rank, extra in zip(terms, ranks, hidden, strict=True):
        before, dots, after = term.partition("...")
        if extra < 0 or (extra and not dots):
            raise ValueError(f"in equation {equation!r}, {term!r} does not fit rank {rank}")
        operands.append([*before, *range(-extra, 0), *after])
    before, dots, after = right.partition("...")
    most = max(hidden, default=0)
    if most and not dots:
        raise ValueError(f"equation {equation!r} has an ellipsis on its left side only")
    result: list[Label] = [*before, *range(-most, 0), *after]
    unknown = set(result) - {label for operand in operands for label in operand}
    if unknown:
        raise ValueError(f"equation {equation!r} makes {unknown} out of nothing")
    return operands, result


def _einsum_type(c: Inference) -> ValueType:
    dtype = c.inputs[0].dtype
    shapes = [t.shape for t in c.inputs if t.shape is not None]
    if len(shapes) < len(c.inputs):
        return ValueType(dtype)
    operands, result = _labels(c.attrs["equation"], [len(s) for s in shapes])
    extents: dict[Label, Extent] = {}
    for labels, shape in zip(operands, shapes, strict=True):
        for label, extent in zip(labels, shape, strict=True):
            if isinstance(label, int):
                joint = broadcast_shapes(c, (extents.get(label, 1),), (extent,))
                extents[label] = joint[0] if joint else c.fresh()
            else:
                extents[label] = merge_extents(extents.get(label, extent), extent)
    return ValueType(dtype, tuple(extents[label] for label in result))


def _reduce(x: Array, labels: list[Label], keep: set[Label]) -> tuple[Array, list[Label]]:
    """Takes diagonals where a label repeats, sums over labels that nobody needs."""
    while len(set(labels)) < len(labels):
        label = next(name for name in labels if labels.count(name) > 1)
        first = labels.index(label)
        second = labels.index(label, first + 1)
        if x.shape[first] != x.shape[second]:
            raise ValueError(f"label {label!r} has extents {x.shape[first]} and {x.shape[second]}")
        x = np.diagonal(x, axis1=first, axis2=second)
        labels = [*(n for i, n in enumerate(labels) if i not in (first, second)), label]
    gone = tuple(i for i, label in enumerate(labels) if label not in keep)
    return x.sum(axis=gone, dtype=x.dtype), [label for label in labels if label in keep]


def contract(
    a: tuple[Array, list[Label]], b: tuple[Array, list[Label]], keep: set[Label]
) -> tuple[Array, list[Label]]:
    """The product of two operands, summed over what both have and nobody needs."""
    (x, left), (y, right) = a, b
    for label in set(left) & set(right):
        extents = (x.shape[left.index(label)], y.shape[right.index(label)])
        if extents[0] != extents[1] and not (isinstance(label, int) and 1 in extents):
            raise ValueError(f"label {label!r} has extents {extents[0]} and {extents[1]}")
    batch = [label for label in left if label in right and label in keep]
    inner = [label for label in left if label in right and label not in keep]
    rows = [label for label in left if label not in right]
    columns = [label for label in right if label not in left]
    x = x.transpose([left.index(label) for label in batch + rows + inner])
    y = y.transpose([right.index(label) for label in batch + inner + columns])
    n, r = len(batch), len(batch) + len(rows)
    row_extents, column_extents = x.shape[n:r], y.shape[n + len(inner) :]
    depth = math.prod(x.shape[r:])
    found = np.matmul(
        x.reshape((*x.shape[:n], math.prod(row_extents), depth)),
        y.reshape((*y.shape[:n], depth, math.prod(column_extents))),
    )
    return found.reshape(found.shape[:n] + row_extents + column_extents), batch + rows + columns


@op("Einsum", type=_einsum_type)
def einsum(*inputs: Array, equation: str) -> Any:
    """Sums of products by Einstein's convention, with ellipsis and repeated labels on either side
    (tf.einsum).

    Raises ValueError where the equation does not fit the operands.
    """
    operands, result = _labels(equation, [x.ndim for x in inputs])
    terms = [(widened(x), labels) for x, labels in zip(inputs, operands, strict=True)]
    while True:
        for i, (x, labels) in enumerate(terms):
            others = {label for j, term in enumerate(terms) if j != i for label in term[1]}
            terms[i] = _reduce(x, labels, others | set(result))
        if len(terms) == 1:
            break
        later = {label for _, labels in terms[2:] for label in labels}
        terms[:2] = [contract(terms[0], terms[1], later | set(result))]
    x, labels = terms[0]
    once = list(dict.fromkeys(result))
    x = x.transpose([labels.index(label) for label in once])
    if len(once) < len(result):
        x = _inflate(x, once, result)
    return x.astype(inputs[0].dtype)


def _inflate(x: Array, labels: list[Label], result: list[Label]) -> Array:
    """Puts `x` on the diagonals of zeros where `result` repeats a label."""
    spread = np.zeros([x.shape[labels.index(label)] for label in result], x.dtype)
    grid = np.ogrid[tuple(slice(e) for e in x.shape)]
    spread[tuple(grid[labels.index(label)] for label in result)] = x
    return spread
