"""Tensors as protocol buffers: TensorProto, sparse tensors of three of them, Examples from JSON."""

from __future__ import annotations

import json
import struct
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, STRING, DType, from_enum, from_numpy, to_enum
from ..graph.types import ValueType
from .array import LIST, check_size
from .parsing import fields, varint
from .registry import op
from .rules import Inference
from .sparse import check_sparse, ordered, sparse_types
from .string import string_type, texts

Array = NDArray[Any]

# The fields of TensorProto that hold elements one by one: number, and how an element is written.
_PACKED = {5: "<f", 6: "<d", 9: "<f", 12: "<d"}
_VARINTS = (7, 10, 11, 13, 16, 17)
_TEXTS = 8


def _number(value: int) -> bytes:
    value %= 2**64
    result = b""
    while value > 127:
        result += bytes([value & 127 | 128])
        value >>= 7
    return result + bytes([value])


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(content)) + content


def serialized(x: Array, packed: bool = True) -> bytes:
    """The TensorProto of an array, as TensorFlow writes it; strings one by one unless `packed`."""
    shape = b"".join(_field(2, b"\x08" + _number(e) if e else b"") for e in x.shape)
    head = b"\x08" + _number(to_enum(from_numpy(x.dtype))) + _field(2, shape)
    if x.dtype.kind != "O":
        content = np.ascontiguousarray(x).tobytes()
    elif packed:
        content = b"".join([*(_number(len(s)) for s in x.ravel()), *x.ravel()])
    else:
        return head + b"".join(_field(_TEXTS, s) for s in x.ravel())
    return head + (_field(4, content) if content else b"")


def _extent(data: bytes) -> int:
    value = dict(fields(data)).get(1, 0)
    return int(value) - 2**64 if int(value) >= 2**63 else int(value)


def _strings(content: bytes, count: int) -> list[bytes]:
    sizes = []
    at = 0
    for _ in range(count):
        size, at = varint(content, at)
        sizes.append(size)
    if at + sum(sizes) != len(content):
        raise ValueError("the bytes are not a valid TensorProto")
    ends = np.cumsum([at, *sizes]).tolist()
    return [content[a:b] for a, b in pairwise(ends)]


def _elements(held: list[tuple[int, Any]], dtype: np.dtype[Any]) -> list[Any]:
    """The elements that are written one by one."""
    found: list[Any] = []
    for number, content in held:
        if number == _TEXTS:
            found.append(content)
        elif number in _PACKED:
            code = _PACKED[number]
            found += [v for (v,) in struct.iter_unpack(code, content)]
        elif number in _VARINTS:
            at = 0
            while not isinstance(content, int) and at < len(content):
                value, at = varint(content, at)
                found.append(value)
            if isinstance(content, int):
                found.append(content)
    if dtype.kind == "c":
        return [complex(*pair) for pair in zip(found[::2], found[1::2], strict=True)]
    if dtype.kind == "i":
        return [v - 2**64 if v >= 2**63 else v for v in found]
    if dtype == np.float16 or dtype.kind == "V":
        return list(np.array(found, np.uint16).view(dtype))
    return found


def parsed(data: bytes, wanted: DType) -> Array:
    """The array that a TensorProto holds; ValueError where it is none, or of another dtype."""
    held = list(fields(data))
    kinds = [value for number, value in held if number == 1]
    dtype = from_enum(kinds[-1]) if kinds and kinds[-1] else None
    if dtype != wanted:
        raise ValueError(f"a tensor of {wanted} is expected, the bytes hold {dtype}")
    dims = [
        _extent(value)
        for number, content in held
        if number == 2
        for n, value in fields(content)
        if n == 2
    ]
    check_size(dims)
    carrier = wanted.numpy
    content = next((value for number, value in held[::-1] if number == 4), b"")
    if content and wanted == STRING:
        return texts(_strings(content, prod(dims)), dims)
    if content:
        if len(content) != prod(dims) * carrier.itemsize:
            raise ValueError("the bytes are not a valid TensorProto")
        return np.frombuffer(content, carrier).reshape(dims)
    found = _elements(held, carrier)
    if len(found) > prod(dims):
        raise ValueError("the bytes are not a valid TensorProto")
    default: Any = b"" if wanted == STRING else 0
    found += [found[-1] if found else default] * (prod(dims) - len(found))
    return texts(found, dims) if wanted == STRING else np.array(found, carrier).reshape(dims)


@op("SerializeTensor", exact=True, type=lambda c: ValueType(STRING, ()))
def serialize_tensor(x: Array) -> Array:
    """The bytes of the TensorProto that holds `x` (tf.io.serialize_tensor)."""
    return texts([serialized(x, packed=False)], ())


@op("ParseTensor", exact=True, type=lambda c: ValueType(c.attrs["out_type"]))
def parse_tensor(x: Array, *, out_type: DType) -> Array:
    """The tensor that the bytes of a TensorProto hold (tf.io.parse_tensor)."""
    if x.ndim:
        raise ValueError(f"a scalar is expected, not shape {x.shape}")
    return parsed(x.item(), out_type)


