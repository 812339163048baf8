"""Rows of tfdeploy/ops/reduction.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case, f32, f64, ints

NAN, INF = np.nan, np.inf
EDGES = np.array([[2, NAN, 3], [INF, -1, -INF], [0, -0.0, 5], [INF, 1, 2]], np.float32)
each = str.split
AXES = np.array([0, 2], np.int32)
CASES = []

for op in each("Sum Mean Prod Max Min EuclideanNorm"):
    CASES += [
        case(op, f32(2, 3, 4), AXES),
        case(op, f32(2, 3, 4), AXES, keep_dims=True),
        case(op, f32(2, 3), -1),
        case(op, f32(2, 3), np.array([], np.int32)),
        case(op, f32(2, 3), np.array([1, 0], np.int64)),
        case(op, np.float32(3), np.array([], np.int32)),
        case(op, EDGES, 0),
        case(op, EDGES, 1),
        case(op, EDGES[2:3], 0),
        case(op, f32(0, 3), 0),
        case(op, f32(0, 3), 1),
        case(op, f32(2, 0), 1, keep_dims=True),
        case(op, f64(3, 2), 0),
        case(op, f32(3, 4).astype(np.float16), 0),
        case(op, f32(3), np.array([0, 0], np.int32), raises=True),
        case(op, f32(3), 1, raises=True),
        case(op, f32(3), -2, raises=True),
    ]
    CASES += [case(op, ints(2, 3, dtype=d), 1) for d in (np.int32, np.int64, np.int8)]
    CASES += [case(op, np.array([3, 6, 2, 200], np.uint8), 0)]
for op in each("Sum Mean Prod EuclideanNorm"):
    CASES += [case(op, (f32(2, 3) + 1j * f32(2, 3, seed=1)).astype(np.complex64), 1)]
CASES += [case(op, np.zeros((0, 2), np.int32), 0) for op in each("Sum Prod Max Min EuclideanNorm")]
CASES += [
    case("Sum", f32(1000, 3, low=0), 0),
    case("Sum", np.array([2**31 - 1, 5], np.int32), 0),
    case("Mean", f32(300, 7, 7), np.array([1, 2], np.int32)),
    case("Mean", np.array([-3, 0], np.int32), 0),
    case("Mean", np.array([-100, -101], np.int8), 0),
    case("Mean", np.array([200, 200], np.uint8), 0),
    case("Mean", np.array([60000, 60000], np.float16), 0),
]
MASK = np.array([[True, False, True], [False, True, True]])
for op in ("All", "Any"):
    CASES += [
        case(op, MASK, 0),
        case(op, MASK, -1, keep_dims=True),
        case(op, MASK, np.array([0, 1], np.int64)),
        case(op, MASK[:0], 0),
        case(op, MASK[:0], 1),
        case(op, MASK, np.array([], np.int32)),
        case(op, MASK, 2, raises=True),
    ]
for op in ("ArgMax", "ArgMin"):
    CASES += [
        case(op, f32(3, 4), 0),
        case(op, f32(3, 4), -1),
        case(op, f32(2, 3, 4), np.int64(1)),
        case(op, f32(3, 4), 1, output_type=np.int32),
        case(op, np.array([2, 2, 1, 1], np.float32), 0),
        case(op, EDGES, 0),
        case(op, EDGES, 1),
        case(op, np.array([NAN, NAN], np.float32), 0),
        case(op, np.array([NAN] + [1] * 30 + [2, 2]), 0),
        case(op, np.array([False, True, True]), 0),
        case(op, f64(5), 0),
        case(op, f32(5).astype(np.float16), 0),
        case(op, f32(0, 3), 1),
        case(op, f32(0, 3), 0, raises=True),
        case(op, f32(3), 1, raises=True),
    ]
    CASES += [case(op, ints(9, dtype=d), 0) for d in (np.int32, np.int64, np.int8)]
    CASES += [case(op, np.array([3, 255, 0], np.uint8), 0)]
CASES += [case("ArgMax", f32(3, 2), 0, output_type=t) for t in (np.int16, np.uint16)]

for op in each("Cumsum Cumprod CumulativeLogsumexp"):
    x = np.array([1, NAN, 3, 2], np.float32)
    for exclusive in (False, True):
        for reverse in (False, True):
            CASES += [
                case(op, f32(3, 4), 0, exclusive=exclusive, reverse=reverse),
                case(op, f32(2, 3, 2), -2, exclusive=exclusive, reverse=reverse),
                case(op, f32(0), 0, exclusive=exclusive, reverse=reverse),
            ]
            if op != "CumulativeLogsumexp":
                CASES += [case(op, x, 0, exclusive=exclusive, reverse=reverse)]
    CASES += [
        case(op, f64(5), 0),
        case(op, f32(5).astype(np.float16), 0),
        case(op, f32(2, 0), 0, exclusive=True),
        case(op, f32(3), 1, raises=True),
        case(op, np.float32(1), 0, raises=True),
    ]
for op in ("Cumsum", "Cumprod"):
    CASES += [case(op, ints(5, dtype=d), np.int64(0)) for d in (np.int32, np.int64, np.int8)]
    CASES += [
        case(op, np.array([200, 100], np.uint8), 0),
        case(op, (f32(3) + 1j * f32(3, seed=1)).astype(np.complex64), 0),
    ]
CASES += [case("CumulativeLogsumexp", np.array([-INF, 1, -INF, 2, INF], np.float32), 0)]

CASES += [
    case("TopKV2", f32(3, 5), 2),
    case("TopKV2", f32(5), 5),
    case("TopKV2", f32(2, 2, 4), 1),
    case("TopKV2", np.array([1, 3, 3, 2, 3, INF, -INF], np.float32), 4),
    case("TopKV2", np.array([0, -0.0, 1], np.float32), 3),
    case("TopKV2", np.array([1, NAN, 2], np.float32), 1),
    case("TopKV2", f32(3), 0),
    case("TopKV2", f32(0, 3), 2),
    case("TopKV2", f32(2, 0), 0),
    case("TopKV2", ints(9), 4),
    case("TopKV2", ints(9, dtype=np.int64), np.int64(3)),
    case("TopKV2", np.array([1, 255, 3, 0], np.uint8), 4, index_type=np.int64),
    case("TopKV2", np.array([-128, 127, 3], np.int8), 3, index_type=np.int16),
    case("TopKV2", f64(6), np.int16(2)),
    case("TopKV2", f32(6).astype(np.float16), 2),
    case("TopKV2", f32(6), 1, sorted=False),
    case("TopKV2", f32(2), 3, raises=True),
    case("TopKV2", f32(2), -1, raises=True),
    case("TopKV2", np.float32(2), 1, raises=True),
]
PREDICTIONS = np.array(
    [[0.1, 0.2, 0.2, 0.3], [0.1, NAN, 0.2, 0.4], [INF, 1, 0, 0], [0.3] * 4], np.float32
)
for target in ([1, 0, 0, 0], [2, 1, 1, 3], [3, 3, 0, 7], [0, -1, 0, 0]):
    CASES += [
        case("InTopK", PREDICTIONS, np.array(target, np.int32), k=2),
        case("InTopKV2", PREDICTIONS, np.array(target, np.int32), 2),
        case("InTopKV2", PREDICTIONS, np.array(target, np.int64), np.int64(3)),
    ]
CASES += [
    case("InTopK", PREDICTIONS[:0], np.zeros((0,), np.int64), k=1),
    case("InTopKV2", PREDICTIONS[:0], np.zeros((0,), np.int32), 1),
    case("InTopKV2", PREDICTIONS, np.zeros((4,), np.int32), 0),
    case("InTopKV2", PREDICTIONS, np.zeros((3,), np.int32), 1, raises=True),
]
for op in each(
    "Sum Mean Prod Max Min EuclideanNorm ArgMax ArgMin Cumsum Cumprod CumulativeLogsumexp"
):
    CASES += [case(op, f32(4, 5, low=0.5).astype(bfloat16), 1, ulp=16)]
CASES += [case("TopKV2", f32(4, 5).astype(bfloat16), 2)]
CASES += [
    case("ApproxTopK", ints(3, 40, low=0, high=20).astype(np.float32), k=5),
    case("ApproxTopK", f32(9), k=9, aggregate_to_topk=False),
    case("ApproxTopK", f32(0, 3), k=1),
    case("ApproxTopK", f32(9).astype(np.float16), k=2),
    case("ApproxTopK", f32(2), k=3, raises=True),
]
L = np.int64
CASES += [case(op, f32(4), L(0)) for op in each("Cumsum Cumprod CumulativeLogsumexp ArgMax ArgMin")]
CASES += [case("TopKV2", f32(4), L(2)), case("TopKV2", f32(4), L(2), index_type=np.int64)]
CASES += [
    case("CumulativeLogsumexp", np.array([1, NAN, 3, 2], np.float32), 0, reverse=r, exclusive=e)
    for r in (False, True)
    for e in (False, True)
]
CASES += [
    case("ApproxTopK", f32(40), k=3, recall_target=0.5),
    case("ApproxTopK", f32(40), k=3, reduction_input_size_override=80),
    case("ApproxTopK", np.array([1, NAN, 3, 2], np.float32), k=2),
]
