"""Rows of tfdeploy/ops/statistics.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case, f32, f64, ints, with_nan

NAN, INF = np.nan, np.inf
RANGE = np.array([0, 5], np.float32)
CASES = [
    case("NthElement", f32(3, 5), 2),
    case("NthElement", f32(3, 5), 1, reverse=True),
    case("NthElement", ints(2, 2, 4), 0),
    case("NthElement", ints(7, dtype=np.int64), 6),
    case("NthElement", f64(4), 3, reverse=True),
    case("NthElement", f32(4).astype(np.float16), 1),
    case("NthElement", f32(0, 4), 1),
    case("NthElement", np.array([INF, -INF, 0], np.float32), 0),
    case("NthElement", f32(2), 2, raises=True),
    case("NthElement", np.float32(2), 0, raises=True),
    case("HistogramFixedWidth", np.array([-1, 0, 1.5, 2, 5, 15, INF, -INF], np.float32), RANGE, 5),
    case("HistogramFixedWidth", f32(4, 9, low=0, high=5), RANGE, 7, dtype=np.int64),
    case("HistogramFixedWidth", ints(40), np.array([-5, 5], np.int32), 3),
    case("HistogramFixedWidth", ints(40, dtype=np.int64), np.array([-5, 5], np.int64), 4),
    case("HistogramFixedWidth", f64(40), np.array([-1.0, 1.5]), 11),
    case("HistogramFixedWidth", f32(0), RANGE, 3),
    case("HistogramFixedWidth", np.array([NAN], np.float32), RANGE, 3, raises=True),
    case("HistogramFixedWidth", f32(2), RANGE[::-1].copy(), 3, raises=True),
    case("HistogramFixedWidth", f32(2), RANGE, 0, raises=True),
    case("IsotonicRegression", f32(3, 6)),
    case("IsotonicRegression", np.array([[3, 1, 2], [5, 4, 4], [1, 2, 3]], np.float32)),
    case("IsotonicRegression", f64(2, 9), output_dtype=np.float64),
    case("IsotonicRegression", ints(2, 9), output_dtype=np.float64),
    case("IsotonicRegression", ints(2, 9, dtype=np.int8), output_dtype=np.float32),
    case("IsotonicRegression", f32(2, 4).astype(np.float16), output_dtype=np.float16),
    case("IsotonicRegression", f32(2, 4).astype(bfloat16), output_dtype=bfloat16, ulp=16),
    case("NearestNeighbors", f32(5, 3), f32(7, 3), np.int64(2), ulp=64),
    case("NearestNeighbors", f32(5, 3), f32(4, 3), np.int64(9), ulp=64),
    case("NearestNeighbors", f32(5, 2), f32(4, 3), np.int64(9), raises=True),
]
CASES += [
    case("NthElement", with_nan(f32(4)), 1),
    case("IsotonicRegression", f32(0, 3)),
    case("IsotonicRegression", with_nan(f32(1, 3))),
    case("IsotonicRegression", ints(1, 3, dtype=np.int64), output_dtype=np.float64),
    case("NearestNeighbors", f32(0, 3), f32(7, 3), np.int64(2), raises=True),
    case("NearestNeighbors", f32(2, 3), f32(0, 3), np.int64(2)),
    case("NearestNeighbors", with_nan(f32(2, 2)), f32(3, 2), np.int64(1)),
]
