"""Elementwise chains, reductions, softmax, layer norm and pooling, on every instruction set."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.kernels import INF, ISAS, LOWEST, WIDTHS, Window, close, engine, everywhere, normal, run

special = pytest.importorskip("scipy.special")
OPS = engine.map_ops()
IN, CONST, OUT = 32, 64, 96


def code(*instructions: tuple[object, ...]) -> list[int]:
    rows = [[OPS[i[0]], *i[1:], *[IN] * (5 - len(i))] for i in instructions]
    return [len(rows), *(int(v) for row in rows for v in row)]


def gelu(x):
    return 0.5 * x * special.erfc(-x / math.sqrt(2))


# name, float64 function, units in the last place
UNARY = [
    ("neg", np.negative, 0),
    ("abs", np.abs, 0),
    ("square", np.square, 0.51),
    ("sqrt", np.sqrt, 0.51),
    ("reciprocal", lambda x: 1 / x, 0.51),
    ("rsqrt", lambda x: 1 / np.sqrt(x), 1.6),
    ("exp", np.exp, 1.1),
    ("expm1", np.expm1, 2),
    ("log", np.log, 1.1),
    ("log1p", np.log1p, 2),
    ("sin", np.sin, 2),
    ("cos", np.cos, 2),
    ("tan", np.tan, 4),
    ("atan", np.arctan, 2),
    ("asin", np.arcsin, 4),
    ("acos", np.arccos, 4),
    ("sinh", np.sinh, 5),
    ("cosh", np.cosh, 5),
    ("asinh", np.arcsinh, 4),
    ("acosh", np.arccosh, 4),
    ("atanh", np.arctanh, 4),
    ("tanh", np.tanh, 6),
    ("sigmoid", special.expit, 3),
    ("erf", special.erf, 6),
    ("erfc", special.erfc, 8),
    ("softplus", lambda x: np.logaddexp(0, x), 3),
    ("floor", np.floor, 0),
    ("ceil", np.ceil, 0),
    ("rint", np.rint, 0),
    ("trunc", np.trunc, 0),
    ("sign", np.sign, 0),
    ("relu", lambda x: np.where(x < 0, 0, x), 0),
    ("elu", lambda x: np.where(x < 0, np.expm1(x), x), 2),
    ("softsign", lambda x: x / (1 + np.abs(x)), 2),
]


@pytest.fixture(scope="module")
def floats() -> np.ndarray:
    """Every size and sign, the ends of the range, and the usual neighbourhood."""
    rng = np.random.default_rng(0)
    any_bits = rng.integers(0, 2**32, 20000, dtype=np.uint32).view(np.float32)
    ends = [
        0,
        -0.0,
        INF,
        -INF,
        math.nan,
        1e-45,
        -1e-45,
        1e-38,
        88.7,
        88.8,
        -87.3,
        -103,
        -104,
        1,
        -1,
        3.4e38,
    ]
    parts = [any_bits, normal(rng, 20000) * 3, rng.uniform(-100, 100, 20000), ends]
    return np.concatenate([np.asarray(p, np.float32) for p in parts])


@pytest.mark.parametrize(("name", "function", "ulps"), UNARY, ids=[row[0] for row in UNARY])
def test_map_unary(name, function, ulps, floats) -> None:
    with np.errstate(all="ignore"):
        exact = function(floats.astype(np.float64))
        expected = exact.astype(np.float32)
    unit = np.spacing(np.maximum(np.abs(expected), np.float32(1.2e-38))).astype(np.float64)
    for y in everywhere("map", [floats], floats.shape, code((name, OUT, IN))):
        usual = np.isfinite(expected) & np.isfinite(y)
        assert np.array_equal(y[~usual], expected[~usual], equal_nan=True)
        assert (np.abs(y[usual] - exact[usual]) <= ulps * unit[usual]).all()


@pytest.mark.parametrize(
    ("name", "function"), [("gelu", gelu), ("silu", lambda x: x * special.expit(x))]
)
def test_map_activation(name, function) -> None:
    x = np.linspace(-12, 12, 40001, dtype=np.float32)
    for y in everywhere("map", [x], x.shape, code((name, OUT, IN))):
        close(
            y / np.maximum(np.abs(x), 1),
            function(x.astype(np.float64)) / np.maximum(np.abs(x), 1),
            1,
            5e-7,
        )


CIRCLE = ("sin", "cos", "tan", "sinh", "cosh", "tanh")
DOUBLES = {
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", *CIRCLE)},
    **{f"a{name}": getattr(np, f"arc{name}") for name in CIRCLE},
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "square": np.square,
    "floor": np.floor,
    "ceil": np.ceil,
    "rint": np.rint,
    "sign": np.sign,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, 0),
}


@pytest.fixture(scope="module")
def doubles() -> np.ndarray:
    rng = np.random.default_rng(0)
    any_bits = rng.integers(0, 2**64, 9000, dtype=np.uint64).view(np.float64)
    ends = [0, -0.0, INF, -INF, math.nan, 5e-324, -5e-324, 1, -1, 1.7e308, 3e9, 1e22]
    near = [rng.normal(0, 3, 9000), rng.uniform(-1, 1, 9001), rng.uniform(-745, 709, 9000)]
    return np.concatenate([any_bits, *near, ends])


def equal_doubles(y: np.ndarray, exact: np.ndarray, ulps: float) -> None:
    with np.errstate(all="ignore"):
        expected = exact.astype(np.float64)
    usual = np.isfinite(expected) & np.isfinite(y)
    assert np.array_equal(y[~usual], expected[~usual], equal_nan=True)
    unit = np.spacing(np.maximum(np.abs(expected[usual]), 2.3e-308))
    assert (np.abs(y[usual] - exact[usual]) <= ulps * unit).all()


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="no wider type to compare with")
@pytest.mark.parametrize("name", DOUBLES)
def test_map_of_doubles(name: str, doubles: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        exact = DOUBLES[name](doubles.astype(np.longdouble))
    for y in everywhere("map", [doubles], doubles.shape, code((name, OUT, IN)), dtype=np.float64):
        equal_doubles(y, exact, 4)


def test_map_of_two_doubles(doubles: np.ndarray) -> None:
    a, b = doubles, np.roll(doubles, 1234)
    with np.errstate(all="ignore"):
        rest = np.fmod(a, b)
        wanted = {
            "add": a + b,
            "div": a / b,
            "maximum": np.maximum(a, b),
            "minimum": np.minimum(a, b),
            "fmod": rest,
            "floor_mod": np.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest),
        }
        angle = np.arctan2(a.astype(np.longdouble), b.astype(np.longdouble))
    for name, expected in wanted.items():
        chain = code((name, OUT, IN, IN + 1))
        for y in everywhere("map", [a, b], a.shape, chain, dtype=np.float64):
            assert np.array_equal(y, expected, equal_nan=True)
    for y in everywhere("map", [a, b], a.shape, code(("atan2", OUT, IN, IN + 1)), dtype=np.float64):
        equal_doubles(y, angle, 4)


@pytest.mark.parametrize("seed", range(20))
def test_map_of_doubles_broadcasts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = 1 + seed % 4
    shape = [int(v) for v in rng.integers(1, (2000, 100, 30, 12)[rank - 1], rank)]
    parts = [[n if rng.random() < 0.7 else 1 for n in shape] for _ in range(3)]
    a, b = (rng.standard_normal(part) for part in parts[:2])
    keep = rng.random(parts[2]) < 0.5
    chain = code(
        ("less", 0, IN, IN + 1),
        ("and", 0, 0, IN + 2),
        ("mul", 1, IN, CONST),
        ("select", OUT, 0, 1, IN + 1),
    )
    expected = np.broadcast_to(np.where((a < b) & keep, a * 2.5, b), shape)
    for y in everywhere("map", [a, b, keep], shape, chain, [2.5], dtype=np.float64):
        assert (y == expected).all()
    for y in everywhere("map", [a, b], shape, code(("less", OUT, IN, IN + 1)), dtype=np.bool_):
        assert (y == np.broadcast_to(a < b, shape)).all()


@pytest.mark.parametrize("n", [1, 3, 4, 7, 33, 300])
def test_softmax_and_products_of_doubles(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(0, 4, (5, n))
    shifted = x - x.max(1, keepdims=True)
    total = np.exp(shifted).sum(1, keepdims=True)
    for log, expected in ((0, np.exp(shifted) / total), (1, shifted - np.log(total))):
        for y in everywhere("softmax_f64", [x], x.shape, [log], dtype=np.float64):
            assert np.allclose(y, expected, rtol=1e-14, atol=1e-15)
    a, b = rng.standard_normal((2, 1, 6, n)), rng.standard_normal((3, 11, n))
    b = b.transpose(0, 2, 1)[None]
    for y in everywhere("matmul_f64", [a, b], (2, 3, 6, 11), dtype=np.float64):
        assert np.allclose(y, a @ b, rtol=1e-13, atol=1e-13)
    a, b = rng.standard_normal((6, n)), rng.standard_normal((n, 19))
    whole = list(everywhere("matmul_f64", [a, b], (6, 19), dtype=np.float64))
    part = list(everywhere("matmul_f64", [a[2:5], b], (3, 19), dtype=np.float64))
    for y, some in zip(whole, part, strict=True):
        assert np.allclose(y, a @ b, rtol=1e-13, atol=1e-13)
        np.testing.assert_array_equal(some, y[2:5])


@pytest.mark.parametrize("shape", [(4, 0, 5), (4, 5, 0), (0, 4, 5)])
def test_map_of_nothing(shape) -> None:
    a, b = np.zeros(shape, np.float32), np.zeros((shape[0], 1, 1), np.float32)
    for y in everywhere("map", [a, b], shape, code(("add", OUT, IN, IN + 1))):
        assert y.shape == shape


BINARY = [
    ("atan2", np.arctan2, 3),
    ("fmod", np.fmod, 0),
    ("xlogy", lambda x, y: np.where(x == 0, 0, x * np.log(y)), 2),
    ("xlog1py", lambda x, y: np.where(x == 0, 0, x * np.log1p(y)), 3),
    ("xdivy", lambda x, y: np.where(x == 0, 0, x / y), 0.51),
]


@pytest.mark.parametrize(("name", "function", "ulps"), BINARY, ids=[row[0] for row in BINARY])
def test_map_binary(name, function, ulps, floats) -> None:
    """Whatever meets whatever."""
    rng = np.random.default_rng(7)
    pairs = np.stack([floats, floats[rng.permutation(floats.size)]])
    ends = np.array(np.meshgrid(floats[-16:], floats[-16:]), np.float32).reshape(2, -1)
    a, b = np.ascontiguousarray(np.concatenate([pairs, ends], 1))
    with np.errstate(all="ignore"):
        exact = function(a.astype(np.float64), b.astype(np.float64))
        expected = exact.astype(np.float32)
    unit = np.spacing(np.maximum(np.abs(expected), np.float32(1.2e-38))).astype(np.float64)
    for y in everywhere("map", [a, b], a.shape, code((name, OUT, IN, IN + 1))):
        usual = np.isfinite(expected) & np.isfinite(y)
        assert np.array_equal(y[~usual], expected[~usual], equal_nan=True)
        assert (np.abs(y[usual] - exact[usual]) <= ulps * unit[usual]).all()
        zeros = expected == 0
        assert np.array_equal(np.signbit(y[zeros]), np.signbit(expected[zeros]))


def test_map_floor_mod(floats) -> None:
    """As TensorFlow rounds it, to the bit."""
    a, b = floats, np.roll(floats, 1234)
    with np.errstate(all="ignore"):
        rest = np.fmod(a, b)
        expected = np.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest)
    for y in everywhere("map", [a, b], a.shape, code(("floor_mod", OUT, IN, IN + 1))):
        assert np.array_equal(y, expected, equal_nan=True)


def test_map_pow() -> None:
    rng = np.random.default_rng(1)
    corners = np.array(
        [0, -0.0, 1, -1, INF, -INF, math.nan, 2, -2, 0.5, -0.5, 3, -3, 1e30], np.float32
    )
    a, b = (v.ravel() for v in np.meshgrid(corners, corners))
    a = np.concatenate([a, rng.uniform(0, 10, 20000), rng.uniform(-10, 10, 5000)]).astype(
        np.float32
    )
    b = np.concatenate([b, rng.uniform(-20, 20, 20000), rng.integers(-9, 9, 5000)]).astype(
        np.float32
    )
    with np.errstate(all="ignore"):
        exact = np.power(a.astype(np.float64), b.astype(np.float64))
        expected = exact.astype(np.float32)
    for y in everywhere("map", [a, b], a.shape, code(("pow", OUT, IN, IN + 1))):
        usual = np.isfinite(expected)
        assert np.array_equal(y[~usual], expected[~usual], equal_nan=True)
        unit = np.spacing(np.maximum(np.abs(expected[usual]), np.float32(1.2e-38)))
        assert (np.abs(y[usual] - exact[usual]) <= unit).all()


def test_map_extremes_keep_nan_and_the_first_of_equals() -> None:
    a = np.array([math.nan, 1, -0.0, 0.0, 5, -INF], np.float32)
    b = np.array([1, math.nan, 0.0, -0.0, 7, INF], np.float32)
    for name, expected in (
        ("maximum", [math.nan, math.nan, -0.0, 0.0, 7, INF]),
        ("minimum", [math.nan, math.nan, -0.0, 0.0, 5, -INF]),
    ):
        for y in everywhere("map", [a, b], a.shape, code((name, OUT, IN, IN + 1))):
            assert np.array_equal(y, np.float32(expected), equal_nan=True)
            assert np.array_equal(np.signbit(y[2:]), np.signbit(np.float32(expected[2:])))


@pytest.mark.parametrize("seed", range(60))
def test_map_broadcasts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = 1 + seed % 4
    shape = [int(v) for v in rng.integers(1, (2000, 100, 30, 12)[rank - 1], rank)]
    if seed % 5 == 0:
        shape = [3, 2048 if seed % 2 else 700]
    inputs = []
    for _ in range(3):
        part = [n if rng.random() < 0.7 else 1 for n in shape]
        x = normal(rng, *part[int(rng.integers(0, len(part))) if rng.random() < 0.3 else 0 :])
        inputs.append(np.asfortranarray(x) if rng.random() < 0.3 else x)
    a, b, c = inputs
    chain = code(
        ("less", 0, IN, IN + 1),
        ("mul", 1, IN + 2, CONST),
        ("add", 2, IN, IN + 1),
        ("select", OUT, 0, 1, 2),
    )
    expected = np.broadcast_to(np.where(a < b, c * np.float32(2.5), a + b), shape)
    for y in everywhere("map", inputs, shape, chain, [2.5]):
        assert (y == expected).all()
    for y in everywhere("map", [a, b, c], shape, code(("less", OUT, IN, IN + 1)), dtype=np.bool_):
        assert (y == np.broadcast_to(a < b, shape)).all()


def test_map_integers_and_truth() -> None:
    rng = np.random.default_rng(2)
    i, j = (rng.integers(-(2**31), 2**31, 1000).astype(np.int32) for _ in range(2))
    p, q = (rng.random(1000) < 0.5 for _ in range(2))
    for name, expected in (("i_add", i + j), ("i_mul", i * j), ("i_maximum", np.maximum(i, j))):
        for y in everywhere("map", [i, j], i.shape, code((name, OUT, IN, IN + 1)), dtype=np.int32):
            assert (y == expected).all()
    for name, truth in (("and", p & q), ("or", p | q), ("xor", p ^ q)):
        for y in everywhere("map", [p, q], p.shape, code((name, OUT, IN, IN + 1)), dtype=np.bool_):
            assert (y == truth).all()


def test_map_works_in_place() -> None:
    for isa in ISAS:
        x = np.arange(1500, dtype=np.float32)
        run("map", [x], x, code(("mul", 0, IN, CONST), ("add", OUT, 0, IN)), [3.0], isa)
        assert (x == np.arange(1500) * 4).all()


REDUCTIONS = [
    ("sum", np.sum),
    ("mean", np.mean),
    ("max", np.max),
    ("min", np.min),
    ("prod", np.prod),
    ("sumsq", lambda x, **how: np.sum(x * x, **how)),
]


@pytest.mark.parametrize("seed", range(60))
def test_reduce(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = 1 + seed % 4
    shape = [int(v) for v in rng.integers(1, (3000, 60, 30, 12)[rank - 1], rank)]
    axes = tuple(i for i in range(rank) if rng.random() < 0.6)
    mask = sum(1 << i for i in axes)
    x = normal(rng, *shape)
    for number, (name, function) in enumerate(REDUCTIONS):
        data = np.abs(x) ** np.float32(0.01) if name == "prod" else x
        expected = function(data.astype(np.float64), axis=axes, keepdims=True)
        size = np.sum(np.abs(data), axis=axes, keepdims=True, dtype=np.float64) + 1
        if name == "prod":
            size = expected * (1 + x.size / expected.size) / 10
        answers = [
            list(everywhere("reduce", [v], expected.shape, [number, mask]))
            for v in (data, np.asfortranarray(data))
        ]
        for y in answers[0]:
            close(y, expected, size, 0 if name in ("max", "min") else 1e-6)
        for y, turned in zip(*answers, strict=True):
            assert y.tobytes() == turned.tobytes(), f"{name} depends on the layout"


@pytest.mark.parametrize("n", [*range(1, 20), 31, 64, 100, 256, 257])
def test_reduce_gives_a_row_its_bits_in_any_company(n: int) -> None:
    x = normal(np.random.default_rng(n), 21, n + 3)[:, 2 : n + 2]
    columns = np.ascontiguousarray(x.T)
    for number in range(len(REDUCTIONS)):
        rows = list(everywhere("reduce", [x], (21, 1), [number, 2]))
        for y, row in zip(everywhere("reduce", [columns], (1, 21), [number, 1]), rows, strict=True):
            assert y.tobytes() == row.tobytes()
        for count in (1, 2, 3, 7, 9):
            some = everywhere("reduce", [x[:count]], (count, 1), [number, 2])
            for y, row in zip(some, rows, strict=True):
                assert y.tobytes() == row[:count].tobytes()


@pytest.mark.parametrize("n", [0, 1, 256, 4096, 100_001])
def test_reduce_of_one_long_row(n: int) -> None:
    x = np.random.default_rng(n).random(n, np.float32)
    for y in everywhere("reduce", [x], (1,), [0, 1]):
        close(y, np.array([x.sum(dtype=np.float64)]), n + 1, 1e-7)


@pytest.mark.parametrize("dtype", ["float64", "int32", "int64"])
@pytest.mark.parametrize("axes", [(), (0,), (1,), (0, 2), (1, 2), (0, 1, 2)])
def test_reduce_other_types(dtype: str, axes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(axes))
    for shape in ((3, 4, 5), (2, 700, 33), (2, 0, 3)):
        x = rng.integers(-9, 10, shape).astype(dtype)
        for number, (name, function) in enumerate(REDUCTIONS):
            counted = int(np.prod([shape[i] for i in axes]))
            skipped = name in ("max", "min", "mean") and not counted
            if name == "sumsq" or skipped or (name == "mean" and dtype != "float64"):
                continue
            mask = sum(1 << i for i in axes)
            how = {"dtype": dtype} if name in ("sum", "prod") else {}
            with np.errstate(over="ignore"):
                expected = function(x, axis=axes, keepdims=True, **how)
            for y in everywhere("reduce", [x], expected.shape, [number, mask], dtype=dtype):
                assert np.allclose(y, expected, rtol=1e-13, atol=0)


def test_reduce_keeps_nan() -> None:
    x = np.array([[1, math.nan, 2], [3, 4, INF]], np.float32)
    for number, expected in ((2, [math.nan, INF]), (3, [math.nan, 3]), (0, [math.nan, INF])):
        for y in everywhere("reduce", [x], (2, 1), [number, 2]):
            assert np.array_equal(y.ravel(), expected, equal_nan=True)


@pytest.mark.parametrize("n", [*WIDTHS, 255, 256, 257, 1000])
def test_softmax_and_layer_norm(n: int) -> None:
    rng = np.random.default_rng(n)
    x, scale, shift = normal(rng, 37 if n < 16 else 5, n) * 4, normal(rng, n), normal(rng, n)
    exact = x.astype(np.float64)
    shifted = exact - exact.max(1, keepdims=True)
    total = np.exp(shifted).sum(1, keepdims=True)
    for y in everywhere("softmax", [x], x.shape):
        close(y, np.exp(shifted) / total, 1, 5e-7)
    for y, last in zip(*(everywhere("softmax", [r], r.shape) for r in (x, x[-1:])), strict=True):
        assert y[-1:].tobytes() == last.tobytes(), "a row depends on those beside it"
    for y in everywhere("log_softmax", [x], x.shape):
        close(y, shifted - np.log(total), np.abs(shifted).max() + 1, 5e-7)
    normed = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-3)
    for y in everywhere("layer_norm", [x, scale, shift], x.shape, (), [1e-3]):
        close(y, normed * scale + shift, np.abs(normed).max() * 3 + 1)


def test_softmax_of_large_numbers() -> None:
    x = np.array([[1e4, 1e4 - 1, -1e4], [-INF, 0, -INF], [INF, 0, 1]], np.float32)
    for y in everywhere("softmax", [x], x.shape):
        close(y[:2], np.array([[1 / (1 + math.exp(-1)), 1 / (1 + math.e), 0], [0, 1, 0]]), 1)
        assert np.isnan(y[2, 0])


def test_softmax_of_small_shares_and_nan() -> None:
    """What is no normal number is 0, and NaN of any payload is NaN."""
    apart = np.float32([0, -80, -87, -87.3, -88, -89, -1e30, -INF])
    for y in everywhere("softmax", [apart[None]], (1, 8)):
        expected = np.exp(apart.astype(np.float64))
        assert np.abs(y[0, :3] / expected[:3] - 1).max() < 1e-5
        assert 0 <= y[0, 3] < 1.3e-38 and not y[0, 4:].any()
    payloads = np.uint32([0x7FC00000, 0x7FC00001, 0x7FC000FF, 0xFFC00155, 0x7FFFFFFF])
    x = np.tile(apart[:6], (5, 1))
    x[:, 2] = payloads.view(np.float32)
    for y in everywhere("softmax", [x], x.shape):
        assert np.isnan(y).all()


@pytest.mark.parametrize("seed", range(60))
def test_pooling(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = 1 + seed % 3
    window = Window(rng, axes, 25 if axes < 3 else 7)
    c = int(rng.choice(WIDTHS))
    x = normal(rng, 2, *window.size, c)
    shape = (2, *window.out, c)
    most, total, count = np.full(shape, LOWEST), np.zeros(shape), np.zeros(shape)
    for (_, read), (_, lowered), (_, inside) in zip(
        window.taps(x), window.taps(x, LOWEST), window.taps(np.ones_like(x)), strict=True
    ):
        most = np.maximum(most, lowered)
        total += read
        count += inside
    for y in everywhere("max_pool", [x], shape, window.ints):
        assert (y == most.astype(np.float32)).all()
    some = count > 0
    for y in everywhere("avg_pool", [x], shape, window.ints):
        close(y[some], total[some] / count[some], np.abs(x).max())
    taps = math.prod(window.kernel)
    for y in everywhere("max_pool", [x], shape, window.ints, [0.25]):
        assert (y == np.where(count < taps, np.maximum(most, 0.25), most).astype(np.float32)).all()
    for y in everywhere("avg_pool", [x], shape, window.ints, [0.0]):
        close(y, total / taps, np.abs(x).max())


def test_max_pool_passes_over_nan() -> None:
    """tf.nn.max_pool2d of TF 2.21: [1, NaN, 2, 3] gives 3, and NaN alone the lowest float."""
    for kernel in ([2, 2, 2, 2], [2, 6, 2, 2]):
        x = np.full((1, 2, 6, 20), math.nan, np.float32)
        x[0, :, 0], x[0, 0, 1], x[0, 1, 1] = [[1], [2]], 3, math.nan
        width = 6 // kernel[1] if kernel[1] == 6 else 3
        for y in everywhere("max_pool", [x], (1, 1, width, 20), [*kernel, 1, 1, 0, 0]):
            assert (y[0, 0, 0] == 3).all()
            assert (y[0, 0, 1:] == LOWEST).all()
