"""Rows of tfdeploy/ops/gradients.py."""

import numpy as np

from tests.cases import as_types, case, f32, f64, ints, with_nan
from tests.cases.linalg import c64

NAN, INF = np.nan, np.inf
EDGES = np.array([-8, -1, -0.0, 0, 0.5, 3, 6, 7, NAN, INF, -INF], np.float32)
G = np.arange(1, 12, dtype=np.float32)
RESULTS = ["TanhGrad", "SigmoidGrad", "SqrtGrad", "RsqrtGrad", "ReciprocalGrad", "InvGrad"]
INPUTS = ["ReluGrad", "Relu6Grad", "EluGrad", "SeluGrad", "SoftplusGrad", "SoftsignGrad"]
CASES = []
for op in [*RESULTS, *INPUTS, "LeakyReluGrad"]:
    CASES += [
        case(op, f32(2, 5), f32(2, 5, seed=1)),
        case(op, EDGES, G) if op in RESULTS else case(op, G, EDGES),
        case(op, f64(4), f64(4, seed=1)),
        case(op, f32(4).astype(np.float16), f32(4, seed=1).astype(np.float16)),
        case(op, f32(0, 2), f32(0, 2)),
        case(op, f32(2), f32(3), raises=True),
    ]
    if op in RESULTS:
        CASES += [case(op, c64(4), c64(4, seed=2), ulp=32)]
I32 = np.int32
CASES += [
    case("ReluGrad", G * NAN, EDGES),
    case("LeakyReluGrad", G, EDGES, alpha=0.5),
    case("BiasAddGrad", f32(2, 3, 4, 5)),
    case("BiasAddGrad", f32(2, 3, 4, 5), data_format="NCHW"),
    case("BiasAddGrad", f32(3, 4)),
    case("BiasAddGrad", f64(2, 3, 4)),
    case("BiasAddGrad", ints(3, 4)),
    case("BiasAddGrad", f32(0, 4)),
    case("BiasAddGrad", f32(4), raises=True),
    case(
        "StridedSliceGrad",
        np.array([4, 5], I32),
        np.array([1, 0], I32),
        np.array([3, 5], I32),
        np.array([1, 2], I32),
        f32(2, 3),
    ),
    case(
        "StridedSliceGrad",
        np.array([4, 5], I32),
        np.array([-1, 2], I32),
        np.array([-9, 3], I32),
        np.array([-2, 1], I32),
        f32(2),
        shrink_axis_mask=2,
    ),
    case(
        "StridedSliceGrad",
        np.array([4, 5], np.int64),
        np.array([0, 1], np.int64),
        np.array([0, 0], np.int64),
        np.array([1, 1], np.int64),
        f32(4, 1, 4),
        begin_mask=0,
        ellipsis_mask=1,
        end_mask=2,
        new_axis_mask=0,
        raises=True,
    ),
    case(
        "StridedSliceGrad",
        np.array([4, 5], I32),
        np.array([0, 0, 1], I32),
        np.array([0, 0, 0], I32),
        np.array([1, 1, 1], I32),
        f32(4, 1, 4),
        begin_mask=1,
        end_mask=5,
        new_axis_mask=2,
    ),
    case(
        "StridedSliceGrad",
        np.array([0, 5], I32),
        np.array([0], I32),
        np.array([9], I32),
        np.array([1], I32),
        f32(0, 5),
    ),
    case(
        "StridedSliceGrad",
        np.array([4, 5], I32),
        np.array([0], I32),
        np.array([2], I32),
        np.array([1], I32),
        f32(3, 5),
        raises=True,
    ),
]
for d in (np.int32, np.int64):
    CASES += [
        case(op, ints(4, dtype=d), ints(4, seed=1, dtype=d)) for op in ("ReluGrad", "Relu6Grad")
    ]
CASES += [
    case("BiasAddGrad", with_nan(f32(2, 3))),
    case("BiasAddGrad", c64(2, 3)),
    case("BiasAddGrad", f32(2, 3).astype(np.float16)),
    case("BiasAddGrad", ints(2, 3, dtype=np.int64)),
]
for x in as_types(with_nan(f32(2, 3))):
    CASES += [
        case(
            "StridedSliceGrad",
            np.array([4, 5], I32),
            np.array([1, 0], I32),
            np.array([3, 5], I32),
            np.array([1, 2], I32),
            x,
        )
    ]
CASES += [
    case(
        "StridedSliceGrad",
        np.array([4, 5, 6], I32),
        np.array([1, 0, 2], I32),
        np.array([3, 0, 5], I32),
        np.array([1, 1, 2], I32),
        f32(2, 5, 2),
        ellipsis_mask=2,
    )
]
