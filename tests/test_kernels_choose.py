"""Kernels that find positions or combine rows by number, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels import INF, ISAS, WIDTHS, engine, everywhere, normal


def rough(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Few numbers, so that many are equal, some NaN and infinite."""
    x = rng.integers(-4, 5, shape).astype(np.float32)
    x[rng.random(shape) < 0.1] = np.nan
    x[rng.random(shape) < 0.05] = -INF
    return x


@pytest.mark.parametrize("n", WIDTHS)
@pytest.mark.parametrize("inner", [1, 5, 16, 33])
@pytest.mark.parametrize("smallest", [0, 1])
def test_arg_reduce(n: int, inner: int, smallest: int) -> None:
    x = rough(np.random.default_rng(n), 3, n, inner)
    x[2] = np.nan
    ranks = np.where(np.isnan(x), np.float32(INF if smallest else -INF), x)
    expected = (np.argmin if smallest else np.argmax)(ranks, axis=1)
    for dtype in (np.int32, np.int64):
        for y in everywhere("arg_reduce", [x], (3, inner), [smallest], dtype=dtype):
            assert (y == expected).all()


@pytest.mark.parametrize("n", [1, 7, 16, 17, 64, 65, 100, 250, 1000, 5000])
def test_top_k(n: int) -> None:
    rng = np.random.default_rng(n)
    for k in sorted({1, *(min(k, n) for k in (5, 40, 100, 300))}):
        x = np.concatenate([rough(rng, 3, n), normal(rng, 2, n)])
        for isa in ISAS:
            values, places = np.empty((5, k), np.float32), np.empty((5, k), np.int32)
            engine.Call("top_k", [x], [values, places], (), (), isa).run()
            for row, found, value in zip(x, places, values, strict=True):
                ranks = [-INF if v != v else v for v in row.tolist()]
                order = sorted(range(n), key=lambda i: (-ranks[i], i))
                assert found.tolist() == order[:k]
                np.testing.assert_array_equal(value, row[found])


COMBINE = {
    0: lambda a, b: a + b,
    1: lambda a, b: a * b,
    2: lambda a, b: a if a > b else b,
    3: lambda a, b: a if a < b else b,
    4: lambda a, b: b,
}


@pytest.mark.parametrize("how", COMBINE)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_segment(how: int, dtype: str) -> None:
    rng = np.random.default_rng(how)
    for inner in (1, 7, 300):
        x = rng.integers(-3, 4, (20, inner)).astype(dtype)
        at = rng.integers(-1, 5, 20).astype(np.int32)
        expected = np.full((6, inner), -7, dtype)
        seen = set()
        for i, row in zip(at.tolist(), x, strict=True):
            if i >= 0:
                joins = i in seen or how < 2
                expected[i] = [
                    COMBINE[how](a, b) if joins else b
                    for a, b in zip(expected[i].tolist(), row.tolist(), strict=True)
                ]
                seen.add(i)
        start = np.array([-7], dtype)
        for y in everywhere("segment", [x, at, start], (6, inner), [how, 1], dtype=dtype):
            np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(("index", "drops"), [(6, 1), (-1, 0)])
def test_rows_that_are_not_there(index: int, drops: int) -> None:
    x, at = np.ones((3, 2), np.float32), np.array([0, index, 1])
    y, start = np.empty((6, 2), np.float32), np.zeros(1, np.float32)
    with pytest.raises(IndexError):
        engine.Call("segment", [x, at, start], [y], [0, drops]).run()


def test_rows_of_several_axes() -> None:
    x, at = np.float32([[1, 2], [3, 4], [5, 6]]), np.array([[1, 0], [0, 2], [1, 0]], np.int32)
    start = np.zeros(1, np.float32)
    expected = np.zeros((6, 2), np.float32)
    expected[3], expected[2] = x[0] + x[2], x[1]
    for y in everywhere("segment", [x, at, start], (6, 2), [0, 0, 2, 3]):
        np.testing.assert_array_equal(y, expected)
    at[1, 1] = 3  # a row of y, but not of its axis
    with pytest.raises(IndexError):
        call = engine.Call("segment", [x, at, start], [np.empty((6, 2), np.float32)], [0, 0, 2, 3])
        call.run()
