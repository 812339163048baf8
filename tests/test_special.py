"""Special functions in float64 against scipy's, and the variants that run scipy itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfdeploy.ops import registry

scipy_special = pytest.importorskip("scipy.special")

RNG = np.random.default_rng(0)
POSITIVE = np.concatenate([10 ** RNG.uniform(-8, 2.5, 300), RNG.uniform(0, 60, 300)])
BOTH = np.concatenate([POSITIVE, -POSITIVE])
UNIT = np.concatenate([RNG.uniform(-1, 1, 300), 1 - 10 ** -RNG.uniform(1, 15, 50)])
MIXED = 10 ** RNG.uniform(-2, 3, 500)


def run(op: str, *inputs: Any) -> Any:
    """The numpy implementation of `op`."""
    record = registry.get(op)
    assert record is not None
    return record.impls[registry.NUMPY](*inputs)


RELATIVE = [
    ("Lgamma", "gammaln", BOTH, 1e-13),
    ("Digamma", "digamma", POSITIVE, 1e-13),
    ("Erf", "erf", BOTH, 1e-14),
    ("Erfc", "erfc", BOTH, 1e-13),
    ("Erfinv", "erfinv", UNIT, 1e-14),
    ("Ndtri", "ndtri", np.abs(UNIT), 1e-13),
    ("BesselI0", "i0", BOTH, 1e-14),
    ("BesselI0e", "i0e", BOTH, 1e-14),
    ("BesselI1", "i1", BOTH, 1e-14),
    ("BesselI1e", "i1e", BOTH, 1e-14),
    ("BesselK0", "k0", POSITIVE, 1e-14),
    ("BesselK0e", "k0e", POSITIVE, 1e-14),
    ("BesselK1", "k1", POSITIVE, 1e-14),
    ("BesselK1e", "k1e", POSITIVE, 1e-14),
    ("BesselJ0", "j0", POSITIVE[POSITIVE < 2], 1e-14),
    ("BesselJ1", "j1", POSITIVE[POSITIVE < 2], 1e-14),
    ("BesselY0", "y0", POSITIVE[POSITIVE < 0.5], 1e-14),
    ("BesselY1", "y1", POSITIVE[POSITIVE < 0.5], 1e-14),
    ("Dawsn", "dawsn", BOTH, 1e-13),
    ("Expint", "expi", POSITIVE, 1e-12),
    ("Spence", "spence", POSITIVE, 1e-13),
]


@pytest.mark.parametrize(("op", "name", "x", "tolerance"), RELATIVE, ids=[r[0] for r in RELATIVE])
def test_relative_accuracy(op: str, name: str, x: np.ndarray, tolerance: float) -> None:
    with np.errstate(all="ignore"):
        found, wanted = run(op, x), getattr(scipy_special, name)(x)
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=1e-300)


@pytest.mark.parametrize("name", ["j0", "j1", "y0", "y1"])
def test_bessel_functions_within_their_amplitude(name: str) -> None:
    x = POSITIVE[POSITIVE > 0.5]
    with np.errstate(all="ignore"):
        found, wanted = run(f"Bessel{name.upper()}", x), getattr(scipy_special, name)(x)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-15)


def test_fresnel_integrals() -> None:
    sine, cosine = scipy_special.fresnel(BOTH)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(run("FresnelSin", BOTH), sine, rtol=5e-14)
        np.testing.assert_allclose(run("FresnelCos", BOTH), cosine, rtol=5e-14)


TWO = [
    ("Igamma", "gammainc", (MIXED, MIXED * RNG.uniform(0.3, 3, 500))),
    ("Igammac", "gammaincc", (MIXED, MIXED * RNG.uniform(0.3, 3, 500))),
    ("Zeta", "zeta", (RNG.uniform(1.01, 40, 500), RNG.uniform(0.01, 40, 500))),
    ("Polygamma", "polygamma", (RNG.integers(0, 9, 500) * 1.0, RNG.uniform(0.01, 30, 500))),
    ("Betainc", "betainc", (MIXED, MIXED[::-1].copy(), RNG.uniform(0, 1, 500))),
]


@pytest.mark.parametrize(("op", "name", "inputs"), TWO, ids=[r[0] for r in TWO])
def test_functions_of_several_arguments(op: str, name: str, inputs: tuple[np.ndarray, ...]) -> None:
    with np.errstate(all="ignore"):
        found, wanted = run(op, *inputs), getattr(scipy_special, name)(*inputs)
    absolute = 1e-12 if wanted.max() <= 1 else 0
    relative = 1e-9 if op == "Betainc" else 1e-11  # its factor is a difference of logarithms
    np.testing.assert_allclose(found, wanted, rtol=relative, atol=absolute)


@pytest.mark.parametrize(
    "op", ["Lgamma", "Digamma", "Erf", "Erfc", "Igamma", "Igammac", "Zeta", "Polygamma", "Betainc"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scipy_variants_agree(op: str, dtype: type) -> None:
    record = registry.get(op)
    assert record is not None
    inputs = [np.array(v, dtype) for v in ([2, 3, 4], [1.5, 0.7, 6], [0.2, 0.5, 0.9])]
    count = {"Betainc": 3}.get(op, 2 if op in {"Igamma", "Igammac", "Zeta", "Polygamma"} else 1)
    found = record.impls[registry.SCIPY](*inputs[:count])
    assert found.dtype == dtype
    np.testing.assert_allclose(found, run(op, *inputs[:count]), rtol=8 * np.finfo(dtype).eps)
