"""Rows of tfdeploy/ops/ragged.py."""

import numpy as np

from tests.cases import as_types, case, f32, f64, ints, with_nan

INT64 = np.int64
NAN = np.nan


def i64(*values):
    return np.array(values, INT64)


def i32(*values):
    return np.array(values, np.int32)


def strings(*values):
    held = np.empty(len(values), object)
    held[:] = [v.encode() for v in values]
    return held


SPLITS = i64(0, 2, 2, 5, 6)
OUTER = i64(0, 1, 3, 3, 4)
ANY = np.array(-1, INT64)
DASH = np.array(b"-", object)
VALUES = as_types(with_nan(f32(6)))


def dense(shape, values, default, parts, *kinds, **kw):
    return case(
        "RaggedTensorToTensor",
        shape,
        values,
        default,
        list(parts),
        row_partition_types=list(kinds),
        **kw,
    )


ROWS = "ROW_SPLITS"
CASES = [
    *[
        dense(ANY, v, d, [SPLITS], ROWS)
        for v, d in (
            (f32(6), np.float32(9)),
            (ints(6), np.int32(9)),
            (strings(*"abcdef"), DASH),
            (f32(6, 2), f32(2)),
            (f32(6, 2), np.float32(1)),
            (np.array([True] * 6), np.array(False)),
        )
    ],
    dense(i64(-1, -1), f32(6), np.float32(0), [SPLITS], ROWS),
    dense(i64(-1, -1), f32(9), np.float32(0), [SPLITS], ROWS),
    dense(i64(-1, 2), f32(6), np.float32(0), [SPLITS], ROWS),
    dense(i64(3, -1), f32(6), np.float32(0), [SPLITS], ROWS),
    dense(i32(6, 4), ints(6), np.int32(0), [SPLITS.astype(np.int32)], ROWS),
    dense(i64(-1, -1, 2), f32(6, 2), np.float32(0), [SPLITS], ROWS),
    dense(ANY, f32(6), np.float32(0), [OUTER, SPLITS], ROWS, ROWS),
    dense(i64(-1, 3, 2), f32(6, 2)[:, 0].copy(), np.float32(0), [OUTER, SPLITS], ROWS, ROWS),
    dense(
        ANY,
        f32(6),
        np.float32(0),
        [np.array(4, INT64), i64(0, 0, 2, 2, 2, 3)],
        "FIRST_DIM_SIZE",
        "VALUE_ROWIDS",
    ),
    dense(
        ANY,
        f32(3),
        np.float32(0),
        [np.array(4, INT64), i64(0, 2, 2), i64(0, 0, 2)],
        "FIRST_DIM_SIZE",
        "VALUE_ROWIDS",
        "VALUE_ROWIDS",
    ),
    dense(ANY, f32(0), np.float32(0), [i64(0)], ROWS),
    dense(ANY, f32(0), np.float32(0), [i64(0, 0, 0)], ROWS),
    dense(
        i64(2, 3), np.array([np.nan, np.inf], np.float32), np.float32(-0.0), [i64(0, 1, 2)], ROWS
    ),
    *[dense(ANY, v, v[0].copy() if v.dtype != object else DASH, [SPLITS], ROWS) for v in VALUES],
    dense(i64(-1, -1), f32(6, 2), np.float32(0), [SPLITS], ROWS, raises=True),
    *[
        case("RaggedTensorToSparse", [SPLITS], v)
        for v in (f32(6), ints(6), strings(*"abcdef"), f32(6, 2))
    ],
    *[case("RaggedTensorToSparse", [SPLITS], v) for v in VALUES],
    case("RaggedTensorToSparse", [OUTER, SPLITS], f32(6)),
    case("RaggedTensorToSparse", [OUTER.astype(np.int32), SPLITS.astype(np.int32)], ints(6)),
    case("RaggedTensorToSparse", [i64(0, 0)], f32(0)),
    case("RaggedTensorToSparse", [i64(0, 2)], f32(3), raises=True),
    *[
        case("RaggedGather", [SPLITS], v, i32(3, 0, 0, 1), OUTPUT_RAGGED_RANK=1)
        for v in (ints(6, 2), strings(*"abcdef"), *VALUES)
    ],
    case("RaggedGather", [OUTER, SPLITS], f32(6), i64(3, 1), OUTPUT_RAGGED_RANK=2),
    case(
        "RaggedGather", [SPLITS], f32(6), np.array([[3, 0], [2, 2]], np.int32), OUTPUT_RAGGED_RANK=2
    ),
    case("RaggedGather", [SPLITS.astype(np.int32)], f32(6), i64(), OUTPUT_RAGGED_RANK=1),
    case("RaggedGather", [SPLITS], f32(6), i64(4), OUTPUT_RAGGED_RANK=1, raises=True),
    case("RaggedRange", i32(0, 5, 8), i32(3, 5, 0), i32(1, 1, -3)),
    case("RaggedRange", np.int32(0), i32(3, 5, -1), np.int32(2)),
    case("RaggedRange", np.int32(0), np.int32(3), np.int32(1)),
    case("RaggedRange", f32(3), f32(3, seed=3, low=3, high=5), np.float32(0.3), Tsplits=np.int32),
    case("RaggedRange", f64(3), f64(3, seed=3, low=3, high=5), np.float64(0.1)),
    case("RaggedRange", i64(), i64(), np.int64(1)),
    case("RaggedRange", i32(0), i32(3), i32(0), raises=True),
    *[
        case("RaggedRange", *map(np.float32, bounds), raises=True)
        for bounds in ((NAN, 3, 1), (0, NAN, 1), (0, 3, NAN), (3, 0, NAN))
    ],
    case("RaggedRange", i32(0), i32(3, 4), i32(1), raises=True),
    *[
        case("RaggedFillEmptyRows", i64(0, 0, 2, 4), v, np.int64(6), d)
        for v, d in (
            (ints(4), np.int32(1)),
            (strings(*"abcd"), DASH),
            *((v[:4], v[4]) for v in VALUES[:-1]),
        )
    ],
    case("RaggedFillEmptyRows", i64(), f32(0), np.int64(2), np.float32(0)),
    case("RaggedFillEmptyRows", i64(3), f32(1), np.int64(2), np.float32(0), raises=True),
]
