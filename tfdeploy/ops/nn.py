"""Activations, biases, normalisation and losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import Extent, ValueType
from .registry import op
from .rules import (
    Inference,
    broadcast_shapes,
    merge_extents,
    merge_shapes,
    same,
)
from .windows import channels_as, channels_first, channels_last

Array = NDArray[Any]

_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_ALPHA = 1.7580993408473768599402175208123


def wide(x: Array) -> Array:
    """`x` in the type in which 16-bit floats are computed: float32, the others as they are."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x


def scalar(x: Array, value: float) -> Any:
    """`value` as a scalar of the dtype of `x`, so that a product keeps it."""
    return x.dtype.type(value)


def single(x: Array, value: float) -> Any:
    """`value` of an attribute, which TensorFlow holds in float32, in the dtype of `x`."""
    return x.dtype.type(np.float32(value))


# Activations


@op("Relu", type=same, exact=True)
def relu(x: Array) -> Array:
    """max(x, 0); NaN stays (tf.nn.relu)."""
    return np.maximum(x, scalar(x, 0))


@op("Relu6", type=same, exact=True)
def relu6(x: Array) -> Array:
    """min(max(x, 0), 6); NaN stays (tf.nn.relu6)."""
    return np.minimum(np.maximum(x, scalar(x, 0)), scalar(x, 6))


@op("LeakyRelu", type=same, exact=True)
def leaky_relu(x: Array, *, alpha: float = 0.2) -> Array:
    """x where positive, else alpha * x (tf.nn.leaky_relu)."""
    return np.where(x > 0, x, x * single(x, alpha))


@op("Elu", type=same)
def elu(x: Array) -> Array:
    """x where positive, else exp(x) - 1 (tf.nn.elu)."""
    w = wide(x)
    return np.where(w < 0, np.expm1(w), w).astype(x.dtype)


@op("Selu", type=same)
def selu(x: Array) -> Array:
    """Scaled exponential linear unit (tf.nn.selu; Klambauer et al. 2017)."""
    w = wide(x)
    low = scalar(w, _SELU_ALPHA) * np.expm1(w)
    return np.where(w < 0, low, scalar(w, _SELU_SCALE) * w).astype(x.dtype)


@op("Softplus", type=same)
def softplus(x: Array) -> Array:
    """log(1 + exp(x)) (tf.nn.softplus)."""
    w = wide(x)
    return (np.maximum(w, scalar(w, 0)) + np.log1p(np.exp(-np.abs(w)))).astype(x.dtype)


@op("Softsign", type=same, exact=True)
def softsign(x: Array) -> Array:
    """x / (1 + abs(x)); NaN for infinities (tf.nn.softsign)."""
    return x / (scalar(x, 1) + np.abs(x))


def _logits_type(c: Inference) -> ValueType:
    if c.inputs[0].shape == ():
        raise ValueError("the logits are a scalar and should have at least one axis")
    return c.inputs[0]


def _shifted(x: Array) -> Array:
    if not x.ndim:
        raise ValueError("the logits are a scalar and should have at least one axis")
    w = wide(x)
    return w - w.max(axis=-1, keepdims=True, initial=-np.inf)


@op("Softmax", type=_logits_type)
def softmax(x: Array) -> Array:
    """exp(x) over its sum along the last axis (tf.nn.softmax)."""
    e = np.exp(_shifted(x))
    return (e / e.sum(axis=-1, keepdims=True)).astype(x.dtype)


