"""Special functions, computed in float64 from series, continued fractions and integrals.

The trapezoidal rule sums each integral here but Fresnel's to rounding error: of an analytic
function over its period, or over the real line where the function vanishes on both sides.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import ValueType
from .registry import Function, op, scipy_variant
from .rules import Inference, broadcast, merge_shapes, same

Array = NDArray[Any]

EULER = 0.57721566490153286061
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798)
"""B2, B4, ..., B18."""
_MOST_STEPS = 20000  # of a series or continued fraction; what has not converged by then stays rough


def _of_one(name: str, function: Function, doc: str) -> None:
    """Registers a function of float64 as an op on any floats."""

    def reference(x: Array) -> Array:
        result: Array = np.asarray(function(x.astype(np.float64))).astype(x.dtype)
        return result

    reference.__doc__ = doc
    op(name, type=same)(reference)


def _of_two(name: str, function: Function, doc: str) -> None:
    def reference(x: Array, y: Array) -> Array:
        wide = np.broadcast_arrays(x.astype(np.float64), y.astype(np.float64))
        result: Array = np.asarray(function(*wide)).astype(x.dtype)
        return result

    reference.__doc__ = doc
    op(name, type=broadcast)(reference)


def _each(function: Function, x: Array) -> Array:
    """A function of the math module on every element."""
    return np.fromiter(map(function, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


def erf(x: Array) -> Array:
    """The error function."""
    return _each(math.erf, x)


def erfc(x: Array) -> Array:
    """1 - erf(x)."""
    return _each(math.erfc, x)


def lgamma(x: Array) -> Array:
    """log |gamma(x)|, inf at the poles."""
    infinite = ((x <= 0) & (x == np.floor(x))) | (x > 2.5e305)
    return np.where(infinite, np.inf, _each(math.lgamma, np.where(infinite, 1.0, x)))


def digamma(x: Array) -> Array:
    """The derivative of lgamma, NaN at the poles."""
    reflected = x <= 0
    with_pole = reflected & (x == np.floor(x))
    y = np.where(reflected, 1 - x, x)
    total = np.zeros_like(x)
    for _ in range(10):  # the asymptotic series needs y >= 10
        small = y < 10
        total -= np.where(small, 1 / np.where(small, y, 1), 0)
        y = np.where(small, y + 1, y)
    total += np.log(y) - 0.5 / y
    for k, b in enumerate(BERNOULLI[:8], 1):
        total -= b / (2 * k * y ** (2 * k))
    turn = np.pi * (x - np.rint(x))
    total = np.where(reflected, total - np.pi / np.tan(np.where(reflected, turn, 1)), total)
    return np.where(with_pole, np.nan, total)


def zeta(x: Array, q: Array) -> Array:
    """Hurwitz's sum of (k + q)^-x over k >= 0 by Euler's and Maclaurin's formula."""
    pole = (q <= 0) & (q == np.floor(q))
    invalid = np.isnan(x) | np.isnan(q) | (x < 1) | ((q <= 0) & ~pole & (x != np.floor(x)))
    invalid |= (q < -1e5) & ~pole  # as many terms would be summed
    even = x / 2 == np.floor(x / 2)
    usable = ~(invalid | pole | (x == 1))
    s, a = np.where(usable & (x < 1e300), x, 2.0), np.where(usable & (q < 1e300), q, 1.0)
    total = np.zeros_like(s)
    power = a**-s
    more = a < 12 + s  # the formula is accurate from there on
    while more.any():
        total += np.where(more, power, 0)
        negligible = more & (a > 1) & (np.abs(power) < 1e-18 * np.abs(total))
        a = np.where(more, a + 1, a)
        power = np.where(negligible, 0, a**-s)
        more &= (a < 12 + s) & ~negligible
    total += power * (a / (s - 1) + 0.5)
    factor = s / a
    for k, b in enumerate(BERNOULLI, 1):
        total += power * b * factor / math.factorial(2 * k)
        factor = factor * (s + 2 * k - 1) * (s + 2 * k) / (a * a)
    total = np.where(usable & (q >= 1e300), 0.0, total)
    limit = np.where(q < 1, np.inf, np.where(q == 1, 1.0, 0.0))
    total = np.where(usable & (x >= 1e300), limit, total)
    total = np.where(pole, np.where(even, np.inf, np.nan), total)
    total = np.where(invalid, np.nan, total)
    return np.where(x == 1, np.inf, total)


