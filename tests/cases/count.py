"""Rows of tfdeploy/ops/count.py."""

import numpy as np

from tests.cases import case, f32, f64, ints, with_nan

INT64 = np.int64
NONE = np.zeros(0, INT64)
LIMITS = (
    {},
    {"minlength": 9},
    {"maxlength": 3},
    {"minlength": 2, "maxlength": 4},
    {"maxlength": 0},
)
GRID = ints(3, 5, low=0, high=6, dtype=INT64)
PLACES = np.array([[0, 0], [0, 2], [1, 1], [3, 0]], INT64)
SPLITS = np.array([0, 2, 2, 5], INT64)
CASES = [
    *[
        case("DenseCountSparseOutput", GRID, w, binary_output=b, **limits)
        for limits in LIMITS
        for b in (False, True)
        for w in (NONE, f32(3, 5))
    ],
    case("DenseCountSparseOutput", GRID[0].astype(np.int32), f64(5), binary_output=False),
    case("DenseCountSparseOutput", GRID[0], np.zeros(0, np.int32), binary_output=False),
    case("DenseCountSparseOutput", np.zeros((2, 0), np.int32), NONE, binary_output=False),
    case(
        "DenseCountSparseOutput", np.array([-1], np.int32), NONE, binary_output=False, raises=True
    ),
    case("DenseCountSparseOutput", GRID, f32(2, 2), binary_output=False, raises=True),
    *[
        case(
            "SparseCountSparseOutput",
            PLACES,
            GRID[0, :4],
            np.array([4, 3], INT64),
            w,
            binary_output=b,
            **limits,
        )
        for limits in LIMITS
        for b in (False, True)
        for w in (NONE, f32(4))
    ],
    case(
        "SparseCountSparseOutput",
        PLACES[:, :1],
        GRID[0, :4].astype(np.int32),
        np.array([4], INT64),
        NONE,
        binary_output=False,
    ),
    case(
        "SparseCountSparseOutput",
        PLACES[:0],
        NONE,
        np.array([4, 3], INT64),
        NONE,
        binary_output=False,
    ),
    *[
        case("RaggedCountSparseOutput", SPLITS, GRID[0], w, binary_output=b, **limits)
        for limits in LIMITS
        for b in (False, True)
        for w in (NONE, f32(5))
    ],
    case("RaggedCountSparseOutput", SPLITS, GRID[0].astype(np.int32), f64(5), binary_output=False),
    case("RaggedCountSparseOutput", np.array([0, 0], INT64), NONE, NONE, binary_output=False),
    case("RaggedCountSparseOutput", SPLITS, GRID[0, :4], NONE, binary_output=False, raises=True),
]
for w in (with_nan(f32(4)), with_nan(f64(4))):
    CASES += [
        case("DenseCountSparseOutput", GRID[0, :4], w, binary_output=False),
        case(
            "SparseCountSparseOutput",
            PLACES,
            GRID[0, :4],
            np.array([4, 3], INT64),
            w,
            binary_output=False,
        ),
        case(
            "RaggedCountSparseOutput",
            np.array([0, 2, 4], INT64),
            GRID[0, :4],
            w,
            binary_output=False,
        ),
    ]
