"""Picking, gathering, scattering, finding and counting by index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT32, INT64, DType
from ..graph.types import Extent, Shape, ValueType
from .array import check_size, scalar_int, zero
from .registry import op
from .rules import Inference, merge_extents, normalize_axis, same, shape_vector

Array = NDArray[Any]


def check_range(index: Array, limit: int, what: str) -> None:
    """Raises IndexError where `index` holds a number outside [0, limit)."""
    wrong = (index < 0) | (index >= limit)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise IndexError(f"{what}{list(at)} = {index[at]} is not in [0, {limit})")


def _gather_shape(params: Shape, indices: Shape, axis: int | None, batch: int) -> Shape:
    if params is None or indices is None or axis is None:
        return None
    axis = normalize_axis(axis, len(params))
    shared = tuple(map(merge_extents, params[:batch], indices[:batch]))
    return shared + params[batch:axis] + indices[batch:] + params[axis + 1 :]


def _batch(batch_dims: int, rank: int) -> int:
    if not -rank <= batch_dims <= rank:
        raise ValueError(f"batch_dims {batch_dims} for indices of rank {rank}")
    return batch_dims + rank if batch_dims < 0 else batch_dims


def _gather_type(c: Inference) -> ValueType:
    params, indices = c.inputs[:2]
    axes = c.ints(2) if len(c.inputs) > 2 else [0]
    batch = c.attrs.get("batch_dims", 0)
    if indices.rank is not None:
        batch = _batch(batch, indices.rank)
    shape = _gather_shape(params.shape, indices.shape, axes[0] if axes else None, batch)
    if shape is None and params.rank is not None and indices.rank is not None:
        shape = c.unknown(params.rank + indices.rank - 1 - batch)
    return ValueType(params.dtype, shape)


@op("GatherV2", type=_gather_type, exact=True, symbolic=True, ranks="..0")
def gather_v2(params: Array, indices: Array, axis: Array, *, batch_dims: int = 0) -> Array:
    """The slices of `params` along `axis` that `indices` name (tf.gather).

    The first `batch_dims` axes go side by side.  Raises IndexError for an index outside `params`.
    """
    along = normalize_axis(scalar_int(axis, "axis"), params.ndim)
    batch = _batch(batch_dims, indices.ndim)
    if along < batch or params.shape[:batch] != indices.shape[:batch]:
        raise ValueError(f"{batch} batch axes of shapes {params.shape} and {indices.shape}")
    check_range(indices, params.shape[along], "indices")
    if batch == 0:
        return np.asarray(params.take(indices, along), params.dtype)
    lead, rest = params.shape[:batch], params.shape[batch:along]
    flat = np.moveaxis(params, along, batch).reshape(
        -1, params.shape[along], *rest, *params.shape[along + 1 :]
    )
    wanted = indices.reshape(-1, *indices.shape[batch:])
    rows = np.arange(len(flat)).reshape(-1, *[1] * (wanted.ndim - 1))
    picked = flat[rows, wanted]
    found = picked.reshape(*lead, *indices.shape[batch:], *rest, *params.shape[along + 1 :])
    k = indices.ndim - batch
    return np.moveaxis(found, range(batch, batch + k), range(along, along + k))


@op("Gather", type=_gather_type, exact=True, symbolic=True)
def gather(params: Array, indices: Array) -> Array:
    """The rows of `params` that `indices` name (tf.gather of TF 0.x)."""
    return gather_v2(params, indices, np.array(0))


def _gather_nd_type(c: Inference) -> ValueType:
    params, indices = c.inputs
    if params.shape is None or not indices.shape or not isinstance(indices.shape[-1], int):
        return ValueType(params.dtype)
    if indices.shape[-1] > len(params.shape):
        raise ValueError(f"indices of {indices.shape[-1]} axes into a rank of {len(params.shape)}")
    return ValueType(params.dtype, indices.shape[:-1] + params.shape[indices.shape[-1] :])


def _nd_index(indices: Array, shape: Sequence[int], policy: str) -> tuple[tuple[Array, ...], Array]:
    """The numpy index of rows of `indices` into `shape`, and which of them are inside.

    Raises IndexError for a row outside, unless `policy` is IGNORE.
    """
    depth = indices.shape[-1] if indices.ndim else 0
    if not indices.ndim or depth > len(shape):
        raise ValueError(f"indices of shape {indices.shape} into a tensor of shape {tuple(shape)}")
    limits = np.array(shape[:depth], np.int64)
    good: Array = np.asarray(((indices >= 0) & (indices < limits)).all(-1))
    if not good.all() and policy != "IGNORE":
        at = tuple(int(i) for i in np.argwhere(~good)[0])
        raise IndexError(
            f"indices{list(at)} = {indices[at].tolist()} does not index into shape {tuple(shape)}"
        )
    return tuple(np.moveaxis(np.where(good[..., None], indices, 0), -1, 0)), good


@op("GatherNd", type=_gather_nd_type, exact=True)
def gather_nd(params: Array, indices: Array, *, bad_indices_policy: str = "") -> Array:
    """The slices of `params` that the rows of `indices` name (tf.gather_nd).

    Raises IndexError for a row outside `params`; with policy IGNORE its slice is 0.
    """
    if params.size == 0 and indices.size:
        good = np.zeros(indices.shape[:-1], bool)
        if bad_indices_policy != "IGNORE":
            _nd_index(indices, params.shape, "")
        return np.full(
            indices.shape[:-1] + params.shape[indices.shape[-1] :], zero(params.dtype), params.dtype
        )
    index, good = _nd_index(indices, params.shape, bad_indices_policy)
    if not index:
        return np.broadcast_to(params, indices.shape[:-1] + params.shape)
    found = np.asarray(params[index], params.dtype)
    if not good.all():
        found[~good] = zero(params.dtype)
    return found


def _put_min(old: Array, new: Array) -> Array:
    return np.where(new < old, new, old)


def _put_max(old: Array, new: Array) -> Array:
    return np.where(old < new, new, old)


def _quotient(old: Array, new: Array) -> Array:
    if old.dtype.kind not in "iu":
        return np.divide(old, new)
    if not np.all(new):
        raise ZeroDivisionError("integer division by zero")
    return np.trunc(np.divide(old, new, dtype=np.float64)).astype(old.dtype)


# For min and max, a NaN in the tensor stays and one in the updates is ignored.
_COMBINE: dict[str, Any] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _quotient,
    "Min": _put_min,
    "Max": _put_max,
}


def scatter(
    target: Array, indices: Array, updates: Array, how: str = "", policy: str = ""
) -> Array:
    """A copy of `target` with `updates` put, or combined by `how`, where `indices` point."""
    depth = indices.shape[-1] if indices.ndim else 0
    expected = indices.shape[:-1] + target.shape[depth:]
    if updates.shape != expected:
        raise ValueError(f"updates should have shape {expected}, not {updates.shape}")
    result = target.copy()
    index, good = _nd_index(indices, target.shape, policy)
    if not good.all():
        index, updates = tuple(i[good] for i in index), updates[good]
    if not how:
        if index:
            result[index] = updates
        elif len(updates):
            result[...] = updates.reshape(-1, *target.shape)[-1]
    elif index and how in ("Add", "Sub"):
        _COMBINE[how].at(result, index, updates)
    else:
        for row in np.ndindex(index[0].shape if index else indices.shape[:-1]):
            place = tuple(i[row] for i in index)
            result[place] = _COMBINE[how](result[place], updates[row])
    return result


@op(
    "ScatterNd",
    exact=True,
    type=lambda c: ValueType(c.inputs[1].dtype, shape_vector(c, 2)),
    ranks="..1",
)
def scatter_nd(
    indices: Array, updates: Array, shape: Array, *, bad_indices_policy: str = ""
) -> Array:
    """A tensor of `shape` with `updates` added where rows of `indices` point (tf.scatter_nd)."""
    check_size(shape.tolist())
    base = np.full(shape.tolist(), zero(updates.dtype), updates.dtype)
    return scatter(base, indices, updates, "Add", bad_indices_policy)


@op("ScatterNdNonAliasingAdd", type=same, exact=True)
def scatter_nd_non_aliasing_add(
    tensor: Array, indices: Array, updates: Array, *, bad_indices_policy: str = ""
) -> Array:
    """`tensor` with `updates` added where the rows of `indices` point."""
    return scatter(tensor, indices, updates, "Add", bad_indices_policy)


@op("TensorScatterUpdate", type=same, exact=True)
def tensor_scatter_update(
    tensor: Array, indices: Array, updates: Array, *, bad_indices_policy: str = ""
) -> Array:
    """`tensor` with `updates` where the rows of `indices` point (tf.tensor_scatter_nd_update)."""
    return scatter(tensor, indices, updates, "", bad_indices_policy)


@op("TensorScatterAdd", type=same, exact=True)
def tensor_scatter_add(
    tensor: Array, indices: Array, updates: Array, *, bad_indices_policy: str = ""
) -> Array:
    """`tensor` with `updates` added where `indices` point (tf.tensor_scatter_nd_add)."""
    return scatter(tensor, indices, updates, "Add", bad_indices_policy)


@op("TensorScatterSub", type=same, exact=True)
def tensor_scatter_sub(
    tensor: Array, indices: Array, updates: Array, *, bad_indices_policy: str = ""
) -> Array:
    """`tensor` less `updates` where the rows of `indices` point (tf.tensor_scatter_nd_sub)."""
    return scatter(tensor, indices, updates, "Sub", bad_indices_policy)


@op("TensorScatterMin", type=same, exact=True)
def tensor_scatter_min(
    tensor: Array, indices: Array, updates: Array, *, bad_indices_policy: str = ""
) -> Array:
    """The smaller of `tensor` and `updates` where `indices` point (tf.tensor_scatter_nd_min)."""
    return scatter(tensor, indices, updates, "Min", bad_indices_policy)


@op("TensorScatterMax", type=same, exact=True)
def tensor_scatter_max(
    tensor: Array, indices: Array, updates: Array, *, bad_indices_policy: str = ""
) -> Array:
    """The larger of `tensor` and `updates` where `indices` point (tf.tensor_scatter_nd_max)."""
    return scatter(tensor, indices, updates, "Max", bad_indices_policy)


def _rows(tensor: Array, i: Array, how: Callable[[Any, Any], Any], values: Array) -> Array:
    """`tensor` with rows changed; numbers of rows count round and round, as TensorFlow has it."""
    index = i.ravel() % max(len(tensor), 1)
    result = tensor.copy()
    for row, value in zip(index, values.reshape(index.size, *tensor.shape[1:]), strict=True):
        result[row] = how(result[row], value)
    return result


def _numbers(tensor: Array) -> Array:
    if tensor.dtype.kind in "bO":
        raise TypeError(f"there is no adding to an array of {tensor.dtype}")
    return tensor


@op("InplaceUpdate", type=same, exact=True, ranks=".1.")
def inplace_update(tensor: Array, i: Array, values: Array) -> Array:
    """`tensor` with rows `i` set to `values` (a copy; tf.raw_ops.InplaceUpdate)."""
    return _rows(tensor, i, lambda old, new: new, values)


@op("InplaceAdd", type=same, exact=True, ranks=".1.")
def inplace_add(tensor: Array, i: Array, values: Array) -> Array:
    """`tensor` with `values` added to rows `i` (a copy; tf.raw_ops.InplaceAdd).

    Raises TypeError for what is no number.
    """
    return _rows(_numbers(tensor), i, np.add, values)


@op("InplaceSub", type=same, exact=True, ranks=".1.")
def inplace_sub(tensor: Array, i: Array, values: Array) -> Array:
    """`tensor` with `values` taken from rows `i` (a copy; tf.raw_ops.InplaceSub).

    Raises TypeError for what is no number.
    """
    return _rows(_numbers(tensor), i, np.subtract, values)


def _one_hot_type(c: Inference) -> ValueType:
    indices, depth = c.inputs[0].shape, c.extents(1)
    if indices is None:
        return ValueType(c.inputs[2].dtype)
    axis = normalize_axis(c.attrs["axis"], len(indices) + 1)
    extent = c.fresh() if depth is None else depth[0]
    return ValueType(c.inputs[2].dtype, (*indices[:axis], extent, *indices[axis:]))


@op("OneHot", type=_one_hot_type, exact=True, ranks=".000")
def one_hot(
    indices: Array, depth: Array, on_value: Array, off_value: Array, *, axis: int = -1
) -> Array:
    """`on_value` where the place along the new `axis` is the index, else `off_value`.

    This is tf.one_hot; raises ValueError for a negative depth.
    """
    n = scalar_int(depth, "depth")
    if n < 0:
        raise ValueError(f"depth should not be negative, it is {n}")
    check_size([indices.size, n])
    axis = normalize_axis(axis, indices.ndim + 1)
    places = np.arange(n).reshape([-1 if i == axis else 1 for i in range(indices.ndim + 1)])
    return np.where(np.expand_dims(indices, axis) == places, on_value, off_value)


@op(
    "Where",
    exact=True,
    type=lambda c: ValueType(
        INT64, (c.fresh(), (c.fresh() if c.inputs[0].rank is None else c.inputs[0].rank))
    ),
)
def where(condition: Array) -> Array:
    """The coordinates of what is not zero, ``int64[n, rank]``, in order (tf.where)."""
    if condition.ndim == 0:
        raise ValueError("a scalar has no coordinates")
    return np.argwhere(condition).astype(np.int64, copy=False)


def _first_seen(keys: Sequence[Any]) -> tuple[list[int], list[int], list[int]]:
    """Where each different key is first, which of them each key is, and how often each occurs.

    A NaN differs from every other.
    """
    seen: dict[Any, int] = {}
    first: list[int] = []
    index: list[int] = []
    count: list[int] = []
    for i, key in enumerate(keys):
        number = seen.setdefault(key, len(first))
        if number == len(first):
            first.append(i)
            count.append(0)
        index.append(number)
        count[number] += 1
    return first, index, count


def _unique(x: Array, axis: Array | None, dtype: DType) -> tuple[Array, Array, Array]:
    axes = [] if axis is None else axis.ravel().tolist()
    if not axes and x.ndim != 1:
        raise ValueError(f"unique elements of a vector, not of shape {x.shape}")
    along = normalize_axis(axes[0], x.ndim) if axes else 0
    if x.ndim == 1:
        keys = x.tolist()
    else:
        keys = [tuple(part.ravel().tolist()) for part in np.moveaxis(x, along, 0)]
    first, index, count = _first_seen(keys)
    return (
        x.take(np.array(first, np.intp), along),
        np.array(index, dtype.numpy),
        np.array(count, dtype.numpy),
    )


def _unique_types(c: Inference) -> list[ValueType]:
    dtype, shape = c.inputs[0]
    axes = (c.ints(1) if len(c.inputs) > 1 else []) if shape is None or len(shape) != 1 else [0]
    found: Extent = c.fresh()
    total: Extent = c.fresh()
    if shape is None or not axes:
        y = None
    else:
        along = normalize_axis(axes[0], len(shape))
        y, total = (*shape[:along], found, *shape[along + 1 :]), shape[along]
    out: DType = c.attrs["out_idx"]
    return [ValueType(dtype, y), ValueType(out, (total,)), ValueType(out, (found,))]


@op("Unique", exact=True, outputs=("y", "idx"), type=lambda c: _unique_types(c)[:2], ranks="1")
def unique(x: Array, *, out_idx: DType = INT32) -> tuple[Array, Array]:
    """The different elements of vector `x`, by first place, and which each is (tf.unique)."""
    return _unique(x, None, out_idx)[:2]


@op("UniqueV2", exact=True, outputs=("y", "idx"), type=lambda c: _unique_types(c)[:2], ranks=".1")
def unique_v2(x: Array, axis: Array, *, out_idx: DType = INT32) -> tuple[Array, Array]:
    """The different slices of `x` along `axis`, and which of them each is (tf.raw_ops.UniqueV2)."""
    return _unique(x, axis, out_idx)[:2]


@op("UniqueWithCounts", exact=True, outputs=("y", "idx", "count"), type=_unique_types)
def unique_with_counts(x: Array, *, out_idx: DType = INT32) -> tuple[Array, Array, Array]:
    """As `unique`, and how often each occurs (tf.unique_with_counts)."""
    return _unique(x, None, out_idx)


@op("UniqueWithCountsV2", exact=True, outputs=("y", "idx", "count"), type=_unique_types, ranks=".1")
def unique_with_counts_v2(
    x: Array, axis: Array, *, out_idx: DType = INT32
) -> tuple[Array, Array, Array]:
    """As `unique_v2`, and how often each occurs."""
    return _unique(x, axis, out_idx)


def _list_diff_types(c: Inference) -> list[ValueType]:
    left = c.fresh()
    return [ValueType(c.inputs[0].dtype, (left,)), ValueType(c.attrs["out_idx"], (left,))]


@op("ListDiff", exact=True, outputs=("out", "idx"), type=_list_diff_types, ranks="11")
def list_diff(x: Array, y: Array, *, out_idx: DType = INT32) -> tuple[Array, Array]:
    """The elements of vector `x` that are not in `y`, and where they are (tf.raw_ops.ListDiff)."""
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"vectors are compared, not shapes {x.shape} and {y.shape}")
    gone = set(y.tolist())
    kept = np.array([i for i, v in enumerate(x.tolist()) if v not in gone], np.intp)
    return x[kept], kept.astype(out_idx.numpy)


@op("InvertPermutation", type=same, exact=True, ranks="1")
def invert_permutation(x: Array) -> Array:
    """The vector y with ``y[x[i]] == i`` (tf.math.invert_permutation).

    Raises ValueError where `x` lists a number twice, IndexError where one is outside.
    """
    if x.ndim != 1:
        raise ValueError(f"a permutation is a vector, not of shape {x.shape}")
    check_range(x, len(x), "x")
    if len(np.unique(x)) != len(x):
        raise ValueError("a number is twice in the permutation")
    result = np.empty_like(x)
    result[x] = np.arange(len(x), dtype=x.dtype)
    return result


def _search(rows: Array, values: Array, side: Any, dtype: DType) -> Array:
    if rows.ndim != 2 or values.ndim != 2 or len(rows) != len(values):
        raise ValueError(f"two matrices with as many rows, not shapes {rows.shape}, {values.shape}")
    found = [_bound(row, wanted, side) for row, wanted in zip(rows, values, strict=True)]
    return np.array(found, dtype.numpy).reshape(values.shape)


def _bound(row: Array, wanted: Array, side: str) -> list[int]:
    """C++'s lower_bound or upper_bound: a NaN is less than nothing."""
    order = row.tolist()
    result = []
    for value in wanted.tolist():
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            right = order[middle] < value if side == "left" else not value < order[middle]
            low, high = (middle + 1, high) if right else (low, middle)
        result.append(low)
    return result