def polygamma(n: Array, x: Array) -> Array:
    """The derivative of order n of digamma."""
    whole = (n >= 1) & (n == np.floor(n)) & np.isfinite(n)
    order = np.where(whole, n, 1.0)
    sign = np.where(order % 2 == 1, 1.0, -1.0)
    higher = sign * np.exp(lgamma(order + 1)) * zeta(order + 1, x)
    return np.where(n == 0, digamma(x), np.where(whole, higher, np.nan))


def _gamma_density(a: Array, x: Array) -> Array:
    """x^a e^-x / gamma(a + 1), by Stirling's series where a is large."""
    large = a > 20
    b = np.where(large, a, 20.0)
    mu = (x - b) / b
    rest = 1 / (12 * b) - 1 / (360 * b**3) + 1 / (1260 * b**5) - 1 / (1680 * b**7)
    stirling = np.exp(b * (np.log1p(mu) - mu) - rest) / np.sqrt(2 * np.pi * b)
    return np.where(large, stirling, np.exp(a * np.log(x) - x - lgamma(a + 1)))


def _gamma_parts(a: Array, x: Array) -> tuple[Array, Array, Array]:
    """Lower and upper regularized incomplete gamma of positive finite arguments, else anything; and
    where the arguments are so."""
    usable = (a > 0) & (x > 0) & (a < 1e300) & (x < 1e300)
    a, x = np.where(usable, a, 1.0), np.where(usable, x, 1.0)
    lower_side = x < a + 1
    density = _gamma_density(a, x)
    term = np.ones_like(a)
    total = np.ones_like(a)
    n = 0
    while n < _MOST_STEPS and (lower_side & (term > 1e-17 * total)).any():
        n += 1
        term = np.where(lower_side, term * x / (a + n), 0)
        total += term
    lower = density * total
    upper = (
        density * a * _gamma_fraction(np.where(lower_side, 1.0, a), np.where(lower_side, 3.0, x))
    )
    return (
        np.where(lower_side, lower, 1 - upper),
        np.where(lower_side, 1 - lower, upper),
        usable,
    )


def _gamma_fraction(a: Array, x: Array) -> Array:
    """1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - ...)), by Lentz's method."""
    b = x + 1 - a
    c = np.full_like(b, 1e300)
    d = 1 / b
    h = d
    for n in range(1, _MOST_STEPS):
        numerator = -n * (n - a)
        b = b + 2
        d = 1 / _not_zero(numerator * d + b)
        c = _not_zero(b + numerator / c)
        step = c * d
        h = h * step
        if (np.abs(step - 1) < 1e-16).all():
            break
    return h


def _not_zero(x: Array) -> Array:
    return np.where(np.abs(x) < 1e-300, 1e-300, x)


def igamma(a: Array, x: Array) -> Array:
    """The lower regularized incomplete gamma function."""
    lower, _, usable = _gamma_parts(a, x)
    limit = np.where((a > 0) & (x == np.inf) & (a < np.inf), 1.0, np.nan)
    limit = np.where((a == np.inf) & (x >= 0), 0.0, limit)
    limit = np.where((x == 0) & ~np.isnan(a), 0.0, limit)
    return np.where(usable, lower, limit)