@op("LogSoftmax", type=_logits_type)
def log_softmax(x: Array) -> Array:
    """x minus the logarithm of the sum of exp(x) along the last axis (tf.nn.log_softmax)."""
    shifted = _shifted(x)
    return (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(x.dtype)


# Bias


def _bias_type(c: Inference) -> ValueType:
    x, bias = c.inputs[0], c.inputs[1].shape
    first = channels_first(c.attrs.get("data_format", "NHWC"))
    if bias is not None and len(bias) != 1:
        raise ValueError(f"the bias has rank {len(bias)} and should have 1")
    if x.shape is None:
        return x
    if len(x.shape) < 2 + first:
        raise ValueError(f"the input of BiasAdd has rank {len(x.shape)}, too few")
    if bias is not None:
        merge_extents(x.shape[1 if first else -1], bias[0])
    return x


@op("BiasAdd", type=_bias_type, exact=True, ranks=".1")
def bias_add(x: Array, bias: Array, *, data_format: str = "NHWC") -> Array:
    """x plus one number per channel (tf.nn.bias_add)."""
    if x.shape[1 if channels_first(data_format) else -1] != bias.shape[0]:
        raise ValueError(f"{bias.shape[0]} biases do not fit channels of shape {x.shape}")
    return channels_as(channels_last(x, data_format) + bias, data_format)


@op("BiasAddV1", type=_bias_type, exact=True, ranks=".1")
def bias_add_v1(x: Array, bias: Array) -> Array:
    """x plus one number per channel, channels last (tf.nn.bias_add of TensorFlow 0.x)."""
    return bias_add(x, bias)


# Normalisation


def _batch_norm_type(c: Inference) -> list[ValueType]:
    x, scale = c.inputs[0], c.inputs[1]
    channels: Extent | None = None
    if scale.shape is not None and len(scale.shape) == 1:
        channels = scale.shape[0]
    if x.shape is not None:
        if len(x.shape) not in (4, 5):
            raise ValueError(f"the input of FusedBatchNorm has rank {len(x.shape)}, not 4 or 5")
        own = x.shape[1 if channels_first(c.attrs["data_format"]) else -1]
        channels = own if channels is None else merge_extents(own, channels)
    one = ValueType(scale.dtype, None if channels is None else (channels,))
    return [x, one, one, one, one]


def batch_norm_v3_type(c: Inference) -> list[ValueType]:
    """Types of the six outputs of FusedBatchNormV3."""
    return [*_batch_norm_type(c), ValueType(c.inputs[1].dtype)]


def _batch_norm(
    x: Array,
    scale: Array,
    offset: Array,
    mean: Array,
    variance: Array,
    epsilon: float,
    average: float,
    data_format: str,
    is_training: bool,
) -> tuple[Array, ...]:
    rows = channels_last(x, data_format).astype(scale.dtype, copy=False)
    count = rows.size // max(1, rows.shape[-1])
    if not rows.size:
        lost = np.full_like(scale, np.nan)
        return x, lost, lost, np.zeros_like(scale), np.zeros_like(scale)
    if is_training:
        flat = rows.reshape(count, -1)
        batch_mean = flat.mean(axis=0, dtype=scale.dtype)
        batch_variance = np.square(flat - batch_mean).mean(axis=0, dtype=scale.dtype)
        corrected = batch_variance * scalar(scale, count / max(1, count - 1))
        keep, new = scalar(scale, 1 - average), single(scale, average)
        seen_mean, seen_variance = batch_mean, corrected
        if average != 1:
            seen_mean = keep * mean + new * batch_mean
            seen_variance = keep * variance + new * corrected
    else:
        batch_mean, batch_variance = seen_mean, seen_variance = mean, variance
    factor = scale / np.sqrt(batch_variance + single(scale, epsilon))
    y = ((rows - batch_mean) * factor + offset).astype(x.dtype)
    return channels_as(y, data_format), seen_mean, seen_variance, batch_mean, batch_variance


_BATCH_NORM = ("y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2")


@op("FusedBatchNorm", "FusedBatchNormV2", type=_batch_norm_type, outputs=_BATCH_NORM, ranks="411")
def fused_batch_norm(
    x: Array,
    scale: Array,
    offset: Array,
    mean: Array,
    variance: Array,
    *,
    epsilon: float = 1e-4,
    exponential_avg_factor: float = 1.0,
    data_format: str = "NHWC",
    is_training: bool = True,
) -> tuple[Array, ...]:
    """Batch normalisation with given statistics, or this batch's where ``is_training``
    (tf.compat.v1.nn.fused_batch_norm; Ioffe and Szegedy 2015)."""
    return _batch_norm(
        x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training
    )


@op(
    "FusedBatchNormV3",
    type=batch_norm_v3_type,
    outputs=(*_BATCH_NORM, "reserve_space_3"),
    ranks=".11",
)
def fused_batch_norm_v3(
    x: Array,
    scale: Array,
    offset: Array,
    mean: Array,
    variance: Array,
    *,
    epsilon: float = 1e-4,
    exponential_avg_factor: float = 1.0,
    data_format: str = "NHWC",
    is_training: bool = True,
) -> tuple[Array, ...]:
    """As FusedBatchNorm, of volumes too; the sixth output serves gradients and holds nothing."""
    if x.ndim not in (4, 5):
        raise ValueError(f"input 0 has rank {x.ndim} and should have 4 or 5")
    return (
        *_batch_norm(
            x,
            scale,
            offset,
            mean,
            variance,
            epsilon,
            exponential_avg_factor,
            data_format,
            is_training,
        ),
        np.zeros(0 if x.ndim == 4 else (), scale.dtype),
    )


@op("BatchNormWithGlobalNormalization", type=same)
def batch_norm_global(
    x: Array,
    mean: Array,
    variance: Array,
    beta: Array,
    gamma: Array,
    *,
    variance_epsilon: float,
    scale_after_normalization: bool,
) -> Array:
    """Batch normalisation with given statistics (tf.nn.batch_norm_with_global_normalization)."""
    factor = 1 / np.sqrt(variance + single(x, variance_epsilon))
    if scale_after_normalization:
        factor = factor * gamma
    return (x - mean) * factor + beta


def _rank4(c: Inference) -> ValueType:
    if c.inputs[0].shape is not None and len(c.inputs[0].shape) != 4:
        raise ValueError(f"the input has rank {len(c.inputs[0].shape)} and should have 4")
    return c.inputs[0]


def nearby(x: Array, radius: int) -> Array:
    """The sums of the channels that lie at most `radius` apart."""
    if radius < 0:
        raise ValueError(f"depth_radius {radius} should not be negative")
    radius, n = min(radius, x.shape[-1]), x.shape[-1]
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(radius, radius)])
    return sum((padded[..., i : i + n] for i in range(2 * radius + 1)), start=np.zeros_like(x))


