"""Shapes, slicing, joining, padding, filling, moving and casting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT32, DType
from ..graph.types import Dim, Extent, ValueType, product
from .handles import Handle
from .registry import op
from .rules import (
    Inference,
    Known,
    broadcast_shapes,
    merge_extents,
    merge_shapes,
    normalize_axis,
    same,
    shape_vector,
)

Array = NDArray[Any]


MOST = 2**31
"""Elements that a result may have: more is a mistake in the input."""

LIST = 64
"""How many elements of an array a Python list counts as."""


def check_size(shape: Iterable[int]) -> None:
    """Raises ValueError for a negative extent, or too many elements."""
    extents = list(shape)
    if any(e < 0 for e in extents) or prod(extents) > MOST:
        raise ValueError(f"a tensor of shape {extents} is impossible")


def vector(extents: Sequence[Extent], dtype: DType = INT32) -> Known:
    """The array of `extents`: of objects where one is a symbol, else of integers."""
    symbols = any(isinstance(e, Dim) for e in extents)
    result = np.empty(len(extents), object if symbols else dtype.numpy)
    result[:] = extents
    return result


def zero(dtype: np.dtype[Any]) -> Any:
    """What fills new places of an array: 0, False or the empty string."""
    return b"" if dtype.kind == "O" else dtype.type(0)


def scalar_int(value: Array, what: str) -> int:
    """The number in `value`, an array of one element; raises ValueError for any other size."""
    if value.size != 1:
        raise ValueError(f"{what} should be a scalar, not an array of shape {value.shape}")
    return int(value.reshape(()).item())


def lenient_scalar(value: Array, what: str) -> Array:
    """A scalar, which some ops also take as a vector of one; raises ValueError for any other."""
    if value.ndim > 1 or value.size != 1:
        raise ValueError(f"{what} should be a scalar, not an array of shape {value.shape}")
    return value.reshape(())


def lenient_shape(shape: Array) -> list[Any]:
    """The extents in a vector, which some ops also take as a scalar; raises ValueError for any
    other rank."""
    if shape.ndim > 1:
        raise ValueError(f"a shape should be a vector, not an array of shape {shape.shape}")
    return shape.reshape(-1).tolist()


def _shape_type(c: Inference) -> ValueType:
    shape, dtype = c.inputs[0].shape, c.attrs["out_type"]
    if shape is None:
        return ValueType(dtype, (c.fresh(),))
    c.know(vector(shape, dtype))
    return ValueType(dtype, (len(shape),))


@op("Shape", type=_shape_type, exact=True)
def shape(x: Array, *, out_type: DType = INT32) -> Array:
    """The extents of `x`, ``out_type[rank]`` (tf.shape)."""
    return np.array(x.shape, out_type.numpy)


def _shape_n_type(c: Inference) -> list[ValueType]:
    dtype = c.attrs["out_type"]
    c.know(*(None if t.shape is None else vector(t.shape, dtype) for t in c.inputs))
    return [ValueType(dtype, (c.fresh() if t.shape is None else len(t.shape),)) for t in c.inputs]


@op("ShapeN", type=_shape_n_type, exact=True, outputs=("output*N",))
def shape_n(*values: Array, out_type: DType = INT32) -> tuple[Array, ...]:
    """The extents of each input (tf.shape_n)."""
    return tuple(np.array(x.shape, out_type.numpy) for x in values)


def _size_type(c: Inference) -> ValueType:
    if c.inputs[0].shape is not None:
        c.know(vector([product(c.inputs[0].shape)], c.attrs["out_type"]).reshape(()))
    return ValueType(c.attrs["out_type"], ())


@op("Size", type=_size_type, exact=True)
def size(x: Array, *, out_type: DType = INT32) -> Array:
    """The number of elements, a scalar of `out_type` (tf.size)."""
    return np.array(x.size, out_type.numpy)


def _rank_type(c: Inference) -> ValueType:
    if c.inputs[0].rank is not None:
        c.know(np.array(c.inputs[0].rank, np.int32))
    return ValueType(INT32, ())


@op("Rank", type=_rank_type, exact=True)
def rank(x: Array) -> Array:
    """The number of dimensions, int32 (tf.rank)."""
    return np.array(x.ndim, np.int32)


def _reshape_type(c: Inference) -> ValueType:
    dtype, old = c.inputs[0]
    wanted = c.extents(1)
    if wanted is None:
        return ValueType(dtype, shape_vector(c, 1))
    if -1 in wanted:
        hole = wanted.index(-1)
        rest = product(tuple(e for i, e in enumerate(wanted) if i != hole))
        unknown = old is None or rest == 0
        wanted[hole] = c.fresh() if unknown else product(old or ()) // rest
    return ValueType(dtype, tuple(wanted))


@op("Reshape", type=_reshape_type, exact=True, symbolic=True)
def reshape(x: Array, shape: Array) -> Array:
    """`x` with the extents that the vector `shape` lists, one of which may be -1 (tf.reshape).

    Raises ValueError where the number of elements differs.  Beside a 0, a -1 stands for what the
    extents of `x` other than 0 leave.
    """
    wanted = [int(e) for e in lenient_shape(shape)]
    if any(e < -1 for e in wanted) or wanted.count(-1) > 1:
        raise ValueError(f"shape {wanted} has a negative extent other than one -1")
    if -1 in wanted:
        known = prod(e for e in wanted if e > 0)
        wanted[wanted.index(-1)] = prod(e for e in x.shape if e or 0 not in wanted) // known
    return x.reshape(wanted)


def _expand_dims_type(c: Inference) -> ValueType:
    dtype, old = c.inputs[0]
    axes = c.ints(1)
    if old is None or axes is None:
        return ValueType(dtype, c.unknown(None if old is None else len(old) + 1))
    axis = normalize_axis(axes[0], len(old) + 1)
    return ValueType(dtype, (*old[:axis], 1, *old[axis:]))


@op("ExpandDims", type=_expand_dims_type, exact=True, symbolic=True)
def expand_dims(x: Array, dim: Array) -> Array:
    """`x` with an extent of 1 put in at `dim`, within [-rank - 1, rank] (tf.expand_dims)."""
    axis = normalize_axis(scalar_int(dim, "dim"), x.ndim + 1)
    return x.reshape((*x.shape[:axis], 1, *x.shape[axis:]))


def _squeeze_type(c: Inference) -> ValueType:
    dtype, old = c.inputs[0]
    if old is None:
        return ValueType(dtype)
    axes = {normalize_axis(a, len(old)) for a in c.attrs["squeeze_dims"]}
    if not axes:
        if any(isinstance(e, Dim) for e in old):
            return ValueType(dtype)
        axes = {i for i, e in enumerate(old) if e == 1}
    for axis in axes:
        merge_extents(old[axis], 1)
    return ValueType(dtype, tuple(e for i, e in enumerate(old) if i not in axes))


@op("Squeeze", type=_squeeze_type, exact=True, symbolic=True)
def squeeze(x: Array, *, squeeze_dims: Sequence[int] = ()) -> Array:
    """`x` without the extents of 1, all or those listed (tf.squeeze).

    Raises ValueError where a listed extent is not 1.
    """
    return x.squeeze(tuple({normalize_axis(a, x.ndim) for a in squeeze_dims}) or None)


def _ensure_shape_type(c: Inference) -> ValueType:
    wanted = c.attrs["shape"]
    if wanted is not None:
        wanted = tuple(c.fresh() if e in (None, -1) else e for e in wanted)
    return ValueType(c.inputs[0].dtype, merge_shapes(c, c.inputs[0].shape, wanted))


@op("EnsureShape", type=_ensure_shape_type, exact=True)
def ensure_shape(x: Array, *, shape: tuple[Extent | None, ...] | None) -> Array:
    """`x`; raises ValueError where it does not have `shape` (tf.ensure_shape)."""
    if shape is not None and (
        len(shape) != x.ndim
        or any(isinstance(e, int) and e not in (-1, n) for e, n in zip(shape, x.shape, strict=True))
    ):
        raise ValueError(f"a tensor of shape {x.shape} was promised to be {shape}")
    return x


def _broadcast_args_type(c: Inference) -> ValueType:
    left, right = c.extents(0), c.extents(1)
    if left is None or right is None:
        lengths = [t.shape[0] for t in c.inputs if t.shape]
        known = [n for n in lengths if isinstance(n, int)]
        return ValueType(c.inputs[0].dtype, (max(known) if len(known) == 2 else c.fresh(),))
    result = broadcast_shapes(c, tuple(left), tuple(right)) or ()
    c.know(vector(result, c.inputs[0].dtype))
    return ValueType(c.inputs[0].dtype, (len(result),))


@op("BroadcastArgs", type=_broadcast_args_type, exact=True, ranks="11")
def broadcast_args(left: Array, right: Array) -> Array:
    """The shape to which shapes `left` and `right` broadcast (tf.broadcast_dynamic_shape)."""
    result = np.broadcast_shapes(tuple(left.ravel().tolist()), tuple(right.ravel().tolist()))
    return np.array(result, left.dtype)


@op(
    "BroadcastGradientArgs",
    exact=True,
    outputs=("r0", "r1"),
    type=lambda c: [ValueType(c.inputs[0].dtype, (c.fresh(),)) for _ in range(2)],
    ranks="11",
)
def broadcast_gradient_args(left: Array, right: Array) -> tuple[Array, Array]:
    """The axes over which a gradient is summed for operands of shapes `left` and `right`."""
    a, b = left.tolist(), right.tolist()
    n = max(len(a), len(b))
    np.broadcast_shapes(tuple(a), tuple(b))
    a, b = [1] * (n - len(a)) + a, [1] * (n - len(b)) + b
    same_ = a == b
    axes = [[i for i in range(n) if x[i] == 1 and not same_] for x in (a, b)]
    return np.array(axes[0], left.dtype), np.array(axes[1], left.dtype)


@op(
    "BroadcastTo",
    exact=True,
    type=lambda c: ValueType(c.inputs[0].dtype, shape_vector(c, 1)),
    ranks=".1",
)
def broadcast_to(x: Array, shape: Array) -> Array:
    """`x` repeated along extents of 1 until it has `shape` (tf.broadcast_to)."""
    check_size(shape.tolist())
    return np.broadcast_to(x, shape.tolist())


def _cast_type(c: Inference) -> ValueType:
    target = c.attrs["DstT"]
    known = c.value(0)
    if known is not None and target in ("int32", "int64"):
        c.know(known if known.dtype == object else known.astype(target.numpy))
    elif known is not None and target in ("float32", "float64"):
        c.know_whole(known)
    return ValueType(target, c.inputs[0].shape)


_MANTISSA = {"bfloat16": 7, "float16": 10, "float32": 23, "float64": 52}


def _cut(x: Array, bits: int) -> Array:
    """Floats with the last `bits` bits of their mantissas set to 0."""
    whole = np.dtype(f"u{x.dtype.itemsize}")
    return (x.view(whole) >> whole.type(bits) << whole.type(bits)).view(x.dtype)


@op("Cast", type=_cast_type, exact=True)
def cast(x: Array, *, DstT: DType, Truncate: bool = False) -> Array:
    """`x` converted (tf.cast): floats to integers towards zero, complex to real by the real part.

    What C leaves open (NaN, infinities and numbers out of an integer's range) is what the processor
    gives.  Numbers become float16 through float32.  `Truncate` cuts bits where floats get narrower,
    instead of rounding.  Raises ValueError between strings and anything else.
    """
    target = DstT.numpy
    if (x.dtype.kind == "O") != (DstT == "string"):
        raise ValueError(f"Cast: strings are not cast ({x.dtype} to {DstT}); see StringToNumber")
    if x.dtype.kind == "c" and target.kind != "c":
        x = x.real
    cut = _MANTISSA.get(x.dtype.name, 0) - _MANTISSA.get(DstT, 64)
    if Truncate and cut > 0:
        x = _cut(np.ascontiguousarray(x).reshape(x.shape), cut)
    with np.errstate(all="ignore"):
        if DstT in ("float16", "bfloat16") and x.dtype.kind in "fiu":
            x = x.astype(np.float32)
        return x.astype(target, copy=False)


def _bitcast_type(c: Inference) -> ValueType:
    dtype, old = c.inputs[0]
    target = c.attrs["type"]
    if old is None:
        return ValueType(target)
    a, b = dtype.numpy.itemsize, target.numpy.itemsize
    if a > b:
        return ValueType(target, (*old, a // b))
    return ValueType(target, old if a == b else old[:-1])


@op("Bitcast", type=_bitcast_type, exact=True)
def bitcast(x: Array, *, type: DType) -> Array:
    """The same bytes read as another dtype (tf.bitcast).

    To a smaller dtype there is a last axis more, to a larger one the last axis goes.  Raises
    ValueError where that axis has not the ratio of the sizes.
    """
    target = type.numpy
    flat: Array = np.ascontiguousarray(x).reshape(x.shape)
    if target.itemsize == x.dtype.itemsize:
        return flat.view(target)
    if target.itemsize < x.dtype.itemsize:
        return flat.reshape((*x.shape, 1)).view(target)
    ratio = target.itemsize // x.dtype.itemsize
    if x.ndim == 0 or x.shape[-1] != ratio:
        raise ValueError(f"the last extent of {x.shape} should be {ratio} to become {type}")
    split_up: Array = flat.view(target)
    return split_up.reshape(x.shape[:-1])


@op("CheckNumerics", "CheckNumericsV2", type=same, exact=True)
def check_numerics(x: Array, *, message: str) -> Array:
    """`x`; raises ValueError where it holds NaN or an infinity (tf.debugging.check_numerics)."""
    wide = x.astype(np.float32) if x.dtype.kind == "V" else x
    found = [n for n, test in (("NaN", np.isnan), ("Inf", np.isinf)) if test(wide).any()]
    if found:
        raise ValueError(f"{message} : Tensor had {' and '.join(found)} values")
    return x


@op(
    "Fill",
    exact=True,
    symbolic=True,
    type=lambda c: ValueType(c.inputs[1].dtype, shape_vector(c, 0)),
)
def fill(dims: Array, value: Array) -> Array:
    """`value` repeated over the extents `dims` (tf.fill)."""
    extents = lenient_shape(dims)
    check_size(extents)
    return np.full(extents, lenient_scalar(value, "value"), value.dtype)


@op("ZerosLike", type=same, exact=True)
def zeros_like(x: Any) -> Any:
    """Zeros (empty strings, False) of the shape and dtype of `x` (tf.zeros_like)."""
    if isinstance(x, Handle):
        return x.zeros()
    if x.dtype == object and any(isinstance(each, Handle) for each in x.flat):
        return np.frompyfunc(Handle.zeros, 1, 1)(x)
    return np.full(x.shape, zero(x.dtype), x.dtype)


@op("OnesLike", type=same, exact=True)
def ones_like(x: Array) -> Array:
    """Ones of the shape and dtype of `x` (tf.ones_like)."""
    return np.ones(x.shape, x.dtype)


@op("Empty", exact=True, type=lambda c: ValueType(c.attrs["dtype"], shape_vector(c, 0)), ranks="1")
def empty(shape: Array, *, dtype: DType) -> Array:
    """Zeros of `shape` (tf.raw_ops.Empty, which promises no values unless ``init``)."""
    check_size(shape.tolist())
    return np.full(shape.tolist(), zero(dtype.numpy), dtype.numpy)


def _range_type(c: Inference) -> ValueType:
    start, limit, delta = (c.extents(i) for i in range(3))
    length: Extent | None = None
    if start and limit and delta and isinstance(delta[0], int) and delta[0]:
        step = delta[0]
        span = limit[0] - start[0]
        length = span if step == 1 else -(-span // step)
    return ValueType(c.inputs[0].dtype, (c.fresh() if length is None else length,))


@op("Range", type=_range_type, exact=True)
def range_(start: Array, limit: Array, delta: Array) -> Array:
    """start, start + delta, ... before `limit` (tf.range).

    Raises ValueError where `delta` is 0 or leads away from `limit`.
    """
    start, limit, delta = (
        lenient_scalar(v, n) for v, n in ((start, "start"), (limit, "limit"), (delta, "delta"))
    )
    if delta == 0:
        raise ValueError("a range of step 0")
    if (start > limit) if delta > 0 else (start < limit):
        raise ValueError(f"a range from {start} to {limit} in steps of {delta}")
    if start.dtype.kind in "iu":
        n = -((int(start) - int(limit)) // int(delta))
    else:
        n = int(np.ceil(abs((limit - start) / delta)))
    check_size([n])
    result: Array = start + np.arange(n).astype(start.dtype) * delta
    return result


@op(
    "LinSpace",
    exact=True,
    type=lambda c: ValueType(c.inputs[0].dtype, ((c.extents(2) or [c.fresh()])[0],)),
    ranks="000",
)
def lin_space(start: Array, stop: Array, num: Array) -> Array:
    """`num` (at least 1) numbers from `start` to `stop`, both included (tf.linspace)."""
    n = scalar_int(num, "num")
    if n < 1:
        raise ValueError(f"num should be at least 1, not {n}")
    check_size([n])
    step = (stop - start) / start.dtype.type(max(n - 1, 1))
    result: Array = start + np.arange(n).astype(start.dtype) * step
    if n > 1:
        result[-1] = stop
    return result


def _slice_type(c: Inference) -> ValueType:
    dtype, old = c.inputs[0]
    begin, sizes = c.extents(1), c.extents(2)
    if sizes is None or ((begin is None or old is None) and -1 in sizes):
        known = next((k for k in (old, sizes, begin) if k is not None), None)
        length = None if known is None else len(known)
        return ValueType(dtype, shape_vector(c, 2) if sizes is not None else c.unknown(length))
    begin, old = begin or [], old or ()
    return ValueType(dtype, tuple(old[i] - begin[i] if n == -1 else n for i, n in enumerate(sizes)))


@op("Slice", type=_slice_type, exact=True, symbolic=True, ranks=".11")
def slice_(x: Array, begin: Array, size: Array) -> Array:
    """``size[i]`` elements (-1: all the rest) from ``begin[i]`` on along each axis (tf.slice)."""
    starts, sizes = begin.ravel().tolist(), size.ravel().tolist()
    if not len(starts) == len(sizes) == x.ndim:
        raise ValueError(f"begin {starts} and size {sizes} should have {x.ndim} entries each")
    ends = [e if n == -1 else b + n for b, n, e in zip(starts, sizes, x.shape, strict=True)]
    if any(not 0 <= b <= stop <= e for b, stop, e in zip(starts, ends, x.shape, strict=True)):
        raise ValueError(f"begin {starts} and size {sizes} leave a tensor of shape {x.shape}")
    return x[tuple(map(slice, starts, ends))]


Spec = list[tuple[str, Any]]
"""How each entry of a strided slice acts: ``("new", None)``, ``("at", i)``, ``("all", None)``,
``("range", (begin, end, step))`` with None for a masked bound."""


def strided_spec(
    rank: int,
    begin: Sequence[Any],
    end: Sequence[Any],
    strides: Sequence[Any],
    attrs: dict[str, int],
) -> Spec:
    """The entries of a strided slice of a tensor of `rank`, the ellipsis replaced by "all"s."""
    masks = {
        k: attrs[k]
        for k in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    }
    if masks["ellipsis_mask"] & (masks["ellipsis_mask"] - 1):
        raise ValueError("a slice may hold one ellipsis only")
    spec: Spec = []
    hole = -1
    for i in range(len(begin)):
        on = {k for k, mask in masks.items() if mask >> i & 1}
        if "ellipsis_mask" in on:
            hole = len(spec)
        elif "new_axis_mask" in on:
            spec.append(("new", None))
        elif "shrink_axis_mask" in on:
            if strides[i] <= 0:
                raise ValueError("an index that drops its axis takes a positive stride only")
            spec.append(("at", begin[i]))
        else:
            if strides[i] == 0:
                raise ValueError(f"strides[{i}] is 0")
            spec.append(
                (
                    "range",
                    (
                        None if "begin_mask" in on else begin[i],
                        None if "end_mask" in on else end[i],
                        strides[i],
                    ),
                )
            )
    missing = rank - sum(kind != "new" for kind, _ in spec)
    if missing < 0:
        raise ValueError(f"a slice of {rank - missing} axes for a tensor of rank {rank}")
    at = len(spec) if hole < 0 else hole
    return spec[:at] + [("all", None)] * missing + spec[at:]


def least(extent: Extent, bound: int) -> Extent | None:
    """min(extent, bound), exact as a sum of floor quotients; None where that would be long."""
    if isinstance(extent, int):
        return min(extent, bound)
    if bound > 4:
        return None
    total: Extent = 0
    for i in range(1, bound + 1):
        steps = extent // i
        total = total + steps * 2 // (steps + 1)
    return total


def bound(value: int, extent: Extent) -> Extent | None:
    """Where a slice's bound falls within [0, extent]; None where that cannot be said."""
    if value >= 0:
        return least(extent, value)
    back = least(extent, -value)
    return None if back is None else extent - back


def _span(extent: Extent, begin: Any, end: Any) -> Extent | None:
    """How many elements lie in ``[begin:end]``; None where that cannot be said."""
    if isinstance(begin, Dim) or isinstance(end, Dim):
        return None
    if begin is not None and end is not None:
        if (begin < 0) != (end < 0):
            return None
        if begin >= end:
            return 0
    first = 0 if begin is None else bound(begin, extent)
    last = extent if end is None else bound(end, extent)
    return None if first is None or last is None else last - first


def sliced(c: Inference, extent: Extent, begin: Any, end: Any, step: Any) -> Extent:
    """The extent that ``[begin:end:step]`` leaves of `extent`; fresh where it cannot be said."""
    if not isinstance(step, int):
        return c.fresh()
    if isinstance(extent, int) and not isinstance(begin, Dim) and not isinstance(end, Dim):
        return len(range(extent)[begin:end:step])
    if step > 0:
        span = _span(extent, begin, None if end == extent else end)
    else:
        span = extent if begin is None and end is None else None
    return c.fresh() if span is None else -(-span // abs(step))


def _strided_slice_type(c: Inference) -> ValueType:
    dtype, old = c.inputs[0]
    count = next((t.shape[0] for t in c.inputs[1:] if t.shape), None)
    if old is None or not isinstance(count, int):
        return ValueType(dtype)
    unknown = [c.fresh() for _ in range(count)]
    begin, end = c.extents(1) or unknown, c.extents(2) or unknown
    strides = c.ints(3) or [1] * count
    spec = strided_spec(len(old), begin, end, strides, c.attrs)
    result: list[Extent] = []
    axis = 0
    for kind, entry in spec:
        if kind == "new":
            result.append(1)
            continue
        if kind == "all":
            result.append(old[axis])
        elif kind == "range":
            step = entry[2] if c.ints(3) is not None else c.fresh()
            result.append(sliced(c, old[axis], entry[0], entry[1], step))
        axis += 1
    return ValueType(dtype, tuple(result))


def strided_index(
    x: Array, begin: Array, end: Array, strides: Array, attrs: dict[str, int]
) -> tuple[Any, ...]:
    """The numpy index of a strided slice of `x`; raises IndexError for an index out of range."""
    spec = strided_spec(
        x.ndim, begin.ravel().tolist(), end.ravel().tolist(), strides.ravel().tolist(), attrs
    )
    index: list[Any] = [...]
    axis = 0
    for kind, entry in spec:
        if kind == "at" and not -x.shape[axis] <= entry < x.shape[axis]:
            raise IndexError(f"index {entry} is outside of axis {axis} of shape {x.shape}")
        index.append(
            {"new": None, "at": entry}.get(
                kind, slice(*entry) if entry and kind == "range" else slice(None)
            )
        )
        axis += kind != "new"
    return tuple(index)


@op("StridedSlice", type=_strided_slice_type, exact=True, symbolic=True, ranks=".111")
def strided_slice(
    x: Array,
    begin: Array,
    end: Array,
    strides: Array,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Array:
    """``x[begin:end:strides]`` with Python's rules (tf.strided_slice).

    Bit i of a mask speaks of entry i: its bounds are open, or it stands for an ellipsis, a new
    axis, or an index that drops its axis.
    """
    attrs = {
        "begin_mask": begin_mask,
        "end_mask": end_mask,
        "ellipsis_mask": ellipsis_mask,
        "new_axis_mask": new_axis_mask,
        "shrink_axis_mask": shrink_axis_mask,
    }
    result: Array = x[strided_index(x, begin, end, strides, attrs)]
    return result


@op("TensorStridedSliceUpdate", type=same, exact=True)
def tensor_strided_slice_update(
    x: Array,
    begin: Array,
    end: Array,
    strides: Array,
    value: Array,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Array:
    """`x` with `value` in the places that the strided slice names."""
    attrs = {
        "begin_mask": begin_mask,
        "end_mask": end_mask,
        "ellipsis_mask": ellipsis_mask,
        "new_axis_mask": new_axis_mask,
        "shrink_axis_mask": shrink_axis_mask,
    }
    result = x.copy()
    result[strided_index(x, begin, end, strides, attrs)] = value
    return result


def joined(c: Inference, types: Sequence[ValueType], axes: list[int] | None) -> ValueType:
    """Type of `types` joined along ``axes[0]``."""
    shapes = [t.shape for t in types]
    ranked = next((s for s in shapes if s is not None), None)
    if ranked is None or axes is None:
        return ValueType(types[0].dtype, c.unknown(None if ranked is None else len(ranked)))
    axis = normalize_axis(axes[0], len(ranked))
    rest = merge_shapes(c, *(None if s is None else s[:axis] + s[axis + 1 :] for s in shapes)) or ()
    total: Extent = 0
    for s in shapes:
        total = total + (c.fresh() if s is None else s[axis])
    return ValueType(types[0].dtype, (*rest[:axis], total, *rest[axis:]))


@op(
    "ConcatV2",
    exact=True,
    symbolic=True,
    type=lambda c: joined(c, c.inputs[:-1], c.ints(len(c.inputs) - 1)),
)
def concat_v2(*values: Array) -> Array:
    """The tensors `values[:-1]` joined along the axis ``values[-1]`` (tf.concat)."""
    axis = normalize_axis(int(lenient_scalar(values[-1], "axis")), values[0].ndim)
    return np.concatenate(values[:-1], axis)


@op(
    "Concat",
    exact=True,
    symbolic=True,
    type=lambda c: joined(c, c.inputs[1:], c.ints(0)),
)
def concat(concat_dim: Array, *values: Array) -> Array:
    """`values` joined along `concat_dim` (tf.concat of TF 0.x)."""
    return concat_v2(*values, concat_dim)


@op("ParallelConcat", exact=True, type=lambda c: joined(c, c.inputs, [0]))
def parallel_concat(*values: Array) -> Array:
    """`values`, each of first extent 1, joined along axis 0 (tf.parallel_stack)."""
    return np.concatenate(values, 0)


@op(
    "ConcatOffset", exact=True, outputs=("offset*N",), type=lambda c: list(c.inputs[1:]), ranks="0*"
)
def concat_offset(concat_dim: Array, *shapes: Array) -> tuple[Array, ...]:
    """Where each of the tensors of `shapes` starts in their concatenation."""
    axis = normalize_axis(scalar_int(concat_dim, "concat_dim"), len(shapes[0]))
    offsets = [np.zeros_like(s) for s in shapes]
    for i in range(1, len(shapes)):
        offsets[i][axis] = offsets[i - 1][axis] + shapes[i - 1][axis]
        if (np.delete(shapes[i], axis) != np.delete(shapes[0], axis)).any():
            raise ValueError(f"shapes {shapes[0]} and {shapes[i]} differ off axis {axis}")
    return tuple(offsets)


def _pack_type(c: Inference) -> ValueType:
    shape = merge_shapes(c, *(t.shape for t in c.inputs))
    if shape is None:
        return ValueType(c.inputs[0].dtype)
    axis = normalize_axis(c.attrs["axis"], len(shape) + 1)
    return ValueType(c.inputs[0].dtype, (*shape[:axis], len(c.inputs), *shape[axis:]))


@op("Pack", type=_pack_type, exact=True, symbolic=True)
def pack(*values: Array, axis: int = 0) -> Array:
    """`values`, of one shape, side by side along a new `axis` (tf.stack)."""
    return np.stack(values, axis)


def _unpack_type(c: Inference) -> list[ValueType]:
    dtype, old = c.inputs[0]
    number = c.attrs["num"]
    if old is None:
        return [ValueType(dtype)] * number
    axis = normalize_axis(c.attrs["axis"], len(old))
    merge_extents(old[axis], number)
    return [ValueType(dtype, old[:axis] + old[axis + 1 :])] * number


@op("Unpack", type=_unpack_type, exact=True, outputs=("output*num",), symbolic=True)
def unpack(x: Array, *, num: int, axis: int = 0) -> tuple[Array, ...]:
    """The `num` slices of `x` along `axis`, that axis gone (tf.unstack)."""
    axis = normalize_axis(axis, x.ndim)
    if x.shape[axis] != num:
        raise ValueError(f"axis {axis} of shape {x.shape} should have {num} elements")
    return tuple(np.moveaxis(x, axis, 0)[i, ...] for i in range(num))


def split_types(
    c: Inference, value: ValueType, axes: list[int] | None, sizes: Sequence[Extent]
) -> list[ValueType]:
    """Types of the parts of `value` whose extents along ``axes[0]`` are `sizes`."""
    if value.shape is None or axes is None:
        return [ValueType(value.dtype, c.unknown(value.rank)) for _ in sizes]
    axis = normalize_axis(axes[0], len(value.shape))
    before, after = value.shape[:axis], value.shape[axis + 1 :]
    return [ValueType(value.dtype, (*before, n, *after)) for n in sizes]


def _split_type(c: Inference) -> list[ValueType]:
    value, axes, number = c.inputs[1], c.ints(0), c.attrs["num_split"]
    part: Extent = c.fresh()
    if value.shape is not None and axes is not None:
        extent = value.shape[normalize_axis(axes[0], len(value.shape))]
        if isinstance(extent, int) and extent % number:
            raise ValueError(f"{extent} elements do not split into {number} equal parts")
        part = extent // number
    return split_types(c, value, axes, [part] * number)


@op("Split", type=_split_type, exact=True, outputs=("output*num_split",), symbolic=True, ranks="0.")
def split(split_dim: Array, value: Array, *, num_split: int) -> tuple[Array, ...]:
    """`value` cut into `num_split` equal parts along `split_dim` (tf.split)."""
    axis = normalize_axis(scalar_int(split_dim, "split_dim"), value.ndim)
    if num_split < 1 or value.shape[axis] % num_split:
        raise ValueError(f"{value.shape[axis]} elements do not split into {num_split} equal parts")
    return (
        tuple(np.split(value, num_split, axis))
        if value.size
        else (value[(slice(None),) * axis + (slice(value.shape[axis] // num_split),)],) * num_split
    )


def _split_v_type(c: Inference) -> list[ValueType]:
    value, axes, sizes = c.inputs[0], c.ints(2), c.extents(1)
    if sizes is None:
        sizes = [c.fresh() for _ in range(c.attrs["num_split"])]
    elif -1 in sizes:
        hole, total = sizes.index(-1), None
        if value.shape is not None and axes is not None:
            total = value.shape[normalize_axis(axes[0], len(value.shape))]
        rest = [e for i, e in enumerate(sizes) if i != hole]
        sizes[hole] = c.fresh() if total is None else total
        for e in rest if total is not None else ():
            sizes[hole] = sizes[hole] - e
    return split_types(c, value, axes, sizes)


@op(
    "SplitV",
    type=_split_v_type,
    exact=True,
    outputs=("output*num_split",),
    symbolic=True,
    ranks=".1",
)
def split_v(
    value: Array, size_splits: Array, split_dim: Array, *, num_split: int
) -> tuple[Array, ...]:
    """`value` cut along `split_dim` into `size_splits` parts, one of which may be -1 (tf.split)."""
    axis = normalize_axis(scalar_int(split_dim, "split_dim"), value.ndim)
    sizes = size_splits.tolist()
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = value.shape[axis] - sum(sizes) - 1
    if len(sizes) != num_split or min(sizes) < 0 or sum(sizes) != value.shape[axis]:
        raise ValueError(f"sizes {size_splits.tolist()} for {value.shape[axis]} elements")
    ends = np.cumsum(sizes)
    before = (slice(None),) * axis
    return tuple(value[(*before, slice(e - n, e))] for e, n in zip(ends, sizes, strict=True))