def igammac(a: Array, x: Array) -> Array:
    """The upper regularized incomplete gamma function."""
    _, upper, usable = _gamma_parts(a, x)
    limit = np.where((a == np.inf) & (x >= 0), 1.0, np.nan)
    limit = np.where((a > 0) & (x == np.inf), 0.0, limit)
    limit = np.where((a > 0) & (x == 0), 1.0, limit)
    return np.where(usable, upper, limit)


def _tilted(a: Array) -> Array:
    """`a` with an imaginary part so small that what analytic functions make of it has their
    derivatives in its own (Squire and Trapp 1998)."""
    return a + 1j * _TILT


_TILT = 1e-100


def _igamma_slope(a: Array, x: Array) -> tuple[Array, Array]:
    """The derivative of the lower regularized incomplete gamma by `a`, and x^a e^-x / gamma(a), of
    positive finite arguments."""
    lower_side = (x <= 1) | (x <= a)
    density = _gamma_density(a, x)
    term = np.ones(a.shape, np.complex128)
    total = term
    n = 0
    while n < _MOST_STEPS and (lower_side & (np.abs(term) > 1e-17 * np.abs(total))).any():
        n += 1
        term = np.where(lower_side, term * x / (_tilted(a) + n), 0)
        total = total + term
    lower = density * ((np.log(x) - digamma(a + 1)) * total.real + total.imag / _TILT)
    inner = np.where(lower_side, 1.0, a), np.where(lower_side, 3.0, x)
    fraction = _gamma_fraction(_tilted(inner[0]), inner[1])
    upper = density * a * ((np.log(x) - digamma(a)) * fraction.real + fraction.imag / _TILT)
    return np.where(lower_side, lower, -upper), density * a


def igamma_by_shape(a: Array, x: Array) -> Array:
    """The derivative of `igamma` by its first argument."""
    usable = (a > 0) & (x > 0) & (a < 1e300) & (x < 1e300)
    slope, _ = _igamma_slope(np.where(usable, a, 1.0), np.where(usable, x, 1.0))
    limit = np.where((a > 0) & (a < np.inf) & ((x == 0) | (x == np.inf)), 0.0, np.nan)
    return np.where(usable, slope, limit)


def gamma_by_shape(a: Array, x: Array) -> Array:
    """How the number `x` of a gamma distribution changes with its shape `a`, its place in the
    distribution kept (Figurnov et al. 2018)."""
    usable = (a > 0) & (x > 0) & (a < 1e300) & (x < 1e300)
    at = np.where(usable, x, 1.0)
    slope, density = _igamma_slope(np.where(usable, a, 1.0), at)
    limit = np.where((a > 0) & (a < np.inf) & ((x == 0) | (x == np.inf)), 0.0, np.nan)
    return np.where(usable, -slope / density * at, limit)


def betainc(a: Array, b: Array, at: Array) -> Array:
    """The regularized incomplete beta function, by its continued fraction."""
    valid = (a > 0) & (b > 0) & (a < np.inf) & (b < np.inf) & (at >= 0) & (at <= 1)
    inside = valid & (at > 0) & (at < 1)
    a, b, x = np.where(inside, a, 1.0), np.where(inside, b, 1.0), np.where(inside, at, 0.5)
    swap = x > (a + 1) / (a + b + 2)
    p, q, y = np.where(swap, b, a), np.where(swap, a, b), np.where(swap, 1 - x, x)
    log_beta = lgamma(p) + lgamma(q) - lgamma(p + q)
    front = (
        np.exp(
            p * np.where(swap, np.log1p(-x), np.log(x))
            + q * np.where(swap, np.log(x), np.log1p(-x))
            - log_beta
        )
        / p
    )
    c = np.ones_like(p)
    d = 1 / _not_zero(1 - (p + q) * y / (p + 1))
    h = d
    for m in range(1, _MOST_STEPS):
        even = m * (q - m) * y / ((p + 2 * m - 1) * (p + 2 * m))
        odd = -(p + m) * (p + q + m) * y / ((p + 2 * m) * (p + 2 * m + 1))
        for numerator in (even, odd):
            d = 1 / _not_zero(1 + numerator * d)
            c = _not_zero(1 + numerator / c)
            step = c * d
            h = h * step
        if (np.abs(step - 1) < 1e-16).all():
            break
    found = np.where(swap, 1 - front * h, front * h)
    return np.where(inside, found, np.where(valid, at, np.nan))


