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

PADS = np.array([[2, 1], [0, 3]], I32)
CASES += [
    *(
        case("MirrorPadGrad", x, pads, mode=mode)
        for mode, x in (("REFLECT", f32(7, 8)), ("SYMMETRIC", f32(6, 6)))
        for pads in (PADS, PADS.astype(np.int64))
    ),
    *(
        case("MirrorPadGrad", x, PADS, mode="SYMMETRIC")
        for x in as_types(f32(6, 7), "float64 float16 bfloat16 int32 complex64")
    ),
    case("MirrorPadGrad", with_nan(f32(6, 7)), PADS, mode="REFLECT"),
    case("MirrorPadGrad", f32(0, 7), PADS * [[0], [1]], mode="SYMMETRIC", raises=True),
    case("MirrorPadGrad", f32(4, 7), PADS, mode="REFLECT", raises=True),
    case("MirrorPadGrad", f32(4, 7), PADS[:1], mode="REFLECT", raises=True),
]
QUANTIZED = with_nan(f32(3, 5))
LOW, HIGH = np.array([-1, 0, -0.5, 0.3, -2], np.float32), np.array([1, 0, 0.7, 1, -0.1], np.float32)
CASES += [
    *(
        row
        for more in ({}, {"num_bits": 3}, {"narrow_range": True})
        for row in (
            case(
                "FakeQuantWithMinMaxArgsGradient",
                f32(3, 5, seed=1),
                QUANTIZED,
                min=-1.3,
                max=0.9,
                **more,
            ),
            case(
                "FakeQuantWithMinMaxVarsGradient", f32(3, 5, seed=1), QUANTIZED, -1.3, 0.9, **more
            ),
            case(
                "FakeQuantWithMinMaxVarsPerChannelGradient",
                f32(3, 5, seed=1),
                QUANTIZED,
                LOW,
                HIGH,
                **more,
            ),
        )
    ),
    case("FakeQuantWithMinMaxArgsGradient", f32(0, 5), f32(0, 5)),
    case("FakeQuantWithMinMaxArgsGradient", f32(3, 5), f32(3, 4), raises=True),
    case("FakeQuantWithMinMaxVarsGradient", f32(3, 5), f32(3, 5), 0.0, 0.0),
    case("FakeQuantWithMinMaxVarsGradient", f32(0, 5), f32(0, 5), -1.0, 1.0),
    case("FakeQuantWithMinMaxVarsGradient", f32(3, 5), f32(3, 5), LOW, HIGH, raises=True),
    case("FakeQuantWithMinMaxVarsPerChannelGradient", f32(5), f32(5), LOW, HIGH),
    case(
        "FakeQuantWithMinMaxVarsPerChannelGradient",
        f32(2, 3, 2, 5),
        f32(2, 3, 2, 5, seed=1),
        LOW,
        HIGH,
    ),
    case("FakeQuantWithMinMaxVarsPerChannelGradient", f32(0, 5), f32(0, 5), LOW, HIGH),
    case("FakeQuantWithMinMaxVarsPerChannelGradient", f32(3, 4), f32(3, 4), LOW, HIGH, raises=True),
    case(
        "QuantizeAndDequantizeV4Grad",
        f32(3, 5, seed=1),
        QUANTIZED,
        np.float32(-1.3),
        np.float32(0.9),
    ),
    case("QuantizeAndDequantizeV4Grad", f32(3, 5, seed=1), QUANTIZED, LOW, HIGH, axis=1),
    case("QuantizeAndDequantizeV4Grad", f32(0, 5), f32(0, 5), np.float32(-1.3), np.float32(0.9)),
    case("QuantizeAndDequantizeV4Grad", f64(3), f64(3, seed=2), np.array(-1.0), np.array(1.0)),
    case(
        "QuantizeAndDequantizeV4Grad",
        f32(3, 5),
        f32(3, 4),
        np.float32(-1),
        np.float32(1),
        raises=True,
    ),
]
FACTOR = np.tril(f64(2, 4, 4)) + 3 * np.eye(4)
SHAPES = np.array([0.1, 1, 2, 10, 100, 1, 5, 0, -1, NAN, 2, 30, 0.5, 20, 3])
AT = np.array([0.2, 1, 5, 9, 120, 0, 1e-3, 1, 1, 1, INF, 31, 8, 20.5, -1])
for name in ("CholeskyGrad", "BatchCholeskyGrad"):
    CASES += [
        case(name, FACTOR, f64(2, 4, 4, seed=3)),
        case(name, FACTOR.astype(np.float32), f32(2, 4, 4, seed=3), ulp=64),
        case(name, FACTOR[0, :1, :1], f64(1, 1)),
        case(name, FACTOR[:0], f64(0, 4, 4)),
        case(name, FACTOR * NAN, f64(2, 4, 4)),
        case(name, FACTOR[:, :3], f64(2, 3, 4), raises=True),
    ]
for name in ("IgammaGradA", "RandomGammaGrad"):
    CASES += [
        case(name, SHAPES, AT, ulp=2.0**12),
        case(name, SHAPES.astype(np.float32), AT.astype(np.float32), ulp=2.0**8),
        case(name, f64(2, 1, low=0.1), f64(3, low=0.1), ulp=2.0**12),
        case(name, f64(0, 2), f64(0, 2)),
        case(name, f64(2), f64(3), raises=True),
    ]
