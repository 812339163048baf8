"""Derivatives, which models hold that return a gradient by their inputs, such as forces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import ValueType
from .array import strided_index, zero
from .registry import Function, op
from .rules import Inference, merge_shapes, shape_vector

Array = NDArray[Any]

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _both_type(c: Inference) -> ValueType:
    return ValueType(c.inputs[0].dtype, merge_shapes(c, c.inputs[0].shape, c.inputs[1].shape))


def _constant(x: Array, value: float) -> Any:
    return x.dtype.type(value)


def _register(names: str, function: Function, doc: str, exact: bool) -> None:
    """Registers a function of two arrays of one shape."""

    def reference(x: Array, y: Array) -> Array:
        if x.shape != y.shape:
            raise ValueError(f"shapes {x.shape} and {y.shape} should be equal")
        result: Array = function(x, y)
        return result

    reference.__doc__ = doc
    op(*names.split(), type=_both_type, exact=exact)(reference)


def _selu_grad(g: Array, y: Array) -> Array:
    scale = _constant(g, _SELU_SCALE)
    return g * np.where(y < 0, y + _constant(g, _SELU_SCALE * _SELU_ALPHA), scale)


def _conj(x: Array) -> Array:
    return np.conj(x) if x.dtype.kind == "c" else x


_OF_RESULTS: tuple[tuple[str, Function, str, bool], ...] = (
    ("TanhGrad", lambda y, g: g * (_constant(y, 1) - y * y), "g (1 - y^2) of Tanh.", True),
    (
        "SigmoidGrad",
        lambda y, g: g * y * (_constant(y, 1) - y),
        "g y (1 - y) of Sigmoid.",
        True,
    ),
    ("SqrtGrad", lambda y, g: _constant(y, 0.5) * g / _conj(y), "g / 2y of Sqrt.", True),
    (
        "RsqrtGrad",
        lambda y, g: _constant(y, -0.5) * (g * _conj(y)) * _conj(y * y),
        "-g y^3 / 2 of Rsqrt.",
        True,
    ),
    ("ReciprocalGrad InvGrad", lambda y, g: -_conj(y * y) * g, "-g y^2 of Reciprocal.", True),
)
_OF_INPUTS: tuple[tuple[str, Function, str, bool], ...] = (
    ("ReluGrad", lambda g, x: g * (x > 0).astype(g.dtype), "g where x > 0, of Relu.", True),
    (
        "Relu6Grad",
        lambda g, x: g * ((x > 0) & (x < 6)).astype(g.dtype),
        "g where 0 < x < 6, of Relu6.",
        True,
    ),
    (
        "EluGrad",
        lambda g, y: np.where(y < 0, g * (y + _constant(y, 1)), g),
        "g, times y + 1 where y < 0, of Elu.",
        True,
    ),
    ("SeluGrad", _selu_grad, "g s, or g (y + s a) where y < 0, of Selu.", True),
    (
        "SoftplusGrad",
        lambda g, x: g / (np.exp(-x) + _constant(x, 1)),
        "g / (1 + exp(-x)) of Softplus.",
        False,
    ),
    (
        "SoftsignGrad",
        lambda g, x: g / np.square(_constant(x, 1) + np.abs(x)),
        "g / (1 + |x|)^2 of Softsign.",
        True,
    ),
)
for _name, _function, _doc, _exact in _OF_RESULTS + _OF_INPUTS:
    _register(_name, _function, f"{_doc[:-1]} (tf.raw_ops.{_name.split()[0]}).", _exact)


@op("LeakyReluGrad", type=_both_type, exact=True)
def leaky_relu_grad(gradients: Array, features: Array, *, alpha: float = 0.2) -> Any:
    """The gradients, times `alpha` where the features are not positive."""
    if gradients.shape != features.shape:
        raise ValueError(f"shapes {gradients.shape} and {features.shape} should be equal")
    return np.where(features > 0, gradients, gradients * np.float32(alpha).astype(gradients.dtype))


def _bias_type(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    if shape is None:
        return ValueType(c.inputs[0].dtype, c.unknown(1))
    if len(shape) < 2:
        raise ValueError(f"a gradient of rank 2 at least is needed, not {len(shape)}")
    return ValueType(c.inputs[0].dtype, (shape[1 if c.attrs["data_format"] == "NCHW" else -1],))


@op("BiasAddGrad", type=_bias_type)
def bias_add_grad(out_backprop: Array, *, data_format: str = "NHWC") -> Any:
    """The sum over all axes but that of the channels (tf.raw_ops.BiasAddGrad)."""
    if out_backprop.ndim < 2:
        raise ValueError(f"a gradient of rank 2 at least is needed, not {out_backprop.shape}")
    channels = 1 if data_format == "NCHW" else out_backprop.ndim - 1
    gone = tuple(i for i in range(out_backprop.ndim) if i != channels)
    wide = None if out_backprop.dtype.kind in "iuc" else np.float64
    return out_backprop.sum(axis=gone, dtype=wide).astype(out_backprop.dtype)


@op(
    "StridedSliceGrad",
    type=lambda c: ValueType(c.inputs[4].dtype, shape_vector(c, 0)),
    exact=True,
    ranks="1",
)
def strided_slice_grad(
    shape: Array,
    begin: Array,
    end: Array,
    strides: Array,
    dy: Array,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Any:
    """Zeros of `shape` with `dy` where the strided slice reads (tf.raw_ops.StridedSliceGrad)."""
    masks = {
        "begin_mask": begin_mask,
        "end_mask": end_mask,
        "ellipsis_mask": ellipsis_mask,
        "new_axis_mask": new_axis_mask,
        "shrink_axis_mask": shrink_axis_mask,
    }
    result = np.full(shape.tolist(), zero(dy.dtype), dy.dtype)
    view = result[strided_index(result, begin, end, strides, masks)]
    if view.shape != dy.shape:
        raise ValueError(f"a gradient of shape {dy.shape} for a slice of shape {view.shape}")
    result[strided_index(result, begin, end, strides, masks)] = dy
    return result