@op(
    "LowerBound",
    exact=True,
    type=lambda c: ValueType(c.attrs["out_type"], c.inputs[1].shape),
    ranks="22",
)
def lower_bound(sorted_inputs: Array, values: Array, *, out_type: DType = INT32) -> Array:
    """Row by row, how many elements are less than each value (tf.searchsorted, side left)."""
    return _search(sorted_inputs, values, "left", out_type)


@op(
    "UpperBound",
    exact=True,
    type=lambda c: ValueType(c.attrs["out_type"], c.inputs[1].shape),
    ranks="22",
)
def upper_bound(sorted_inputs: Array, values: Array, *, out_type: DType = INT32) -> Array:
    """Row by row, how many elements are not more than each value (tf.searchsorted, side right)."""
    return _search(sorted_inputs, values, "right", out_type)


@op("Bucketize", exact=True, type=lambda c: ValueType(INT32, c.inputs[0].shape))
def bucketize(x: Array, *, boundaries: Sequence[float]) -> Array:
    """How many of the sorted `boundaries` are not more than each element (tf.raw_ops.Bucketize)."""
    edges = np.array(boundaries, np.float32)
    if (edges[1:] < edges[:-1]).any():
        raise ValueError("boundaries should be sorted")
    wide = x if x.dtype == np.float64 else x.astype(np.float32)
    return np.searchsorted(edges.astype(wide.dtype), wide, "right").astype(np.int32)


