"""TensorProto and TensorShapeProto to numpy arrays and shapes.

The rules are those of tensorflow/core/framework/tensor.cc (`Tensor::FromProto`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import STRING, DType, from_enum
from ..errors import FormatError, UnsupportedError
from .raw import Shape, Unreadable
from .wire import Message, varints

MAX_BYTES = 2 << 30  # of a tensor whose file holds fewer values than it has elements
_MAX_RANK = 32  # numpy's own bound before version 2

_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "float16": "half_val",
    "bfloat16": "half_val",
}
_CARRIERS = {"int_val": np.int32, "half_val": np.uint16, "bool_val": np.bool_}
_CARRIERS |= {"float_val": np.float32, "scomplex_val": np.float32, "int64_val": np.int64}
_CARRIERS |= {"double_val": np.float64, "dcomplex_val": np.float64}
_CARRIERS |= {"uint32_val": np.uint32, "uint64_val": np.uint64}


def dtype(number: int) -> DType | None:
    """The type with this enum number, None for TensorFlow's "invalid" type, 0."""
    return from_enum(number) if number else None


def shape(message: Message) -> Shape:
    """A TensorShapeProto as in `raw.Shape`; FormatError for dimensions below -1."""
    if message.unknown_rank:
        return None
    sizes = [dim.size for dim in message.dim]
    if sizes and min(sizes) < -1:
        raise FormatError(f"a shape of {sizes}, where dimensions are -1 (unknown) or more")
    return tuple([None if size == -1 else size for size in sizes])


def known_shape(message: Message) -> tuple[int, ...]:
    """The shape of a value, which has no unknown dimension."""
    found = shape(message)
    if found is None or None in found:
        raise FormatError("a value of unknown shape")
    if len(found) > _MAX_RANK:
        raise UnsupportedError(f"a tensor of rank {len(found)}; arrays end at {_MAX_RANK}")
    if math.prod(size or 1 for size in found) >= 1 << 58:
        raise FormatError(f"a value of shape {found}, more than any memory holds")
    return tuple(size or 0 for size in found)


def tensor(message: Message) -> np.ndarray | Unreadable:
    """The array that a TensorProto holds, read-only; `Unreadable` where no array can hold it.

    The array refers to the file's bytes where their alignment allows.  A tensor of one repeated
    value is that value, broadcast.  Raises FormatError where the values do not fit the shape.
    """
    kind = dtype(message.dtype)
    if kind is None:
        raise FormatError("a tensor without a dtype")
    dims = known_shape(message.tensor_shape)
    try:
        carrier = kind.numpy
    except UnsupportedError as error:
        return Unreadable(str(error))
    if len(message.tensor_content):
        if kind == STRING:
            return strings(message.tensor_content, dims)[0]
        return _from_content(message.tensor_content, dims, carrier)
    if kind == STRING:
        values = np.empty(len(message.string_val), object)
        values[:] = message.string_val
        return _fill(values, dims, b"")
    return _fill(numbers(message, kind, carrier), dims, carrier.type(0))


def _from_content(content: memoryview, dims: tuple[int, ...], carrier: np.dtype[Any]) -> np.ndarray:
    expected = math.prod(dims) * carrier.itemsize
    if len(content) != expected:
        raise FormatError(
            f"{len(content)} bytes of values, where {carrier} of shape {dims} take {expected}"
        )
    return aligned(np.frombuffer(content, np.uint8), carrier).reshape(dims)


def aligned(data: np.ndarray, carrier: np.dtype[Any]) -> np.ndarray:
    """The bytes `data` as flat read-only `carrier`: in place, or copied where not aligned."""
    if data.ctypes.data % carrier.alignment:
        data = data.copy()
    values = data.view(carrier)
    values.flags.writeable = False
    return values


def numbers(message: Message, kind: DType, carrier: np.dtype[Any]) -> np.ndarray:
    """The numbers in the field that tensors of this type use."""
    if kind.startswith(("float8", "float4")):
        return np.frombuffer(message.float8_val, carrier)
    name = _FIELDS.get(kind, "int_val")
    values = getattr(message, name)
    if name == "half_val":  # bit patterns in an int32 field
        return np.asarray(values, np.int32).astype(np.uint16).view(carrier)
    numbers: np.ndarray = np.asarray(values, _CARRIERS[name])
    if carrier.kind == "c":
        if len(numbers) % 2:
            raise FormatError(f"{len(numbers)} parts of complex numbers")
        return numbers.view(carrier)
    return numbers.astype(carrier, copy=False)


def _fill(values: np.ndarray, dims: tuple[int, ...], zero: Any) -> np.ndarray:
    """`values` in the shape `dims`; the last, or `zero` where there are none, fills the rest."""
    count = math.prod(dims)
    if len(values) >= count:
        result = values[:count].reshape(dims)
    else:
        if count * values.itemsize > MAX_BYTES:
            raise FormatError(
                f"{len(values)} values for a tensor of shape {dims}, {count * values.itemsize} "
                f"bytes; tensors stored in short are read up to {MAX_BYTES}"
            )
        last = values[-1] if len(values) else zero
        result = np.broadcast_to(np.array(last, values.dtype), dims)
        if len(values) > 1:
            result = result.reshape(-1).copy()
            result[: len(values)] = values
            result = result.reshape(dims)
    result.flags.writeable = False
    return result


def strings(data: memoryview, dims: tuple[int, ...], gap: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Strings stored as all their lengths (varints), `gap` bytes, and their bytes; and the lengths.

    The lengths are uint64.  Raises FormatError where they do not fit `data`.
    """
    count = math.prod(dims)
    sizes = np.zeros(0, np.uint64)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) < 128)[:count]
    if len(ends) < count:
        raise FormatError(f"{count} strings in {len(data)} bytes")
    pos = int(ends[-1]) + 1 if count else 0
    if count:
        try:
            sizes = varints(np.frombuffer(data[:pos], np.uint8))
        except ValueError:
            raise FormatError("lengths of strings that are no numbers") from None
    pos += gap
    if pos + sum(sizes.tolist()) != len(data):
        raise FormatError(f"{count} strings of {sum(sizes.tolist())} bytes in {len(data) - pos}")
    values = np.empty(count, object)
    for index, size in enumerate(sizes.tolist()):
        values[index] = bytes(data[pos : pos + size])
        pos += size
    values = values.reshape(dims)
    values.flags.writeable = False
    return values, sizes
