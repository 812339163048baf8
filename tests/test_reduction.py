"""What rows cannot say of reductions: an op that TensorFlow no longer has, results in any order."""

from __future__ import annotations

import numpy as np

from tests.cases import case, f32
from tests.oracle import expected
from tfdeploy.ops import registry


def run(op: str, *inputs: object, **attrs: object) -> object:
    """The reference of `op` with its defaults."""
    record = registry.get(op)
    assert record is not None
    return record.func()(*map(np.asarray, inputs), **(record.defaults | attrs))


def test_top_k_with_k_as_attribute() -> None:
    values, indices = run("TopK", np.array([[1, 3, 3, 2], [9, 8, 7, 6]], np.float32), k=2)
    assert values.tolist() == [[3, 3], [9, 8]] and values.dtype == np.float32
    assert indices.tolist() == [[1, 2], [0, 1]] and indices.dtype == np.int32


def test_unsorted_top_k_finds_the_same() -> None:
    x = f32(4, 50)
    values, indices = expected(case("TopKV2", x, 7, sorted=False))
    ours, at = run("TopKV2", x, np.int32(7), sorted=False)
    np.testing.assert_array_equal(np.sort(ours), np.sort(values))
    np.testing.assert_array_equal(np.sort(at), np.sort(indices))


def test_a_long_float_sum_keeps_its_digits() -> None:
    x = np.full((1_000_000, 2), 0.1, np.float32)
    np.testing.assert_allclose(run("Sum", x, 0), x.astype(np.float64).sum(axis=0), rtol=1e-7)


def test_a_wide_row_of_ties_gives_the_first() -> None:
    x = np.zeros((3, 100), np.float32)
    _, at = run("TopKV2", x, np.int32(60))
    assert (at == np.arange(60)).all()
    assert (run("ArgMax", x, np.int32(1)) == 0).all()


def test_approximate_top_k_of_smallest_and_over_any_axis() -> None:
    x = f32(6, 4)
    values, indices = run("ApproxTopK", x, k=2, is_max_k=False, reduction_dimension=0)
    np.testing.assert_array_equal(values, np.sort(x, axis=0)[:2])
    np.testing.assert_array_equal(np.take_along_axis(x, indices, axis=0), values)