@op("LRN", type=_rank4, ranks="4")
def lrn(
    x: Array, *, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5
) -> Array:
    """Division by a power of the sum of squares of nearby channels (tf.nn.lrn).

    Where the sum is negative, only the power 1 is a number.
    """
    w = wide(x)
    total = nearby(np.square(w), depth_radius)
    near = single(w, bias) + single(w, alpha) * total
    if beta in (0.5, 1.0):
        return (w * near ** single(w, -beta)).astype(x.dtype)
    return (w * np.exp(np.log(near) * single(w, -beta))).astype(x.dtype)


# Losses


@op("L2Loss", type=lambda c: ValueType(c.inputs[0].dtype, ()))
def l2_loss(x: Array) -> Array:
    """Half the sum of squares (tf.nn.l2_loss)."""
    w = wide(x)
    return np.asarray(np.square(w).sum(dtype=w.dtype) * scalar(w, 0.5)).astype(x.dtype)


def _cross_entropy_type(c: Inference) -> list[ValueType]:
    shape = broadcast_shapes(c, c.inputs[0].shape, c.inputs[1].shape)
    if shape is not None and len(shape) != 2:
        raise ValueError(f"logits and labels have rank {len(shape)} and should have 2")
    dtype = c.inputs[0].dtype
    return [ValueType(dtype, shape[:1] if shape else None), ValueType(dtype, shape)]


@op(
    "SoftmaxCrossEntropyWithLogits",
    type=_cross_entropy_type,
    outputs=("loss", "backprop"),
    ranks="22",
)
def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Cross entropy of each row and its gradient (tf.nn.softmax_cross_entropy_with_logits)."""
    if logits.ndim != 2 or labels.ndim != 2:
        raise ValueError(f"logits {logits.shape} and labels {labels.shape} should be matrices")
    both = np.broadcast_shapes(logits.shape, labels.shape)
    log_p = _shifted(np.broadcast_to(logits, both))
    log_p = log_p - np.log(np.exp(log_p).sum(axis=-1, keepdims=True))
    w = wide(np.broadcast_to(labels, both))
    loss = -(w * log_p).sum(axis=-1)
    return loss.astype(logits.dtype), (np.exp(log_p) - w).astype(logits.dtype)


def _sparse_cross_entropy_type(c: Inference) -> list[ValueType]:
    logits, labels = c.inputs[0], c.inputs[1].shape
    if logits.shape is not None and len(logits.shape) != 2:
        raise ValueError(f"the logits have rank {len(logits.shape)} and should have 2")
    rows = merge_shapes(c, None if logits.shape is None else logits.shape[:1], labels)
    return [ValueType(logits.dtype, rows), logits]


@op(
    "SparseSoftmaxCrossEntropyWithLogits",
    type=_sparse_cross_entropy_type,
    outputs=("loss", "backprop"),
    ranks="21",
)
def sparse_softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Cross entropy of each row, whose class is given, and its gradient
    (tf.nn.sparse_softmax_cross_entropy_with_logits)."""
    classes = logits.shape[-1]
    if np.any((labels < 0) | (labels >= classes)):
        raise ValueError(f"labels should lie in [0, {classes}), the number of logits")
    log_p = log_softmax(wide(logits))
    rows = np.arange(len(labels))
    gradient = np.exp(log_p)
    gradient[rows, labels] -= 1
    return -log_p[rows, labels].astype(logits.dtype), gradient.astype(logits.dtype)


# Layouts


def _format_map(src_format: str, dst_format: str) -> list[int]:
    if sorted(src_format) != sorted(dst_format):
        raise ValueError(f"{src_format} and {dst_format} should be permutations of each other")
    return [dst_format.index(letter) for letter in src_format]


@op("DataFormatDimMap", type=same, exact=True)
def data_format_dim_map(x: Array, *, src_format: str = "NHWC", dst_format: str = "NCHW") -> Array:
    """Each number of an axis in one layout becomes its number in another."""
    table = np.array(_format_map(src_format, dst_format), x.dtype)
    if np.any((x < -len(table)) | (x >= len(table))):
        raise ValueError(f"axes should lie in [{-len(table)}, {len(table)})")
    return table[x]


@op("DataFormatVecPermute", type=same, exact=True)
def data_format_vec_permute(
    x: Array, *, src_format: str = "NHWC", dst_format: str = "NCHW"
) -> Array:
    """A vector, or pairs, with one entry per axis of a layout, in the order of another.

    Where there are two entries fewer than axes, they belong to the axes of space.
    """
    if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[1] != 2):
        raise ValueError(f"shape {x.shape} is neither a vector nor pairs")
    if len(x) == len(src_format) - 2:
        src_format = "".join(c for c in src_format if c not in "NC")
        dst_format = "".join(c for c in dst_format if c not in "NC")
    if len(x) != len(src_format):
        raise ValueError(f"{len(x)} entries do not fit the layout {src_format}")
    return x[_format_map(dst_format, src_format)]
