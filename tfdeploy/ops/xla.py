"""Ops of XLA that graphs made by jax2tf and by Keras hold.

Their dimension numbers are serialized protocol buffers of xla_data.proto in a string attribute.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import DType
from ..graph.types import Extent, Shape, ValueType
from .linalg import svd
from .products import contract, einsum
from .registry import op
from .rules import Inference, same

Array = NDArray[Any]


def _numbers(message: str | bytes) -> dict[int, list[int]]:
    """Fields of a message whose fields are all integers, repeated ones packed or not.

    Raises ValueError where it is something else.
    """
    data = message.encode() if isinstance(message, str) else message
    found: dict[int, list[int]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(data) or shift > 63:
                raise ValueError("dimension numbers end in the middle")
            byte, at = data[at], at + 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        values = found.setdefault(key >> 3, [])
        if key & 7 == 0:
            values.append(varint())
        elif key & 7 == 2:
            end = varint() + at
            while at < end:
                values.append(varint())
        else:
            raise ValueError("dimension numbers hold what is no integer")
    return found


@op("XlaSharding", type=same, exact=True)
def xla_sharding(input: Array) -> Array:
    """The input, whatever machine holds its parts."""
    return input


@op(
    "XlaOptimizationBarrier",
    type=lambda c: list(c.inputs),
    exact=True,
    outputs=("output*T",),
)
def xla_optimization_barrier(*input: Array) -> tuple[Array, ...]:
    """The inputs."""
    return input


def _clamped(start: Array, sizes: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The window of `sizes` at `start`, moved inside of `shape`."""
    if len(start) != len(shape) or any(s > e for s, e in zip(sizes, shape, strict=True)):
        raise ValueError(f"a window of {sizes} at {start.tolist()} does not fit shape {shape}")
    first = [min(max(int(a), 0), e - s) for a, s, e in zip(start, sizes, shape, strict=True)]
    return tuple(slice(a, a + s) for a, s in zip(first, sizes, strict=True))


@op("XlaDynamicUpdateSlice", type=same, exact=True)
def xla_dynamic_update_slice(input: Array, update: Array, indices: Array) -> Array:
    """The input with `update` written at `indices`, moved inside where it would stand out."""
    result = input.copy()
    result[_clamped(indices, update.shape, input.shape)] = update
    return result


def _slice_type(c: Inference) -> ValueType:
    sizes = c.extents(2)
    shape = c.inputs[0].shape
    if sizes is None:
        return ValueType(c.inputs[0].dtype, c.unknown(None if shape is None else len(shape)))
    return ValueType(c.inputs[0].dtype, tuple(sizes))


@op("XlaDynamicSlice", type=_slice_type, exact=True, ranks="..1")
def xla_dynamic_slice(input: Array, start_indices: Array, size_indices: Array) -> Array:
    """The window of `size_indices` at `start_indices`, moved inside where it would stand out."""
    return input[_clamped(start_indices, tuple(size_indices.tolist()), input.shape)]


def _gap(x: Array, steps: list[int], fill: Any) -> Array:
    """`x` with ``steps - 1`` times `fill` between neighbours on each axis."""
    shape = [max((e - 1) * s + 1, 0) for e, s in zip(x.shape, steps, strict=True)]
    result = np.full(shape, fill, x.dtype)
    result[tuple(slice(None, None, s) for s in steps)] = x
    return result


def _margin(x: Array, low: list[int], high: list[int], fill: Any) -> Array:
    """`x` with `low` and `high` times `fill` around it; negative ones cut."""
    cut = tuple(
        slice(max(-a, 0), e - max(-b, 0)) for a, b, e in zip(low, high, x.shape, strict=True)
    )
    around = [(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)]
    return np.pad(x[cut], around, constant_values=fill)


def _pad_type(c: Inference) -> ValueType:
    shape, parts = c.inputs[0].shape, [c.ints(i) for i in (2, 3, 4)]
    low, high, inner = parts
    if shape is None or low is None or high is None or inner is None:
        return ValueType(c.inputs[0].dtype, c.unknown(None if shape is None else len(shape)))
    result: list[Extent] = []
    for e, a, b, i in zip(shape, low, high, inner, strict=True):
        known = isinstance(e, int) or not i
        result.append(
            e + a + b + (max(e - 1, 0) * i if isinstance(e, int) else 0) if known else c.fresh()
        )
    return ValueType(c.inputs[0].dtype, tuple(result))


