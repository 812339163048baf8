"""Integers as bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import DType
from ..graph.types import ValueType
from .registry import op
from .rules import broadcast, same

Array = NDArray[Any]


@op("BitwiseAnd", type=broadcast, exact=True)
def bitwise_and(x: Array, y: Array) -> Array:
    """x & y, broadcast (tf.bitwise.bitwise_and)."""
    return x & y


@op("BitwiseOr", type=broadcast, exact=True)
def bitwise_or(x: Array, y: Array) -> Array:
    """x | y, broadcast (tf.bitwise.bitwise_or)."""
    return x | y


@op("BitwiseXor", type=broadcast, exact=True)
def bitwise_xor(x: Array, y: Array) -> Array:
    """x ^ y, broadcast (tf.bitwise.bitwise_xor)."""
    return x ^ y


@op("Invert", type=same, exact=True)
def invert(x: Array) -> Array:
    """All bits turned over (tf.bitwise.invert)."""
    return ~x


def _shift(y: Array, dtype: np.dtype[Any]) -> Array:
    """Shift counts clamped to the bits of `dtype`, as TensorFlow does."""
    return np.clip(y, 0, dtype.itemsize * 8 - 1).astype(dtype)


@op("LeftShift", type=broadcast, exact=True)
def left_shift(x: Array, y: Array) -> Array:
    """x << y, y clamped to the bits there are (tf.bitwise.left_shift)."""
    return np.left_shift(x, _shift(y, x.dtype))


@op("RightShift", type=broadcast, exact=True)
def right_shift(x: Array, y: Array) -> Array:
    """x >> y, of signed numbers with the sign (tf.bitwise.right_shift)."""
    return np.right_shift(x, _shift(y, x.dtype))


@op("PopulationCount", exact=True, type=lambda c: ValueType(DType("uint8"), c.inputs[0].shape))
def population_count(x: Array) -> Array:
    """The number of ones among the bits, uint8 (tf.raw_ops.PopulationCount)."""
    bits = np.unpackbits(np.ascontiguousarray(x).reshape(*x.shape, 1).view(np.uint8), axis=-1)
    result: Array = bits.sum(-1, dtype=np.uint8)
    return result
