"""Arithmetic, comparison and elementary functions, element by element."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL, FLOAT32, DType
from ..graph.types import ValueType
from .registry import Function, op
from .rules import (
    Inference,
    attr_dtype,
    broadcast,
    broadcast_bool,
    broadcast_shapes,
    merge_shapes,
    same,
    to_bool,
)

Array = NDArray[Any]
COMPLEX64 = DType("complex64")

EXACT = True  # correctly rounded, or integers: the same bits everywhere


def _elementwise(
    names: str,
    function: Function,
    doc: str,
    rule: Function,
    exact: bool = False,
    symbolic: bool = False,
) -> None:
    """Registers a function of one or two arrays that is an op as it stands."""
    if rule in (same, to_bool):

        def reference(x: Array) -> Array:
            result: Array = function(x)
            return result
    else:

        def reference(x: Array, y: Array) -> Array:  # type: ignore[misc]
            result: Array = function(x, y)
            return result

    reference.__doc__ = doc
    op(*names.split(), type=rule, exact=exact, symbolic=symbolic)(reference)


def _one(x: Array) -> Any:
    return x.dtype.type(1)


def _zero(x: Array) -> Any:
    return x.dtype.type(0)


def _check_divisor(x: Array, y: Array) -> None:
    """Raises ZeroDivisionError where an integer is to be divided by zero."""
    if y.dtype.kind in "iu" and x.size and not np.all(y):
        raise ZeroDivisionError("integer division by zero")


def _sign(x: Array) -> Any:
    if x.dtype.kind != "c":
        return np.sign(x)
    size = np.abs(x)
    return np.where(size == 0, _zero(x), x / np.where(size == 0, _one(size), size))


def _round(x: Array) -> Any:
    return x if x.dtype.kind in "iu" else np.rint(x)


def sigmoid(x: Array) -> Any:
    """1 / (1 + exp(-x))."""
    one = _one(x)
    if x.dtype.kind == "c":
        return one / (one + np.exp(-x))
    small = np.exp(-np.abs(x))  # never overflows
    return np.where(x < 0, small, one) / (one + small)


_UNARY: tuple[tuple[str, Function, str, bool], ...] = (
    ("Abs", np.abs, "Magnitude (tf.abs).", EXACT),
    ("Acos", np.arccos, "Inverse cosine (tf.acos).", False),
    ("Acosh", np.arccosh, "Inverse hyperbolic cosine (tf.acosh).", False),
    ("Asin", np.arcsin, "Inverse sine (tf.asin).", False),
    ("Asinh", np.arcsinh, "Inverse hyperbolic sine (tf.asinh).", False),
    ("Atan", np.arctan, "Inverse tangent (tf.atan).", False),
    ("Atanh", np.arctanh, "Inverse hyperbolic tangent (tf.atanh).", False),
    ("Ceil", np.ceil, "The next integer at or above (tf.math.ceil).", EXACT),
    ("Conj", np.conj, "Complex conjugate (tf.math.conj).", EXACT),
    ("Cos", np.cos, "Cosine (tf.cos).", False),
    ("Cosh", np.cosh, "Hyperbolic cosine (tf.cosh).", False),
    ("Exp", np.exp, "e to the power of x (tf.exp).", False),
    ("Expm1", np.expm1, "exp(x) - 1 (tf.math.expm1).", False),
    ("Floor", np.floor, "The next integer at or below (tf.floor).", EXACT),
    ("Log", np.log, "Natural logarithm (tf.math.log).", False),
    ("Log1p", np.log1p, "log(1 + x) (tf.math.log1p).", False),
    ("Reciprocal Inv", lambda x: _one(x) / x, "1 / x (tf.math.reciprocal).", EXACT),
    ("Rint", np.rint, "The nearest integer, halves to even (tf.math.rint).", EXACT),
    ("Round", _round, "The nearest integer, halves to even; integers stay (tf.round).", EXACT),
    ("Rsqrt", lambda x: _one(x) / np.sqrt(x), "1 / sqrt(x) (tf.math.rsqrt).", EXACT),
    ("Sigmoid", sigmoid, "1 / (1 + exp(-x)) (tf.sigmoid).", False),
    ("Sign", _sign, "-1, 0 or 1, NaN for NaN; x / |x| for complex numbers (tf.sign).", EXACT),
    ("Sin", np.sin, "Sine (tf.sin).", False),
    ("Sinh", np.sinh, "Hyperbolic sine (tf.sinh).", False),
    ("Sqrt", np.sqrt, "Square root, NaN below zero (tf.sqrt).", EXACT),
    ("Square", np.square, "x * x (tf.square).", EXACT),
    ("Tan", np.tan, "Tangent (tf.tan).", False),
    ("Tanh", np.tanh, "Hyperbolic tangent (tf.tanh).", False),
)
for _names, _function, _doc, _exact in _UNARY:
    _elementwise(_names, _function, _doc, same, _exact)

_elementwise("Neg", np.negative, "-x (tf.negative).", same, EXACT, symbolic=True)

_TESTS: tuple[tuple[str, Function, str], ...] = (
    ("IsFinite", np.isfinite, "Whether neither infinite nor NaN (tf.math.is_finite)."),
    ("IsInf", np.isinf, "Whether infinite (tf.math.is_inf)."),
    ("IsNan", np.isnan, "Whether NaN (tf.math.is_nan)."),
    ("LogicalNot", np.logical_not, "Not x (tf.logical_not)."),
)
for _names, _function, _doc in _TESTS:
    _elementwise(_names, _function, _doc, to_bool, EXACT)


def _truncate_div(x: Array, y: Array) -> Any:
    _check_divisor(x, y)
    if x.dtype.kind in "iu":
        return np.floor_divide(x - np.fmod(x, y), y)
    return np.trunc(x / y)


def _div(x: Array, y: Array) -> Any:
    return _truncate_div(x, y) if x.dtype.kind in "iu" else np.true_divide(x, y)


def _real_div(x: Array, y: Array) -> Any:
    return np.true_divide(x, y, dtype=x.dtype)


def _floor_div(x: Array, y: Array) -> Any:
    _check_divisor(x, y)
    return np.floor(x / y) if x.dtype.kind in "fV" else np.floor_divide(x, y)


def _truncate_mod(x: Array, y: Array) -> Any:
    _check_divisor(x, y)
    return np.fmod(x, y)


def _floor_mod(x: Array, y: Array) -> Any:
    _check_divisor(x, y)
    if x.dtype.kind not in "fV":
        return np.remainder(x, y)
    rest = np.fmod(x, y)
    return np.where((rest != 0) & ((y < 0) != (rest < 0)), rest + y, rest)


def _pow(x: Array, y: Array) -> Any:
    if y.dtype.kind == "i" and np.any(y < 0):
        raise ValueError("integers to negative integer powers are not allowed")
    return np.power(x, y)


def _unless(zero: Array, value: Array) -> Any:
    """`value`, but 0 where `zero` is 0, whatever value is there."""
    return np.where(zero == 0, _zero(value), value)


def _squared_difference(x: Array, y: Array) -> Any:
    difference = x - y
    return difference * (np.conj(difference) if x.dtype.kind == "c" else difference)


def _cross(x: Array, y: Array) -> Any:
    if x.shape[-1:] != (3,) or x.shape != y.shape:
        raise ValueError(
            f"a cross product takes two arrays [..., 3] of one shape, not {x.shape} and {y.shape}"
        )
    ahead, behind = [1, 2, 0], [2, 0, 1]
    return x[..., ahead] * y[..., behind] - x[..., behind] * y[..., ahead]


_BINARY: tuple[tuple[str, Function, str, bool], ...] = (
    ("Atan2", np.arctan2, "Angle of the point (y, x), from -pi to pi (tf.atan2).", False),
    ("Cross", _cross, "Cross product over the last axis, of extent 3 (tf.linalg.cross).", EXACT),
    ("Div", _div, "x / y, towards zero for integers (tf.raw_ops.Div).", EXACT),
    (
        "DivNoNan",
        lambda x, y: _unless(y, x / y),
        "x / y, 0 where y is (tf.math.divide_no_nan).",
        EXACT,
    ),
    ("Maximum", np.maximum, "The greater, NaN where either is (tf.maximum).", EXACT),
    ("Minimum", np.minimum, "The smaller, NaN where either is (tf.minimum).", EXACT),
    ("Mod TruncateMod", _truncate_mod, "Rest with the sign of x (tf.truncatemod).", EXACT),
    (
        "MulNoNan",
        lambda x, y: _unless(y, x * y),
        "x * y, 0 where y is (tf.math.multiply_no_nan).",
        EXACT,
    ),
    ("NextAfter", np.nextafter, "The next number from x towards y (tf.math.nextafter).", EXACT),
    ("Pow", _pow, "x to the power of y; y < 0 is refused for integers (tf.pow).", False),
    ("RealDiv", _real_div, "x / y (tf.realdiv).", EXACT),
    (
        "SquaredDifference",
        _squared_difference,
        "(x - y)(x - y)*, * the conjugate (tf.math.squared_difference).",
        EXACT,
    ),
    ("TruncateDiv", _truncate_div, "x / y, towards zero (tf.truncatediv).", EXACT),
    ("Xdivy", lambda x, y: _unless(x, x / y), "x / y, 0 where x is (tf.math.xdivy).", EXACT),
    (
        "Xlog1py",
        lambda x, y: _unless(x, x * np.log1p(y)),
        "x log(1 + y), 0 where x is (tf.math.xlog1py).",
        False,
    ),
    (
        "Xlogy",
        lambda x, y: _unless(x, x * np.log(y)),
        "x log y, 0 where x is (tf.math.xlogy).",
        False,
    ),
)
for _names, _function, _doc, _exact in _BINARY:
    _elementwise(_names, _function, _doc, broadcast, _exact)

_SHAPE_ARITHMETIC: tuple[tuple[str, Function, str], ...] = (
    ("Add AddV2", np.add, "x + y; strings are joined (tf.add)."),
    ("Sub", np.subtract, "x - y (tf.subtract)."),
    ("Mul", np.multiply, "x * y (tf.multiply)."),
    ("FloorDiv", _floor_div, "floor(x / y) (tf.math.floordiv)."),
    ("FloorMod", _floor_mod, "Rest with the sign of y (tf.math.floormod)."),
)
for _names, _function, _doc in _SHAPE_ARITHMETIC:
    _elementwise(_names, _function, _doc, broadcast, EXACT, symbolic=True)

_COMPARISONS: tuple[tuple[str, Function, str], ...] = (
    ("Less", np.less, "x < y (tf.less)."),
    ("LessEqual", np.less_equal, "x <= y (tf.less_equal)."),
    ("Greater", np.greater, "x > y (tf.greater)."),
    ("GreaterEqual", np.greater_equal, "x >= y (tf.greater_equal)."),
    ("LogicalAnd", np.logical_and, "Both (tf.logical_and)."),
    ("LogicalOr", np.logical_or, "Either (tf.logical_or)."),
)
for _names, _function, _doc in _COMPARISONS:
    _elementwise(_names, _function, _doc, broadcast_bool, EXACT)


def _equal_type(c: Inference) -> ValueType:
    left, right = c.inputs[0].shape, c.inputs[1].shape
    if c.attrs["incompatible_shape_error"]:
        return ValueType(BOOL, broadcast_shapes(c, left, right))
    if left is None or right is None:
        return ValueType(BOOL)
    try:
        shape = broadcast_shapes(c, left, right)
    except ValueError:
        return ValueType(BOOL, ())
    pairs = zip(reversed(left), reversed(right), strict=False)
    agreed = all(a == b or 1 in (a, b) for a, b in pairs)
    return ValueType(BOOL, shape if agreed else None)


def _compare(x: Array, y: Array, strict: bool) -> Array | None:
    """Whether elements are equal; None where shapes do not broadcast and that is allowed."""
    try:
        return np.asarray(np.equal(x, y), np.bool_)
    except ValueError:
        if strict:
            raise ValueError(f"shapes {x.shape} and {y.shape} do not broadcast") from None
        return None


@op("Equal", type=_equal_type, exact=True)
def equal(x: Array, y: Array, *, incompatible_shape_error: bool = True) -> Array:
    """Whether elements are equal (tf.equal).

    ``False`` where the shapes do not broadcast, or ValueError if `incompatible_shape_error`.
    """
    found = _compare(x, y, incompatible_shape_error)
    return np.asarray(False) if found is None else found


@op("NotEqual", type=_equal_type, exact=True)
def not_equal(x: Array, y: Array, *, incompatible_shape_error: bool = True) -> Array:
    """Whether elements differ (tf.not_equal).

    ``True`` where the shapes do not broadcast, or ValueError if `incompatible_shape_error`.
    """
    found = _compare(x, y, incompatible_shape_error)
    return np.asarray(True) if found is None else ~found


def _all_one_shape(c: Inference) -> ValueType:
    return ValueType(c.inputs[0].dtype, merge_shapes(c, *(t.shape for t in c.inputs)))


@op("ApproximateEqual", type=lambda c: ValueType(BOOL, _all_one_shape(c).shape), exact=True)
def approximate_equal(x: Array, y: Array, *, tolerance: float = 1e-5) -> Any:
    """Whether elements of two arrays of one shape differ by less than `tolerance`
    (tf.raw_ops.ApproximateEqual)."""
    if x.shape != y.shape:
        raise ValueError(f"shapes {x.shape} and {y.shape} should be equal")
    return np.abs(x - y) < np.float32(tolerance).astype(x.dtype)


def _select_type(c: Inference) -> ValueType:
    shape = merge_shapes(c, c.inputs[1].shape, c.inputs[2].shape)
    return ValueType(c.inputs[1].dtype, shape)


@op("Select", type=_select_type, exact=True, symbolic=True)
def select(condition: Array, t: Array, e: Array) -> Array:
    """`t` where `condition`, else `e`; the condition has their shape, or is a scalar, or a vector
    that chooses rows (tf.compat.v1.where)."""
    if t.shape != e.shape:
        raise ValueError(f"shapes {t.shape} and {e.shape} to choose from should be equal")
    if condition.ndim == 1 and t.ndim > 1:
        condition = condition.reshape((-1,) + (1,) * (t.ndim - 1))
        if len(condition) != len(t):
            raise ValueError(f"{len(condition)} conditions for {len(t)} rows")
    elif condition.ndim and condition.shape != t.shape:
        raise ValueError(f"a condition of shape {condition.shape} for shape {t.shape}")
    return np.where(condition, t, e)


@op(
    "SelectV2",
    exact=True,
    symbolic=True,
    type=lambda c: ValueType(c.inputs[1].dtype, broadcast_shapes(c, *(t.shape for t in c.inputs))),
)
def select_v2(condition: Array, t: Array, e: Array) -> Array:
    """`t` where `condition`, else `e`, all broadcast (tf.where)."""
    return np.where(condition, t, e)


@op("ClipByValue", type=same, exact=True)
def clip_by_value(t: Array, clip_value_min: Array, clip_value_max: Array) -> Array:
    """`t` held between the bounds, the lower one last; NaN stays, a NaN bound does nothing
    (tf.clip_by_value). Real and imaginary parts are held each on their own."""
    for bound in (clip_value_min, clip_value_max):
        if bound.shape not in ((), t.shape):
            raise ValueError(f"a bound of shape {bound.shape} for an array of shape {t.shape}")
    if t.dtype.kind == "c":
        result = np.empty_like(t)
        result.real = clip_by_value(t.real, clip_value_min.real, clip_value_max.real)
        result.imag = clip_by_value(t.imag, clip_value_min.imag, clip_value_max.imag)
        return result
    below = np.where(clip_value_max < t, clip_value_max, t)
    return np.where(below < clip_value_min, clip_value_min, below)


@op("AddN", "AccumulateNV2", type=_all_one_shape, exact=True)
def add_n(*inputs: Any) -> Any:
    """The sum of arrays of one shape, or of lists of arrays, in their order (tf.add_n)."""
    arrays = [x for x in inputs if isinstance(x, np.ndarray)]
    if len({x.shape for x in arrays}) > 1:
        raise ValueError(f"shapes {[x.shape for x in arrays]} should be equal")
    return reduce(add, inputs)


@op(
    "Complex",
    exact=True,
    type=lambda c: ValueType(c.attrs["Tout"], broadcast_shapes(c, *(t.shape for t in c.inputs))),
)
def complex_(real: Array, imag: Array, *, Tout: DType = COMPLEX64) -> Array:
    """real + i imag (tf.complex)."""
    result = np.empty(np.broadcast_shapes(real.shape, imag.shape), Tout.numpy)
    result.real, result.imag = real, imag
    return result


@op("Real", type=attr_dtype("Tout"), exact=True)
def real(input: Array, *, Tout: DType = FLOAT32) -> Array:
    """The real part (tf.math.real)."""
    return input.real.astype(Tout.numpy)


@op("Imag", type=attr_dtype("Tout"), exact=True)
def imag(input: Array, *, Tout: DType = FLOAT32) -> Array:
    """The imaginary part (tf.math.imag)."""
    return input.imag.astype(Tout.numpy)


@op("ComplexAbs", type=attr_dtype("Tout"))
def complex_abs(x: Array, *, Tout: DType = FLOAT32) -> Any:
    """The magnitude of complex numbers (tf.abs)."""
    return np.abs(x).astype(Tout.numpy)


@op("Angle", type=attr_dtype("Tout"))
def angle(input: Array, *, Tout: DType = FLOAT32) -> Any:
    """The argument of complex numbers, from -pi to pi (tf.math.angle)."""
    return np.arctan2(input.imag, input.real).astype(Tout.numpy)