def _erfc_inverse(p: Array) -> Array:
    """y with erfc(y) = p for p in (0, 1], by Newton's method with Halley's correction."""
    t = np.sqrt(-2 * np.log(p / 2))
    y = (t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t)) / math.sqrt(2)
    for _ in range(3):
        step = (erfc(y) - p) * np.exp(y * y) * (-math.sqrt(math.pi) / 2)
        y = y - step / (1 + y * step)
    return y


def erfinv(x: Array) -> Array:
    """The inverse of erf."""
    size = np.abs(x)
    central = size < 0.5
    small = np.where(central, x, 0.0)
    y = small * math.sqrt(math.pi) / 2
    for _ in range(5):
        step = (erf(y) - small) * np.exp(y * y) * (math.sqrt(math.pi) / 2)
        y = y - step / (1 + y * step)
    outside = size >= 1
    tail = np.copysign(_erfc_inverse(np.where(central | ~(size < 1), 0.5, 1 - size)), x)
    limit = np.where(size == 1, np.copysign(np.inf, x), np.nan)
    return np.where(central, y, np.where(outside | np.isnan(x), limit, tail))


def ndtri(p: Array) -> Array:
    """The inverse of the normal distribution function."""
    central = (p > 0.25) & (p < 0.75)
    near = erfinv(np.where(central, 2 * p - 1, 0))
    inside = (p > 0) & (p < 1)
    far = _erfc_inverse(2 * np.where(inside, np.minimum(p, 1 - p), 0.25))
    found = math.sqrt(2) * np.where(central, near, np.where(p > 0.5, far, -far))
    limit = np.where(p == 0, -np.inf, np.where(p == 1, np.inf, np.nan))
    return np.where(inside, found, limit)


def _hankel_series(x: Array, order: int, sign: int) -> Array:
    """1 + sum of the asymptotic series of I (sign -1) or K (sign 1) beyond their leading factor."""
    term = total = np.ones_like(x)
    for k in range(1, 40):
        term = term * sign * (4 * order * order - (2 * k - 1) ** 2) / (8 * k * x)
        total = total + term
    return total


def _scaled_i(x: Array, order: int) -> Array:
    """exp(-|x|) I(x): the power series to 20, the asymptotic one beyond."""
    size = np.abs(x)
    near, far = np.minimum(size, 20.0), np.maximum(size, 20.0)
    term = total = np.ones_like(x)
    for k in range(1, 65):
        term = term * (near / 2) ** 2 / (k * (k + order))
        total = total + term
    small = total * (near / 2) ** order * np.exp(-near)
    large = _hankel_series(far, order, -1) / np.sqrt(2 * np.pi * far)
    found = np.where(size < 20, small, large)
    return np.copysign(found, x) if order else found


def _i(x: Array, order: int) -> Array:
    return _scaled_i(x, order) * np.exp(np.abs(x))


def _harmonic_series(x: Array, sign: float) -> Array:
    """Sum of sign^(k+1) H_k (x/2)^2k / k!^2 over k >= 1 for x up to 1."""
    term, total, harmonic = np.ones_like(x), np.zeros_like(x), 0.0
    for k in range(1, 15):
        harmonic += 1 / k
        term = term * (x / 2) ** 2 / (k * k)
        total = total + sign ** (k + 1) * harmonic * term
    return total


