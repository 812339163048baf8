"""Rows of tfdeploy/ops/sparse.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import as_types, case, f32, f64, ints, with_nan

INT64 = np.int64


def i64(*values):
    return np.array(values, INT64)


def i32(*values):
    return np.array(values, np.int32)


def strings(*values):
    held = np.empty(len(values), object)
    held[:] = [v.encode() for v in values]
    return held


PLACES = np.array([[0, 1], [0, 3], [2, 0], [3, 2]], INT64)
MIXED = PLACES[[2, 0, 3, 1]]
OTHER = np.array([[0, 0], [0, 3], [2, 0], [2, 2]], INT64)
SHAPE = i64(5, 4)
NONE = np.zeros((0, 2), INT64)
CUBE = np.array([[0, 1, 0], [0, 1, 2], [1, 0, 1], [1, 2, 2], [1, 2, 0]], INT64)
CUBE_SHAPE = i64(2, 3, 3)
SPECIAL = np.array([np.nan, np.inf, -0.0, -np.inf], np.float32)
TEXT = strings("a", "b", "c", "d")
COMPLEX = (f32(4) + 1j * f32(4, seed=1)).astype(np.complex64)
VALUES = (f32(4), ints(4), TEXT)
REAL = "float32 float64 float16 bfloat16"
NUMBERS = REAL + " complex64"
OTHERS = "float64 float16 bfloat16 complex64 bool"

CASES = [
    case("SparseToDense", PLACES, SHAPE, f32(4), np.float32(7)),
    case("SparseToDense", PLACES.astype(np.int32), SHAPE.astype(np.int32), ints(4), np.int32(0)),
    case("SparseToDense", i64(1, 3), i64(5), f32(2), np.float32(0)),
    case("SparseToDense", i64(1, 3), i64(5), np.float32(4), np.float32(0)),
    case("SparseToDense", np.int64(2), i64(5), np.float32(4), np.float32(0)),
    case("SparseToDense", PLACES, SHAPE, TEXT, np.array(b"-", object)),
    case("SparseToDense", PLACES, SHAPE, SPECIAL, np.float32(np.nan)),
    case("SparseToDense", PLACES, SHAPE, np.array([True] * 4), np.array(False)),
    case("SparseToDense", NONE, SHAPE, f32(0), np.float32(1)),
    case("SparseToDense", NONE, i64(0, 4), f32(0), np.float32(1)),
    case("SparseToDense", MIXED, SHAPE, f32(4), np.float32(0), raises=True),
    case("SparseToDense", MIXED, SHAPE, f32(4), np.float32(0), validate_indices=False),
    case("SparseToDense", PLACES[[0, 0]], SHAPE, f32(2), np.float32(0), raises=True),
    case("SparseToDense", PLACES, i64(3, 4), f32(4), np.float32(0), raises=True),
    *[
        case("SparseFillEmptyRows", PLACES, v, SHAPE, d)
        for v, d in zip(VALUES, (np.float32(9), np.int32(9), np.array(b"-", object)), strict=True)
    ],
    case("SparseFillEmptyRows", MIXED, f32(4), SHAPE, np.float32(9)),
    case("SparseFillEmptyRows", NONE, f32(0), SHAPE, np.float32(9)),
    case("SparseFillEmptyRows", NONE, f32(0), i64(0, 4), np.float32(9)),
    case("SparseFillEmptyRows", PLACES, f32(4), i64(3, 4), np.float32(9), raises=True),
    case("SparseReshape", PLACES, SHAPE, i64(2, 10)),
    case("SparseReshape", PLACES, SHAPE, i64(2, -1, 5)),
    case("SparseReshape", NONE, SHAPE, i64(20)),
    case("SparseReshape", PLACES, SHAPE, i64(3, -1), raises=True),
    case("SparseReshape", PLACES, SHAPE, i64(21), raises=True),
    *[case("SparseReorder", MIXED, v, SHAPE) for v in VALUES],
    case("SparseReorder", MIXED[[0, 1, 0, 2]], f32(4), SHAPE),
    case("SparseReorder", NONE, f32(0), SHAPE),
    *[case("SparseSlice", PLACES, v, SHAPE, i64(0, 1), i64(3, 9)) for v in (f32(4), ints(4))],
    case("SparseSlice", PLACES, f32(4), SHAPE, i64(4, 0), i64(1, 4)),
    case("SparseSlice", CUBE, f32(5), CUBE_SHAPE, i64(1, 0, 1), i64(1, 3, 2)),
    case("SparseSlice", PLACES, f32(4), SHAPE, i64(0, 9), i64(3, 2)),
    *[
        case("SparseConcat", [PLACES, OTHER], [v, v], [SHAPE, SHAPE], concat_dim=d)
        for v in VALUES
        for d in (0, 1, -1)
    ],
    case("SparseConcat", [NONE, NONE], [f32(0), f32(0)], [SHAPE, SHAPE], concat_dim=0),
    case(
        "SparseConcat",
        [PLACES, NONE],
        [f32(4), f32(0)],
        [SHAPE, i64(4, 4)],
        concat_dim=1,
        raises=True,
    ),
    *[
        case("SparseSplit", np.int64(d), PLACES, v, SHAPE, num_split=n)
        for v in (f32(4), ints(4))
        for d, n in ((0, 2), (1, 4), (0, 1))
    ],
    case("SparseSplit", np.int64(0), PLACES, f32(4), SHAPE, num_split=6, raises=True),
    *[
        case("SparseTensorDenseAdd", PLACES, v, SHAPE, b)
        for v, b in ((f32(4), f32(5, 4)), (ints(4), ints(5, 4)), (f64(4), f64(5, 4)))
    ],
    case(
        "SparseTensorDenseAdd", PLACES.astype(np.int32), SPECIAL, SHAPE.astype(np.int32), f32(5, 4)
    ),
    case("SparseTensorDenseAdd", NONE, f32(0), SHAPE, f32(5, 4)),
    case("SparseTensorDenseAdd", PLACES, f32(4), SHAPE, f32(4, 4), raises=True),
    *[
        case("SparseTensorDenseMatMul", PLACES, f32(4), SHAPE, b, adjoint_a=a, adjoint_b=ab)
        for a, ab, b in (
            (False, False, f32(4, 3)),
            (True, False, f32(5, 3)),
            (False, True, f32(3, 4)),
            (True, True, f32(3, 5)),
        )
    ],
    case("SparseTensorDenseMatMul", PLACES.astype(np.int32), ints(4), SHAPE, ints(4, 3)),
    case("SparseTensorDenseMatMul", PLACES, COMPLEX, SHAPE, COMPLEX[:, None] + COMPLEX[:2]),
    case(
        "SparseTensorDenseMatMul",
        PLACES,
        COMPLEX,
        SHAPE,
        np.outer(f32(5), COMPLEX)[:, :4].copy(),
        adjoint_a=True,
    ),
    case("SparseTensorDenseMatMul", NONE, f32(0), SHAPE, f32(4, 3)),
    case("SparseTensorDenseMatMul", PLACES, f32(4), SHAPE, f32(3, 3), raises=True),
    case("SparseTensorDenseMatMul", PLACES, f32(4), i64(3, 4), f32(4, 3), raises=True),
    *[
        case("SparseAdd", PLACES, v, SHAPE, OTHER, w, SHAPE, t)
        for v, w, t in (
            (f32(4), f32(4, seed=2), np.float32(0)),
            (ints(4), ints(4, seed=2), np.int32(0)),
            (f32(4), f32(4, seed=2), np.float32(1)),
            (f32(4), -f32(4), np.float32(0)),
            (COMPLEX, COMPLEX, np.float32(0)),
        )
    ],
    case("SparseAdd", NONE, f32(0), SHAPE, NONE, f32(0), SHAPE, np.float32(0)),
    case("SparseAdd", PLACES, f32(4), SHAPE, NONE, f32(0), i64(5, 5), np.float32(0), raises=True),
    *[
        case(name, PLACES, v, SHAPE, OTHER, w, SHAPE)
        for name in ("SparseSparseMaximum", "SparseSparseMinimum")
        for v, w in ((f32(4), f32(4, seed=2)), (ints(4), ints(4, seed=2)))
    ],
    *[
        case(name, NONE, f32(0), SHAPE, NONE, f32(0), SHAPE)
        for name in ("SparseSparseMaximum", "SparseSparseMinimum")
    ],
    *[
        case(f"SparseDenseCwise{name}", PLACES, v, SHAPE, b)
        for name in ("Add", "Mul", "Div")
        for v, b in (
            (f32(4), f32(5, 4)),
            (f32(4), f32(4)),
            (f32(4), f32(5, 1)),
            (ints(4), ints(5, 4, low=1)),
        )
    ],
    *[
        case(f"SparseDenseCwise{name}", NONE, f32(0), SHAPE, f32(4))
        for name in ("Add", "Mul", "Div")
    ],
    case("SparseSoftmax", CUBE[[0, 1, 2, 4, 3]], f32(5), CUBE_SHAPE),
    case("SparseSoftmax", PLACES, f64(4), SHAPE),
    case("SparseSoftmax", NONE, f32(0), SHAPE),
    *[
        case(name, CUBE, v, CUBE_SHAPE, a, keep_dims=k)
        for name in (
            "SparseReduceSum",
            "SparseReduceMax",
            "SparseReduceSumSparse",
            "SparseReduceMaxSparse",
        )
        for v in (f32(5), ints(5))
        for a in (i32(0), i32(-1, 0), np.int32(1), i32())
        for k in (False, True)
    ],
    *[
        case(name, NONE, f32(0), SHAPE, i32(1))
        for name in (
            "SparseReduceSum",
            "SparseReduceMax",
            "SparseReduceSumSparse",
            "SparseReduceMaxSparse",
        )
    ],
    *[
        case("EditDistance", CUBE, v, CUBE_SHAPE, CUBE[[0, 2, 4]], w, CUBE_SHAPE, normalize=n)
        for v, w in ((ints(5), ints(5)[[0, 1, 3]]), (strings("a", "b", "c", "d", "e"), TEXT[:3]))
        for n in (False, True)
    ],
    *[
        case("EditDistance", CUBE, v, CUBE_SHAPE, CUBE[[0, 2, 4]], v[[0, 1, 3]], CUBE_SHAPE)
        for v in as_types(with_nan(f32(5)), f"{NUMBERS} bool")
    ],
    case("EditDistance", NONE, ints(0), SHAPE, PLACES, ints(4), SHAPE),
    case("EditDistance", PLACES, ints(4), SHAPE, NONE, ints(0), i64(3, 9)),
]
for v in as_types(with_nan(f32(4)), f"float32 {OTHERS} string"):
    CASES += [
        case("SparseToDense", PLACES, SHAPE, v, v[3:].reshape(())),
        case("SparseFillEmptyRows", PLACES, v, SHAPE, v[3:].reshape(())),
        case("SparseReorder", MIXED, v, SHAPE),
        case("SparseSlice", PLACES, v, SHAPE, i64(0, 1), i64(3, 9)),
        case("SparseConcat", [PLACES, OTHER], [v, v], [SHAPE, SHAPE], concat_dim=1),
        case("SparseSplit", np.int64(0), PLACES, v, SHAPE, num_split=2),
    ]
for v, dense, right in zip(
    *(as_types(x, NUMBERS) for x in (with_nan(f32(4)), f32(5, 4), f32(4, 3))), strict=True
):
    CASES += [
        case("SparseTensorDenseAdd", PLACES, v, SHAPE, dense),
        case("SparseTensorDenseMatMul", PLACES, v, SHAPE, right),
    ]
for v, dense in zip(*(as_types(x, REAL) for x in (with_nan(f32(4)), f32(5, 4))), strict=True):
    CASES += [
        case(f"SparseDenseCwise{name}", PLACES, v, SHAPE, dense) for name in ("Add", "Mul", "Div")
    ]
    CASES += [
        case(f"SparseSparse{name}", PLACES, a, SHAPE, OTHER, b, SHAPE)
        for name in ("Maximum", "Minimum")
        for a, b in ((v, v[::-1].copy()), (v[::-1].copy(), v), (v, v))
    ]
CASES += [
    *[
        case("SparseSoftmax", PLACES, v, SHAPE)
        for v in as_types(with_nan(f32(4)), "float32 float64 float16")
    ],
    *[
        case("SparseAdd", PLACES, v, SHAPE, OTHER, v[::-1].copy(), SHAPE, v.dtype.type(0.5))
        for v in as_types(with_nan(f32(4)), "float32 float64")
    ],
    *[
        case(f"SparseReduce{name}{kind}", CUBE, v, CUBE_SHAPE, a)
        for name, types in (("Sum", NUMBERS), ("Max", REAL))
        for kind in ("", "Sparse")
        for v in as_types(with_nan(f32(5)), types)
        for a in (i32(-1), i32(0, 1), i32())
    ],
    *[
        case("SparseReduceMax", np.arange(11)[:, None], v, i64(11), i32(0))
        for at in (0, 3, 8, 10)
        for v in as_types(np.where(np.arange(11) == at, np.nan, f32(11)), REAL)
    ],
    case("SparseSlice", NONE, f32(0), SHAPE, i64(0, 1), i64(3, 9)),
    case("SparseSplit", np.int64(0), NONE, f32(0), SHAPE, num_split=2),
]
CASES += [
    case(
        "SparseTensorDenseMatMul",
        np.argwhere(np.ones((3, 40))),
        f32(120).astype(kind),
        np.array([3, 40], np.int64),
        f32(40, 2).astype(kind),
        check="exact",
        note="a long sum",
    )
    for kind in (np.float16, bfloat16)
]