@op("XlaPad", type=_pad_type, exact=True)
def xla_pad(
    input: Array,
    padding_value: Array,
    padding_low: Array,
    padding_high: Array,
    padding_interior: Array,
) -> Array:
    """The input with `padding_value` around it and between its elements; negative widths cut."""
    spread = _gap(input, [int(i) + 1 for i in padding_interior], padding_value)
    return _margin(spread, padding_low.tolist(), padding_high.tolist(), padding_value)


@op("XlaEinsum", type=lambda c: ValueType(c.inputs[0].dtype))
def xla_einsum(a: Array, b: Array, *, equation: str) -> Any:
    """As Einsum of two operands."""
    return einsum(a, b, equation=equation)


def _dot_type(c: Inference) -> ValueType:
    dtype = c.attrs.get("preferred_element_type") or c.inputs[0].dtype
    left, right = c.inputs[0].shape, c.inputs[1].shape
    if left is None or right is None:
        return ValueType(dtype)
    n = _numbers(c.attrs["dimension_numbers"])
    a, b, shared = n.get(1, []), n.get(2, []), n.get(3, [])
    rows = [e for i, e in enumerate(left) if i not in a and i not in shared]
    columns = [e for i, e in enumerate(right) if i not in b and i not in n.get(4, [])]
    return ValueType(dtype, (*(left[i] for i in shared), *rows, *columns))


@op("XlaDotV2", type=_dot_type)
def xla_dot_v2(
    lhs: Array,
    rhs: Array,
    *,
    dimension_numbers: str | bytes,
    preferred_element_type: DType | None = None,
) -> Any:
    """Products summed over the axes that DotDimensionNumbers pair; batch axes come first."""
    n = _numbers(dimension_numbers)
    left: list[Any] = [("l", i) for i in range(lhs.ndim)]
    right: list[Any] = [("r", i) for i in range(rhs.ndim)]
    for i, j in zip(n.get(1, []), n.get(2, []), strict=True):
        right[j] = left[i]
    batch = []
    for i, j in zip(n.get(3, []), n.get(4, []), strict=True):
        right[j] = left[i]
        batch.append(left[i])
    gone = {left[i] for i in n.get(1, [])}
    result = batch + [a for a in left if a not in gone and a not in batch]
    result += [a for a in right if a not in gone and a not in batch]
    dtype = lhs.dtype if preferred_element_type is None else preferred_element_type.numpy
    half = np.dtype(np.float32) if dtype.kind in "fV" and dtype.itemsize == 2 else dtype
    found, labels = contract((lhs.astype(half), left), (rhs.astype(half), right), set(result))
    return found.transpose([labels.index(a) for a in result]).astype(dtype)


@op("XlaDot", type=_dot_type)
def xla_dot(lhs: Array, rhs: Array, *, dimension_numbers: str | bytes) -> Any:
    """As XlaDotV2 in the inputs' own type."""
    return xla_dot_v2(lhs, rhs, dimension_numbers=dimension_numbers)


def _gather_type(c: Inference) -> ValueType:
    dtype, indices, sizes = c.inputs[0].dtype, c.inputs[1].shape, c.extents(2)
    if indices is None or sizes is None:
        return ValueType(dtype)
    n = _numbers(c.attrs["dimension_numbers"])
    vector = n.get(4, [0])[0]
    batch = [e for i, e in enumerate(indices) if i != vector]
    gone = n.get(2, []) + n.get(5, [])
    window = [e for i, e in enumerate(sizes) if i not in gone]
    return ValueType(dtype, _interleave(batch, window, n.get(1, [])))


def _interleave(batch: list[Any], window: list[Any], offset_dims: list[int]) -> tuple[Any, ...]:
    """What stands on each axis of a gather's result: window parts at `offset_dims`, else batch."""
    left, right = iter(batch), iter(window)
    total = range(len(batch) + len(window))
    return tuple(next(right) if i in offset_dims else next(left) for i in total)


@op("XlaGather", type=_gather_type, exact=True)
def xla_gather(
    operand: Array,
    start_indices: Array,
    slice_sizes: Array,
    *,
    dimension_numbers: str | bytes,
    indices_are_sorted: bool = False,
) -> Any:
    """Windows of the operand at many places, as GatherDimensionNumbers arrange them; places outside
    are moved inside."""
    n = _numbers(dimension_numbers)
    sizes, vector = slice_sizes.tolist(), n.get(4, [0])[0]
    starts = start_indices[..., None] if vector == start_indices.ndim else start_indices
    starts = np.moveaxis(starts, vector, 0)
    batch = starts.ndim - 1
    index: list[Array] = []
    for axis, (extent, size) in enumerate(zip(operand.shape, sizes, strict=True)):
        first = np.zeros(starts.shape[1:], np.int64)
        if axis in n.get(3, []):
            first = np.clip(starts[n[3].index(axis)].astype(np.int64), 0, extent - size)
        if axis in n.get(5, []):
            along = n[6][n[5].index(axis)]
            along -= along > vector
            first = np.broadcast_to(
                np.arange(starts.shape[1 + along]).reshape(
                    [-1 if i == along else 1 for i in range(batch)]
                ),
                starts.shape[1:],
            )
        within = np.arange(size).reshape([-1 if i == axis else 1 for i in range(operand.ndim)])
        index.append(first.reshape(first.shape + (1,) * operand.ndim) + within)
    found = operand[tuple(index)]
    gone = tuple(batch + i for i in n.get(2, []) + n.get(5, []))
    found = found.squeeze(axis=gone)
    axes = _interleave(list(range(batch)), list(range(batch, found.ndim)), n.get(1, []))
    return found.transpose(axes)


