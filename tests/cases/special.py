"""Rows of tfdeploy/ops/special.py; tests/test_special.py has the accuracy in float64."""

import numpy as np

from tests.cases import case, f32

NAN, INF = np.nan, np.inf
each = str.split
WIDE = np.array([-7.3, -2.5, -1.2, -0.6, -1e-3, 1e-3, 0.1, 0.5, 1.4, 2.7, 6.1, 17, 40.5, 80])
UNIT = np.array([-0.999, -0.7, -0.2, 1e-4, 0.03, 0.4, 0.6, 0.95, 0.99999])
WHOLE = each(
    "Lgamma Digamma Erf Erfc BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 "
    "Dawsn FresnelCos FresnelSin"
)
POSITIVE = each("BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Expint Spence")
NO_HALF = each("Erfinv Ndtri Dawsn Expint FresnelCos FresnelSin Spence")
EDGES = {  # inputs where TensorFlow's answer is the function's own limit
    "Lgamma": [NAN, INF, -INF, 0, -0.0, -1, -2, 1, 2],
    "Digamma": [NAN, INF, -INF, 0, -1, -2, 1],
    "Erf": [NAN, INF, -INF, 0, -0.0],
    "Erfc": [NAN, INF, -INF, 0],
    "Erfinv": [NAN, 1, -1, 0, 1.5, -2, INF],
    "Ndtri": [NAN, 0, 1, 0.5, -0.1, 1.1, INF],
    "BesselK0": [NAN, 0, -1, INF],
    "BesselK1": [NAN, 0, -1, INF],
    "BesselK0e": [NAN, 0, -1, INF],
    "BesselK1e": [NAN, 0, -1, INF],
    "BesselY0": [NAN, -1, INF],
    "BesselY1": [NAN, -1, INF],
    "BesselI0": [NAN, 0, INF],
    "BesselI1": [NAN, 0, INF],
    "BesselI0e": [NAN, 0, INF],
    "BesselI1e": [NAN, 0, INF, -INF],
    "BesselJ0": [NAN, 0, INF],
    "BesselJ1": [NAN, 0, -INF],
    "Dawsn": [NAN, 0, INF, -INF],
    "Expint": [NAN, 0, -1],
    "FresnelCos": [NAN, 0, INF, -INF],
    "FresnelSin": [NAN, 0, INF, -INF],
    "Spence": [NAN, 0, 1, -1],
}
CASES = []
for op in [*WHOLE, *POSITIVE, "Erfinv", "Ndtri"]:
    x = WIDE if op in WHOLE else WIDE[WIDE > 0] if op in POSITIVE else UNIT
    x = np.abs(x) if op == "Ndtri" else x
    CASES += [
        case(op, x.astype(np.float32), ulp=32),
        case(op, x, ulp=8192 if op == "Erfinv" else 128),
        case(op, x[:8].reshape(2, 2, 2).astype(np.float32), ulp=32),
        case(op, np.array(EDGES[op], np.float32)),
        case(op, f32(0, 3)),
    ]
    if op not in NO_HALF:
        CASES += [case(op, np.abs(x[:7]).astype(np.float16))]

A = np.array([0.01, 0.5, 1, 2, 5, 5, 30, 100, 100], np.float32)
X = np.array([0.5, 0.01, 1, 4, 2, 9, 33, 80, 130], np.float32)
for op in ("Igamma", "Igammac"):
    a = np.array([NAN, 1, 0, -1, 2, 2, 2, INF], np.float32)
    x = np.array([1, NAN, 1, 1, 0, -1, INF, 1], np.float32)
    CASES += [case(op, A, X, ulp=64), case(op, a, x)]
    CASES += [case(op, A.astype(np.float64), X.astype(np.float64), ulp=2048)]
CASES += [
    case("Zeta", X + 1, A, ulp=32),
    case("Zeta", X.astype(np.float64) + 1, A.astype(np.float64), ulp=64),
    case(
        "Zeta", np.array([3, 2, 2, 5], np.float32), np.array([-0.5, -1.5, -7.2, -0.1], np.float32)
    ),
    case(
        "Zeta",
        np.array([1, 1, 0.5, NAN, 2, 2, 2, 3, 4, 2.5, 2.5], np.float32),
        np.array([2, -1, 2, 1, NAN, 0, -1, -1, -2, -1, -0.5], np.float32),
    ),
    case("Polygamma", np.array([0, 1, 2, 3, 5, 8], np.float32), X[:6], ulp=64),
    case("Polygamma", np.array([0, 1, 2, 3, 5, 8.0]), X[:6].astype(np.float64), ulp=128),
    case(
        "Polygamma",
        np.array([0, 1, 2, 3, -1, 0.5, NAN, 1, 1, 2], np.float32),
        np.array([0, 0, -1, 0, 1, 1, 1, NAN, -2, -1.5], np.float32),
    ),
]
for op in each("Igamma Igammac Zeta Polygamma"):
    CASES += [
        case(op, np.array([[1], [2]], np.float32), np.array([1.5, 2.5], np.float32), ulp=32),
        case(op, f32(0, 3), f32(3)),
        case(op, f32(2), f32(3), raises=True),
    ]
B = np.array([3, 0.2, 1, 2, 5, 0.7, 10, 90, 300], np.float32)
P = np.array([0.1, 0.9, 0.5, 0.3, 0.8, 0.2, 0.7, 0.55, 0.25], np.float32)
CASES += [
    case("Betainc", A, B, P, ulp=256),
    case("Betainc", *(v.astype(np.float64) for v in (A, B, P)), ulp=8192),
    case("Betainc", np.float32(2), B[:4], P[:4], ulp=64),
    case("Betainc", np.float32(2), np.float32(3), np.float32(0.5)),
    case(
        "Betainc",
        np.array([2, 2, 0, 1, -1, NAN, 1, 1, 2, 2, INF], np.float32),
        np.array([3, 3, 1, 0, 1, 1, NAN, 1, 2, 2, 1], np.float32),
        np.array([0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, NAN, -0.1, 1.1, 0.5], np.float32),
    ),
    case("Betainc", f32(0), f32(0), f32(0)),
    case("Betainc", f32(2), f32(2, 1), f32(2), raises=True),
]
