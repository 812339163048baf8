"""Gradients of normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import ValueType
from .nn import nearby, scalar, single, wide
from .registry import op
from .rules import Inference, same
from .windows import channels_as, channels_first, channels_last

Array = NDArray[Any]


def _check_shapes(x: Array, *others: Array) -> None:
    if any(y.shape != x.shape for y in others):
        raise ValueError(f"shapes {[y.shape for y in (x, *others)]} should be equal")


def _batch_norm_types(c: Inference) -> list[ValueType]:
    x, scale = c.inputs[1], c.inputs[2]
    if x.shape is not None and len(x.shape) not in (4, 5):
        raise ValueError(f"the input of a batch norm has rank {len(x.shape)}, not 4 or 5")
    shape = scale.shape
    if x.shape is not None:
        shape = (x.shape[1 if channels_first(c.attrs["data_format"]) else -1],)
    nothing = ValueType(scale.dtype, (0,))
    return [ValueType(x.dtype, x.shape), *[ValueType(scale.dtype, shape)] * 2, nothing, nothing]


def _batch_norm_grad(
    dy: Array,
    x: Array,
    scale: Array,
    mean: Array,
    variance: Array,
    epsilon: float,
    data_format: str,
    is_training: bool,
) -> tuple[Array, ...]:
    """Gradients by x, scale and offset; what a GPU's kernels keep is empty."""
    _check_shapes(x, dy)
    if x.ndim not in (4, 5):
        raise ValueError(f"the input of a batch norm has rank {x.ndim}, not 4 or 5")
    channels = (x.shape[1 if channels_first(data_format) else -1],)
    if any(v.shape != channels for v in (scale, mean, variance)):
        raise ValueError(f"scale and statistics should have shape {channels}")
    back, image = (channels_last(a, data_format).astype(scale.dtype, copy=False) for a in (dy, x))
    every = tuple(range(x.ndim - 1))
    inverse = 1 / np.sqrt(variance + single(scale, epsilon))
    apart = image - mean
    offset_part = back.sum(axis=every)
    scale_part = (back * apart).sum(axis=every) * inverse
    if is_training:
        count = scalar(scale, max(1, x.size // max(1, channels[0])))
        back = back - offset_part / count - apart * inverse * scale_part / count
    image = (back * (scale * inverse)).astype(x.dtype)
    nothing = np.zeros(0, scale.dtype)
    return channels_as(image, data_format), scale_part, offset_part, nothing, nothing


_BATCH_NORM = ("x_backprop", "scale_backprop", "offset_backprop")
_V2 = (*_BATCH_NORM, "reserve_space_3", "reserve_space_4")
_V3 = (*_BATCH_NORM, "reserve_space_4", "reserve_space_5")


@op("FusedBatchNormGrad", "FusedBatchNormGradV2", type=_batch_norm_types, outputs=_V2)
def fused_batch_norm_grad(
    y_backprop: Array,
    x: Array,
    scale: Array,
    mean: Array,
    variance: Array,
    *,
    epsilon: float = 1e-4,
    data_format: str = "NHWC",
    is_training: bool = True,
) -> tuple[Array, ...]:
    """The gradients of FusedBatchNorm by image, scale and offset; the two last outputs, which
    serve kernels of GPUs, hold nothing."""
    return _batch_norm_grad(y_backprop, x, scale, mean, variance, epsilon, data_format, is_training)


@op("FusedBatchNormGradV3", type=_batch_norm_types, outputs=_V3)
def fused_batch_norm_grad_v3(
    y_backprop: Array,
    x: Array,
    scale: Array,
    mean: Array,
    variance: Array,
    reserve_space_3: Array,
    *,
    epsilon: float = 1e-4,
    data_format: str = "NHWC",
    is_training: bool = True,
) -> tuple[Array, ...]:
    """As FusedBatchNormGrad, of volumes too."""
    return _batch_norm_grad(y_backprop, x, scale, mean, variance, epsilon, data_format, is_training)


def _global_types(c: Inference) -> list[ValueType]:
    return [c.inputs[0], *[ValueType(c.inputs[0].dtype, t.shape) for t in [c.inputs[1]] * 4]]


@op(
    "BatchNormWithGlobalNormalizationGrad",
    type=_global_types,
    outputs=("dx", "dm", "dv", "db", "dg"),
    ranks="41114",
)
def batch_norm_global_grad(
    t: Array,
    m: Array,
    v: Array,
    gamma: Array,
    backprop: Array,
    *,
    variance_epsilon: float,
    scale_after_normalization: bool,
) -> tuple[Array, ...]:
    """The gradients of BatchNormWithGlobalNormalization by image, mean, variance, offset and
    factor."""
    _check_shapes(t, backprop)
    inverse = 1 / np.sqrt(v + single(v, variance_epsilon))
    factor = gamma if scale_after_normalization else np.ones_like(gamma)
    total = backprop.sum(axis=(0, 1, 2))
    met = (backprop * (t - m)).sum(axis=(0, 1, 2))
    by_gamma = met * inverse if scale_after_normalization else np.zeros_like(gamma)
    by_variance = met * scalar(v, -0.5) * inverse**3 * factor
    return backprop * (inverse * factor), -total * inverse * factor, by_variance, total, by_gamma


@op("LRNGrad", type=same, ranks="444")
def lrn_grad(
    input_grads: Array,
    input_image: Array,
    output_image: Array,
    *,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
) -> Array:
    """The gradient of LRN by its image (tf.raw_ops.LRNGrad)."""
    _check_shapes(input_grads, input_image, output_image)
    grads, image, out = map(wide, (input_grads, input_image, output_image))
    near = single(image, bias) + single(image, alpha) * nearby(np.square(image), depth_radius)
    others = nearby(grads * out / near, depth_radius)
    twice = single(image, 2) * single(image, alpha) * single(image, beta)
    return (
        (grads * near ** -single(image, beta) - twice * image * others)
        .astype(image.dtype)
        .astype(input_image.dtype)
    )
