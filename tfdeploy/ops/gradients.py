"""Derivatives, which models hold that return a gradient by their inputs, such as forces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import ValueType
from .array import strided_index, zero
from .layout import mirrored
from .quantize import along, check_bounds, check_range, nudged
from .registry import Function, op
from .rules import Inference, broadcast, merge_shapes, same, shape_vector
from .special import gamma_by_shape, igamma_by_shape

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


def _unmirrored_type(c: Inference) -> ValueType:
    (dtype, shape), paddings = c.inputs[0], c.extents(1)
    if shape is None or paddings is None or len(paddings) != 2 * len(shape):
        return ValueType(dtype, c.unknown(None if shape is None else len(shape)))
    pairs = zip(shape, paddings[::2], paddings[1::2], strict=True)
    return ValueType(dtype, tuple(e - a - b for e, a, b in pairs))


@op("MirrorPadGrad", type=_unmirrored_type, ranks=".2")
def mirror_pad_grad(x: Array, paddings: Array, *, mode: str) -> Array:
    """The gradient of MirrorPad: what stands for an element is added to it."""
    if paddings.shape != (x.ndim, 2) or np.any(paddings < 0):
        raise ValueError(f"paddings {paddings.tolist()} do not fit shape {x.shape}")
    for axis, (before, after) in enumerate(paddings.tolist()):
        n = x.shape[axis] - before - after
        if n < 1:
            raise ValueError(f"paddings {before}, {after} leave nothing of {x.shape[axis]}")
        result = np.zeros((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype)
        rows = np.moveaxis(result, axis, 0)
        np.add.at(rows, mirrored(n, before, after, mode), np.moveaxis(x, axis, 0))
        x = result
    return x


# Quantization


def _between(
    gradients: Array, inputs: Array, low: Array, high: Array, num_bits: int, narrow_range: bool
) -> tuple[Array, Array, Array]:
    """The gradients where the inputs are on the grid, below it and above it, 0 elsewhere."""
    if gradients.shape != inputs.shape:
        raise ValueError(f"shapes {gradients.shape} and {inputs.shape} should be equal")
    bottom, top, _, _ = nudged(low, high, num_bits, narrow_range)
    nowhere = (low == 0) & (high == 0)
    inside = ((inputs >= bottom) & (inputs <= top)) | nowhere
    sides = (inputs < bottom) & ~nowhere, (inputs > top) & ~nowhere
    inner, below, above = (np.where(s, gradients, np.float32(0)) for s in (inside, *sides))
    return inner, below, above


@op("FakeQuantWithMinMaxArgsGradient", type=same)
def fake_quant_with_min_max_args_gradient(
    gradients: Array,
    inputs: Array,
    *,
    min: float = -6.0,
    max: float = 6.0,
    num_bits: int = 8,
    narrow_range: bool = False,
) -> Array:
    """The gradients where the inputs are on the grid of FakeQuantWithMinMaxArgs."""
    check_range(min, max)
    low, high = np.asarray(min), np.asarray(max)
    return _between(gradients, inputs, low, high, num_bits, narrow_range)[0]


_FAKE_QUANT = ("backprops_wrt_input", "backprop_wrt_min", "backprop_wrt_max")


@op(
    "FakeQuantWithMinMaxVarsGradient",
    type=lambda c: [c.inputs[0], *[ValueType(c.inputs[0].dtype, ())] * 2],
    outputs=_FAKE_QUANT,
)
def fake_quant_with_min_max_vars_gradient(
    gradients: Array,
    inputs: Array,
    min: Array,
    max: Array,
    *,
    num_bits: int = 8,
    narrow_range: bool = False,
) -> tuple[Array, ...]:
    """The gradients of FakeQuantWithMinMaxVars by inputs and bounds: a bound has those of the
    inputs beyond it."""
    check_bounds(inputs, min, max, False)
    inner, below, above = _between(gradients, inputs, min, max, num_bits, narrow_range)
    return inner, below.sum(), above.sum()


@op(
    "FakeQuantWithMinMaxVarsPerChannelGradient",
    type=lambda c: [c.inputs[0], c.inputs[2], c.inputs[3]],
    outputs=_FAKE_QUANT,
)
def fake_quant_with_min_max_vars_per_channel_gradient(
    gradients: Array,
    inputs: Array,
    min: Array,
    max: Array,
    *,
    num_bits: int = 8,
    narrow_range: bool = False,
) -> tuple[Array, ...]:
    """As FakeQuantWithMinMaxVarsGradient with bounds for each index of the last axis."""
    check_bounds(inputs, min, max, True)
    inner, below, above = _between(gradients, inputs, min, max, num_bits, narrow_range)
    every = tuple(range(inputs.ndim - 1))
    return inner, below.sum(axis=every), above.sum(axis=every)


@op(
    "QuantizeAndDequantizeV4Grad",
    type=lambda c: [c.inputs[0], *[ValueType(c.inputs[0].dtype, c.inputs[2].shape)] * 2],
    exact=True,
    outputs=("input_backprop", "input_min_backprop", "input_max_backprop"),
)
def quantize_and_dequantize_v4_grad(
    gradients: Array, input: Array, input_min: Array, input_max: Array, *, axis: int = -1
) -> tuple[Array, ...]:
    """The gradients where the input is in its range, 0 elsewhere and for the bounds."""
    if gradients.shape != input.shape or input_min.shape != input_max.shape:
        raise ValueError(f"gradients {gradients.shape} do not fit inputs {input.shape}")
    low, high = (along(bound, input, axis) for bound in (input_min, input_max))
    inside = (input >= low) & (input <= high)
    zeros = np.zeros(input_min.shape, gradients.dtype)
    return np.where(inside, gradients, gradients.dtype.type(0)), zeros, zeros


# Factors and distributions


@op("CholeskyGrad", "BatchCholeskyGrad", type=same)
def cholesky_grad(l: Array, grad: Array) -> Array:  # noqa: E741 - TensorFlow's name
    """The gradient of Cholesky, whose result is `l` (Murray 2016, eq. 10)."""
    if l.ndim < 2 or l.shape[-1] != l.shape[-2] or grad.shape != l.shape:
        raise ValueError(f"factors {l.shape} and gradients {grad.shape} should be square matrices")
    factor = np.tril(l.astype(np.float64))
    inner = np.swapaxes(factor, -1, -2) @ np.tril(grad)
    half = np.tril(inner) - np.einsum("...ii->...i", inner)[..., None] * np.eye(l.shape[-1]) / 2
    inverse = np.linalg.inv(factor)
    whole = np.swapaxes(inverse, -1, -2) @ half @ inverse
    return ((whole + np.swapaxes(whole, -1, -2)) / 2).astype(l.dtype)


def _by_shape(function: Function) -> Function:
    """A function of a gamma distribution's shape and a point, computed in double precision."""

    def reference(a: Array, x: Array) -> Array:
        result = function(*np.broadcast_arrays(a.astype(np.float64), x.astype(np.float64)))
        return np.asarray(result, a.dtype)

    return reference


for _name, _function, _doc in (
    ("IgammaGradA", igamma_by_shape, "The derivative of Igamma by its first argument."),
    (
        "RandomGammaGrad",
        gamma_by_shape,
        "How a gamma number changes with the shape it is drawn for.",
    ),
):
    _reference = _by_shape(_function)
    _reference.__doc__ = _doc
    op(_name, type=broadcast)(_reference)
