"""Rows of tfdeploy/ops/bitwise.py."""

import numpy as np

from tests.cases import case, ints

TYPES = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)


def some(dtype, seed=0):
    return ints(
        3, 4, seed=seed, low=-120 if np.dtype(dtype).kind == "i" else 0, high=120, dtype=dtype
    )


CASES = [
    *[
        case(name, some(t), some(t, 1))
        for t in TYPES
        for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")
    ],
    *[
        case(name, some(np.int32)[:, :1], some(np.int32, 1)[0])
        for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift")
    ],
    *[
        case(name, ints(0, 4), ints(4))
        for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift")
    ],
    *[case(name, some(t)) for t in TYPES for name in ("Invert", "PopulationCount")],
    case("Invert", ints(0, 4)),
    case("PopulationCount", ints(0, 4)),
    *[
        case(name, some(t), ints(3, 4, low=0, high=8, dtype=t))
        for t in TYPES
        for name in ("LeftShift", "RightShift")
    ],
    *[
        case(name, some(t), ints(3, 4, low=-5 if np.dtype(t).kind == "i" else 0, high=100, dtype=t))
        for t in TYPES
        for name in ("LeftShift", "RightShift")
    ],
]
