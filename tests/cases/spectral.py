"""Rows of tfdeploy/ops/spectral.py."""

import numpy as np

from tests.cases import case, f32, f64, with_nan
from tests.cases.linalg import c64

SHAPES = {"": (2, 12), "2D": (2, 3, 8), "3D": (2, 2, 3, 4)}
CASES = []
for suffix, shape in SHAPES.items():
    rank = len(shape) - 1
    double = {"Treal": np.float64, "Tcomplex": np.complex128}
    for op in ("FFT" + suffix, "IFFT" + suffix):
        CASES += [
            case(op, c64(*shape)),
            case(op, c64(*shape[1:-1], 7)),
            case(op, c64(*shape).astype(np.complex128)),
            case(op, c64(0, *shape)),
            case(op, c64(*shape[:-1], 0)),
            case(op, c64(*shape[2:]), raises=True),
        ]
    RFFT, IRFFT = "RFFT" + suffix, "IRFFT" + suffix
    whole = np.array(shape[1:], np.int32)
    CASES += [
        case(RFFT, f32(*shape), whole),
        case(RFFT, f32(*shape[1:-1], 7), np.array([*shape[1:-1], 7], np.int32)),
        case(RFFT, f32(*shape), whole - 1),
        case(RFFT, f64(*shape), whole, **double),
        case(RFFT, f32(0, *shape), whole),
        case(RFFT, f32(*shape), whole + 1, raises=True),
        case(RFFT, f32(*shape), whole[1:], raises=True),
        case(IRFFT, c64(*shape), whole),
        case(IRFFT, c64(*shape).astype(np.complex128), whole, **double),
        case(IRFFT, c64(*shape[:-1], 4), np.array([*shape[1:-1], 7], np.int32)),
        case(IRFFT, c64(*shape[:-1], 4), np.array([*shape[1:-1], 6], np.int32)),
        case(IRFFT, c64(*shape), whole - 1),
        case(IRFFT, c64(0, *shape), whole),
        case(IRFFT, c64(*shape), 2 * whole, raises=True),
    ]
CASES += [
    case("FFT", np.array([np.nan, 1], np.complex64)),
    case("RFFT", np.array([np.nan, 1, 2], np.float32), [3]),
    case("FFT", c64(0)),
    case("RFFT", f32(5), [1]),
]
for suffix, shape in SHAPES.items():
    whole = np.array(shape[1:], np.int32)
    CASES += [
        case("FFT" + suffix, with_nan(c64(*shape))),
        case("IFFT" + suffix, with_nan(c64(*shape))),
        case("RFFT" + suffix, with_nan(f32(*shape)), whole),
        case("IRFFT" + suffix, with_nan(c64(*shape)), whole),
    ]
for suffix, shape in SHAPES.items():
    for axis in range(1, len(shape)):
        none = tuple(0 if i == axis else n for i, n in enumerate(shape))
        lengths = np.array(none[1:], np.int32)
        CASES += [
            case(op + suffix, x, n, check="shape", note="nothing")
            for op, x in (("RFFT", f32(*none)), ("IRFFT", c64(*none)))
            for n in (np.array(shape[1:], np.int32), lengths)
        ]
