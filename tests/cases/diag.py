"""Rows of tfdeploy/ops/diag.py."""

import numpy as np

from tests.cases import as_types, case, f32, f64, ints, with_nan

SPECIAL = np.array([[np.nan, np.inf, -0.0], [-np.inf, 0.0, 1.5]], np.float32)
COMPLEX = (f32(2, 3) + 1j * f32(2, 3, seed=1)).astype(np.complex64)
ALIGNS = ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT")
ZERO = np.float32(0)


def i32(*values):
    return np.array(values, np.int32)


CASES = [
    *[
        case("MatrixDiagV3", f32(2, 3, 4), i32(-1, 1), -1, -1, np.float32(9), align=a)
        for a in ALIGNS
    ],
    case("MatrixDiagV3", f32(2, 3), np.int32(1), -1, -1, ZERO),
    case("MatrixDiagV3", f32(2, 3), np.int32(-2), -1, -1, ZERO),
    case("MatrixDiagV3", f32(2, 3), i32(0), 3, 5, ZERO),
    case("MatrixDiagV3", ints(2, 3), i32(-1), -1, 3, np.int32(7)),
    case("MatrixDiagV3", f32(2, 2, 3), i32(-1, 0), 4, -1, ZERO),
    case("MatrixDiagV3", f32(2, 3), i32(0), 4, 5, ZERO, raises=True),
    case("MatrixDiagV3", f32(0, 3), i32(0), -1, -1, ZERO),
    case("MatrixDiagV3", SPECIAL, np.int32(0), -1, -1, np.float32(np.nan)),
    case("MatrixDiagV3", COMPLEX, np.int32(0), -1, -1, np.complex64(0)),
    case("MatrixDiagV3", np.array([True, False]), np.int32(0), -1, -1, np.array(False)),
    case("MatrixDiagV2", f32(2, 3, 4), i32(-1, 1), -1, -1, np.float32(9)),
    case("MatrixDiagV2", f32(0), np.int32(0), -1, -1, ZERO),
    case("MatrixDiag", f32(2, 3)),
    case("MatrixDiag", ints(3, dtype=np.int64)),
    case("MatrixDiag", f32(2, 0)),
    case("MatrixDiag", SPECIAL),
    case("BatchMatrixDiag", f32(2, 3)),
    case("BatchMatrixDiag", f32(0, 2)),
    *[case("MatrixDiagPartV3", f32(2, 4, 5), i32(-2, 1), np.float32(9), align=a) for a in ALIGNS],
    *[case("MatrixDiagPartV3", f32(5, 3), i32(k), ZERO) for k in (-4, -1, 0, 1, 2)],
    case("MatrixDiagPartV3", f32(2, 3, 3), i32(1, 2), np.float32(np.nan)),
    case("MatrixDiagPartV3", ints(3, 3), i32(0, 1), 5),
    case("MatrixDiagPartV3", f32(0, 3, 3), i32(0, 1), ZERO),
    case("MatrixDiagPartV3", f32(3, 3), i32(3), ZERO, raises=True),
    case("MatrixDiagPartV3", f32(3, 3), i32(1, 0), ZERO, raises=True),
    case("MatrixDiagPartV3", SPECIAL, i32(0), ZERO),
    case("MatrixDiagPartV2", f32(2, 4, 5), i32(-2, 1), np.float32(9)),
    case("MatrixDiagPartV2", f32(0, 4, 5), i32(0), ZERO),
    case("MatrixDiagPart", f32(2, 3, 4)),
    case("MatrixDiagPart", f64(4, 3)),
    case("MatrixDiagPart", f32(0, 3, 4)),
    case("MatrixDiagPart", SPECIAL),
    case("BatchMatrixDiagPart", f32(2, 3, 4)),
    case("BatchMatrixDiagPart", f32(0, 3, 4)),
    *[case("MatrixSetDiagV3", f32(2, 4, 5), f32(2, 4, 4), i32(-2, 1), align=a) for a in ALIGNS],
    case("MatrixSetDiagV3", ints(4, 5), ints(4), np.int32(1)),
    case("MatrixSetDiagV3", f32(0, 4, 5), f32(0, 4), i32(0)),
    case("MatrixSetDiagV3", f32(4, 5), f32(3), i32(0), raises=True),
    case("MatrixSetDiagV3", SPECIAL, SPECIAL[0, :2], i32(0)),
    case("MatrixSetDiagV2", f32(2, 4, 5), f32(2, 4, 4), i32(-2, 1)),
    case("MatrixSetDiagV2", f32(0, 4, 5), f32(0, 4), i32(0)),
    case("MatrixSetDiag", f32(2, 4, 5), f32(2, 4)),
    case("MatrixSetDiag", ints(0, 3, 3), ints(0, 3)),
    case("BatchMatrixSetDiag", f32(2, 4, 5), f32(2, 4)),
    case("BatchMatrixSetDiag", ints(0, 3, 3), ints(0, 3)),
    *[
        case("MatrixBandPart", f32(2, 4, 5), np.int64(a), np.int64(b))
        for a, b in ((1, 2), (0, 0), (-1, 0), (0, -1), (-1, -1))
    ],
    case("MatrixBandPart", ints(3, 3), np.int32(1), np.int32(0)),
    case("MatrixBandPart", f32(0, 3), np.int64(0), np.int64(0)),
    case("MatrixBandPart", SPECIAL, np.int64(0), np.int64(0)),
    case("MatrixBandPart", COMPLEX, np.int64(0), np.int64(1)),
    case("MatrixBandPart", f32(3, 3), np.int64(9), np.int64(0), raises=True),
    case("BatchMatrixBandPart", f32(2, 4, 5), np.int64(1), np.int64(0)),
    case("BatchMatrixBandPart", f32(0, 4, 5), np.int64(1), np.int64(0)),
    case("Diag", f32(3)),
    case("Diag", f32(2, 3)),
    case("Diag", ints(0)),
    case("Diag", SPECIAL),
    case("Diag", COMPLEX),
    case("DiagPart", f32(3, 3)),
    case("DiagPart", ints(2, 3, 2, 3)),
    case("DiagPart", f32(0, 0)),
    case("DiagPart", f32(2, 3), raises=True),
]
NUMBERS = "float32 float64 float16 bfloat16 int32 complex64"
for x in as_types(with_nan(f32(2, 3)), f"{NUMBERS} bool"):
    fill, square = x[0, 0:1].reshape(()), np.stack([x, x[::-1]])
    CASES += [
        *[case(f"MatrixDiag{v}", x, i32(-1, 0), -1, -1, fill) for v in ("V2", "V3")],
        *[case(f"MatrixDiagPart{v}", x, i32(0, 1), fill) for v in ("V2", "V3")],
        *[case(f"MatrixSetDiag{v}", x, x[:, :2], i32(0, 1)) for v in ("V2", "V3")],
        *[case(f"{v}MatrixDiag", x) for v in ("", "Batch")],
        *[case(f"{v}MatrixDiagPart", square) for v in ("", "Batch")],
        *[case(f"{v}MatrixSetDiag", square, x[:, :2]) for v in ("", "Batch")],
        case("MatrixBandPart", square, 0, 1),
    ]
for x in as_types(with_nan(f32(2, 3)), NUMBERS):
    CASES += [case("BatchMatrixBandPart", x, 0, 1)]
for x in as_types(with_nan(f32(3, 3)), "float32 float64 float16 int32 complex64"):
    CASES += [case("Diag", x[0]), case("DiagPart", x)]