def _unravel_type(c: Inference) -> ValueType:
    shape, dims = c.inputs[0].shape, c.inputs[1].shape
    count: Extent = dims[0] if dims else c.fresh()
    if shape is None:
        return ValueType(c.inputs[0].dtype)
    return ValueType(c.inputs[0].dtype, (count, *shape))


@op("UnravelIndex", type=_unravel_type, exact=True, ranks=".1")
def unravel_index(indices: Array, dims: Array) -> Array:
    """The coordinates in an array of shape `dims` of flat `indices` (tf.unravel_index).

    Raises ValueError where there are no indices, one is out of range, or either input is no vector
    or scalar.
    """
    if indices.ndim > 1 or dims.ndim > 1:
        raise ValueError(f"vectors or scalars, not shapes {indices.shape} and {dims.shape}")
    if not indices.size:
        raise ValueError("UnravelIndex: no indices are given")
    extents = dims.ravel()
    check_range(indices, int(np.prod(extents, dtype=np.int64)), "indices")
    found = np.array(np.unravel_index(indices, extents.tolist() or (1,)), indices.dtype)
    found = found[: len(extents)]
    return found.reshape((*dims.shape, *indices.shape))


def _partition_types(c: Inference) -> list[ValueType]:
    data, partitions = c.inputs
    number = c.attrs["num_partitions"]
    if data.shape is None or partitions.rank is None:
        return [ValueType(data.dtype)] * number
    rest = data.shape[partitions.rank :]
    return [ValueType(data.dtype, (c.fresh(), *rest)) for _ in range(number)]


