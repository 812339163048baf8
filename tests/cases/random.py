"""Rows of tfdeploy/ops/random.py: equal seeds, equal numbers."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import as_types, case, f32, f64, ints, with_nan

nan, inf = np.nan, np.inf
F16, U64 = np.float16, np.uint64
SEEDS = {"seed": 87654321, "seed2": 5}
FLOATS = (np.float32, np.float64, F16)
KEY, COUNTER = np.array([2**63 + 12345], U64), np.array([2**64 - 3, 77], U64)
SCALAR = np.zeros(0, np.int32)
SEED = np.array([-3, 2**40], np.int64)
ALPHA = np.array([0.0, 0.1, 0.5, 0.9, 1, 1.5, 10, 1000], np.float32)
RATE = np.array([0.0, 0.3, 4, 9.9, 10, 33, 1e4], np.float32)
LOGITS = np.array([[0, 1, 2, -inf], [3, 3, 3, 3], [nan, 0, inf, 1]], np.float32)


def seeded(name, *inputs, **attrs):
    return case(name, *inputs, **SEEDS, **attrs)


def keyed(name, shape, *inputs, **attrs):
    return case(name, np.array(shape, np.int32), KEY, COUNTER, 1, *inputs, **attrs)


CASES = [
    *(
        row
        for name in ("RandomUniform", "RandomStandardNormal", "TruncatedNormal")
        for row in (
            *(seeded(name, [3, 7], dtype=kind, T=np.int32) for kind in FLOATS),
            seeded(name, np.array([1000]), dtype=np.float32, check="close"),
            seeded(name, np.array([0, 3]), dtype=np.float32),
            seeded(name, np.array([-1]), dtype=np.float32, raises=True),
            case(name, np.array([5]), dtype=np.float32, check="shape"),
            case(name, np.array([5]), dtype=np.float32, seed=-7, seed2=-(2**40)),
        )
    ),
    seeded("RandomUniform", np.array([1001]), dtype=np.float32, check="exact"),
    seeded("RandomUniform", np.array([1001]), dtype=np.float64, check="exact"),
    seeded("RandomUniform", np.array([1001]), dtype=F16, check="exact"),
    seeded("RandomUniformInt", np.array([33]), np.int32(-5), np.int32(7)),
    seeded("RandomUniformInt", np.array([33]), np.array(-(2**62)), np.array(2**62)),
    seeded("RandomUniformInt", np.array([33]), np.int32(-(2**31)), np.int32(2**31 - 1)),
    seeded("RandomUniformInt", np.array([0]), np.int32(0), np.int32(7)),
    seeded("RandomUniformInt", np.array([3]), np.int32(7), np.int32(7), raises=True),
    seeded("RandomShuffle", ints(9)),
    seeded("RandomShuffle", f32(6, 3)),
    seeded("RandomShuffle", f32(1, 3)),
    seeded("RandomShuffle", f32(0, 3)),
    seeded("RandomShuffle", np.array([b"a", b"b", b"c"], object)),
    seeded("Multinomial", LOGITS, 9),
    seeded("Multinomial", f64(1, 5), 33, output_dtype=np.int32),
    seeded("Multinomial", f32(3, 5).astype(F16), 5),
    seeded("Multinomial", f32(0, 5), 5),
    seeded("Multinomial", f32(5), 5, raises=True),
    seeded("RandomGamma", np.array([9]), ALPHA),
    seeded("RandomGamma", np.array([2, 5]), ALPHA[1:7].reshape(2, 3).astype(np.float64)),
    seeded("RandomGamma", np.array([9]), ALPHA[1:7].astype(F16)),
    seeded("RandomGamma", np.array([3], np.int32), np.float32(2)),
    seeded("RandomPoisson", np.array([9]), RATE),
    seeded("RandomPoissonV2", np.array([9]), RATE),
    seeded("RandomPoissonV2", np.array([9]), RATE.astype(np.float64), dtype=np.float32),
    seeded("RandomPoissonV2", np.array([9], np.int32), np.array([3, 20]), dtype=np.int32),
    seeded("RandomPoissonV2", np.array([0]), RATE),
    *(
        case(name, np.array([3, 7], np.int32), SEED, dtype=kind)
        for name in ("StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal")
        for kind in FLOATS
    ),
    case("StatelessRandomUniform", np.array([0, 7]), SEED),
    case("StatelessRandomUniform", np.array([4, 7]), np.array([-1, 5], np.int32), check="exact"),
    case("StatelessRandomUniform", np.array([4, 7]), np.array([-1], np.int32), raises=True),
    case("StatelessRandomNormal", np.array([0, 7]), SEED),
    case("StatelessTruncatedNormal", np.array([0, 7]), SEED),
    case("StatelessTruncatedNormal", np.array([2000]), SEED),
    case("StatelessRandomUniformInt", np.array([9], np.int32), SEED, np.int32(-5), np.int32(7)),
    case("StatelessRandomUniformInt", np.array([9]), SEED, np.array(-5), np.array(2**50)),
    case("StatelessRandomUniformInt", np.array([0]), SEED, np.array(-5), np.array(2**50)),
    *(
        case("StatelessRandomUniformFullInt", np.array([9], np.int32), SEED, dtype=kind)
        for kind in (np.int32, np.int64, np.uint32, U64)
    ),
    case("StatelessRandomUniformFullInt", np.array([0]), SEED),
    case("StatelessMultinomial", LOGITS, 9, SEED),
    case("StatelessMultinomial", f64(1, 5), 33, SEED, output_dtype=np.int32),
    case("StatelessMultinomial", f64(0, 5), 3, SEED),
    case("StatelessRandomGammaV2", np.array([9, 8]), SEED, ALPHA),
    case("StatelessRandomGammaV2", np.array([2, 8]), SEED, ALPHA.astype(np.float64)),
    case("StatelessRandomGammaV2", np.array([2, 7]), SEED, ALPHA[1:].astype(F16)),
    case("StatelessRandomGammaV2", np.array([0, 8]), SEED, ALPHA),
    case("StatelessRandomGammaV2", np.array([8, 2]), SEED, ALPHA, raises=True),
    case("StatelessRandomPoisson", np.array([9, 7]), SEED, RATE, dtype=np.int64),
    case(
        "StatelessRandomPoisson", np.array([9, 7]), SEED, RATE.astype(np.float64), dtype=np.float32
    ),
    case("StatelessRandomPoisson", np.array([0, 7]), SEED, RATE, dtype=np.int64),
    case(
        "StatelessRandomPoisson", np.array([4], np.int32), SEED, 5, dtype=np.int32, Rtype=np.int32
    ),
    case(
        "StatelessRandomBinomial",
        np.array([9, 5]),
        SEED,
        np.array([1, 5, 20, 100, 1000.0]),
        np.array([0.5, 0.1, 0.9, 0.3, 0.7]),
    ),
    case(
        "StatelessRandomBinomial",
        np.array([9, 4]),
        SEED,
        np.array(40.0),
        np.array([0.0, 1, 0.2, 0.8]),
        dtype=np.int32,
    ),
    case(
        "StatelessRandomBinomial",
        np.array([3, 2]),
        SEED,
        np.array([-1, 9], np.float32),
        np.array([0.5, nan], np.float32),
        dtype=np.float32,
    ),
    case(
        "StatelessRandomBinomial",
        np.array([0, 2]),
        SEED,
        np.array([1, 9], np.float32),
        np.array([0.5, 1], np.float32),
        dtype=np.float64,
    ),
    case("StatelessRandomGetKeyCounter", SEED),
    case("StatelessRandomGetKeyCounter", np.array([-1, 2**31 - 1], np.int32)),
    case("StatelessRandomGetKeyCounter", np.array([1]), raises=True),
    case("StatelessRandomGetKeyCounterAlg", SEED),
    case("StatelessRandomGetAlg"),
    *(
        keyed(name, [3, 7], dtype=kind)
        for name in (
            "StatelessRandomUniformV2",
            "StatelessRandomNormalV2",
            "StatelessTruncatedNormalV2",
        )
        for kind in FLOATS
    ),
    keyed("StatelessRandomUniformV2", [0]),
    keyed("StatelessRandomNormalV2", [0, 2]),
    keyed("StatelessTruncatedNormalV2", [2, 0]),
    case("StatelessRandomUniformV2", np.array([5]), KEY, COUNTER, 3, check="exact"),
    case("StatelessRandomUniformV2", np.array([5]), KEY, COUNTER, 2, raises=True),
    keyed("StatelessRandomUniformIntV2", [9], np.int32(-5), np.int32(7)),
    keyed("StatelessRandomUniformIntV2", [9], np.array(-5), np.array(2**50)),
    keyed("StatelessRandomUniformIntV2", [0], np.int32(-5), np.int32(7)),
    *(
        keyed("StatelessRandomUniformFullIntV2", [9], dtype=kind)
        for kind in (np.int32, np.int64, np.uint32, U64)
    ),
    keyed("StatelessRandomUniformFullIntV2", [0]),
    keyed("StatelessRandomGammaV3", [9, 8], ALPHA),
    keyed("StatelessRandomGammaV3", [2, 8], ALPHA.astype(np.float64)),
    keyed("StatelessRandomGammaV3", [0, 8], ALPHA),
    case("StatelessShuffle", ints(9), KEY, COUNTER, 1),
    case("StatelessShuffle", f32(6, 3), KEY, COUNTER, 1),
    case("StatelessShuffle", f32(0, 3), KEY, COUNTER, 1),
    *(
        seeded(name, np.array([9]), dtype=bfloat16)
        for name in ("RandomUniform", "RandomStandardNormal", "TruncatedNormal")
    ),
    keyed("StatelessRandomUniformV2", [9], dtype=bfloat16, check="exact"),
    case("NonDeterministicInts", np.array([3, 2]), dtype=np.uint32, check="shape"),
    case("NonDeterministicInts", np.array([0, 2]), check="shape"),
    *(
        case("RandomIndexShuffle", np.arange(7, dtype=kind), [5, -6, 7], np.array(most, kind))
        for kind in (np.int32, np.int64, np.uint32, U64)
        for most in (6, 300, 2**20, 2**31 - 1)
    ),
    case("RandomIndexShuffle", np.array(3), np.array([1, 2, 3]), np.array(2**62)),
    case("RandomIndexShuffle", np.array(3), np.array([1, 2, 3]), np.array(9), rounds=8),
    case("RandomIndexShuffle", np.array([3, 0]), ints(2, 3), np.array([9, 2**40])),
    case("RandomIndexShuffle", np.array(0), np.array([1, 2, 3]), np.array(0)),
    case("RandomIndexShuffle", np.array(3), np.array([1, 2]), np.array(9), raises=True),
    *(
        seeded(name, SCALAR, dtype=np.float32)
        for name in ("RandomUniform", "RandomStandardNormal", "TruncatedNormal")
    ),
    seeded("RandomUniformInt", SCALAR, np.int32(-5), np.int32(7)),
    *(seeded("RandomShuffle", x) for x in as_types(with_nan(f32(5, 2)))),
    *(
        row
        for kind in (np.float32, np.float64, F16)
        for row in (
            seeded("RandomGamma", SCALAR, with_nan(ALPHA).astype(kind)),
            seeded("RandomPoisson", SCALAR, RATE.astype(kind)),
            seeded("RandomPoisson", np.array([5]), RATE.astype(kind)),
            seeded("RandomPoissonV2", SCALAR, RATE.astype(kind), dtype=kind),
            seeded("RandomPoissonV2", np.array([5]), RATE[:5].astype(kind), dtype=kind),
            case(
                "StatelessRandomPoisson",
                np.array([7]),
                SEED,
                RATE.astype(kind),
                dtype=kind,
            ),
            case("StatelessRandomGammaV2", np.array([8]), SEED, with_nan(ALPHA).astype(kind)),
            keyed("StatelessRandomGammaV3", [3, 8], with_nan(ALPHA).astype(kind)),
            case(
                "StatelessRandomBinomial",
                np.array([5, 3]),
                SEED,
                np.array([1, 20, 300], kind),
                np.array([0.5, 0.25, 0.75], kind),
                dtype=kind,
            ),
        )
    ),
    *(
        case(name, SCALAR, SEED, *more)
        for name, more in (
            ("StatelessRandomUniform", ()),
            ("StatelessRandomNormal", ()),
            ("StatelessTruncatedNormal", ()),
            ("StatelessRandomUniformInt", (np.int32(-5), np.int32(7))),
            ("StatelessRandomUniformFullInt", ()),
            ("StatelessRandomGammaV2", (np.float32(2),)),
        )
    ),
    case("StatelessRandomPoisson", SCALAR, SEED, np.float32(2), dtype=np.int32),
    case("StatelessRandomBinomial", SCALAR, SEED, np.array(9.0), np.array(0.5)),
    case("StatelessMultinomial", f32(3, 5).astype(F16), 5, SEED),
    case("StatelessRandomGetKeyCounter", np.zeros(0, np.int64), raises=True),
    case("StatelessRandomGetKeyCounterAlg", np.zeros(0, np.int64), raises=True),
    *(
        keyed(name, [], *more)
        for name, more in (
            ("StatelessRandomUniformV2", ()),
            ("StatelessRandomNormalV2", ()),
            ("StatelessTruncatedNormalV2", ()),
            ("StatelessRandomUniformIntV2", (np.int32(-5), np.int32(7))),
            ("StatelessRandomUniformFullIntV2", ()),
            ("StatelessRandomGammaV3", (np.float32(2),)),
        )
    ),
    *(case("StatelessShuffle", x, KEY, COUNTER, 1) for x in as_types(with_nan(f32(5, 2)))),
    case("NonDeterministicInts", SCALAR, check="shape"),
    case("RandomIndexShuffle", np.zeros(0, np.int32), ints(0, 3), np.zeros(0, np.int32)),
    seeded("RandomPoissonV2", np.array([2]), np.array([-1, inf, 5], np.float32), dtype=np.float32),
]


def bounded(name, shape, parameters, kind=np.float32, **attrs):
    given = [np.array(p, kind) for p in parameters]
    seed = (SEED,) if name.startswith("Stateless") else ()
    attrs = attrs if seed else {**SEEDS, **attrs}
    return case(name, np.array(shape, np.int32), *seed, *given, ulp=32, **attrs)


BOUNDS = (  # mean, deviation, bounds: by normal, uniform and exponential numbers, turned round too
    (0, 1, -1.5, 2),
    (1, 2, -inf, 4),
    (0.5, 2, 0, 1),
    (-3, 0.5, -1, 5),
    (3, 0.5, -5, 1),
    (0, 1, 2, inf),
)
for name in ("ParameterizedTruncatedNormal", "StatelessParameterizedTruncatedNormal"):
    CASES += [
        *(bounded(name, [5, 6], row) for row in BOUNDS),
        *(bounded(name, [5, 6], row, np.float64) for row in BOUNDS),
        *(bounded(name, [5, 6], row, F16) for row in BOUNDS[:3]),
        bounded(name, [0, 3], BOUNDS[0]),
        bounded(name, [4, 3], (0, -1, -1, 1), raises=True),
        bounded(name, [4, 3], (0, 1, 1, 1), raises=True),
        bounded(name, [4, 3], (0, 1, -inf, inf), raises=True),
        bounded(name, [4, 3], (nan, 1, nan, 1), raises=True),
        bounded(name, [4, 3], ([0, 1], 1, -1, 1), raises=True),
    ]
CASES += [
    bounded("ParameterizedTruncatedNormal", [3, 7], ([0, 1, -3], 1, -1.5, [1, 4, 5])),
    bounded("ParameterizedTruncatedNormal", [3, 7], ([0], [1], [-1], [1])),
    bounded("ParameterizedTruncatedNormal", [7, 5, 5], (0, 1, -1, 1.5)),
    case(
        "ParameterizedTruncatedNormal", np.array([3, 5]), *map(np.float32, BOUNDS[0]), check="shape"
    ),
    bounded(
        "StatelessParameterizedTruncatedNormal",
        [5, 2, 3],
        ([0, 1, -3], [[1], [2]], -1.5, [1, 4, 5]),
    ),
    bounded(
        "StatelessParameterizedTruncatedNormal", [3, 3], ([0, 1, -3], 1, -1.5, [[1], [4], [5]])
    ),
]
CASES += [
    bounded("ParameterizedTruncatedNormal", [], BOUNDS[0], raises=True),
    bounded("StatelessParameterizedTruncatedNormal", [], BOUNDS[0]),
    bounded("StatelessParameterizedTruncatedNormal", [2, 0], ([], 1, -1.5, 1)),
]
