"""Rows of tfdeploy/ops/xla.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import as_types, case, f32, f64, ints, with_nan

NAN, INF = np.nan, np.inf


def i32(*values: int) -> np.ndarray:
    """A vector of int32."""
    return np.array(values, np.int32)


def message(**fields: int | list[int]) -> bytes:
    """Serializes ``f<number>=...``: lists packed, numbers as they are, zeros left out."""
    data = bytearray()
    for name, value in fields.items():
        number = int(name[1:])
        if isinstance(value, list):
            data += bytes([number << 3 | 2, len(value), *value])
        elif value:
            data += bytes([number << 3, value])
    return bytes(data)


X = f32(3, 4)
CASES = [
    case("XlaSharding", X),
    case("XlaSharding", f32(0)),
    case("XlaSharding", ints(3), sharding=""),
    case("XlaOptimizationBarrier", [X, ints(3)]),
    case("XlaDynamicUpdateSlice", X, f32(2, 2), i32(1, 1)),
    case("XlaDynamicUpdateSlice", X, f32(2, 2), i32(2, -1)),
    case("XlaDynamicUpdateSlice", ints(5), ints(2), np.array([9], np.int64)),
    case("XlaDynamicUpdateSlice", f64(5), f64(5), i32(0)),
    case("XlaDynamicUpdateSlice", X, f32(4, 2), i32(1, 1), raises=True),
    case("XlaDynamicSlice", X, i32(2, -1), i32(2, 2)),
    case("XlaDynamicSlice", ints(5), np.array([1], np.int64), np.array([3], np.int64)),
    case("XlaDynamicSlice", X, i32(0, 0), i32(4, 2), raises=True),
    case("XlaPad", X, np.float32(9), i32(1, -1), i32(0, 2), i32(0, 1)),
    case("XlaPad", X, np.float32(NAN), i32(0, 0), i32(0, 0), i32(2, 0)),
    case("XlaPad", ints(4), np.int32(7), i32(2), i32(-1), i32(0)),
    case("XlaEinsum", X, f32(5, 4), equation="ij,kj->ik"),
    case("XlaEinsum", f32(2, 3, 4), f32(2, 4, 5), equation="bij,bjk->bik"),
    case("XlaSort", f32(3, 5)),
    case("XlaSort", np.array([2, NAN, -INF, INF, 1], np.float32)),
    case("XlaSort", ints(6)),
    case("XlaKeyValueSort", f32(6), ints(6)),
    case("XlaKeyValueSort", ints(8, low=0, high=3), f32(8)),
    case("XlaBroadcastHelper", f32(3, 4), f32(3), i32(0)),
    case("XlaBroadcastHelper", f32(4), f32(3, 4), i32(1)),
    case("XlaBroadcastHelper", f32(2, 4), f32(2, 3, 4), i32(0, 2)),
    case("XlaBroadcastHelper", f32(2, 4), f32(2, 4), np.zeros((0,), np.int32)),
    case("XlaReducePrecision", f32(50), exponent_bits=5, mantissa_bits=3),
    case(
        "XlaReducePrecision",
        np.array([NAN, INF, -INF, 1e6, 1e-9, -1e6, 0, 65519, 65520], np.float32),
        exponent_bits=5,
        mantissa_bits=10,
    ),
    case("XlaReducePrecision", f64(20), exponent_bits=8, mantissa_bits=7),
]


def dot(a: np.ndarray, b: np.ndarray, kind: Any = None, **numbers: Any) -> Any:
    """A row of a product, in its own type where `kind` is None."""
    attrs = {"dimension_numbers": message(**numbers), "precision_config": b""}
    if kind is None:
        return case("XlaDot", a, b, **attrs)
    return case("XlaDotV2", a, b, preferred_element_type=kind, **attrs)


for kind in (None, np.float32):
    CASES += [
        dot(X, f32(5, 4), kind, f1=[1], f2=[1]),
        dot(X, f32(3, 4), kind, f1=[1], f2=[1], f3=[0], f4=[0]),
        dot(f32(2, 3, 4), f32(4, 2, 3), kind, f1=[1, 2], f2=[2, 0], f3=[0], f4=[1]),
        dot(f32(2), f32(3), kind),
        dot(f32(3, 0), f32(0, 2), kind, f1=[1], f2=[0]),
    ]
CASES += [
    dot(ints(3, 4, dtype=np.int8), ints(4, 2, dtype=np.int8), np.int32, f1=[1], f2=[0]),
    dot(f64(3, 4), f64(4, 2), np.float64, f1=[1], f2=[0]),
]


def gather(x: np.ndarray, at: np.ndarray, sizes: list[int], **numbers: Any) -> Any:
    """A row of a gather."""
    return case(
        "XlaGather",
        x,
        at,
        np.array(sizes, at.dtype),
        dimension_numbers=message(**numbers),
        indices_are_sorted=False,
    )


CASES += [
    gather(X, i32(2, 0, 9), [1, 4], f1=[1], f2=[0], f3=[0], f4=1),
    gather(X, i32(2, 0, -3), [3, 1], f1=[0], f2=[1], f3=[1], f4=1),
    gather(X, np.array([[0, 3], [2, 1]], np.int32), [2, 2], f1=[1, 2], f3=[0, 1], f4=1),
    gather(X, np.array([[0, 3], [2, 1]], np.int64), [1, 1], f2=[0, 1], f3=[1, 0], f4=1),
    gather(
        f32(2, 3, 4),
        np.array([[0, 1, 2], [1, 0, 1]], np.int32),
        [1, 2, 4],
        f1=[0, 2],
        f2=[0],
        f3=[0, 1],
        f4=0,
    ),
    gather(ints(5), np.array([[[1], [4]], [[0], [2]]], np.int32), [1], f2=[0], f3=[0], f4=2),
    gather(
        f32(2, 5),
        np.array([[[1], [4]], [[0], [2]]], np.int32),
        [1, 1],
        f2=[1],
        f3=[1],
        f4=2,
        f5=[0],
        f6=[0],
    ),
]

NHWC = {
    "f3": 2,
    "f4": 3,
    "f6": [0, 1],
    "f7": 0,
    "f8": 3,
    "f9": 0,
    "f10": 3,
    "f11": [1, 2],
    "f12": [1, 2],
}
NCHW = {
    "f3": 1,
    "f4": 0,
    "f6": [2, 3],
    "f7": 0,
    "f8": 1,
    "f9": 0,
    "f10": 1,
    "f11": [2, 3],
    "f12": [2, 3],
}


def conv(
    x: np.ndarray,
    k: np.ndarray,
    numbers: Any,
    strides: Any = (1, 1),
    pad: Any = ((0, 0), (0, 0)),
    grow: Any = (1, 1),
    dilate: Any = (1, 1),
    groups: int = 1,
    batches: int = 1,
    old: bool = False,
) -> Any:
    """A row of a convolution."""
    inputs = (
        x,
        k,
        i32(*strides),
        np.array(pad, np.int32),
        i32(*grow),
        i32(*dilate),
        np.int32(groups),
    )
    attrs: dict[str, Any] = {"dimension_numbers": message(**numbers), "precision_config": b""}
    if old:
        return case("XlaConv", *inputs, ulp=16, **attrs)
    return case(
        "XlaConvV2",
        *inputs,
        preferred_element_type=x.dtype,
        batch_group_count=batches,
        ulp=16,
        **attrs,
    )


CASES += [
    conv(f32(2, 7, 6, 3), f32(3, 2, 3, 4), NHWC),
    conv(f32(2, 7, 6, 3), f32(3, 2, 3, 4), NHWC, old=True),
    conv(f32(2, 7, 6, 3), f32(3, 2, 3, 4), NHWC, (2, 1), ((1, 2), (-1, 1)), (1, 2), (2, 1)),
    conv(f32(2, 3, 7, 6), f32(4, 3, 3, 2), NCHW, (2, 3), ((1, 1), (1, 0))),
    conv(f32(2, 7, 6, 4), f32(3, 2, 2, 6), NHWC, groups=2),
    conv(f32(2, 7, 6, 4), f32(3, 2, 1, 8), NHWC, groups=4, dilate=(2, 2)),
    conv(f32(4, 7, 6, 3), f32(3, 2, 3, 4), NHWC, batches=2),
    conv(f64(2, 7, 6, 3), f64(3, 2, 3, 4), NHWC),
    conv(f32(2, 2, 2, 3), f32(3, 2, 3, 4), NHWC),
    conv(
        f32(2, 7, 3),
        f32(3, 3, 4),
        {"f3": 1, "f4": 2, "f6": [0], "f7": 0, "f8": 2, "f9": 0, "f10": 2, "f11": [1], "f12": [1]},
        (1,),
        ((1, 1),),
        (1,),
        (1,),
    ),
]
NONE = np.zeros((0, 3), np.float32)
CASES += [
    case("XlaSharding", with_nan(f32(2))),
    case("XlaOptimizationBarrier", [with_nan(f32(2)), NONE]),
    case("XlaDynamicUpdateSlice", with_nan(f32(3)), f32(0), i32(1)),
    case("XlaDynamicSlice", with_nan(f32(3)), i32(1), i32(0)),
    case("XlaDynamicSlice", with_nan(f32(3)), i32(1), i32(2)),
    case("XlaPad", NONE, np.float32(1), np.array([1, 0]), np.array([1, 0]), np.array([0, 0])),
    case("XlaEinsum", NONE, f32(3, 2), equation="ij,jk->ik"),
    case("XlaEinsum", with_nan(f32(2, 3)), f32(3, 2), equation="ij,jk->ik"),
    case("XlaSort", NONE),
    case("XlaKeyValueSort", f32(0), f32(0)),
    case("XlaKeyValueSort", with_nan(f32(3)), ints(3)),
    case("XlaKeyValueSort", ints(3, dtype=np.int64), f32(3)),
    case("XlaReducePrecision", f32(0), exponent_bits=5, mantissa_bits=10),
    case("XlaReducePrecision", f32(4).astype(np.float16), exponent_bits=4, mantissa_bits=3),
    case("XlaBroadcastHelper", with_nan(f32(3, 4)), f32(3), np.array([0])),
    dot(with_nan(f32(2, 3)), f32(3, 2), np.float32, f1=[1], f2=[0]),
    gather(with_nan(f32(5)), i32(), [1], f2=[0], f3=[0], f4=1),
    conv(with_nan(f32(1, 4, 4, 2)), f32(2, 2, 2, 2), NHWC),
    conv(f32(0, 4, 4, 2), f32(2, 2, 2, 2), NHWC),
]
for d in (np.float16, np.float64, np.int32, np.int64, np.complex64):
    left, right = ints(2, 3).astype(d), ints(3, 2).astype(d)
    CASES += [
        dot(left, right, d, f1=[1], f2=[0]),
        dot(left, right, None, f1=[1], f2=[0]),
        gather(ints(5).astype(d), i32(1, 0), [1], f2=[0], f3=[0], f4=1),
        case("XlaBroadcastHelper", ints(3, 4).astype(d), ints(3).astype(d), i32(0)),
    ]
    if d is not np.complex64:  # TensorFlow stops the process there
        image, kernel = ints(1, 4, 4, 2).astype(d), ints(2, 2, 2, 2).astype(d)
        CASES += [conv(image, kernel, NHWC), conv(image, kernel, NHWC, old=True)]
SQUARE = f32(2, 3, 3) + np.swapaxes(f32(2, 3, 3), -1, -2)
for lower in (True, False):
    CASES += [
        case("XlaSelfAdjointEig", x, lower=lower, max_iter=100, epsilon=1e-6, check="shape")
        for x in (SQUARE, SQUARE.astype(np.float64))
    ]
for x in (f32(2, 4, 3), f32(3, 4), f64(3, 3)):
    CASES += [case("XlaSvd", x, max_iter=100, epsilon=1e-6, precision_config=b"", check="shape")]
TYPES = "float64 float16 complex64 bool"
KINDS = as_types(with_nan(f32(3, 4)), TYPES)
CASES += [
    case("XlaSharding", X, sharding=b"\x08\x00", unspecified_dims=[0]),
    case("XlaOptimizationBarrier", KINDS),
    case("XlaDynamicSlice", NONE, i32(0, 1), i32(0, 2)),
    dot(with_nan(f32(2, 3)), f32(3, 2), None, f1=[1], f2=[0]),
    conv(with_nan(f32(1, 4, 4, 2)), f32(2, 2, 2, 2), NHWC, old=True),
    conv(f32(0, 4, 4, 2), f32(2, 2, 2, 2), NHWC, old=True),
    case(
        "XlaGather",
        f32(5),
        i32(0, 2, 3),
        i32(1),
        dimension_numbers=message(f2=[0], f3=[0], f4=1),
        indices_are_sorted=True,
    ),
]
for x in KINDS:
    CASES += [
        case("XlaSharding", x),
        case("XlaDynamicUpdateSlice", x, x[:2, 1:3], i32(1, 1)),
        case("XlaDynamicSlice", x, i32(1, 1), i32(2, 2)),
        case("XlaPad", x, x[0, 0], i32(1, -1), i32(0, 2), i32(0, 1)),
    ]
    if x.dtype != np.complex64:
        CASES += [case("XlaSort", x)]
    CASES += [case("XlaKeyValueSort", f32(3, 4), x)]
    if x.dtype.kind == "f":
        CASES += [case("XlaKeyValueSort", x, ints(3, 4))]
for d in (bfloat16, np.complex64):
    CASES += [case("XlaEinsum", ints(2, 3).astype(d), ints(3, 2).astype(d), equation="ij,jk->ik")]
CASES += [gather(f32(5) > 0, i32(1, 0), [1], f2=[0], f3=[0], f4=1)]
EIGEN = {"lower": True, "max_iter": 100, "epsilon": 1e-6, "check": "shape"}
CASES += [
    case("XlaSelfAdjointEig", x, **EIGEN)
    for x in (SQUARE[:0], with_nan(SQUARE), SQUARE.astype(np.float16), SQUARE.astype(np.complex64))
]
CASES += [
    case("XlaSvd", x, max_iter=100, epsilon=1e-6, precision_config=b"", check="shape")
    for x in (SQUARE[:0], SQUARE.astype(np.float16))
]