@op("DynamicPartition", exact=True, outputs=("outputs*num_partitions",), type=_partition_types)
def dynamic_partition(data: Array, partitions: Array, *, num_partitions: int) -> tuple[Array, ...]:
    """The elements of `data` by the part that `partitions` gives each (tf.dynamic_partition)."""
    if data.shape[: partitions.ndim] != partitions.shape:
        raise ValueError(f"partitions {partitions.shape} should start the shape {data.shape}")
    check_range(partitions, num_partitions, "partitions")
    return tuple(data[partitions == i] for i in range(num_partitions))


def _stitch_type(c: Inference) -> ValueType:
    n = len(c.inputs) // 2
    indices, data = c.inputs[0], c.inputs[n]
    if data.shape is None or indices.rank is None:
        return ValueType(data.dtype)
    return ValueType(data.dtype, (c.fresh(), *data.shape[indices.rank :]))


@op("DynamicStitch", "ParallelDynamicStitch", type=_stitch_type, exact=True)
def dynamic_stitch(*inputs: Array) -> Array:
    """The elements of the second half of `inputs` at the places in the first (tf.dynamic_stitch).

    The last one wins; places that nobody fills are 0 here, undefined in TensorFlow.
    """
    n = len(inputs) // 2
    indices, data = inputs[:n], inputs[n:]
    rest = data[0].shape[indices[0].ndim :]
    top = max((int(i.max()) for i in indices if i.size), default=-1) + 1
    total = sum(i.size for i in indices)
    if top > 64 * (total + 1024):
        raise ValueError(f"{total} elements for {top} places")
    result = np.full((top, *rest), zero(data[0].dtype), data[0].dtype)
    for index, values in zip(indices, data, strict=True):
        if values.shape != index.shape + rest:
            raise ValueError(f"data of shape {values.shape} should be {index.shape + rest}")
        check_range(index, top, "indices")
        result[index] = values
    return result


