"""Bytes to tensors: raw numbers, tf.train.Example, CSV.

An Example is a protocol buffer; read here is only what its schema (tensorflow/core/example) needs:
maps from names to lists of bytes, floats or int64s.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, INT64, STRING, DType
from ..graph.types import Extent, ValueType
from .array import MOST, check_size, scalar_int
from .registry import op
from .rules import Inference
from .string import parse_number, texts

Array = NDArray[Any]
Features = dict[bytes, bytes]
Shape = Sequence[int | None]

_KINDS = {1: STRING, 2: FLOAT32, 3: INT64}


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` of a message, and where the next thing starts."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("the bytes are not a valid message")


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and content of each field of a message: bytes, or a number."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = varint(data, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(wire, -1)
        if wire == 2:
            size, at = varint(data, at)
        if size < 0 or at + size > len(data):
            raise ValueError("the bytes are not a valid message")
        yield tag >> 3, data[at : at + size]
        at += size


def submessages(data: bytes, number: int) -> list[bytes]:
    """The contents of the fields of that number."""
    found = [value for n, value in fields(data) if n == number]
    if any(not isinstance(value, bytes) for value in found):
        raise ValueError("the bytes are not a valid message")
    return found


def field_map(data: bytes) -> Features:
    """The entries of a map field with number 1; the last of equal keys wins."""
    entries = [dict(fields(entry)) for entry in submessages(data, 1)]
    return {entry.get(1, b""): entry.get(2, b"") for entry in entries}


def _example(data: bytes) -> Features:
    """The features of a serialized Example."""
    return field_map(b"".join(submessages(data, 1)))


def _numbers(content: list[Any], kind: DType) -> list[Any]:
    if kind == STRING:
        return content
    result: list[Any] = []
    for part in content:
        if kind == FLOAT32:
            if len(part) % 4:
                raise ValueError("the bytes are not a valid message")
            result += struct.unpack(f"<{len(part) // 4}f", part)
            continue
        values = [part] if isinstance(part, int) else []
        at = 0
        while not isinstance(part, int) and at < len(part):
            value, at = varint(part, at)
            values.append(value)
        result += [v - 2**64 if v >= 2**63 else v for v in (w % 2**64 for w in values)]
    return result


def values_of(feature: bytes | None, dtype: DType, key: bytes) -> list[Any] | None:
    """The values of a feature; None where it is missing or empty.  ValueError for another dtype."""
    held = list(fields(feature or b""))
    if not held:
        return None
    number, content = held[-1]
    kind = _KINDS.get(number)
    if kind != dtype:
        raise ValueError(f"feature {key.decode(errors='replace')} holds {kind}, not {dtype}")
    return _numbers([value for n, value in fields(content) if n == 1], dtype)


def array_of(values: list[Any], dtype: DType) -> Array:
    return texts(values, (len(values),)) if dtype == STRING else np.array(values, dtype.numpy)


def dense_feature(
    rows: list[Features], key: bytes, default: Array, shape: Shape, dtype: DType
) -> Array:
    """A dense feature of each row, ``[batch, *shape]``; the longest row gives an open extent."""
    found = [values_of(row.get(key), dtype, key) for row in rows]
    name = key.decode(errors="replace")
    open_ = len(shape) > 0 and shape[0] in (None, -1)
    inner = [int(e or 0) for e in (shape[1:] if open_ else shape)]
    size = prod(inner)
    if open_ and default.size != 1:
        raise ValueError(f"feature {name} of open length needs one default element to pad with")
    if not open_ and default.size and list(default.shape) != inner:
        raise ValueError(f"default of shape {default.shape} for feature {name} of shape {inner}")
    for values in found:
        if values is None and not default.size:
            raise ValueError(f"feature {name} (data type: {dtype}) is required but was not found")
        if values is not None and (len(values) % max(size, 1) if open_ else len(values) != size):
            raise ValueError(f"feature {name} has {len(values)} values for shape {list(shape)}")
    longest = max((len(v) // max(size, 1) for v in found if v is not None), default=0)
    extents = [longest, *inner] if open_ else inner
    result = np.empty((len(rows), *extents), dtype.numpy)
    if open_:
        result[...] = default.reshape(-1)[0]
    elif default.size:
        result[...] = default
    for i, values in enumerate(found):
        if values is not None:
            result[i : i + 1].reshape(-1)[: len(values)] = array_of(values, dtype)
    return result


def value_lists(rows: list[Features], key: bytes, dtype: DType) -> list[list[Any]]:
    return [values_of(row.get(key), dtype, key) or [] for row in rows]


def flat_lists(lists: list[list[Any]], dtype: DType) -> Array:
    return array_of([value for row in lists for value in row], dtype)


def sparse_lists(lists: list[list[Any]], dtype: DType, scalar: bool) -> tuple[Array, Array, Array]:
    """Indices, values and shape of the sparse matrix (one row of it if `scalar`) of `lists`."""
    places = [(i, j) for i, row in enumerate(lists) for j in range(len(row))]
    indices = np.array(places, np.int64).reshape(-1, 2)
    shape = np.array([len(lists), max(map(len, lists), default=0)], np.int64)
    flat = flat_lists(lists, dtype)
    return (indices[:, 1:], flat, shape[1:]) if scalar else (indices, flat, shape)


def _splits(lists: list[list[Any]], dtype: DType, scalar: bool) -> Array:
    if scalar:
        return np.zeros(0, dtype.numpy)
    return np.cumsum([0, *map(len, lists)]).astype(dtype.numpy)


def _rows(serialized: Array) -> tuple[list[Features], bool]:
    """The features of each Example, and whether there is but one, as a scalar."""
    if serialized.ndim > 1:
        raise ValueError(f"a scalar or vector is expected, not shape {serialized.shape}")
    return [_example(data) for data in serialized.ravel()], serialized.ndim == 0


def _parsed(
    serialized: Array,
    sparse: Sequence[tuple[bytes, DType]],
    dense: Sequence[tuple[bytes, Array, Shape, DType]],
    ragged: Sequence[tuple[bytes, DType, DType]] = (),
) -> tuple[Array, ...]:
    """The outputs of the ops that parse Examples."""
    rows, scalar = _rows(serialized)
    sparse_found = [sparse_lists(value_lists(rows, k, t), t, scalar) for k, t in sparse]
    dense_found = [dense_feature(rows, *column) for column in dense]
    if scalar:
        dense_found = [d.reshape(d.shape[1:]) for d in dense_found]
    lists = [(value_lists(rows, k, t), t, s) for k, t, s in ragged]
    return (
        *(part[i] for i in range(3) for part in sparse_found),
        *dense_found,
        *(flat_lists(found, t) for found, t, _ in lists),
        *(_splits(found, s, scalar) for found, _, s in lists),
    )


def _parsed_types(
    c: Inference,
    lead: tuple[Extent, ...] | None,
    sparse: Sequence[DType],
    ragged: Sequence[tuple[DType, DType]] = (),
) -> list[ValueType]:
    counts = [c.fresh() for _ in sparse]
    rank = c.fresh() if lead is None else len(lead) + 1
    types = [ValueType(INT64, (n, rank)) for n in counts]
    types += [ValueType(t, (n,)) for t, n in zip(sparse, counts, strict=True)]
    types += [ValueType(INT64, (rank,)) for _ in sparse]
    for dtype, extents in zip(c.attrs["Tdense"], c.attrs["dense_shapes"], strict=True):
        inner = tuple(c.fresh() if e in (None, -1) else e for e in extents)
        types.append(ValueType(dtype, None if lead is None else (*lead, *inner)))
    types += [ValueType(t, (c.fresh(),)) for t, _ in ragged]
    splits: Extent = c.fresh() if lead is None else lead[0] + 1 if lead else 0
    return types + [ValueType(s, (splits,)) for _, s in ragged]


def _example_types(c: Inference) -> list[ValueType]:
    return _parsed_types(c, c.inputs[0].shape or (c.fresh(),), c.attrs["sparse_types"])


_OUTPUTS = (
    "sparse_indices*sparse_types",
    "sparse_values*sparse_types",
    "sparse_shapes*sparse_types",
    "dense_values*Tdense",
)


@op("ParseExample", type=_example_types, exact=True, outputs=_OUTPUTS)
def parse_example(
    serialized: Array,
    names: Array,
    *rest: Array,
    sparse_types: Sequence[DType],
    Tdense: Sequence[DType],
    dense_shapes: Sequence[Shape],
) -> tuple[Array, ...]:
    """Sparse and dense features of a vector of Examples (tf.io.parse_example).

    `rest` are the keys, sparse and dense, and the dense defaults; an empty default makes a feature
    required.  Raises ValueError for bytes that are no Example, wrong dtypes and wrong numbers.
    """
    n, m = len(sparse_types), len(Tdense)
    keys = [key.item() for key in rest[: n + m]]
    return _parsed(
        serialized,
        list(zip(keys[:n], sparse_types, strict=True)),
        list(zip(keys[n:], rest[n + m :], dense_shapes, Tdense, strict=True)),
    )


def _example_v2_types(c: Inference) -> list[ValueType]:
    ragged = zip(c.attrs["ragged_value_types"], c.attrs["ragged_split_types"], strict=True)
    return _parsed_types(c, c.inputs[0].shape, c.attrs["sparse_types"], list(ragged))


@op(
    "ParseExampleV2",
    type=_example_v2_types,
    exact=True,
    outputs=(*_OUTPUTS, "ragged_values*ragged_value_types", "ragged_row_splits*ragged_split_types"),
)
def parse_example_v2(
    serialized: Array,
    names: Array,
    sparse_keys: Array,
    dense_keys: Array,
    ragged_keys: Array,
    *defaults: Array,
    sparse_types: Sequence[DType],
    Tdense: Sequence[DType],
    ragged_value_types: Sequence[DType],
    ragged_split_types: Sequence[DType],
    dense_shapes: Sequence[Shape],
) -> tuple[Array, ...]:
    """As `parse_example`, of one Example or a vector, with ragged features too."""
    return _parsed(
        serialized,
        list(zip(sparse_keys.tolist(), sparse_types, strict=True)),
        list(zip(dense_keys.tolist(), defaults, dense_shapes, Tdense, strict=True)),
        list(zip(ragged_keys.tolist(), ragged_value_types, ragged_split_types, strict=True)),
    )


def _single_types(c: Inference) -> list[ValueType]:
    return _parsed_types(c, (), c.attrs["sparse_types"])


@op("ParseSingleExample", type=_single_types, exact=True, outputs=_OUTPUTS, ranks="0*")
def parse_single_example(
    serialized: Array,
    *defaults: Array,
    sparse_keys: Sequence[str | bytes],
    dense_keys: Sequence[str | bytes],
    sparse_types: Sequence[DType],
    Tdense: Sequence[DType],
    dense_shapes: Sequence[Shape],
) -> tuple[Array, ...]:
    """As `parse_example`, of one Example and with fixed keys (tf.io.parse_single_example)."""
    if serialized.ndim:
        raise ValueError(f"a scalar is expected, not shape {serialized.shape}")
    sparse, dense = (
        [k if isinstance(k, bytes) else k.encode() for k in keys]
        for keys in (sparse_keys, dense_keys)
    )
    return _parsed(
        serialized,
        list(zip(sparse, sparse_types, strict=True)),
        list(zip(dense, defaults, dense_shapes, Tdense, strict=True)),
    )


def _raw_type(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    return ValueType(c.attrs["out_type"], None if shape is None else (*shape, c.fresh()))


def _raw(x: Array, size: int, out_type: DType, little_endian: bool) -> Array:
    dtype = out_type.numpy
    if size % dtype.itemsize:
        raise ValueError(f"{size} bytes are not made of elements of {dtype.itemsize}")
    found = np.frombuffer(b"".join(x.ravel()), np.uint8).view(dtype)
    result = found if little_endian or dtype.itemsize == 1 else found.byteswap()
    return result.reshape(*x.shape, size // dtype.itemsize)


@op("DecodeRaw", type=_raw_type, exact=True)
def decode_raw(x: Array, *, out_type: DType, little_endian: bool = True) -> Array:
    """The bytes of each string, all of one length, as numbers (tf.io.decode_raw)."""
    sizes = {len(s) for s in x.ravel()}
    if len(sizes) > 1:
        raise ValueError(f"strings of {sorted(sizes)[:9]} bytes should have one length")
    return _raw(x, sizes.pop() if sizes else 0, out_type, little_endian)


@op("DecodePaddedRaw", type=_raw_type, exact=True)
def decode_padded_raw(
    x: Array, fixed_length: Array, *, out_type: DType, little_endian: bool = True
) -> Array:
    """As `decode_raw`, each string cut or filled with zeros to `fixed_length` bytes."""
    size = scalar_int(fixed_length, "fixed_length")
    if size <= 0:
        raise ValueError(f"fixed_length should be positive, it is {size}")
    check_size([x.size, size])
    padded = texts((s[:size].ljust(size, b"\0") for s in x.ravel()), x.shape)
    return _raw(padded, size, out_type, little_endian)


@op("DecodeCompressed", exact=True, type=lambda c: ValueType(STRING, c.inputs[0].shape))
def decode_compressed(x: Array, *, compression_type: str = "") -> Array:
    """Each string decompressed: '', 'ZLIB' or 'GZIP' (tf.io.decode_compressed)."""
    import zlib

    if compression_type not in ("", "ZLIB", "GZIP"):
        raise ValueError(f"unknown compression type {compression_type!r}")
    if not compression_type:
        return x
    bits = 15 if compression_type == "ZLIB" else 31

    def decompressed(data: bytes) -> bytes:
        reader = zlib.decompressobj(bits)
        try:
            found = reader.decompress(data, MOST)
        except zlib.error as error:
            raise ValueError(f"these bytes are not {compression_type}: {error}") from None
        if not reader.eof:
            raise ValueError(f"these bytes end early, or are more than {MOST} decompressed")
        return found

    return texts(map(decompressed, x.ravel()), x.shape)


def _csv_fields(record: bytes, delimiter: bytes, quotes: bool) -> list[bytes]:
    """The fields of one record of RFC 4180; ValueError where quotes are misplaced."""
    if not quotes:
        return record.split(delimiter)
    found = []
    at = 0
    while True:
        if record[at : at + 1] == b'"':
            field, at = b"", at + 1
            while True:
                end = record.find(b'"', at)
                if end < 0:
                    raise ValueError("a quoted field has no end")
                field += record[at:end]
                at = end + 1
                if record[at : at + 1] != b'"':
                    break
                field, at = field + b'"', at + 1
            if at < len(record) and record[at : at + 1] != delimiter:
                raise ValueError("a quoted field is followed by more than a delimiter")
        else:
            end = record.find(delimiter, at)
            end = len(record) if end < 0 else end
            field, at = record[at:end], end
            if any(b in b'"\r\n' for b in field):
                raise ValueError("a field with quotes or line ends should be quoted")
        found.append(field)
        if at >= len(record):
            return found
        at += 1


def _csv_types(c: Inference) -> list[ValueType]:
    return [ValueType(t, c.inputs[0].shape) for t in c.attrs["OUT_TYPE"]]


@op("DecodeCSV", type=_csv_types, exact=True, outputs=("output*OUT_TYPE",))
def decode_csv(
    records: Array,
    *defaults: Array,
    OUT_TYPE: Sequence[DType],
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    select_cols: Sequence[int] = (),
) -> tuple[Array, ...]:
    """The columns of CSV records; an empty default makes a field required (tf.io.decode_csv).

    Raises ValueError for a record with the wrong number of fields, and one that is no number.
    """
    if len(field_delim) != 1:
        raise ValueError(f"field_delim should be one character, not {field_delim!r}")
    columns: list[list[Any]] = [[] for _ in OUT_TYPE]
    wanted = list(select_cols) or list(range(len(OUT_TYPE)))
    for i, record in enumerate(records.ravel()):
        fields = _csv_fields(record, field_delim.encode(), use_quote_delim)
        short = max(wanted, default=0) >= len(fields)
        if short or (not select_cols and len(fields) != len(wanted)):
            raise ValueError(f"record {i} has {len(fields)} fields, {len(wanted)} are expected")
        for column, at, dtype, default in zip(columns, wanted, OUT_TYPE, defaults, strict=True):
            text = fields[at]
            if text in (b"", na_value.encode()):
                if not default.size:
                    raise ValueError(f"field {at} is required but missing in record {i}")
                column.append(default.reshape(-1)[0])
            else:
                column.append(text if dtype == STRING else parse_number(text, dtype.numpy))
    return tuple(
        array_of(column, dtype).reshape(records.shape)
        for column, dtype in zip(columns, OUT_TYPE, strict=True)
    )
