"""Rows of tfdeploy/ops/quantize.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case, f32, f64, ints, with_nan

NAN, INF = np.nan, np.inf
X = np.array([-7, -1, -0.3, 0, 0.2, 0.5, 1.3, 5.9, 7], np.float32)
ODD = np.array([NAN, INF, -INF, 0, -0.0, 1], np.float32)
CASES = [
    case("FakeQuantWithMinMaxArgs", X),
    case("FakeQuantWithMinMaxArgs", X, min=-1, max=1, num_bits=4, narrow_range=True),
    case("FakeQuantWithMinMaxArgs", X, min=0.5, max=1.0),
    case("FakeQuantWithMinMaxArgs", X, min=-3.0, max=-0.5, num_bits=16),
    case("FakeQuantWithMinMaxArgs", ODD),
    case("FakeQuantWithMinMaxArgs", f32(0, 2)),
    case("FakeQuantWithMinMaxArgs", X, min=2.0, max=1.0, raises=True),
    case("FakeQuantWithMinMaxArgs", X, num_bits=1, raises=True),
    case("FakeQuantWithMinMaxArgs", X, num_bits=17, raises=True),
    case("FakeQuantWithMinMaxVars", f32(300, low=-8, high=8), -6.3, 5.1),
    case("FakeQuantWithMinMaxVars", X, -1.0, 1.0, num_bits=3, narrow_range=True),
    case("FakeQuantWithMinMaxVars", X, 0.0, 0.0),
    case("FakeQuantWithMinMaxVars", f32(0), 0.0, 1.0),
    case("FakeQuantWithMinMaxVars", ODD, -1.0, 2.0),
    case("FakeQuantWithMinMaxVars", X, f32(1), f32(1), raises=True),
    case(
        "FakeQuantWithMinMaxVarsPerChannel",
        f32(2, 5, 3, low=-4, high=4),
        np.array([-1, -2, 0], np.float32),
        np.array([1, 2.2, 0], np.float32),
    ),
    case(
        "FakeQuantWithMinMaxVarsPerChannel",
        f32(4),
        f32(4, low=-3, high=-1),
        f32(4, low=1, high=3),
        num_bits=5,
        narrow_range=True,
    ),
    case(
        "FakeQuantWithMinMaxVarsPerChannel",
        f32(0, 2),
        -np.ones(2, np.float32),
        np.ones(2, np.float32),
    ),
    case("FakeQuantWithMinMaxVarsPerChannel", f32(4), f32(3), f32(3), raises=True),
]
for op in ("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4"):
    CASES += [
        case(op, f32(200, low=-3, high=2), -1.0, 1.0),
        case(op, f32(200, low=-3, high=2), -1.5, 1.0, range_given=True),
        case(op, f32(200, low=-3, high=2), -0.5, 1.0, range_given=True, num_bits=4),
        case(op, f32(200, low=-3, high=2), -0.5, 1.0, range_given=True, narrow_range=True),
        case(op, f32(200, low=0, high=2), 0.0, 1.0, range_given=True, signed_input=False),
        case(op, f32(200, low=0, high=2), 0.0, 1.0, signed_input=False, narrow_range=True),
        case(op, f64(200), -1.0, 1.0, num_bits=12),
        case(op, f32(4, 3, 5), np.zeros(3, np.float32), np.zeros(3, np.float32), axis=1),
        case(op, f32(0), -1.0, 1.0),
        case(op, 0 * X, -1.0, 1.0),
        case(op, ODD, -1.0, 1.0, range_given=True),
        case(op, X, 2.0, 1.0, range_given=True, raises=True),
        case(op, X, -1.0, 1.0, num_bits=0, raises=True),
        case(op, X, -1.0, 1.0, num_bits=70, raises=True),
    ]
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 127], np.float32)
    CASES += [
        case(op, halves, -128.0, 127.0, range_given=True, round_mode=mode)
        for mode in ("HALF_TO_EVEN", "HALF_UP")
    ]
CASES += [
    case("QuantizeAndDequantizeV3", f32(200), -1.0, 1.0, 6),
    case("QuantizeAndDequantizeV3", f32(200), -1.0, 1.0, 8, range_given=False, narrow_range=True),
    case("QuantizeAndDequantizeV3", f32(200, low=0), 0.0, 1.0, 8, signed_input=False),
    case("QuantizeAndDequantizeV3", f64(3, 4), -np.ones(4), np.ones(4), 8, axis=1),
    case("QuantizeAndDequantizeV3", f32(0), -1.0, 1.0, 6),
    case("QuantizeAndDequantizeV3", ODD, -1.0, 1.0, 6),
    case("QuantizeAndDequantize", f32(200)),
    case("QuantizeAndDequantize", f32(200), range_given=True, input_min=-1.0, input_max=0.7),
    case("QuantizeAndDequantize", f32(200, low=0), signed_input=False, num_bits=5),
    case("QuantizeAndDequantize", f64(9)),
    case("QuantizeAndDequantize", f32(0)),
]
RANGES = [(-2.0, 3.0), (0.0, 1.0), (-1.0, 0.0), (0.5, 0.7), (-3.0, -1.0)]
for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED"):
    for T in ("quint8", "qint8", "quint16", "qint16", "qint32"):
        plain = {
            "quint8": np.uint8,
            "qint8": np.int8,
            "quint16": np.uint16,
            "qint16": np.int16,
            "qint32": np.int32,
        }[T]
        info = np.iinfo(plain)
        grid = ints(60, low=info.min, high=info.max, dtype=plain)
        for low, high in RANGES:
            if (T, mode, low) != ("qint32", "MIN_FIRST", -2.0):  # there, the last of 24 bits differ
                CASES += [case("QuantizeV2", f32(60, low=-4, high=4), low, high, T=T, mode=mode)]
            if (T, mode) != ("qint32", "SCALED"):  # no kernel
                CASES += [case("Dequantize", grid, low, high, T=T, mode=mode)]
        if mode != "SCALED":  # TensorFlow's own library stops the process there
            CASES += [
                case("Dequantize", grid[:0], -1.0, 1.0, T=T, mode=mode),
                case("QuantizeV2", f32(0), -1.0, 1.0, T=T, mode=mode),
            ]
BOUNDS = np.array([-1, -2, -0.3], np.float32), np.array([1, 1, 1], np.float32)
for T in ("quint8", "qint8"):
    plain, whole = (np.uint8, (0.0, 255.0)) if T[1] == "u" else (np.int8, (-127.0, 127.0))
    CASES += [
        case("QuantizeV2", halves, *whole, T=T, mode="SCALED"),
        case("QuantizeV2", X, -1.0, 1.0, T=T, mode="SCALED", narrow_range=True),
        case("QuantizeV2", X, 0.0, 0.001, T=T, ensure_minimum_range=0.5),
        case("QuantizeV2", f32(4, 3, 5), *BOUNDS, T=T, mode="SCALED", axis=1),
        case("QuantizeV2", f32(4, 3, 5), *BOUNDS, T=T, axis=1),
        case("Dequantize", ints(4, 3, 5, low=0, dtype=plain), *BOUNDS, T=T, mode="SCALED", axis=1),
        case("Dequantize", ints(4, 3, 5, low=0, dtype=plain), *BOUNDS, T=T, axis=1),
        case(
            "Dequantize",
            ints(9, low=0, dtype=plain),
            -1.0,
            1.0,
            T=T,
            mode="SCALED",
            narrow_range=True,
        ),
        case("QuantizeV2", X, 2.0, 1.0, T=T, raises=True),
    ]
CASES += [  # with 8 bits TensorFlow leaves this mode to oneDNN, which rounds otherwise
    case("QuantizeV2", halves, low, high, T=T, mode="SCALED", round_mode="HALF_TO_EVEN")
    for T, low, high in (("qint16", -32767.0, 32767.0), ("quint16", 0.0, 65535.0))
]
CASES += [
    case(
        "FakeQuantWithMinMaxVarsPerChannel",
        with_nan(f32(2, 2)),
        -np.ones(2, np.float32),
        np.ones(2, np.float32),
    ),
    case(
        "QuantizeAndDequantize", with_nan(f32(4)), range_given=True, input_min=-1.0, input_max=1.0
    ),
    case("QuantizeAndDequantizeV2", with_nan(f32(4)), -1.0, 1.0),
    case("QuantizeV2", with_nan(f32(4)), -1.0, 1.0, T="qint16", mode="SCALED"),
]
CASES += [
    case("Dequantize", ints(9, low=0, dtype=np.uint8), NAN, 1.0, T="quint8", mode=mode)
    for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED")
]
CASES += [
    case("Dequantize", ints(9, low=0, dtype=plain), -1.0, 2.0, T=T, dtype=bfloat16)
    for T, plain in (("quint8", np.uint8), ("qint8", np.int8))
]
