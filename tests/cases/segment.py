"""Rows of tfdeploy/ops/segment.py."""

import numpy as np

from tests.cases import as_types, case, f32, f64, ints

INT64, HALF = np.int64, np.float16
SPECIAL = np.array([np.nan, 1.0, np.inf, -np.inf, -0.0, 0.0, -1.5, np.nan], np.float32)
COMPLEX = (f32(5, 2) + 1j * f32(5, 2, seed=1)).astype(np.complex64)


def i32(*values):
    return np.array(values, np.int32)


IDS = i32(0, 0, 2, 2, 4)
SORTED = ("SegmentSum", "SegmentProd", "SegmentMean", "SegmentMax", "SegmentMin")
UNSORTED = tuple(f"UnsortedSegment{n}" for n in ("Sum", "Prod", "Max", "Min"))
SPARSE = tuple(f"SparseSegment{n}" for n in ("Sum", "Mean", "SqrtN"))
PICK = i32(3, 0, 0, 2, 1)
CASES = [
    *[
        case(name, x, IDS)
        for name in SORTED
        for x in (f32(5, 2), f64(5), ints(5, 3), ints(5, dtype=INT64), f32(5, 2).astype(HALF))
    ],
    *[case(name, f32(5, 2), IDS.astype(INT64)) for name in SORTED],
    *[case(name, f32(0, 2), i32()) for name in SORTED],
    *[case(name, f32(5, 0), IDS) for name in SORTED],
    *[case(name, COMPLEX, IDS) for name in SORTED[:3]],
    *[case(name, SPECIAL, i32(0, 0, 1, 1, 2, 2, 3, 4)) for name in SORTED],
    *[case(name, SPECIAL[::-1].copy(), i32(0, 1, 2, 2, 3, 3, 4, 4)) for name in SORTED],
    *[case(name, f32(3), i32(0, 2, 1), raises=True) for name in SORTED],
    *[case(name, f32(3), i32(0, 1), raises=True) for name in SORTED],
    *[
        case(name, x, i32(2, -1, 0, 2, 2), 4)
        for name in UNSORTED
        for x in (f32(5, 2), f64(5), ints(5, 3), ints(5, dtype=INT64), f32(5, 2).astype(HALF))
    ],
    *[case(name, f32(2, 3, 2), np.array([[1, 0, 1], [-3, 3, 3]], INT64), 4) for name in UNSORTED],
    *[case(name, f32(0, 2), i32(), 3) for name in UNSORTED],
    *[case(name, f32(2, 0), i32(1, 1), np.int64(3)) for name in UNSORTED],
    *[case(name, SPECIAL, i32(0, 0, 1, 1, 2, 2, 3, 4), 5) for name in UNSORTED],
    *[case(name, SPECIAL[::-1].copy(), i32(0, 1, 2, 2, 3, 3, 4, 4), 5) for name in UNSORTED],
    *[case(name, COMPLEX, IDS, 5) for name in UNSORTED[:2]],
    *[case(name, f32(2), i32(0, 4), 3, raises=True) for name in UNSORTED],
    *[case(name, f32(2), i32(0, 4), -1, raises=True) for name in UNSORTED],
    *[case(name, x, PICK, IDS) for name in SPARSE for x in (f32(4, 3), f64(4, 2))],
    *[
        case(name, x, PICK.astype(INT64), IDS.astype(INT64), 7)
        for x in (f32(4, 3), f64(4, 2))
        for name in (f"{n}WithNumSegments" for n in SPARSE)
    ],
    *[case("SparseSegmentSum", ints(4, 3), PICK, IDS)],
    *[case(name, f32(4, 3).astype(HALF), PICK, IDS) for name in SPARSE],
    *[case(name, f32(4, 3), i32(), i32()) for name in SPARSE],
    *[case(f"{name}WithNumSegments", f32(4, 3), i32(), i32(), 2) for name in SPARSE],
    *[case(name, SPECIAL.reshape(4, 2), PICK, IDS) for name in SPARSE],
    *[case(name, f32(4, 3), PICK, IDS, sparse_gradient=True) for name in SPARSE],
    *[
        case(f"{name}WithNumSegments", x, PICK, IDS, 6)
        for name in SPARSE
        for x in (SPECIAL.reshape(4, 2), *as_types(f32(4, 3), "float16 bfloat16"))
    ],
    *[
        case(f"{name}WithNumSegments", f32(4, 3), PICK, IDS, 6, sparse_gradient=True)
        for name in SPARSE
    ],
    case("SparseSegmentSumWithNumSegments", ints(4, 3), PICK, IDS, 6),
    *[case(name, f32(4, 3), i32(4), i32(0), raises=True) for name in SPARSE],
    *[case(f"{name}WithNumSegments", f32(4, 3), PICK, IDS, 2, raises=True) for name in SPARSE],
]