def _scaled_k(x: Array, order: int) -> Array:
    """exp(x) K(x): the power series to 1, the integral of exp(-x cosh t) cosh(order t) beyond."""
    near, far = np.clip(x, 1e-300, 1.0), np.clip(x, 1.0, 1e300)
    k0 = _harmonic_series(near, 1.0) - (np.log(near / 2) + EULER) * _i(near, 0)
    small = k0 if order == 0 else (1 / near - _i(near, 1) * k0) / _i(near, 0)
    step = np.arccosh(1 + 40 / far) / 48
    total = np.full_like(far, 0.5)
    for j in range(1, 49):
        t = j * step
        total += np.exp(-far * 2 * np.sinh(t / 2) ** 2) * np.cosh(order * t)
    found = np.where(x < 1, small * np.exp(near), total * step)
    found = np.where(x > 0, found, np.inf)
    return np.where(np.isnan(x), np.nan, np.where(x == np.inf, 0.0, found))


def _k(x: Array, order: int) -> Array:
    return _scaled_k(x, order) * np.exp(-np.maximum(x, 0))


def _hankel(x: Array, order: int) -> Array:
    """H = J + i Y for x >= 1: its contour integral along the path of steepest descent."""
    step = np.arcsinh(40 / x + 2 * np.sqrt(10 / x)) / 64
    total = np.full(x.shape, 0.5 + 0.5j)
    for j in range(1, 65):
        u = j * step
        depth = np.sinh(u) * np.tanh(u)
        weight = 1.0 if order == 0 else 1 + 1j * depth
        total += np.exp(-x * depth) * weight * (1 + 1j / np.cosh(u))
    phase = np.cos(x) + 1j * np.sin(x)
    found: Array = 2 / (np.pi * 1j) * (-1j) ** order * phase * total * step
    return found


def _j(x: Array, order: int) -> Array:
    """J(x): the mean of cos(order t - x sin t) over t to 25, the contour integral beyond."""
    size = np.abs(x)
    near, far = np.minimum(size, 25.0), np.clip(size, 25.0, 1e300)
    total = np.zeros_like(x)
    for t in 2 * np.pi * np.arange(64) / 64:
        total += np.cos(near * np.sin(t)) if order == 0 else np.sin(near * np.sin(t)) * np.sin(t)
    found = np.where(size < 25, total / 64, _hankel(far, order).real)
    found = np.where(np.isfinite(x), found, np.nan)
    return np.where(x < 0, -found, found) if order else found


def _y(x: Array, order: int) -> Array:
    """Y(x): the power series to 1, the contour integral beyond."""
    near, far = np.clip(x, 1e-300, 1.0), np.clip(x, 1.0, 1e300)
    j0, j1 = _j(near, 0), _j(near, 1)
    y0 = 2 / np.pi * ((np.log(near / 2) + EULER) * j0 + _harmonic_series(near, -1.0))
    small = y0 if order == 0 else (j1 * y0 - 2 / (np.pi * near)) / j0
    found = np.where(x < 1, small, _hankel(far, order).imag)
    found = np.where(x > 0, found, -np.inf)
    return np.where(np.isnan(x) | (x == np.inf), np.nan, found)


def dawson(x: Array) -> Array:
    """exp(-x^2) times the integral of exp(t^2) from 0 to x, by Rybicki's sampling."""
    h = 0.2
    size = np.minimum(np.abs(x), 1e300)
    center = 2 * np.floor(size / (2 * h) + 0.5)
    rest = size - center * h
    total = np.zeros_like(x)
    for n in range(-35, 36, 2):
        total += np.exp(-((rest - n * h) ** 2)) / (center + n)
    series = term = np.where(size < 0.2, size, 0.0)
    for k in range(1, 12):
        term = term * -2 * size * size / (2 * k + 1)
        series = series + term
    found = np.where(size < 0.2, series, total / math.sqrt(math.pi))
    return np.where(np.isnan(x), np.nan, np.copysign(found, x))