@op("SerializeSparse", exact=True, type=lambda c: ValueType(c.attrs["out_type"], (3,)), ranks="211")
def serialize_sparse(
    indices: Array, values: Array, shape: Array, *, out_type: DType = STRING
) -> Array:
    """The bytes of indices, values and shape, ``string[3]`` (tf.io.serialize_sparse).

    Variants, which hold the arrays themselves in TensorFlow, are these bytes too.
    """
    if indices.ndim != 2 or values.ndim != 1 or shape.ndim != 1:
        raise ValueError(f"shapes {indices.shape}, {values.shape}, {shape.shape}")
    return texts(map(serialized, (indices, values, shape)), (3,))


def _many_type(c: Inference) -> ValueType:
    shape = c.extents(2)
    return ValueType(c.attrs["out_type"], (shape[0] if shape else c.fresh(), 3))


@op("SerializeManySparse", exact=True, type=_many_type, ranks="211")
def serialize_many_sparse(
    indices: Array, values: Array, shape: Array, *, out_type: DType = STRING
) -> Array:
    """`serialize_sparse` of each row of the first axis (tf.io.serialize_many_sparse)."""
    check_sparse(indices, values, shape)
    if len(shape) < 2:
        raise ValueError(f"a rank of 2 at least is expected, not shape {shape.tolist()}")
    check_size([*shape[:1].tolist(), LIST])
    parts = []
    for row in range(int(shape[0])):
        kept = indices[:, 0] == row
        parts += [serialized(p) for p in (indices[kept][:, 1:], values[kept], shape[1:])]
    return texts(parts, (int(shape[0]), 3))


def _stack_types(c: Inference) -> list[ValueType]:
    return sparse_types(c, ValueType(c.attrs["dtype"]))


def _stacked(x: Array, dtype: DType) -> tuple[Array, Array, Array]:
    """The sparse tensors of the last axis of ``string[..., 3]``, side by side along new axes."""
    if not x.ndim or x.shape[-1] != 3:
        raise ValueError(f"a last extent of 3 is expected, not shape {x.shape}")
    lead = x.shape[:-1]
    indices, values, shapes = [], [], []
    for place in np.ndindex(lead):
        part, held, shape = (
            parsed(s, t) for s, t in zip(x[place], (INT64, dtype, INT64), strict=True)
        )
        check_sparse(part, held, shape)
        before = np.broadcast_to(np.array(place, np.int64), (len(part), len(lead)))
        indices.append(np.concatenate([before, part], 1))
        values.append(held)
        shapes.append(shape)
    if not shapes:
        raise ValueError("there are no sparse tensors")
    if len({s.shape for s in shapes}) > 1:
        raise ValueError("sparse tensors of several ranks")
    together = np.concatenate(indices)
    order = ordered(together)
    extents = np.concatenate([np.array(lead, np.int64), np.max(shapes, axis=0)])
    return together[order], np.concatenate(values)[order], extents


@op(
    "DeserializeSparse",
    exact=True,
    type=_stack_types,
    outputs=("sparse_indices", "sparse_values", "sparse_shape"),
)
def deserialize_sparse(
    x: Array, *, dtype: DType, Tserialized: DType = STRING
) -> tuple[Array, Array, Array]:
    """The sparse tensor in ``string[..., 3]``, several side by side (tf.io.deserialize_sparse)."""
    return _stacked(x, dtype)


@op(
    "DeserializeManySparse",
    exact=True,
    type=_stack_types,
    outputs=("sparse_indices", "sparse_values", "sparse_shape"),
    ranks="2",
)
def deserialize_many_sparse(x: Array, *, dtype: DType) -> tuple[Array, Array, Array]:
    """The sparse tensors in ``string[n, 3]`` side by side (tf.io.deserialize_many_sparse)."""
    if x.ndim != 2:
        raise ValueError(f"a matrix is expected, not shape {x.shape}")
    return _stacked(x, dtype)


def _decoded(text: str) -> bytes:
    decode = urlsafe_b64decode if "-" in text or "_" in text else b64decode
    return decode(text + "=" * (-len(text) % 4))


def _feature(spelled: dict[str, Any]) -> bytes:
    def values(*names: str) -> Sequence[Any] | None:
        found = next((spelled[n] for n in names if n in spelled), None)
        return None if found is None else found.get("value", [])

    held = values("bytesList", "bytes_list")
    if held is not None:
        return _field(1, b"".join(_field(1, _decoded(v)) for v in held))
    held = values("floatList", "float_list")
    if held is not None:
        return _field(2, b"".join(b"\x0d" + struct.pack("<f", float(v)) for v in held))
    held = values("int64List", "int64_list")
    if held is not None:
        return _field(3, b"".join(b"\x08" + _number(int(v)) for v in held))
    return b""


def _example(data: bytes) -> bytes:
    try:
        spelled = json.loads(data)
        entries = spelled.get("features", {}).get("feature", {})
        content = b"".join(
            _field(1, _field(1, key.encode()) + _field(2, _feature(value)))
            for key, value in entries.items()
        )
    except (AttributeError, KeyError, TypeError, ValueError, struct.error) as error:
        raise ValueError(f"{data[:40]!r} is not an Example in JSON: {error}") from None
    return _field(1, content) if "features" in spelled else b""


@op("DecodeJSONExample", type=string_type, exact=True)
def decode_json_example(x: Array) -> Array:
    """The bytes of the Examples that JSON spells (tf.io.decode_json_example)."""
    return texts(map(_example, x.ravel()), x.shape)