def _conv_type(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    dtype = c.attrs.get("preferred_element_type") or c.inputs[0].dtype
    return ValueType(dtype, c.unknown(None if shape is None else len(shape)))


@op("XlaConvV2", type=_conv_type)
def xla_conv_v2(
    lhs: Array,
    rhs: Array,
    window_strides: Array,
    padding: Array,
    lhs_dilation: Array,
    rhs_dilation: Array,
    feature_group_count: Array,
    *,
    dimension_numbers: str | bytes,
    preferred_element_type: DType | None = None,
    batch_group_count: int = 1,
) -> Any:
    """Convolution of any rank, axes as ConvolutionDimensionNumbers say, both sides dilated."""
    n = _numbers(dimension_numbers)
    one = {key: values[0] for key, values in n.items() if values}
    dtype = lhs.dtype if preferred_element_type is None else preferred_element_type.numpy
    x = lhs.transpose([one.get(7, 0), *n.get(11, []), one.get(8, 0)]).astype(dtype)
    k = rhs.transpose([*n.get(6, []), one.get(3, 0), one.get(4, 0)]).astype(dtype)
    x = _gap(x, [1, *lhs_dilation.tolist(), 1], 0)
    low, high = padding.reshape(-1, 2).T.tolist() if padding.size else ([], [])
    x = _margin(x, [0, *low, 0], [0, *high, 0], 0)
    k = _gap(k, [*rhs_dilation.tolist(), 1, 1], 0)
    groups = int(feature_group_count)
    count = max(groups, batch_group_count)
    parts = [
        _valid(part, kernel, window_strides.tolist())
        for part, kernel in zip(
            np.split(x, count, axis=-1 if groups > 1 else 0) if count > 1 else [x],
            np.split(k, count, axis=-1),
            strict=True,
        )
    ]
    result = np.concatenate(parts, axis=-1)
    place = [0] * result.ndim  # where each axis of the result comes from
    for source, target in enumerate([one.get(9, 0), *n.get(12, []), one.get(10, 0)]):
        place[target] = source
    return result.transpose(place)


def _valid(x: Array, k: Array, strides: list[int]) -> Array:
    """Convolution of [n, spatial, c] with [spatial, c, o], where the window lies inside."""
    rank = len(strides)
    extents = [
        (e - w) // s + 1 for e, w, s in zip(x.shape[1:-1], k.shape[:rank], strides, strict=True)
    ]
    if min(extents, default=1) <= 0:
        return np.zeros((len(x), *(max(e, 0) for e in extents), k.shape[-1]), x.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(
        x, k.shape[:rank], axis=tuple(range(1, rank + 1))
    )
    windows = windows[(slice(None), *(slice(None, None, s) for s in strides))]
    windows = np.moveaxis(windows, rank + 1, -1)  # channels behind the window's axes
    depth = math.prod(k.shape[:-1])
    return np.matmul(windows.reshape((len(x), *extents, depth)), k.reshape((depth, k.shape[-1])))


@op("XlaConv", type=_conv_type)
def xla_conv(
    lhs: Array,
    rhs: Array,
    window_strides: Array,
    padding: Array,
    lhs_dilation: Array,
    rhs_dilation: Array,
    feature_group_count: Array,
    *,
    dimension_numbers: str | bytes,
) -> Any:
    """As XlaConvV2 in the inputs' own type."""
    return xla_conv_v2(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        feature_group_count,
        dimension_numbers=dimension_numbers,
    )


@op("XlaSort", type=same, exact=True)
def xla_sort(input: Array) -> Array:
    """Each row in rising order."""
    return np.sort(input, axis=-1)


@op(
    "XlaKeyValueSort",
    type=lambda c: list(c.inputs),
    exact=True,
    outputs=("sorted_keys", "sorted_values"),
)
def xla_key_value_sort(keys: Array, values: Array) -> tuple[Array, Array]:
    """Each row of keys in rising order, and the values in the order of their keys."""
    order = np.argsort(keys, axis=-1, kind="stable")
    return np.take_along_axis(keys, order, axis=-1), np.take_along_axis(values, order, axis=-1)


def _helper_types(c: Inference) -> list[ValueType]:
    def widened(shape: Shape, other: Shape) -> Shape:
        if shape is None or other is None:
            return None
        if len(shape) >= len(other) or shape == ():
            return shape
        dims = c.ints(2)
        if dims is None:
            return c.unknown(len(other))
        return tuple(shape[dims.index(i)] if i in dims else 1 for i in range(len(other)))

    a, b = c.inputs[:2]
    return [
        ValueType(a.dtype, widened(a.shape, b.shape)),
        ValueType(b.dtype, widened(b.shape, a.shape)),
    ]


@op("XlaBroadcastHelper", type=_helper_types, exact=True, outputs=("lhs_output", "rhs_output"))
def xla_broadcast_helper(lhs: Array, rhs: Array, broadcast_dims: Array) -> tuple[Array, Array]:
    """Both, the one of lower rank with its axes at `broadcast_dims` among axes of extent 1."""
    dims = broadcast_dims.tolist()

    def widened(x: Array, rank: int) -> Array:
        if x.ndim >= rank or not x.ndim:
            return x
        if len(dims) != x.ndim:
            raise ValueError(f"{len(dims)} axes for shape {x.shape}")
        return x.reshape([x.shape[dims.index(i)] if i in dims else 1 for i in range(rank)])

    return widened(lhs, rhs.ndim), widened(rhs, lhs.ndim)


@op("XlaReducePrecision", type=same, exact=True)
def xla_reduce_precision(operand: Array, *, exponent_bits: int, mantissa_bits: int) -> Any:
    """Rounds to the floats of so many bits, halves to even; too great ones to inf, too small ones
    to zero."""
    if exponent_bits < 1 or mantissa_bits < 0:
        raise ValueError(f"{exponent_bits} bits of exponent and {mantissa_bits} of mantissa")
    exponent_bits, mantissa_bits = min(exponent_bits, 11), min(mantissa_bits, 52)
    x = operand.astype(np.float64)
    fraction, exponent = np.frexp(x)  # of [0.5, 1), so that the exponent is one too many
    scale = 2.0 ** (mantissa_bits + 1)
    rounded = np.ldexp(np.rint(fraction * scale) / scale, exponent)
    bias = 2 ** (exponent_bits - 1) - 1
    most = 2.0**bias * (2 - 2.0**-mantissa_bits)
    rounded = np.where(np.abs(rounded) > most, np.copysign(np.inf, x), rounded)
    rounded = np.where(np.abs(rounded) < 2.0 ** (1 - bias), np.copysign(0.0, x), rounded)
    return np.where(np.isnan(x), x, rounded).astype(operand.dtype)


def _full(x: Array) -> Array:
    """Floats of 16 bits as float32, in which there is linear algebra."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x


def _eigen_types(c: Inference) -> list[ValueType]:
    dtype, shape = c.inputs[0]
    return [ValueType(dtype, None if shape is None else shape[:-1]), ValueType(dtype, shape)]


@op("XlaSelfAdjointEig", type=_eigen_types, outputs=("w", "v"))
def xla_self_adjoint_eig(
    a: Array, *, lower: bool, max_iter: int = 100, epsilon: float = 1e-6
) -> tuple[Array, Array]:
    """Rising eigenvalues of Hermitian matrices and their vectors as columns; one half is read."""
    values, vectors = np.linalg.eigh(_full(a), "L" if lower else "U")
    return values.astype(a.dtype), vectors.astype(a.dtype)


def _svd_types(c: Inference) -> list[ValueType]:
    dtype, shape = c.inputs[0]
    if shape is None:
        return [ValueType(dtype)] * 3
    *batch, m, n = shape
    k = min(m, n) if isinstance(m, int) and isinstance(n, int) else c.fresh()
    return [
        ValueType(dtype, (*batch, k)),
        ValueType(dtype, (*batch, m, m)),
        ValueType(dtype, (*batch, n, n)),
    ]


@op("XlaSvd", type=_svd_types, outputs=("s", "u", "v"))
def xla_svd(a: Array, *, max_iter: int = 100, epsilon: float = 1e-6) -> tuple[Array, Array, Array]:
    """Falling singular values and all left and right vectors as columns."""
    s, u, v = svd(_full(a), full_matrices=True)
    return s.astype(a.dtype), u.astype(a.dtype), v.astype(a.dtype)
