"""Diagonals and bands of matrices.

A band is packed as TensorFlow packs it: one row for each diagonal, the highest first, each pushed
to the left or the right of the row as `align` says ("RIGHT_LEFT": those above the main one right,
the others left).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import Extent, Shape, ValueType
from .array import check_size, scalar_int, zero
from .registry import op
from .rules import Inference, merge_extents, same

Array = NDArray[Any]


def _limits(k: Array) -> tuple[int, int]:
    """The lowest and highest diagonal that `k`, a number or a pair, names."""
    values = [int(v) for v in k.ravel()]
    if not 1 <= len(values) <= 2 or values[0] > values[-1]:
        raise ValueError(f"k should be a number or a rising pair, not {values}")
    return values[0], values[-1]


def _longest(rows: int, cols: int, low: int, high: int) -> int:
    """The length of the longest of the diagonals `low` to `high`."""
    if (low > high or not -rows < low < max(cols, 1) or not -rows < high < max(cols, 1)) and not (
        low == 0 or high == 0
    ):
        raise ValueError(f"diagonals {low} to {high} of a matrix of {rows} x {cols}")
    return min(rows + min(high, 0), cols - max(low, 0))


def _places(
    rows: int, cols: int, low: int, high: int, align: str
) -> Iterator[tuple[int, slice, Array, Array]]:
    """For each diagonal: its row in the packed band, its place there, and its rows and columns."""
    longest = _longest(rows, cols, low, high)
    above, below = align.split("_")
    for d in range(high, low - 1, -1):
        n = min(rows + min(d, 0), cols - max(d, 0))
        left = (d >= 0 and above == "LEFT") or (d <= 0 and below == "LEFT")
        start = 0 if left else longest - n
        i = np.arange(n)
        yield high - d, slice(start, start + n), i + max(-d, 0), i + max(d, 0)


def _diag_extents(diagonal: Array, low: int, high: int, rows: int, cols: int) -> tuple[int, int]:
    """The extents of the matrix that `diagonal` fills, -1 standing for the least that hold it."""
    if high > low and (diagonal.ndim < 2 or diagonal.shape[-2] != high - low + 1):
        raise ValueError(f"{high - low + 1} diagonals in a tensor of shape {diagonal.shape}")
    longest = diagonal.shape[-1]
    least = longest - min(high, 0), longest + max(low, 0)
    if rows == cols == -1:
        return max(least), max(least)
    rows, cols = (least[0] if rows == -1 else rows), (least[1] if cols == -1 else cols)
    if rows < least[0] or cols < least[1] or (rows != least[0] and cols != least[1]):
        raise ValueError(f"{rows} x {cols} does not fit diagonals {low} to {high} of {longest}")
    return rows, cols


def _matrix_diag_type(c: Inference) -> ValueType:
    dtype, shape = c.inputs[0]
    if len(c.inputs) == 1:
        return ValueType(dtype, shape and (*shape, shape[-1]))
    k, rows, cols = c.ints(1), c.ints(2), c.ints(3)
    if shape is None or not k:
        return ValueType(dtype)
    lead = shape[:-1] if k[0] == k[-1] else shape[:-2]
    if rows is None or cols is None:
        return ValueType(dtype, (*lead, c.fresh(), c.fresh()))
    least: list[Extent] = [shape[-1] - min(k[-1], 0), shape[-1] + max(k[0], 0)]
    if rows[0] == cols[0] == -1:
        side = shape[-1] + max(-min(k[-1], 0), max(k[0], 0))
        return ValueType(dtype, (*lead, side, side))
    given = rows[0], cols[0]
    wanted = (b if a == -1 else a for a, b in zip(given, least, strict=True))
    return ValueType(dtype, (*lead, *wanted))


def _fill_diag(result: Array, diagonal: Array, low: int, high: int, align: str) -> Array:
    band = diagonal if high > low else diagonal[..., None, :]
    for row, place, i, j in _places(result.shape[-2], result.shape[-1], low, high, align):
        result[..., i, j] = band[..., row, place]
    return result


@op("MatrixDiagV3", type=_matrix_diag_type, exact=True, ranks="..000")
def matrix_diag_v3(
    diagonal: Array,
    k: Array,
    num_rows: Array,
    num_cols: Array,
    padding_value: Array,
    *,
    align: str = "RIGHT_LEFT",
) -> Array:
    """Matrices of `padding_value` with the diagonals `k` set (tf.linalg.diag)."""
    low, high = _limits(k)
    extents = _diag_extents(
        diagonal, low, high, scalar_int(num_rows, "num_rows"), scalar_int(num_cols, "num_cols")
    )
    lead = diagonal.shape[:-1] if low == high else diagonal.shape[:-2]
    check_size([*lead, *extents])
    result = np.full((*lead, *extents), padding_value, diagonal.dtype)
    return _fill_diag(result, diagonal, low, high, align)


@op("MatrixDiagV2", type=_matrix_diag_type, exact=True, ranks="..000")
def matrix_diag_v2(
    diagonal: Array, k: Array, num_rows: Array, num_cols: Array, padding_value: Array
) -> Array:
    """As `matrix_diag_v3`, the diagonals packed to the left."""
    return matrix_diag_v3(diagonal, k, num_rows, num_cols, padding_value, align="LEFT_LEFT")


@op("MatrixDiag", "BatchMatrixDiag", type=_matrix_diag_type, exact=True)
def matrix_diag(diagonal: Array) -> Array:
    """Square matrices with these diagonals and 0 elsewhere (tf.linalg.diag of TF 1)."""
    n = diagonal.shape[-1]
    result = np.full((*diagonal.shape, n), zero(diagonal.dtype), diagonal.dtype)
    return _fill_diag(result, diagonal, 0, 0, "LEFT_LEFT")


def _band_shape(c: Inference, shape: Shape, k: list[int] | None) -> Shape:
    if shape is None or not k:
        return None
    rows, cols = shape[-2:]
    longest: Extent = c.fresh()
    if isinstance(rows, int) and isinstance(cols, int):
        longest = _longest(rows, cols, k[0], k[-1])
    return (*shape[:-2], *([k[-1] - k[0] + 1] if k[0] != k[-1] else []), longest)


@op(
    "MatrixDiagPartV3",
    exact=True,
    type=lambda c: ValueType(c.inputs[0].dtype, _band_shape(c, c.inputs[0].shape, c.ints(1))),
    ranks="..0",
)
def matrix_diag_part_v3(
    x: Array, k: Array, padding_value: Array, *, align: str = "RIGHT_LEFT"
) -> Array:
    """The diagonals `k` of matrices, filled up with `padding_value` (tf.linalg.diag_part)."""
    low, high = _limits(k)
    longest = _longest(x.shape[-2], x.shape[-1], low, high)
    band = np.full((*x.shape[:-2], high - low + 1, longest), padding_value, x.dtype)
    for row, place, i, j in _places(x.shape[-2], x.shape[-1], low, high, align):
        band[..., row, place] = x[..., i, j]
    return band if high > low else band[..., 0, :]


@op(
    "MatrixDiagPartV2",
    exact=True,
    type=lambda c: ValueType(c.inputs[0].dtype, _band_shape(c, c.inputs[0].shape, c.ints(1))),
    ranks="..0",
)
def matrix_diag_part_v2(x: Array, k: Array, padding_value: Array) -> Array:
    """As `matrix_diag_part_v3`, the diagonals packed to the left."""
    return matrix_diag_part_v3(x, k, padding_value, align="LEFT_LEFT")


@op(
    "MatrixDiagPart",
    "BatchMatrixDiagPart",
    exact=True,
    type=lambda c: ValueType(c.inputs[0].dtype, _band_shape(c, c.inputs[0].shape, [0])),
)
def matrix_diag_part(x: Array) -> Array:
    """The main diagonals of matrices (tf.linalg.diag_part of TF 1)."""
    return np.diagonal(x, axis1=-2, axis2=-1)


@op("MatrixSetDiagV3", type=same, exact=True)
def matrix_set_diag_v3(x: Array, diagonal: Array, k: Array, *, align: str = "RIGHT_LEFT") -> Array:
    """Matrices `x` with their diagonals `k` replaced (tf.linalg.set_diag)."""
    low, high = _limits(k)
    count = () if low == high else (high - low + 1,)
    expected = (*x.shape[:-2], *count, _longest(x.shape[-2], x.shape[-1], low, high))
    if diagonal.shape != expected:
        raise ValueError(f"diagonals of shape {diagonal.shape} should be {expected}")
    return _fill_diag(x.copy(), diagonal, low, high, align)


@op("MatrixSetDiagV2", type=same, exact=True)
def matrix_set_diag_v2(x: Array, diagonal: Array, k: Array) -> Array:
    """As `matrix_set_diag_v3`, the diagonals packed to the left."""
    return matrix_set_diag_v3(x, diagonal, k, align="LEFT_LEFT")


@op("MatrixSetDiag", "BatchMatrixSetDiag", type=same, exact=True)
def matrix_set_diag(x: Array, diagonal: Array) -> Array:
    """Matrices `x` with the main diagonal replaced (tf.linalg.set_diag of TF 1)."""
    return matrix_set_diag_v3(x, diagonal, np.array(0))


@op("MatrixBandPart", "BatchMatrixBandPart", type=same, exact=True)
def matrix_band_part(x: Array, num_lower: Array, num_upper: Array) -> Array:
    """Matrices with 0 outside of `num_lower` and `num_upper` diagonals beside the main one.

    A negative number keeps them all (tf.linalg.band_part).
    """
    if x.ndim < 2:
        raise ValueError(f"matrices are expected, not shape {x.shape}")
    rows, cols = x.shape[-2:]
    lower, upper = scalar_int(num_lower, "num_lower"), scalar_int(num_upper, "num_upper")
    if lower > rows or upper > cols:
        raise ValueError(f"a band of {lower} and {upper} in a matrix of {rows} x {cols}")
    above = np.arange(cols) - np.arange(rows)[:, None]
    kept = ((lower < 0) | (-above <= lower)) & ((upper < 0) | (above <= upper))
    return np.where(kept, x, x.dtype.type(0))


@op(
    "Diag",
    exact=True,
    type=lambda c: ValueType(
        c.inputs[0].dtype, None if c.inputs[0].shape is None else c.inputs[0].shape * 2
    ),
)
def diag(diagonal: Array) -> Array:
    """The tensor of twice the rank that has `diagonal` where the halves of an index are equal."""
    flat = np.zeros((diagonal.size, diagonal.size), diagonal.dtype)
    np.fill_diagonal(flat, diagonal)
    return flat.reshape(diagonal.shape * 2)


def _diag_part_type(c: Inference) -> ValueType:
    dtype, shape = c.inputs[0]
    if shape is None:
        return ValueType(dtype)
    half = len(shape) // 2
    return ValueType(dtype, tuple(map(merge_extents, shape[:half], shape[half:])))


@op("DiagPart", type=_diag_part_type, exact=True)
def diag_part(x: Array) -> Array:
    """What stands in `x` where the halves of an index are equal (tf.linalg.tensor_diag_part)."""
    half = x.ndim // 2
    if x.ndim % 2 or not half or x.shape[:half] != x.shape[half:]:
        raise ValueError(f"two equal halves are expected, not shape {x.shape}")
    n = int(np.prod(x.shape[:half]))
    return np.diagonal(x.reshape(n, n)).reshape(x.shape[:half])
