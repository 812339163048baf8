"""Rows of tfdeploy/ops/sparse_grad.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import as_types, case, f32, f64, with_nan

I32, I64 = np.int32, np.int64
A = np.array([[0, 0], [1, 1], [2, 0]], I64)
B = np.array([[0, 1], [1, 1]], I64)
SUM = np.array([[0, 0], [0, 1], [1, 1], [2, 0]], I64)
NONE = np.zeros((0, 2), I64)
IDS, PICKED = np.array([0, 0, 2, 2, 2], I32), np.array([3, 1, 3, 0, 3], I32)
NUMBERS = "float32 float64 int32 complex64"
MAP = np.array([2, 0, 5, 1], I64)
CASES = [
    *(case("SparseAddGrad", x, A, B, SUM) for x in as_types(f32(4), NUMBERS)),
    case("SparseAddGrad", with_nan(f32(4)), A, B, SUM),
    case("SparseAddGrad", f32(3), A, NONE, A),
    case("SparseAddGrad", f32(0), NONE, NONE, NONE),
    case("SparseAddGrad", f32(2), A, B, SUM[:2], note="a part of the sum"),
    case("SparseAddGrad", f32(3), A, B, SUM, raises=True),
    case("SparseAddGrad", f32(4), A, B[:, :1], SUM, raises=True),
    *(
        case("SparseSliceGrad", x, SUM, np.array([0, 1], I64), np.array([[0, 0], [1, 0]], I64))
        for x in as_types(f32(2), NUMBERS + " float16 bfloat16")
    ),
    case(
        "SparseSliceGrad",
        with_nan(f32(2)),
        SUM,
        np.array([1, 0], I64),
        np.array([[0, 1], [1, 0]], I64),
    ),
    case("SparseSliceGrad", f32(0), SUM, np.array([1, 0], I64), NONE),
    case("SparseSliceGrad", f32(2), SUM, np.array([1, 0, 0], I64), B, raises=True),
    *(
        row
        for name in ("SparseFillEmptyRowsGrad", "RaggedFillEmptyRowsGrad")
        for row in (
            *(
                case(name, MAP, x)
                for x in as_types(f32(6), "float32 float64 float16 bfloat16 int32 complex64 bool")[
                    :6
                ]
            ),
            case(name, MAP, with_nan(f32(6))),
            case(name, MAP[:0], f32(3)),
            case(name, MAP, f32(5), raises=True),
        )
    ),
]
for kind in ("Sum", "Mean", "SqrtN"):
    for name in (f"SparseSegment{kind}Grad", f"SparseSegment{kind}GradV2"):
        CASES += [
            case(name, f32(3, 2), PICKED, IDS, 5),
            case(name, f64(3, 2), PICKED.astype(I64), IDS.astype(I64), 4),
            case(name, f32(3, 2, 2).astype(np.float16), PICKED, IDS, 4, ulp=32),
            case(name, f32(3).astype(bfloat16), PICKED, IDS, 4, ulp=32),
            case(name, with_nan(f32(3, 2)), PICKED, IDS, 4),
            case(name, f32(3, 2), PICKED[:0], IDS[:0], 4, check="shape", note="nothing written"),
            case(name, f32(0, 2), PICKED[:0], IDS[:0], 4, check="shape", note="nothing written"),
            case(name, f32(3, 2), PICKED, IDS, 3, raises=True),
            case(name, f32(2, 2), PICKED, IDS, 4, raises=True),
        ]