def _count(bins: Array, values: Array, weights: Array, binary: bool) -> None:
    """Adds `values` (rows of numbers, with their weights) to the rows of `bins`, in order."""
    if (values < 0).any():
        raise ValueError("numbers to count should not be negative")
    rows, _ = np.nonzero(np.ones(values.shape, bool))
    flat = values.ravel()
    kept = flat < bins.shape[1]
    where_ = rows[kept], flat[kept]
    if binary:
        bins[where_] = 1
    else:
        np.add.at(bins, where_, weights.ravel()[kept] if weights.size else bins.dtype.type(1))


def _bins(rows: int, size: Array, dtype: np.dtype[Any]) -> Array:
    n = scalar_int(size, "size")
    check_size([rows, n])
    return np.zeros((rows, n), dtype)


def _check_weights(weights: Array, values: Array) -> None:
    """Raises ValueError where there is not a weight for each value; the shapes may differ."""
    if weights.size not in (0, values.size):
        raise ValueError(f"weights of shape {weights.shape} for values of shape {values.shape}")


def _size_extent(c: Inference, i: int) -> Extent:
    sizes = c.extents(i)
    return c.fresh() if sizes is None else sizes[0]


@op("Bincount", type=lambda c: ValueType(c.inputs[2].dtype, (_size_extent(c, 1),)), ranks=".0")
def bincount(arr: Array, size: Array, weights: Array) -> Array:
    """How often, or with what weight, each number below `size` occurs (tf.raw_ops.Bincount)."""
    _check_weights(weights, arr)
    bins = _bins(1, size, weights.dtype)
    _count(bins, arr.reshape(1, -1), weights, False)
    return bins[0]


