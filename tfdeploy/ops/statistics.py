"""Order statistics, histograms, monotone regression and nearest points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, INT32, INT64, DType
from ..graph.types import Extent, ValueType
from .registry import op
from .rules import Inference, merge_extents

Array = NDArray[Any]


def _nth_type(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    if shape == ():
        raise ValueError("an element of a scalar: at least a vector is needed")
    return ValueType(c.inputs[0].dtype, None if shape is None else shape[:-1])


@op("NthElement", type=_nth_type, exact=True)
def nth_element(input: Array, n: Array, *, reverse: bool = False) -> Any:
    """The element that would be at `n` if rows were sorted, or at `n` from the end if `reverse`
    (tf.raw_ops.NthElement).  Raises ValueError where rows are not longer than `n`."""
    at = int(n)
    if input.ndim < 1 or not 0 <= at < input.shape[-1]:
        raise ValueError(f"element {at} of rows in shape {input.shape}")
    return np.sort(input, axis=-1)[..., -1 - at if reverse else at]


def _histogram_type(c: Inference) -> ValueType:
    bins = c.extents(2)
    return ValueType(c.attrs["dtype"], (c.fresh() if bins is None else bins[0],))


@op("HistogramFixedWidth", type=_histogram_type, exact=True, ranks=".10")
def histogram_fixed_width(
    values: Array, value_range: Array, nbins: Array, *, dtype: DType = INT32
) -> Any:
    """How many values fall into each of `nbins` equal parts of the range; those outside count as
    the first or the last (tf.histogram_fixed_width).

    Raises ValueError where the range or the number is not positive, or a value is NaN.
    """
    low, high = (float(v) for v in value_range)
    count = int(nbins)
    if not low < high or count < 1:
        raise ValueError(f"{count} parts of the range from {low} to {high}")
    if values.dtype.kind in "fV" and np.isnan(values).any():
        raise ValueError("a histogram of NaN")
    place = (values.astype(np.float64).ravel() - low) / ((high - low) / count)
    part = np.clip(np.floor(place), 0, count - 1).astype(np.int64)
    return np.bincount(part, minlength=count).astype(dtype.numpy)


def _isotonic(row: list[float]) -> tuple[list[float], list[int]]:
    """Means of the blocks that a falling fit pools, and the number of each element's block."""
    blocks: list[tuple[float, int]] = []
    for value in row:
        total, size = value, 1
        while blocks and total / size > blocks[-1][0] / blocks[-1][1]:
            before = blocks.pop()
            total, size = total + before[0], size + before[1]
        blocks.append((total, size))
    means = [total / size for total, size in blocks for _ in range(size)]
    return means, [i for i, (_, size) in enumerate(blocks) for _ in range(size)]


@op(
    "IsotonicRegression",
    type=lambda c: [
        ValueType(c.attrs["output_dtype"], c.inputs[0].shape),
        ValueType(INT32, c.inputs[0].shape),
    ],
    outputs=("output", "segments"),
)
def isotonic_regression(input: Array, *, output_dtype: DType = FLOAT32) -> tuple[Array, Array]:
    """The nearest rows that never rise, in least squares, and which of their pieces each element is
    in (tf.nn.isotonic_regression)."""
    rows = input.reshape((-1, input.shape[-1])) if input.size else input.reshape((0, 1))
    fitted = [_isotonic(row) for row in rows.astype(np.float64).tolist()]
    means = np.array([fit[0] for fit in fitted], output_dtype.numpy)
    segments = np.array([fit[1] for fit in fitted], np.int32)
    return means.reshape(input.shape), segments.reshape(input.shape)


def _neighbour_types(c: Inference) -> list[ValueType]:
    points, centers, k = c.inputs[0].shape, c.inputs[1].shape, c.extents(2)
    count: Extent = c.fresh()
    if points is not None and centers is not None:
        merge_extents(points[1], centers[1])
        if k is not None and isinstance(k[0], int) and isinstance(centers[0], int):
            count = min(k[0], centers[0])
    rows = c.fresh() if points is None else points[0]
    return [ValueType(INT64, (rows, count)), ValueType(FLOAT32, (rows, count))]


@op(
    "NearestNeighbors",
    type=_neighbour_types,
    outputs=("nearest_center_indices", "nearest_center_distances"),
)
def nearest_neighbors(points: Array, centers: Array, k: Array) -> tuple[Array, Array]:
    """The `k` nearest centers of each point, near ones first, and their squared distances."""
    if points.ndim != 2 or centers.ndim != 2 or points.shape[1] != centers.shape[1] or k < 0:
        raise ValueError(f"{int(k)} of centers {centers.shape} for points {points.shape}")
    if not len(points):
        raise ValueError("TensorFlow takes one point at least")
    x, y = points.astype(np.float64), centers.astype(np.float64)
    squared = (x * x).sum(axis=1)[:, None] - 2 * x @ y.T + (y * y).sum(axis=1)
    order = np.argsort(squared, axis=1, kind="stable")[:, : int(k)]
    return order, np.take_along_axis(squared, order, axis=1).astype(np.float32)
