"""Numbers on a grid: fake quantisation, and integers that stand for floats.

The arithmetic is that of TensorFlow's kernels step by step and in their precision: one grid point
more or less is a visible difference.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, DType
from ..graph.types import ValueType
from .array import lenient_scalar
from .registry import op
from .rules import Inference, same

Array = NDArray[Any]
F32 = np.float32


def round_away(x: Array) -> Array:
    """The nearest integer, halves away from zero (C's round)."""
    whole = np.trunc(x)
    return whole + np.where(np.abs(x - whole) >= 0.5, np.copysign(x.dtype.type(1), x), 0).astype(
        x.dtype
    )


def nudged(
    low: Array, high: Array, num_bits: int, narrow_range: bool
) -> tuple[Array, Array, Array, Array]:
    """The grid of 2**num_bits numbers from `low` to `high` of which 0 is one: its lowest and
    highest number, the step, and the inverse of the step."""
    if not 2 <= num_bits <= 16:
        raise ValueError(f"{num_bits} bits: 2 to 16 are possible")
    first, last = F32(1 if narrow_range else 0), F32(2**num_bits - 1)
    low, high = np.asarray(low, F32), np.asarray(high, F32)
    scale = (high - low) / (last - first)
    zero = first - low / scale
    zero = np.where(zero < first, first, np.where(zero > last, last, round_away(zero)))
    inverse = (last - first) / (high - low)
    return (first - zero) * scale, (last - zero) * scale, scale, inverse


def check_bounds(x: Array, low: Array, high: Array, per_channel: bool) -> None:
    """Raises ValueError where the bounds are no scalars, or not one for each channel."""
    if low.shape != (x.shape[-1:] if per_channel else ()) or high.shape != low.shape:
        raise ValueError(f"bounds {low.shape} and {high.shape} do not fit inputs {x.shape}")


def check_range(low: float, high: float) -> None:
    """Raises ValueError where the range is empty."""
    if not low < high:
        raise ValueError(f"the range from {low} to {high} is empty")


def _fake_quant(x: Array, low: Array, high: Array, num_bits: int, narrow_range: bool) -> Any:
    bottom, top, scale, inverse = nudged(low, high, num_bits, narrow_range)
    held = np.where(x > bottom, x, np.where(np.isnan(x), x, bottom))
    held = np.where(held < top, held, np.where(np.isnan(x), x, top))
    found = np.floor((held - bottom) * inverse + F32(0.5)) * scale + bottom
    return np.where((low == 0) & (high == 0), F32(0), found).astype(F32)


@op("FakeQuantWithMinMaxArgs", type=same)
def fake_quant_with_min_max_args(
    inputs: Array,
    *,
    min: float = -6.0,
    max: float = 6.0,
    num_bits: int = 8,
    narrow_range: bool = False,
) -> Any:
    """Rounds to a grid of 2**num_bits numbers from `min` to `max`, shifted so that zero is one
    (tf.quantization.fake_quant_with_min_max_args)."""
    check_range(min, max)
    return _fake_quant(inputs, np.asarray(min), np.asarray(max), num_bits, narrow_range)


@op("FakeQuantWithMinMaxVars", type=same, ranks=".00")
def fake_quant_with_min_max_vars(
    inputs: Array, min: Array, max: Array, *, num_bits: int = 8, narrow_range: bool = False
) -> Any:
    """As FakeQuantWithMinMaxArgs with bounds that are computed; 0 where both are 0."""
    check_bounds(inputs, min, max, False)
    return _fake_quant(inputs, min, max, num_bits, narrow_range)


@op("FakeQuantWithMinMaxVarsPerChannel", type=same, ranks=".11")
def fake_quant_with_min_max_vars_per_channel(
    inputs: Array, min: Array, max: Array, *, num_bits: int = 8, narrow_range: bool = False
) -> Any:
    """As FakeQuantWithMinMaxVars with bounds for each index of the last axis."""
    check_bounds(inputs, min, max, True)
    return _fake_quant(inputs, min, max, num_bits, narrow_range)


def along(bound: Array, x: Array, axis: int) -> Array:
    """Bounds for the indices of `axis`, shaped to broadcast against `x`; a scalar for axis -1."""
    if axis == -1:
        return bound.reshape(())
    if bound.shape != x.shape[axis : axis + 1]:
        raise ValueError(f"bounds {bound.shape} do not fit axis {axis} of shape {x.shape}")
    return bound.reshape([-1 if i == axis else 1 for i in range(x.ndim)])


def _snap(
    x: Array,
    low: Array,
    high: Array,
    num_bits: int,
    signed: bool,
    narrow: bool,
    given: bool,
    half_up: bool,
    axis: int,
) -> Any:
    """Quantises to integers of `num_bits` and back; the greater side of the range decides."""
    if not (0 if not signed else 1) < num_bits < (64 if signed else 63):
        raise ValueError(f"{num_bits} bits are out of range")
    kind = x.dtype.type
    if given:
        low, high = along(low, x, axis), along(high, x, axis)
        if (low > high).any():
            raise ValueError("the lower bound is above the upper one")
    elif x.size:
        others = tuple(i for i in range(x.ndim) if i != axis) if axis != -1 else None
        odd = np.isnan(x)  # counts neither for the least nor for the greatest
        low = np.where(odd, kind(np.inf), x).min(axis=others, keepdims=axis != -1)
        high = np.where(odd, kind(-np.inf), x).max(axis=others, keepdims=axis != -1)
    else:
        return x
    last = kind(2 ** (num_bits - 1) - 1 if signed else 2**num_bits - 1)
    first = kind((-last if narrow else -last - 1) if signed else 0)
    none = np.finfo(x.dtype).max
    from_low = np.where(first * low > 0, first / low, none)
    from_high = np.where(last * high > 0, last / high, none)
    by_low = from_low < from_high
    scale = np.where(by_low, from_low, from_high)
    inverse = np.where(by_low, low / first, high / last)
    if given:
        bottom, top = np.where(by_low, low, first * inverse), np.where(by_low, last * inverse, high)
        x = np.where(x < bottom, bottom, np.where(top < x, top, x))
    grid = np.floor(x * scale + kind(0.5)) if half_up else np.rint(x * scale)
    return (grid * inverse).astype(kind)


@op("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4", type=same)
def quantize_and_dequantize_v2(
    input: Array,
    input_min: Array,
    input_max: Array,
    *,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    round_mode: str = "HALF_TO_EVEN",
    narrow_range: bool = False,
    axis: int = -1,
) -> Any:
    """Rounds to the integers of `num_bits`, scaled so that they cover the range, and back
    (tf.quantization.quantize_and_dequantize_v2)."""
    return _snap(
        input,
        input_min,
        input_max,
        num_bits,
        signed_input,
        narrow_range,
        range_given,
        round_mode == "HALF_UP",
        axis,
    )


@op("QuantizeAndDequantizeV3", type=same, ranks="...0")
def quantize_and_dequantize_v3(
    input: Array,
    input_min: Array,
    input_max: Array,
    num_bits: Array,
    *,
    signed_input: bool = True,
    range_given: bool = True,
    narrow_range: bool = False,
    axis: int = -1,
) -> Any:
    """As QuantizeAndDequantizeV2 with a number of bits that is computed."""
    return _snap(
        input,
        input_min,
        input_max,
        int(num_bits),
        signed_input,
        narrow_range,
        range_given,
        False,
        axis,
    )


@op("QuantizeAndDequantize", type=same)
def quantize_and_dequantize(
    input: Array,
    *,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    input_min: float = 0.0,
    input_max: float = 0.0,
) -> Any:
    """As QuantizeAndDequantizeV2 with bounds as attributes (retired)."""
    low, high = input.dtype.type(input_min), input.dtype.type(input_max)
    return _snap(
        input,
        np.asarray(low),
        np.asarray(high),
        num_bits,
        signed_input,
        False,
        range_given,
        False,
        -1,
    )


def _quantize_types(c: Inference) -> list[ValueType]:
    bounds = ValueType(FLOAT32, () if c.attrs["axis"] == -1 else c.inputs[1].shape)
    return [ValueType(c.attrs["T"], c.inputs[0].shape), bounds, bounds]


@op("QuantizeV2", type=_quantize_types, outputs=("output", "output_min", "output_max"))
def quantize_v2(
    input: Array,
    min_range: Array,
    max_range: Array,
    *,
    T: DType,
    mode: str = "MIN_COMBINED",
    round_mode: str = "HALF_AWAY_FROM_ZERO",
    narrow_range: bool = False,
    axis: int = -1,
    ensure_minimum_range: float = 0.01,
) -> tuple[Array, Array, Array]:
    """Floats as integers of type `T`, and the range that these span (tf.quantization.quantize)."""
    limits = np.iinfo(T.numpy)
    if axis == -1:
        min_range = lenient_scalar(min_range, "min_range")
        max_range = lenient_scalar(max_range, "max_range")
    if (min_range > max_range).any():
        raise ValueError("the lower bound is above the upper one")
    low = np.minimum(F32(0), min_range)
    span = np.maximum(F32(1), np.maximum(np.abs(min_range), np.abs(max_range)))
    high = np.maximum(max_range, low + span * F32(ensure_minimum_range))
    high = np.maximum(F32(0), high)
    bottom, top = along(low, input, axis), along(high, input, axis)
    if mode == "MIN_COMBINED":
        step = F32(limits.max - limits.min) / (top - bottom)
        half = F32((limits.max - limits.min + 1) / 2 if limits.min < 0 else 0)
        held = np.maximum(np.minimum(input, top), bottom)
        return round_away((held - bottom) * step - half).astype(T.numpy), low, high
    if mode == "MIN_FIRST":
        return _quantize_min_first(input, bottom, top, limits).astype(T.numpy), low, high
    return _quantize_scaled(input, bottom, top, limits, T, round_mode, narrow_range, low.shape)


def _quantize_min_first(x: Array, low: Array, high: Array, limits: Any) -> Array:
    steps = 2.0**limits.bits
    step = steps / ((high.astype(np.float64) - low) * (steps / (steps - 1)))
    offset = (np.rint(low * step) - limits.min).astype(F32)
    top = np.nextafter(F32(limits.max), F32(0)) if limits.bits == 32 else F32(limits.max)
    return np.clip(np.rint(x * F32(step)) - offset, F32(limits.min), top)


def _quantize_scaled(
    x: Array,
    low: Array,
    high: Array,
    limits: Any,
    T: DType,
    round_mode: str,
    narrow: bool,
    shape: tuple[int, ...],
) -> tuple[Array, Array, Array]:
    first, last = F32(limits.min + (1 if narrow else 0)), F32(limits.max)
    none = np.finfo(F32).max
    from_low = np.where(first * low > 0, first / low, none)
    from_high = np.where(last * high > 0, last / high, none)
    scale = np.minimum(from_low, from_high).astype(F32)
    low, high = first / scale, last / scale
    held = np.maximum(np.minimum(x, high), low) * scale
    grid = np.rint(held) if round_mode == "HALF_TO_EVEN" else round_away(held)
    return grid.astype(T.numpy), low.reshape(shape).astype(F32), high.reshape(shape).astype(F32)


@op("Dequantize", type=lambda c: ValueType(c.attrs["dtype"], c.inputs[0].shape))
def dequantize(
    input: Array,
    min_range: Array,
    max_range: Array,
    *,
    mode: str = "MIN_COMBINED",
    narrow_range: bool = False,
    axis: int = -1,
    dtype: DType = FLOAT32,
) -> Any:
    """The floats that integers stand for (tf.quantization.dequantize)."""
    limits = np.iinfo(input.dtype)
    low, high = along(min_range, input, axis), along(max_range, input, axis)
    x = input.astype(F32)
    if mode == "MIN_COMBINED":
        step = (high - low) / F32(limits.max - limits.min)
        half = F32((limits.max - limits.min + 1) / 2 if limits.min < 0 else 0)
        return ((x + half) * step + low).astype(dtype.numpy)
    if mode == "MIN_FIRST":
        steps = 2.0**limits.bits
        step = (high.astype(np.float64) - low) * (steps / (steps - 1)) / steps
        base = round_away(low / F32(step)) * F32(step)
        offset = input.astype(np.float64) - limits.min
        found = np.where(low == high, low, base + offset * step)
        return found.astype(F32).astype(dtype.numpy)
    first = F32(limits.min + (1 if narrow_range else 0))
    step = high / F32(limits.max)
    if limits.min < 0:
        step = np.maximum(low / first, step)
    return (x * step).astype(dtype.numpy)