def _dense_bincount_type(c: Inference) -> ValueType:
    shape, size = c.inputs[0].shape, _size_extent(c, 1)
    if shape is None:
        return ValueType(c.inputs[2].dtype)
    return ValueType(c.inputs[2].dtype, (*shape[:-1], size))


@op("DenseBincount", type=_dense_bincount_type, ranks=".0")
def dense_bincount(
    values: Array, size: Array, weights: Array, *, binary_output: bool = False
) -> Array:
    """`bincount` of a vector or of each row of a matrix (tf.math.bincount).

    With `binary_output` 1 for each number that occurs.
    """
    if values.ndim > 2:
        raise ValueError(f"values should be a vector or a matrix, not of shape {values.shape}")
    if weights.size and weights.shape != values.shape:
        raise ValueError(f"weights of shape {weights.shape} for values of shape {values.shape}")
    rows = values if values.ndim == 2 else values.reshape(1, -1)
    bins = _bins(len(rows), size, weights.dtype)
    _count(bins, rows, weights, binary_output)
    return bins if values.ndim == 2 else bins[0]


def _ragged_bincount_type(c: Inference) -> ValueType:
    splits = c.inputs[0].shape
    rows: Extent = splits[0] - 1 if splits else c.fresh()
    return ValueType(c.inputs[3].dtype, (rows, _size_extent(c, 2)))


