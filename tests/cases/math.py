"""Rows of tfdeploy/ops/math.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import as_types, case, f32, f64, ints, with_nan

NAN, INF = np.nan, np.inf
each = str.split
EDGES = np.array([NAN, INF, -INF, 0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.0, 1e30], np.float32)
X = np.array([7, -7, 7, -7, 0, -0.0, 5, -5, 5, 1, NAN, INF, 7.5], np.float32)
Y = np.array([2, 2, -2, -2, 3, 3, INF, INF, -INF, 0, 1, 2, 0.1], np.float32)
P, Q = np.array([7, -7, 7, -7, 0, 9]), np.array([2, 2, -2, -2, 5, 3])
POSITIVE = np.array([3, 200, 7], np.int64)


def c64(*shape: int, seed: int = 0) -> np.ndarray:
    """A complex64 array."""
    return (f32(*shape, seed=seed) + 1j * f32(*shape, seed=seed + 1)).astype(np.complex64)


def text(*values: bytes) -> np.ndarray:
    """A vector of strings."""
    return np.array(values, object)


FLOAT_ONLY = each("Ceil Floor Rint")
FLOAT_AND_COMPLEX = each(
    "Exp Expm1 Log Log1p Rsqrt Sigmoid Sin Sinh Sqrt Tan Tanh Cos Cosh Asin Acos Atan "
    "Asinh Acosh Atanh Reciprocal Inv"
)
WITH_INTS = each("Abs Neg Sign Square")
CASES = []
for op in FLOAT_ONLY + FLOAT_AND_COMPLEX + WITH_INTS + ["Round"]:
    CASES += [
        case(op, f32(2, 3, low=-0.9, high=0.9)),
        case(op, f32(7, low=1.1, high=4)),
        case(op, EDGES),
        case(op, f32(0, 3)),
        case(op, f64(3, low=-0.9, high=0.9)),
        case(op, np.float32(0.25)),
    ]
    if op != "Rint":
        CASES += [case(op, f32(5, low=-0.9, high=0.9).astype(np.float16))]
for op in [*FLOAT_AND_COMPLEX, *WITH_INTS, "Ceil", "Floor", "Round"]:
    CASES += [case(op, f32(5, low=0.1, high=0.9).astype(bfloat16), ulp=16)]
for op in [*FLOAT_AND_COMPLEX, "Neg", "Sign", "Square", "Conj"]:
    CASES += [case(op, c64(3)), case(op, c64(3).astype(np.complex128))]
for op in WITH_INTS:
    CASES += [case(op, ints(5, dtype=d)) for d in (np.int32, np.int64, np.int8)]
CASES += [case("Conj", c64(0, 2))]

for op in each("IsFinite IsInf IsNan"):
    CASES += [
        case(op, EDGES),
        case(op, EDGES[:-1].astype(np.float16)),
        case(op, f64(0)),
        case(op, f64(3)),
    ]
CASES += [case("LogicalNot", np.array([True, False])), case("LogicalNot", np.zeros((0,), bool))]

ANY = each("AddV2 Add Sub Mul Div")
for op in ANY + each(
    "RealDiv FloorDiv FloorMod TruncateDiv TruncateMod Mod Maximum Minimum SquaredDifference Pow"
):
    CASES += [
        case(op, X, Y),
        case(op, f32(2, 1, 3, low=0.5), f32(4, 1, low=0.5)),
        case(op, f32(0, 3), f32(1, 3)),
        case(op, f32(3, low=0.5), np.float32(2)),
        case(op, f64(3, low=0.5), f64(3, low=0.5, seed=1)),
        case(op, f32(2), f32(3), raises=True),
    ]
    if op not in ("TruncateMod", "Mod"):
        CASES += [case(op, f32(5, low=0.5).astype(np.float16), np.float16(0.7))]
    if op not in ("RealDiv", "Pow"):
        CASES += [case(op, P.astype(d), Q.astype(d)) for d in (np.int32, np.int64)]
for op in each("DivNoNan MulNoNan Xdivy Xlogy Xlog1py"):
    zeros = np.array([0, 0, 1, NAN, -0.0], np.float32)
    odd = np.array([NAN, 0, 0, 0, INF], np.float32)
    CASES += [
        case(op, X, np.abs(Y)),
        case(op, zeros, odd),
        case(op, odd, zeros),
        case(op, f32(2, 1, 3), f32(4, 1, low=0.5)),
        case(op, f32(0, 3), f32(3)),
        case(op, f64(3), f64(3, low=0.5)),
        case(op, f32(3).astype(np.float16), f32(3, low=0.5).astype(np.float16)),
        case(op, c64(3), c64(3, seed=5)),
    ]
for op in each(
    "AddV2 Sub Mul Div RealDiv FloorDiv FloorMod TruncateDiv Maximum Minimum SquaredDifference Pow "
    "DivNoNan MulNoNan Xdivy Xlogy Xlog1py Atan2 Less LessEqual Greater GreaterEqual Equal NotEqual"
):
    CASES += [case(op, f32(5, low=0.5).astype(bfloat16), bfloat16(0.7), ulp=16)]
for op in each("Add AddV2 Sub Mul Div RealDiv SquaredDifference Pow"):
    CASES += [case(op, c64(3), c64(3, seed=5)), case(op, c64(2).astype(np.complex128), 2 + 1j)]
for op in each("AddV2 Sub Mul Div FloorDiv FloorMod Maximum Minimum TruncateDiv"):
    CASES += [case(op, POSITIVE.astype(np.uint8), np.array([200, 100, 2], np.uint8))]
for op in each("Div FloorDiv FloorMod TruncateDiv TruncateMod Mod"):
    CASES += [
        case(op, P.astype(np.int32), np.int32(0), raises=True),
        case(op, np.zeros((0,), np.int32), np.int32(0)),
    ]
CASES += [
    case("Add", text(b"a", b"b"), np.array(b"c", object)),
    case("Pow", np.array([2, -3, 0], np.int32), np.array([5, 3, 0], np.int32)),
    case("Pow", np.array([2, 3], np.int64), np.array([40, 60], np.int64)),
    case("Pow", np.array([2, 1], np.int32), np.array([1, -1], np.int32), raises=True),
    case(
        "Pow",
        np.array([2, -2, 0, NAN, 1, -8], np.float32),
        np.array([0.5, 0.5, -1, 0, NAN, 1 / 3], np.float32),
    ),
    case("Atan2", X, Y),
    case("Atan2", f32(2, 1), f32(3)),
    case("Atan2", f64(3), f64(3, seed=1)),
    case("Atan2", f32(0), f32(1)),
    case("Atan2", np.array([0, -0.0, 0, -0.0]), np.array([1, 1, -1, -1.0])),
    case("NextAfter", X[:4], Y[:4], check="exact"),
    case("NextAfter", X[6:], Y[6:], check="exact"),
    case("NextAfter", f64(3), f64(3, seed=1), check="exact"),
    case("NextAfter", f32(0), f32(1)),
    case("Cross", f32(2, 3), f32(2, 3, seed=1)),
    case("Cross", ints(2, 2, 3), ints(2, 2, 3, seed=1)),
    case("Cross", f64(0, 3), f64(0, 3)),
    case("Cross", f32(2, 2), f32(2, 2), raises=True),
    case("Cross", np.array([1, 2, 3], np.uint8), np.array([9, 8, 7], np.uint8)),
]

for op in each("Less LessEqual Greater GreaterEqual"):
    CASES += [
        case(op, X, Y),
        case(op, X, X),
        case(op, f32(2, 1), f32(3)),
        case(op, f32(0), f32(1)),
        case(op, ints(6), ints(6, seed=1)),
        case(op, ints(3, dtype=np.int64), np.int64(1)),
        case(op, ints(3, low=0, dtype=np.uint8), np.uint8(4)),
        case(op, f64(3), f64(3, seed=1)),
        case(op, f32(3).astype(np.float16), np.float16(0)),
    ]
for op in each("LogicalAnd LogicalOr"):
    CASES += [
        case(op, np.array([[True], [False]]), np.array([True, False])),
        case(op, np.zeros((0,), bool), np.array([True])),
    ]
for op in each("Equal NotEqual"):
    CASES += [
        case(op, X, X),
        case(op, X, Y),
        case(op, f32(2, 1), f32(3)),
        case(op, f32(0), f32(1)),
        case(op, ints(6), ints(6)),
        case(op, c64(3), c64(3)),
        case(op, text(b"a", b"b"), text(b"b", b"b")),
        case(op, np.array([True, False]), np.array(True)),
        case(op, ints(3, dtype=np.int64), np.int64(1)),
        case(op, f64(3), f64(3)),
        case(op, f32(3).astype(np.float16), np.float16(0)),
        case(op, ints(2), ints(3), raises=True),
        case(op, ints(2), ints(3), incompatible_shape_error=False),
        case(op, ints(2), ints(2), incompatible_shape_error=False),
    ]
CASES += [
    case("ApproximateEqual", X, X + np.float32(1e-6)),
    case("ApproximateEqual", f64(3), f64(3) + 0.1, tolerance=0.2),
    case("ApproximateEqual", f32(0), f32(0)),
    case("ApproximateEqual", f32(1), f32(2), raises=True),
]

MASK = np.array([[True, False, True], [False, True, False]])
CASES += [
    case("Select", MASK, f32(2, 3), f32(2, 3, seed=1)),
    case("Select", MASK[:, 0], f32(2, 3), f32(2, 3, seed=1)),
    case("Select", MASK[:, 0], f32(2, 3, 2), f32(2, 3, 2, seed=1)),
    case("Select", True, f32(2, 3), f32(2, 3, seed=1)),
    case("Select", MASK[:, 0], ints(2), ints(2, seed=1)),
    case("Select", MASK[0], text(b"a", b"b", b"c"), text(b"d", b"e", b"f")),
    case("Select", MASK[:0], f32(0, 3), f32(0, 3)),
    case("Select", MASK[0], f32(2, 3), f32(2, 3), raises=True),
    case("SelectV2", MASK, f32(2, 3), f32(2, 3, seed=1)),
    case("SelectV2", MASK, f32(3), np.float32(NAN)),
    case("SelectV2", MASK[:, :1], ints(3), ints(2, 3, dtype=np.int32)),
    case("SelectV2", True, f32(2, 1), f32(3)),
    case("SelectV2", MASK[0], text(b"a", b"b", b"c"), text(b"d")),
    case("SelectV2", MASK[:0], f32(0, 3), f32(3)),
    case("SelectV2", MASK, c64(2, 3), c64(1)),
    case("SelectV2", MASK, MASK, ~MASK),
    case("SelectV2", MASK, f64(3), f64(3)),
    case("SelectV2", MASK, ints(3, dtype=np.int64), np.int64(2)),
    case("ClipByValue", EDGES, np.float32(-0.2), np.float32(1)),
    case(
        "ClipByValue",
        np.array([1, 2, 3], np.float32),
        np.array([0, NAN, 1], np.float32),
        np.array([NAN, 1, 0], np.float32),
    ),
    case("ClipByValue", ints(5), np.int32(2), np.int32(0)),
    case("ClipByValue", ints(5, dtype=np.int64), np.int64(-2), np.int64(1)),
    case("ClipByValue", f64(0), np.float64(0), np.float64(1)),
    case("ClipByValue", f32(3).astype(np.float16), np.float16(0), np.float16(1)),
    case("ClipByValue", f32(2, 2), f32(2), np.float32(1), raises=True),
    case("AddN", [f32(2, 3), f32(2, 3, seed=1), f32(2, 3, seed=2)]),
    case("AddN", [EDGES]),
    case("AddN", [EDGES, EDGES]),
    case("AddN", [ints(3), ints(3)]),
    case("AddN", [f32(0), f32(0)]),
    case("AddN", [c64(2), c64(2)]),
    case("AddN", [f64(2)] * 9),
    case("AddN", [f32(2).astype(np.float16)] * 3),
    case("AddN", [f32(2), f32(1)], raises=True),
    case("AccumulateNV2", [f32(2), f32(2, seed=1)], shape=[2]),
]

CASES += [
    case("Complex", f32(2, 1), f32(3)),
    case("Complex", f64(3), f64(3), Tout=np.complex128),
    case("Complex", EDGES, EDGES[::-1].copy()),
    case("Complex", f32(0), f32(0)),
]
for op in each("Real Imag ComplexAbs Angle"):
    CASES += [
        case(op, c64(2, 3)),
        case(op, c64(2).astype(np.complex128), Tout=np.float64),
        case(op, c64(0)),
        case(op, np.array([-1, NAN + 1j, INF - 1j, 0], np.complex64)),
    ]
CASES += [
    case("Atan2", f32(4).astype(np.float16), f32(4, seed=2).astype(np.float16)),
    case("Cross", f32(2, 3).astype(np.float16), f32(2, 3, seed=1).astype(np.float16)),
    case("Cross", ints(2, 3, dtype=np.int64), ints(2, 3, seed=1, dtype=np.int64)),
    case("Cross", with_nan(f32(2, 3)), f32(2, 3)),
    case("AddN", [ints(3, dtype=np.int64)] * 2),
    case("AccumulateNV2", [with_nan(f32(2))] * 2, shape=[2]),
    case("AccumulateNV2", [f32(0)] * 2, shape=[0]),
    *[
        case(op, np.array([[True, False, False]]), a, b)
        for op in ("Select", "SelectV2")
        for a, b in zip(as_types(with_nan(f32(1, 3))), as_types(f32(1, 3, seed=1)), strict=True)
    ],
    *[
        case("ClipByValue", c64(6), np.complex64(low), np.complex64(high))
        for low, high in ((-1 - 1j, 1 + 1j), (-1 + 1j, 1 - 1j), (0.5, -0.5))
    ],
    case("Conj", with_nan(c64(2))),
    case("Select", np.array([True, False]), with_nan(f32(2)), f32(2)),
]
for d in (np.float64, np.int32, np.complex64, np.float16):
    CASES += [case("AccumulateNV2", [np.ones(2, d)] * 2, shape=[2])]
