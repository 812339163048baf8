"""Rows of tfdeploy/ops/parsing.py."""

import struct

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case

INT64 = np.int64


def varint(value):
    value %= 2**64
    result = b""
    while value > 127:
        result += bytes([value & 127 | 128])
        value >>= 7
    return result + bytes([value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def feature(values, packed=True):
    if values is None or isinstance(values, bytes):
        return values or b""
    if values and isinstance(values[0], bytes):
        return field(1, b"".join(field(1, v) for v in values))
    if values and isinstance(values[0], float):
        parts = [struct.pack("<f", v) for v in values]
        return field(
            2, field(1, b"".join(parts)) if packed else b"".join(b"\x0d" + p for p in parts)
        )
    parts = [varint(v) for v in values]
    return field(3, field(1, b"".join(parts)) if packed else b"".join(b"\x08" + p for p in parts))


def example(packed=True, **features):
    entries = [
        field(1, field(1, k.encode()) + field(2, feature(v, packed))) for k, v in features.items()
    ]
    return field(1, b"".join(entries))


def text(*values):
    held = np.empty(len(values), object)
    held[:] = values
    return held


# compressors differ: the bytes of one
ZLIB = bytes.fromhex("789c4b4c4a4e1c7c0800f07c396d")  # b"abc" * 50
GZIP = bytes.fromhex("1f8b08000000000002034b4c4a4e1c7c0800d165587c96000000")
FULL = example(x=[1.0, -2.5], y=[1, -2, 2**62], z=[b"q"], w=[5], r=[3, 4], s=[b"t"], t=[1.5])
SOME = example(False, x=[3.0, float("nan")], z=[b"r", b""], y=[], s=[b"", b"u"], v=[0.5, 2.0])
NONE = example(x=[0.5, 4.0], y=None, r=[2], v=[1.0])
BATCH = text(FULL, SOME, NONE)
F0, I0 = np.zeros(0, np.float32), np.zeros(0, INT64)
PAD = np.array(9, INT64)


def columns(sparse=(), dense=()):
    return {
        "sparse_types": [t for _, t in sparse],
        "dense_shapes": [s for _, _, s in dense],
        "Tdense": [d.dtype if d.dtype != object else "string" for _, d, _ in dense],
    }


def v1(serialized, sparse=(), dense=(), **kw):
    return case(
        "ParseExample",
        serialized,
        text(),
        [np.array(k, object) for k, _ in sparse],
        [np.array(k, object) for k, _, _ in dense],
        [d for _, d, _ in dense],
        **columns(sparse, dense),
        **kw,
    )


def v2(serialized, sparse=(), dense=(), ragged=(), **kw):
    return case(
        "ParseExampleV2",
        serialized,
        text(),
        text(*(k for k, _ in sparse)),
        text(*(k for k, _, _ in dense)),
        text(*(k for k, _, _ in ragged)),
        [d for _, d, _ in dense],
        num_sparse=len(sparse),
        ragged_value_types=[t for _, t, _ in ragged],
        ragged_split_types=[s for _, _, s in ragged],
        **columns(sparse, dense),
        **kw,
    )


def single(serialized, sparse=(), dense=(), **kw):
    return case(
        "ParseSingleExample",
        np.array(serialized, object),
        [d for _, d, _ in dense],
        num_sparse=len(sparse),
        sparse_keys=[k for k, _ in sparse],
        dense_keys=[k for k, _, _ in dense],
        **columns(sparse, dense),
        **kw,
    )


SPARSE = ((b"r", INT64), (b"s", "string"), (b"t", np.float32))
DENSE = ((b"x", F0, [2]), (b"y", PAD, [None]), (b"w", np.array(7, INT64), []))
WORDS = (b"z", np.array(b"-", object), [None])
HOLES = (
    (b"t", np.array(np.nan, np.float32), []),
    (b"v", np.array(np.nan, np.float32), [None]),
)
RAGGED = ((b"k", INT64, INT64), (b"l", "string", np.int32), (b"v", np.float32, INT64))
RAGGEDS = ((b"r", INT64, INT64), (b"s", "string", np.int32), (b"t", np.float32, INT64))
WRONG = (
    (BATCH, ((b"x", np.zeros(0, np.float32), [3]),)),
    (BATCH, ((b"y", I0, [3]),)),
    (BATCH, ((b"x", I0, [2]),)),
    (BATCH, ((b"y", I0, [None]),)),
    (BATCH, ((b"y", PAD, [None, 2]),)),
    (BATCH, ((b"y", np.array([[7, 8, 9]], INT64), [3]),)),
    (text(b"\x0a\xff"), ()),
    (BATCH.reshape(3, 1), ((b"x", F0, [2]),)),
)
RECORDS = text(b"1,2.5,a", b'3,,"b ""c"", d"', b"-4,nan,")
DEFAULTS = [np.array([0], np.int32), np.array([1.5], np.float32), text(b"none")]
TYPES = [np.int32, np.float32, "string"]

CASES = [
    v1(BATCH, SPARSE, DENSE),
    v1(BATCH, dense=(WORDS,)),
    v1(BATCH[:0], SPARSE, DENSE),
    v1(BATCH, dense=HOLES),
    v2(BATCH, dense=HOLES),
    single(NONE, dense=HOLES),
    v1(text(b""), SPARSE, dense=((b"x", np.ones(2, np.float32), [2]),)),
    v1(BATCH[:1], dense=((b"x", np.array(0, np.float32), [None, 2]),)),
    v1(BATCH, dense=((b"y", np.array([7, 8, 9], INT64), [3]),), raises=True),
    v1(BATCH[[0, 2]], dense=((b"y", np.array([7, 8, 9], INT64), [3]),)),
    *[v1(serialized, ((b"z", "string"),), dense, raises=True) for serialized, dense in WRONG],
    v1(BATCH, ((b"x", INT64),), raises=True),
    v2(BATCH, SPARSE, DENSE, RAGGED),
    v2(BATCH[:0], SPARSE, DENSE, RAGGED),
    v2(np.array(FULL, object), SPARSE, (*DENSE, WORDS), RAGGED),
    v2(BATCH, ragged=RAGGEDS),
    *[v2(serialized, ((b"z", "string"),), dense, raises=True) for serialized, dense in WRONG],
    single(FULL, SPARSE, (*DENSE, WORDS)),
    single(SOME, SPARSE, DENSE),
    single(NONE, SPARSE, DENSE),
    single(b"", SPARSE),
    single(b"", (), ((b"x", F0, [2]),), raises=True),
    *[
        case("DecodeRaw", text(b"abcdefgh", b"12345678").reshape(2, 1), out_type=t, little_endian=e)
        for t in (
            np.uint8,
            np.int8,
            np.int16,
            np.uint16,
            np.int32,
            INT64,
            np.float32,
            np.float64,
            np.float16,
            np.complex64,
        )
        for e in (True, False)
        if (t, e) != (np.complex64, False)
    ],
    case("DecodeRaw", text(b"\0\1", b"\1\1"), out_type=np.bool_),
    case("DecodeRaw", text(), out_type=np.int32),
    case("DecodeRaw", text(b""), out_type=np.int32),
    case("DecodeRaw", text(b"abc"), out_type=np.int32, raises=True),
    case("DecodeRaw", text(b"abc", b"ab"), out_type=np.uint8, raises=True),
    *[
        case(
            "DecodePaddedRaw",
            text(b"abcdefgh", b"1", b""),
            np.int32(n),
            out_type=t,
            little_endian=e,
        )
        for t in (np.uint8, np.int16, np.float32)
        for e in (True, False)
        for n in (4, 12)
    ],
    *[
        case("DecodePaddedRaw", text(b"abcdefgh", b"1", b""), np.int32(16), out_type=t)
        for t in (np.float64, bfloat16, INT64, np.uint16, np.int8)
    ],
    case("DecodePaddedRaw", text(), np.int32(4), out_type=np.int32),
    case("DecodePaddedRaw", text(b"abc"), np.int32(3), out_type=np.int32, raises=True),
    case("DecodePaddedRaw", text(b"abc"), np.int32(0), out_type=np.int32, raises=True),
    case("DecodeCompressed", text(b"abc", b"")),
    case("DecodeCompressed", text(ZLIB), compression_type="ZLIB"),
    case("DecodeCompressed", text(GZIP), compression_type="GZIP"),
    case("DecodeCompressed", text(), compression_type="GZIP"),
    case("DecodeCompressed", text(b"nonsense"), compression_type="ZLIB", raises=True),
    case("DecodeCSV", RECORDS, DEFAULTS, OUT_TYPE=TYPES),
    case("DecodeCSV", RECORDS.reshape(3, 1), DEFAULTS, OUT_TYPE=TYPES),
    case("DecodeCSV", RECORDS[:0], DEFAULTS, OUT_TYPE=TYPES),
    case(
        "DecodeCSV",
        text(b",", b"nan,1"),
        [np.array([np.nan], np.float32), np.array([np.nan])],
        OUT_TYPE=[np.float32, np.float64],
    ),
    case(
        "DecodeCSV",
        text(b"1;x;3", b"NA;;4"),
        [np.array([7], INT64), np.array([2.5])],
        OUT_TYPE=[INT64, np.float64],
        field_delim=";",
        na_value="NA",
        select_cols=[0, 2],
    ),
    case(
        "DecodeCSV",
        text(b'"a",b"'),
        [text(b""), text(b"")],
        OUT_TYPE=["string"] * 2,
        use_quote_delim=False,
    ),
    *[
        case("DecodeCSV", text(r), DEFAULTS, OUT_TYPE=TYPES, raises=True)
        for r in (b"1,2", b"1,2,3,4", b"x,2,3", b'1,2,"a', b'1,2,"a"b', b'1,2,a"b')
    ],
    case("DecodeCSV", text(b",1"), [I0, PAD.reshape(1)], OUT_TYPE=[INT64, INT64], raises=True),
]
