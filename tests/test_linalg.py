"""Decompositions, unique up to signs, phases and order: compared through what they compose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases import case
from tests.cases.linalg import HERMITIAN, c64, f32, f64, positive, regular
from tests.oracle import expected
from tfdeploy.ops import registry


def run(op: str, *inputs: Any, **attrs: Any) -> Any:
    """The implementation of `op` with its defaults."""
    record = registry.get(op)
    assert record is not None
    return record.func()(*map(np.asarray, inputs), **(record.defaults | attrs))


def adjoint(x: np.ndarray) -> np.ndarray:
    return np.conj(np.swapaxes(x, -1, -2))


def close(a: np.ndarray, b: np.ndarray) -> None:
    """Equal within a few units in the last place of the scale."""
    tolerance = 100 * np.finfo(a.dtype).eps
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1, np.abs(b).max(initial=0)))


SYMMETRIC = [positive(2, 5, 5), positive(4, 4, dtype=np.float64), HERMITIAN]


@pytest.mark.parametrize(
    ("op", "x"),
    [("SelfAdjointEigV2", x) for x in SYMMETRIC]
    + [("BatchSelfAdjointEigV2", x) for x in SYMMETRIC[:2]],
)
def test_eigenvectors_of_hermitian_matrices(op: str, x: np.ndarray) -> None:
    values, vectors = run(op, x)
    close(values, expected(case(op, x, compute_v=True))[0])
    close(vectors * values[..., None, :] @ adjoint(vectors), x)
    close(adjoint(vectors) @ vectors, np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape))
    alone, none = run(op, x, compute_v=False)
    close(alone, values)
    assert none.shape == ()


@pytest.mark.parametrize("op", ["SelfAdjointEig", "BatchSelfAdjointEig"])
def test_eigenvalues_stand_above_the_vectors(op: str) -> None:
    x = positive(2, 4, 4)
    found, wanted = run(op, x), expected(case(op, x))[0]
    close(found[:, 0], wanted[:, 0])
    close(np.abs(found[:, 1:]), np.abs(wanted[:, 1:]))


@pytest.mark.parametrize("x", [f32(2, 4, 4), f64(3, 3), c64(3, 3)])
def test_eigenvectors(x: np.ndarray) -> None:
    out = np.dtype("c8") if x.dtype.itemsize == 4 or x.dtype == np.complex64 else np.dtype("c16")
    from tfdeploy.dtypes import from_numpy

    values, vectors = run("Eig", x, Tout=from_numpy(out))
    close(x.astype(out) @ vectors, vectors * values[..., None, :])
    close(np.linalg.norm(vectors, axis=-2), np.ones(values.shape, values.real.dtype))
    wanted = expected(case("Eig", x, Tout=out))[0]
    close(np.sort_complex(values.round(3)), np.sort_complex(wanted.round(3)))
    alone, none = run("Eig", x, Tout=from_numpy(out), compute_v=False)
    close(np.sort_complex(alone.round(3)), np.sort_complex(wanted.round(3)))
    assert none.shape == ()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("x", [f32(2, 4, 3), f32(3, 5), f64(3, 3), c64(4, 2), f32(3, 0)])
def test_singular_values(x: np.ndarray, full: bool) -> None:
    s, u, v = run("Svd", x, full_matrices=full)
    wanted = expected(case("Svd", x, full_matrices=full))
    close(s, wanted[0])
    assert u.shape == wanted[1].shape and v.shape == wanted[2].shape
    k = s.shape[-1]
    close(u[..., :k] * s[..., None, :] @ adjoint(v[..., :k]), x)
    one = np.eye(u.shape[-1], dtype=u.dtype)
    close(adjoint(u) @ u, np.broadcast_to(one, x.shape[:-2] + one.shape))
    alone, *_ = run("Svd", x, compute_uv=False)
    close(alone, s)


@pytest.mark.parametrize("x", [c64(3, 3), c64(4, 2), c64(2, 4)])
def test_qr_of_complex_matrices(x: np.ndarray) -> None:
    q, r = run("Qr", x)
    close(q @ r, x)
    close(adjoint(q) @ q, np.eye(q.shape[-1], dtype=q.dtype))
    close(np.tril(r, -1), np.zeros_like(r))


def test_lu_multiplies_to_the_permuted_input() -> None:
    x = f32(3, 5, 5)
    packed, order = run("Lu", x)
    lower = np.tril(packed, -1) + np.eye(5, dtype=np.float32)
    close(lower @ np.triu(packed), np.take_along_axis(x, order[..., None], axis=-2))


def test_least_squares_of_nothing_is_zero() -> None:
    for fast in (True, False):
        found = run("MatrixSolveLs", f32(0, 3), f32(0, 2), 0.0, fast=fast)
        assert found.shape == (3, 2) and not found.any()


def test_the_scipy_triangular_solve_agrees() -> None:
    pytest.importorskip("scipy")
    record = registry.get("MatrixTriangularSolve")
    assert record is not None
    for lower in (True, False):
        for conjugate in (True, False):
            flags = {"lower": lower, "adjoint": conjugate}
            a, b = regular(2, 1, 4, 4).astype(np.float64), f64(3, 4, 2)
            close(
                record.impls[registry.SCIPY](a, b, **flags),
                record.impls[registry.NUMPY](a, b, **flags),
            )


def test_einsum_takes_any_number_of_operands() -> None:
    a, b, c, d = f64(2, 3), f64(3, 4), f64(4, 3), f64(2, 3)
    close(
        run("Einsum", a, b, c, d, equation="ij,jk,kl,il->il"),
        np.einsum("ij,jk,kl,il->il", a, b, c, d),
    )
    close(run("Einsum", a, b, c, equation="ij,jk,kj->"), np.einsum("ij,jk,kj->", a, b, c))
