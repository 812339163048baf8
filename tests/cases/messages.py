"""Rows of tfdeploy/ops/messages.py."""

import json

import numpy as np

from tests.cases import as_types, case, f32, f64, ints, with_nan
from tests.cases.parsing import field, text, varint
from tfdeploy.ops.messages import serialized

INT64 = np.int64
TYPES = (
    np.float32,
    np.float64,
    np.float16,
    np.int8,
    np.int16,
    np.int32,
    INT64,
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
    np.bool_,
    np.complex64,
    np.complex128,
)
SOME = [ints(2, 3, low=0).astype(t) for t in TYPES]
SPECIAL = np.array([np.nan, np.inf, -0.0], np.float32)
WORDS = text(b"a", b"", b"x" * 300, b"\xff").reshape(2, 2)
PLACES = np.array([[0, 1], [0, 3], [2, 0]], INT64)
SHAPE = np.array([3, 4], INT64)
VALUES = as_types(with_nan(f32(3)))
ROWS = text(
    *(serialized(p) for s in ([5], [7]) for p in (PLACES[:2, 1:], f32(2), np.array(s, INT64)))
).reshape(2, 3)


def shape(*extents):
    return field(2, b"".join(field(2, b"\x08" + varint(e)) for e in extents))


def proto(number, *parts):
    return b"\x08" + varint(number) + b"".join(parts)


def parse(data, dtype, **kw):
    return case("ParseTensor", np.array(data, object), out_type=dtype, **kw)


def stored(values):
    """A sparse tensor of `values`, serialized."""
    return text(*map(serialized, (PLACES, values, SHAPE)))


def named(values):
    return "string" if values.dtype == object else values.dtype


def spelled(**features):
    return json.dumps({"features": {"feature": features}}).encode()


CASES = [
    *[case("SerializeTensor", x) for x in (*SOME, SPECIAL, WORDS, f32(0, 2), np.float32(3))],
    *[parse(serialized(x), x.dtype) for x in (*SOME, SPECIAL, f32(0, 2), np.float32(3))],
    parse(serialized(WORDS), "string"),
    parse(serialized(WORDS, packed=False), "string"),
    parse(proto(1, shape(2), field(5, f32(2).tobytes())), np.float32),
    parse(proto(1, shape(3), b"\x2d" + f32(1).tobytes()), np.float32),
    parse(proto(2, shape(3), field(6, f64(2).tobytes())), np.float64),
    parse(proto(3, shape(4), field(7, varint(-5) + varint(7))), np.int32),
    parse(proto(9, shape(2), field(10, varint(2**62) + varint(-1))), INT64),
    parse(proto(19, shape(2), field(13, varint(15360) + varint(48128))), np.float16),
    parse(proto(10, shape(3), b"\x58\x01"), np.bool_),
    parse(proto(8, shape(2), field(9, f32(2).tobytes())), np.complex64),
    parse(proto(7, shape(3), field(8, b"ab"), field(8, b"")), "string"),
    parse(proto(1, shape(2, 2)), np.float32),
    parse(proto(7, shape(2), field(4, b"\x01\x02abc")), "string"),
    parse(serialized(f32(2)), np.int32, raises=True),
    parse(b"\xff", np.int32, raises=True),
    parse(serialized(f32(2))[:-1], np.float32, raises=True),
    parse(proto(1, shape(2), field(4, b"abc")), np.float32, raises=True),
    parse([], np.float32, raises=True),
    *[case("SerializeSparse", PLACES, v, SHAPE) for v in (ints(3), text(b"a", b"", b"c"), *VALUES)],
    case("SerializeSparse", PLACES[:0], f32(0), SHAPE),
    *[case("SerializeManySparse", PLACES, v, SHAPE) for v in (text(b"a", b"", b"c"), *VALUES)],
    case("SerializeManySparse", PLACES[:0], f32(0), SHAPE),
    case("SerializeManySparse", PLACES[:, :1], f32(3), SHAPE[:1], raises=True),
    *[case("DeserializeSparse", x, dtype=np.float32) for x in (ROWS[0], ROWS, ROWS[None])],
    case(
        "DeserializeSparse", text(*map(serialized, (PLACES[:0], f32(0), SHAPE))), dtype=np.float32
    ),
    *[case("DeserializeSparse", stored(v), dtype=named(v)) for v in VALUES],
    *[case("DeserializeManySparse", stored(v)[None], dtype=named(v)) for v in VALUES],
    case("DeserializeSparse", ROWS[:0], dtype=np.float32, raises=True),
    case("DeserializeManySparse", ROWS[:0], dtype=np.float32, raises=True),
    case("DeserializeSparse", ROWS, dtype=INT64, raises=True),
    case("DeserializeSparse", ROWS[:, :2], dtype=np.float32, raises=True),
    case("DeserializeManySparse", ROWS, dtype=np.float32),
    case(
        "DeserializeManySparse",
        text(*map(serialized, (PLACES[:0], f32(0), SHAPE))).reshape(1, 3),
        dtype=np.float32,
    ),
    case("DeserializeManySparse", ROWS[0], dtype=np.float32, raises=True),
    case(
        "DecodeJSONExample",
        text(
            spelled(x={"floatList": {"value": [1.5, -2]}}),
            spelled(y={"int64List": {"value": ["3", 4]}}),
            spelled(z={"bytesList": {"value": ["aGVsbG8=", "_-8="]}}),
            spelled(),
            b"{}",
            spelled(w={"float_list": {"value": []}}),
            spelled(v={}),
        ),
    ),
    case("DecodeJSONExample", text()),
    case("DecodeJSONExample", text(b"{"), raises=True),
    case("DecodeJSONExample", text(b'{"features": 3}'), raises=True),
]
