"""Kernels on drawn operands: lengths around the vector widths and empty ones, strided and read-only
memory, NaN and inf, against numpy in float64.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels import Array, close, engine, everywhere, pack

EXTENTS = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65])
LENGTHS = st.one_of(EXTENTS, st.sampled_from([255, 256, 257, 513]))
SEEDS = st.integers(0, 2**32 - 1)
SPECIALS = st.lists(st.sampled_from([np.nan, np.inf, -np.inf, -0.0, 1e-40]), max_size=2)
drawn = settings(derandomize=True, deadline=None, max_examples=40, database=None)


@st.composite
def arrays(draw: st.DrawFn, *shape: int) -> Array:
    """An array of this shape that nobody may write, in memory of some layout."""
    rng = np.random.default_rng(draw(SEEDS))
    steps = [draw(st.sampled_from([1, 1, 2])) for _ in shape]
    memory = np.full([n * step + 1 for n, step in zip(shape, steps, strict=True)], 7, np.float32)
    if draw(st.booleans()):
        memory = np.asfortranarray(memory)
    x = memory[tuple(slice(0, n * step, step) for n, step in zip(shape, steps, strict=True))]
    x[...] = rng.standard_normal(shape)
    for special in draw(SPECIALS) if x.size else []:
        x[tuple(int(rng.integers(0, n)) for n in shape)] = special
    x.flags.writeable = False
    return x


def agree(got: Array, expected: Array, scale: float, tolerance: float = 2e-6) -> None:
    """NaN and inf where they are expected, the rest close."""
    finite = np.isfinite(expected)
    assert np.array_equal(got[~finite], expected[~finite], equal_nan=True)
    assert np.isfinite(got[finite]).all()
    close(got[finite], expected[finite], scale, tolerance)


def largest(*operands: Array) -> float:
    finite = [np.abs(x[np.isfinite(x)]).max(initial=1) for x in operands]
    return float(np.prod(finite))


def wide(x: Array) -> Array:
    return x.astype(np.float64)


@drawn
@given(st.data(), EXTENTS, LENGTHS, EXTENTS)
def test_products(data: st.DataObject, m: int, k: int, n: int) -> None:
    a, b = data.draw(arrays(m, k)), data.draw(arrays(k, n))
    scale = largest(a, b) * (k + 1)
    with np.errstate(invalid="ignore"):
        expected = np.einsum("ik,kj->ij", wide(a), wide(b))
    dense = np.ascontiguousarray(a)
    inputs = [dense, pack(b[None, None]), None, None, None]
    for y in everywhere("matmul", inputs, (m, n), [0]):
        agree(y, expected, scale)
    if m and k and n:
        for y in everywhere(
            "batch_matmul", [dense[None], b[None].copy(), *[None] * 3], (1, m, n), [0]
        ):
            agree(y[0], expected, scale)


@drawn
@given(st.data(), EXTENTS, LENGTHS)
def test_rows(data: st.DataObject, rows: int, n: int) -> None:
    x = np.ascontiguousarray(data.draw(arrays(rows, n)))
    with np.errstate(invalid="ignore", divide="ignore"):
        shifted = wide(x) - wide(x).max(1, keepdims=True, initial=-np.inf)
        total = np.exp(shifted).sum(1, keepdims=True)
        for y in everywhere("softmax", [x], x.shape):
            agree(y, np.exp(shifted) / total, 1, 5e-7)
        for y in everywhere("log_softmax", [x], x.shape):
            agree(y, shifted - np.log(total), 2 * largest(x) + 10, 5e-7)


REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min}


@drawn
@given(st.data(), st.lists(EXTENTS, min_size=1, max_size=3), st.integers(0, 7))
def test_reductions(data: st.DataObject, shape: list[int], mask: int) -> None:
    x = data.draw(arrays(*shape))
    axes = tuple(i for i in range(len(shape)) if mask >> i & 1)
    if 0 in [shape[i] for i in axes]:
        return
    for name, function in REDUCTIONS.items():
        with np.errstate(invalid="ignore"):
            expected = function(wide(x), axis=axes, keepdims=True)
        number = engine.reductions()[name]
        bits = sum(1 << i for i in axes)
        for y in everywhere("reduce", [x], expected.shape, [number, bits]):
            agree(y, expected, largest(x) * (x.size + 1), 1e-6)


@drawn
@given(st.data(), st.lists(EXTENTS, min_size=1, max_size=3))
def test_copies(data: st.DataObject, shape: list[int]) -> None:
    x = data.draw(arrays(*shape))
    for y in everywhere("copy", [x], x.shape):
        assert np.array_equal(y, x, equal_nan=True)
        assert np.array_equal(np.signbit(y), np.signbit(x))