def expint(x: Array) -> Array:
    """The exponential integral Ei, NaN below zero."""
    near, far = np.clip(x, 1e-300, 40.0), np.maximum(x, 40.0)
    term, series = np.ones_like(x), np.zeros_like(x)
    for k in range(1, 160):
        term = term * near / k
        series += term / k
    small = EULER + np.log(near) + series
    term = total = np.ones_like(x)
    for k in range(1, 40):
        term = term * k / far
        total = total + term
    found = np.where(x < 40, small, np.exp(far) / far * total)
    return np.where(x > 0, found, np.where(x == 0, -np.inf, np.nan))


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def _fresnel(x: Array) -> tuple[Array, Array]:
    """Integrals of cos and sin of pi t^2 / 2 from 0 to x: by Gauss to 5, asymptotic beyond."""
    size = np.abs(x)
    near, far = np.minimum(size, 5.0), np.clip(size, 5.0, 1e100)
    cosine, sine = np.zeros_like(x), np.zeros_like(x)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        angle = np.pi / 2 * ((node + 1) / 2 * near) ** 2
        cosine += weight / 2 * near * np.cos(angle)
        sine += weight / 2 * near * np.sin(angle)
    squared = np.pi * far * far
    term = np.ones_like(x)
    f, g = np.zeros_like(x), np.zeros_like(x)
    for m in range(16):  # terms (2m - 1)!! / squared^m, in f and g by turns and with turning signs
        f, g = (f + (-1) ** (m // 2) * term, g) if m % 2 == 0 else (f, g + (-1) ** (m // 2) * term)
        term = term * (2 * m + 1) / squared
    f, g = f / (np.pi * far), g / (np.pi * far)
    angle = np.pi / 2 * np.fmod(far * far, 4.0)
    beyond = size > 5
    cosine = np.where(beyond, 0.5 + f * np.sin(angle) - g * np.cos(angle), cosine)
    sine = np.where(beyond, 0.5 - f * np.cos(angle) - g * np.sin(angle), sine)
    lost = np.where(np.isnan(x), np.nan, 0.0)
    return np.copysign(cosine, x) + lost, np.copysign(sine, x) + lost


def spence(x: Array) -> Array:
    """The integral of log t / (1 - t) from 1 to x, NaN below zero."""
    inverted = x > 1.5
    y = np.where(inverted, 1 / x, x)
    mirrored = y < 0.5
    w = np.where(mirrored, y, 1 - y)
    power, total = w, w
    for k in range(2, 60):
        power = power * w
        total = total + power / (k * k)
    inside = np.where(y > 0, y, 1.0)
    total = np.where(mirrored, np.pi**2 / 6 - np.log(inside) * np.log1p(-inside) - total, total)
    total = np.where(y == 0, np.pi**2 / 6, total)
    total = np.where(inverted, -total - np.log(np.where(inverted, x, 1.0)) ** 2 / 2, total)
    return np.where(x >= 0, total, np.nan)


_ONE: tuple[tuple[str, Function, str], ...] = (
    ("Lgamma", lgamma, "log of the size of the gamma function (tf.math.lgamma)."),
    ("Digamma", digamma, "Derivative of Lgamma, NaN at its poles (tf.math.digamma)."),
    ("Erf", erf, "The error function (tf.math.erf)."),
    ("Erfc", erfc, "1 - erf(x) (tf.math.erfc)."),
    ("Erfinv", erfinv, "Inverse of Erf (tf.math.erfinv)."),
    ("Ndtri", ndtri, "Inverse of the normal distribution function (tf.math.ndtri)."),
    ("BesselI0", lambda x: _i(x, 0), "Modified Bessel function I0 (tf.math.bessel_i0)."),
    ("BesselI0e", lambda x: _scaled_i(x, 0), "exp(-|x|) I0(x) (tf.math.bessel_i0e)."),
    ("BesselI1", lambda x: _i(x, 1), "Modified Bessel function I1 (tf.math.bessel_i1)."),
    ("BesselI1e", lambda x: _scaled_i(x, 1), "exp(-|x|) I1(x) (tf.math.bessel_i1e)."),
    ("BesselJ0", lambda x: _j(x, 0), "Bessel function J0 (tf.math.special.bessel_j0)."),
    ("BesselJ1", lambda x: _j(x, 1), "Bessel function J1 (tf.math.special.bessel_j1)."),
    (
        "BesselK0",
        lambda x: _k(x, 0),
        "Bessel function K0, inf below 0 (tf.math.special.bessel_k0).",
    ),
    ("BesselK0e", lambda x: _scaled_k(x, 0), "exp(x) K0(x) (tf.math.special.bessel_k0e)."),
    (
        "BesselK1",
        lambda x: _k(x, 1),
        "Bessel function K1, inf below 0 (tf.math.special.bessel_k1).",
    ),
    ("BesselK1e", lambda x: _scaled_k(x, 1), "exp(x) K1(x) (tf.math.special.bessel_k1e)."),
    (
        "BesselY0",
        lambda x: _y(x, 0),
        "Bessel function Y0, -inf below 0 (tf.math.special.bessel_y0).",
    ),
    (
        "BesselY1",
        lambda x: _y(x, 1),
        "Bessel function Y1, -inf below 0 (tf.math.special.bessel_y1).",
    ),
    ("Dawsn", dawson, "Dawson's integral (tf.math.special.dawsn)."),
    ("Expint", expint, "Exponential integral Ei, NaN below 0 (tf.math.special.expint)."),
    ("FresnelCos", lambda x: _fresnel(x)[0], "Fresnel's C (tf.math.special.fresnel_cos)."),
    ("FresnelSin", lambda x: _fresnel(x)[1], "Fresnel's S (tf.math.special.fresnel_sin)."),
    ("Spence", spence, "Spence's integral (tf.math.special.spence)."),
)
for _name, _function, _doc in _ONE:
    _of_one(_name, _function, _doc)

_TWO: tuple[tuple[str, Function, str], ...] = (
    ("Igamma", igamma, "Lower regularized incomplete gamma function (tf.math.igamma)."),
    ("Igammac", igammac, "Upper regularized incomplete gamma function (tf.math.igammac)."),
    ("Zeta", zeta, "Hurwitz's zeta function of x and q (tf.math.zeta)."),
    ("Polygamma", polygamma, "Derivative of order a of Digamma at x (tf.math.polygamma)."),
)
for _name, _function, _doc in _TWO:
    _of_two(_name, _function, _doc)


def _betainc_type(c: Inference) -> ValueType:
    shapes = [t.shape for t in c.inputs if t.shape != ()]
    return ValueType(c.inputs[0].dtype, merge_shapes(c, *shapes) if shapes else ())


@op("Betainc", type=_betainc_type)
def betainc_op(a: Array, b: Array, x: Array) -> Any:
    """Regularized incomplete beta function of arrays of one shape, or scalars (tf.math.betainc)."""
    if len({v.shape for v in (a, b, x)} - {()}) > 1:
        raise ValueError(f"shapes {a.shape}, {b.shape} and {x.shape} should be equal, or scalars")
    wide = np.broadcast_arrays(*(v.astype(np.float64) for v in (a, b, x)))
    return np.asarray(betainc(*wide)).astype(a.dtype)


def _scipy(name: str, function: str) -> None:
    @scipy_variant(name)
    def variant(*inputs: Array) -> Any:
        import scipy.special

        return np.asarray(getattr(scipy.special, function)(*inputs)).astype(inputs[0].dtype)


_SCIPY = {
    "Lgamma": "gammaln",
    "Digamma": "digamma",
    "Erf": "erf",
    "Erfc": "erfc",
    "Igamma": "gammainc",
    "Igammac": "gammaincc",
    "Zeta": "zeta",
    "Polygamma": "polygamma",
    "Betainc": "betainc",
}
for _name, _function_name in _SCIPY.items():
    _scipy(_name, _function_name)