@op("RaggedBincount", type=_ragged_bincount_type)
def ragged_bincount(
    splits: Array, values: Array, size: Array, weights: Array, *, binary_output: bool = False
) -> Array:
    """`bincount` of each row of a ragged matrix (tf.math.bincount)."""
    check_splits(splits, len(values))
    _check_weights(weights, values)
    bins = _bins(len(splits) - 1, size, weights.dtype)
    for i, (a, b) in enumerate(pairwise(splits.tolist())):
        _count(bins[i : i + 1], values[a:b][None], weights.ravel()[a:b], binary_output)
    return bins


def check_splits(splits: Array, total: int) -> None:
    """Raises ValueError where `splits` does not cut `total` values into rows."""
    if (
        splits.ndim != 1
        or not splits.size
        or splits[0] != 0
        or splits[-1] != total
        or (np.diff(splits) < 0).any()
    ):
        raise ValueError(f"splits should rise from 0 to {total}; they are {splits.tolist()[:20]}")


def _sparse_bincount_type(c: Inference) -> ValueType:
    rank, size = c.inputs[2].shape, _size_extent(c, 3)
    if not rank or not isinstance(rank[0], int):
        return ValueType(c.inputs[4].dtype)
    shape = c.extents(2)
    return ValueType(
        c.inputs[4].dtype, (size,) if rank[0] == 1 else (shape[0] if shape else c.fresh(), size)
    )


@op("SparseBincount", type=_sparse_bincount_type)
def sparse_bincount(
    indices: Array,
    values: Array,
    dense_shape: Array,
    size: Array,
    weights: Array,
    *,
    binary_output: bool = False,
) -> Array:
    """`bincount` of the values of each row of a sparse vector or matrix (tf.sparse.bincount)."""
    if len(dense_shape) not in (1, 2) or indices.shape != (len(values), len(dense_shape)):
        raise ValueError(f"indices {indices.shape} and shape {dense_shape.tolist()} for a count")
    _check_weights(weights, values)
    matrix = len(dense_shape) == 2
    bins = _bins(int(dense_shape[0]) if matrix else 1, size, weights.dtype)
    rows = indices[:, 0] if matrix else np.zeros(len(values), int)
    check_range(rows, len(bins), "indices")
    for row, value, i in zip(rows, values, range(len(values)), strict=True):
        weight = weights.ravel()[i : i + 1]
        _count(bins[row : row + 1], value.reshape(1, 1), weight, binary_output)
    return bins if matrix else bins[0]
