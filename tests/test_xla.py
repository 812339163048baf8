"""XLA's decompositions, unique up to signs: compared through what they compose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases import case, f32
from tests.cases.xla import SQUARE
from tests.oracle import expected
from tfdeploy.ops import registry


def run(op: str, *inputs: Any, **attrs: Any) -> Any:
    """The implementation of `op` with its defaults."""
    record = registry.get(op)
    assert record is not None
    return record.func()(*inputs, **(record.defaults | attrs))


@pytest.mark.parametrize("lower", [True, False])
def test_eigenvectors(lower: bool) -> None:
    half = np.tril(SQUARE) if lower else np.triu(SQUARE)
    w, v = run("XlaSelfAdjointEig", half, lower=lower)
    wanted = expected(case("XlaSelfAdjointEig", half, lower=lower, max_iter=100, epsilon=1e-6))
    np.testing.assert_allclose(w, wanted[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(v * w[:, None] @ np.swapaxes(v, -1, -2), SQUARE, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 4, 3), (3, 5), (3, 3)])
def test_singular_vectors(shape: tuple[int, ...]) -> None:
    x = f32(*shape)
    s, u, v = run("XlaSvd", x)
    wanted = expected(case("XlaSvd", x, max_iter=100, epsilon=1e-6, precision_config=b""))
    np.testing.assert_allclose(s, wanted[0], rtol=1e-5, atol=1e-5)
    assert u.shape == wanted[1].shape and v.shape == wanted[2].shape
    k = s.shape[-1]
    composed = u[..., :k] * s[..., None, :] @ np.swapaxes(v[..., :k], -1, -2)
    np.testing.assert_allclose(composed, x, atol=1e-5)
