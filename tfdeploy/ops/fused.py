"""Ops that do several things at once, most of them written by TensorFlow's optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import Extent, ValueType
from . import conv, nn
from .nn import scalar, wide
from .registry import op
from .resize import bilinear
from .rules import Inference, merge_extents
from .windows import extents, spatial_shape

Array = NDArray[Any]
Ints = Sequence[int]

_erfc = np.frompyfunc(math.erfc, 1, 1)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _gelu_exact(x: Array) -> Array:
    tail = _erfc(x.astype(np.float64) * -(0.5**0.5)).astype(x.dtype)
    return x * scalar(x, 0.5) * tail


def _gelu_approximate(x: Array) -> Array:
    inner = scalar(x, (2 / math.pi) ** 0.5) * (x + scalar(x, 0.044715) * x * x * x)
    return scalar(x, 0.5) * x * (1 + np.tanh(inner))


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "Identity": lambda x: x,
    "Relu": nn.relu,
    "Relu6": nn.relu6,
    "Elu": nn.elu,
    "Tanh": np.tanh,
    "Sigmoid": _sigmoid,
    "GeluExact": _gelu_exact,
    "GeluApproximate": _gelu_approximate,
}


def _finish(
    y: Array,
    args: Sequence[Array],
    fused_ops: Sequence[str],
    epsilon: float,
    alpha: float,
    data_format: str = "NHWC",
) -> Array:
    """What `fused_ops` do after a product, one after the other, with their operands `args`.

    Raises ValueError for a fusion that is not known.
    """
    rest = list(args)
    for name in fused_ops:
        if name == "BiasAdd":
            y = nn.bias_add(y, rest.pop(0), data_format=data_format)
        elif name == "FusedBatchNorm":
            y = nn.fused_batch_norm(
                y, *rest[:4], epsilon=epsilon, data_format=data_format, is_training=False
            )[0]
            rest = rest[4:]
        elif name == "Add":
            y = y + rest.pop(0)
        elif name == "LeakyRelu":
            y = nn.leaky_relu(y, alpha=alpha)
        elif name in _ACTIVATIONS:
            y = _ACTIVATIONS[name](wide(y)).astype(y.dtype)
        else:
            raise ValueError(f"the fusion {name} in {list(fused_ops)} is not known")
    return y


def _matmul_type(c: Inference) -> ValueType:
    sides: list[Extent] = []
    inner: list[Extent] = []
    for i, flip in ((0, c.attrs["transpose_a"]), (1, not c.attrs["transpose_b"])):
        shape = c.inputs[i].shape or c.unknown(2) or ()
        if len(shape) != 2:
            raise ValueError(f"input {i} has rank {len(shape)} and should have 2")
        sides.append(shape[1] if flip else shape[0])
        inner.append(shape[0] if flip else shape[1])
    merge_extents(inner[0], inner[1])
    return ValueType(c.inputs[0].dtype, tuple(sides))


@op("_FusedMatMul", type=_matmul_type, ranks="22*")
def fused_matmul(
    a: Array,
    b: Array,
    *args: Array,
    transpose_a: bool = False,
    transpose_b: bool = False,
    num_args: int = 0,
    fused_ops: Sequence[str] = (),
    epsilon: float = 1e-4,
    leakyrelu_alpha: float = 0.2,
) -> Array:
    """MatMul, then `fused_ops`, whose operands are `args`."""
    left, right = wide(a), wide(b)
    product = (left.T if transpose_a else left) @ (right.T if transpose_b else right)
    return _finish(product.astype(a.dtype), args[:num_args], fused_ops, epsilon, leakyrelu_alpha)


def _conv_type(c: Inference) -> ValueType:
    return conv.convolved(c, 4, c.attrs["data_format"])


@op("_FusedConv2D", type=_conv_type)
def fused_conv2d(
    x: Array,
    weights: Array,
    *args: Array,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
    dilations: Ints = (1, 1, 1, 1),
    fused_ops: Sequence[str] = (),
    num_args: int = 0,
    filter_format: str = "HWIO",
    epsilon: float = 1e-4,
    leakyrelu_alpha: float = 0.2,
) -> Array:
    """Conv2D, then `fused_ops`, whose operands are `args`.

    Raises ValueError for another `filter_format` than HWIO.
    """
    if filter_format != "HWIO":
        raise ValueError(f"filter_format {filter_format} is not supported, HWIO is")
    y = conv.conv2d(
        x,
        weights,
        strides=strides,
        padding=padding,
        data_format=data_format,
        explicit_paddings=explicit_paddings,
        dilations=dilations,
    )
    return _finish(y, args[:num_args], fused_ops, epsilon, leakyrelu_alpha, data_format)


def _conv3d_type(c: Inference) -> ValueType:
    c.attrs = c.attrs | _paddings(c.attrs["padding"], c.attrs["padding_list"])
    return conv.convolved(c, 5, c.attrs["data_format"])


def _paddings(padding: str, listed: Ints) -> dict[str, Any]:
    """A list of paddings stands above the word."""
    if not listed:
        return {"padding": padding}
    return {"padding": "EXPLICIT", "explicit_paddings": listed}


@op("_FusedConv3D", type=_conv3d_type, ranks="55*")
def fused_conv3d(
    x: Array,
    weights: Array,
    *args: Array,
    strides: Ints,
    padding: str,
    data_format: str = "NDHWC",
    dilations: Ints = (1, 1, 1, 1, 1),
    fused_ops: Sequence[str] = (),
    num_args: int = 0,
    padding_list: Ints = (),
    epsilon: float = 1e-4,
    leakyrelu_alpha: float = 0.2,
) -> Array:
    """Conv3D, then `fused_ops`, whose operands are `args`."""
    y = conv.convolve(
        x,
        weights,
        strides=strides,
        data_format=data_format,
        dilations=dilations,
        **_paddings(padding, padding_list),
    )
    return _finish(y, args[:num_args], fused_ops, epsilon, leakyrelu_alpha, data_format)


@op("_FusedDepthwiseConv2dNative", type=conv.depthwise_type, ranks="44*")
def fused_depthwise_conv2d(
    x: Array,
    weights: Array,
    *args: Array,
    strides: Ints,
    padding: str,
    explicit_paddings: Ints = (),
    data_format: str = "NHWC",
    dilations: Ints = (1, 1, 1, 1),
    fused_ops: Sequence[str] = (),
    num_args: int = 0,
    epsilon: float = 1e-4,
    leakyrelu_alpha: float = 0.2,
) -> Array:
    """DepthwiseConv2dNative, then `fused_ops`, whose operands are `args`."""
    y = conv.depthwise_conv2d(
        x,
        weights,
        strides=strides,
        padding=padding,
        data_format=data_format,
        explicit_paddings=explicit_paddings,
        dilations=dilations,
    )
    return _finish(y, args[:num_args], fused_ops, epsilon, leakyrelu_alpha, data_format)


@op(
    "_FusedBatchNormEx",
    type=nn.batch_norm_v3_type,
    outputs=(
        "y",
        "batch_mean",
        "batch_variance",
        "reserve_space_1",
        "reserve_space_2",
        "reserve_space_3",
    ),
    ranks="41111*",
)
def fused_batch_norm_ex(
    x: Array,
    scale: Array,
    offset: Array,
    mean: Array,
    variance: Array,
    *side: Array,
    epsilon: float = 1e-4,
    exponential_avg_factor: float = 1.0,
    num_side_inputs: int = 0,
    activation_mode: str = "Identity",
    data_format: str = "NHWC",
    is_training: bool = True,
) -> tuple[Array, ...]:
    """FusedBatchNormV3, then the sum with a side input, then an activation."""
    y, *others = nn.fused_batch_norm_v3(
        x,
        scale,
        offset,
        mean,
        variance,
        epsilon=epsilon,
        data_format=data_format,
        exponential_avg_factor=exponential_avg_factor,
        is_training=is_training,
    )
    fusions = ["Add"] * num_side_inputs + [activation_mode]
    return (_finish(y, side, fusions, epsilon, 0.2, data_format), *others)


# Padding, perhaps after resizing, and a convolution


def _padded_conv(
    x: Array, paddings: Array, weights: Array, mode: str, strides: Ints, padding: str
) -> Array:
    if not x.size:
        raise ValueError(f"the image {x.shape} should not be empty")
    if mode not in ("REFLECT", "SYMMETRIC") or paddings.shape != (x.ndim, 2):
        raise ValueError(
            f"mode {mode!r} and paddings {paddings.shape} should be REFLECT or "
            f"SYMMETRIC and [{x.ndim}, 2]"
        )
    edge = 1 if mode == "REFLECT" else 0
    if np.any(paddings < 0) or np.any(paddings > np.array(x.shape)[:, None] - edge):
        raise ValueError(f"paddings {paddings.tolist()} are too wide for image {x.shape}")
    mirrored = np.pad(x, paddings.tolist(), mode="reflect" if edge else "symmetric")
    return conv.convolve(mirrored, weights, strides=strides, padding=padding, data_format="NHWC")


def _padded_conv_type(c: Inference, space: Sequence[Extent] | None, at: int) -> ValueType:
    """`at` is the input of the paddings, followed by the weights."""
    x, weights = spatial_shape(c, 0, 4, "NHWC"), spatial_shape(c, at + 1, 4, "NHWC")
    paddings = c.ints(at)
    if paddings is None or len(paddings) != 8:
        return ValueType(c.inputs[0].dtype, (x[0], c.fresh(), c.fresh(), weights[-1]))
    space = x[1:3] if space is None else space
    mirrored = [n + sum(paddings[2 * i : 2 * i + 2]) for i, n in enumerate(space, 1)]
    outs = extents(c, mirrored, weights[:2], c.attrs["strides"][1:3], [1, 1], c.attrs["padding"])
    return ValueType(c.inputs[0].dtype, (x[0], *outs, weights[-1]))


@op("FusedPadConv2D", type=lambda c: _padded_conv_type(c, None, 1))
def fused_pad_conv2d(
    x: Array, paddings: Array, weights: Array, *, mode: str, strides: Ints, padding: str
) -> Array:
    """MirrorPad, then Conv2D."""
    return _padded_conv(x, paddings, weights, mode, strides, padding)


def _resized_conv_type(c: Inference) -> ValueType:
    size = c.extents(1)
    known = size if size is not None and len(size) == 2 else [c.fresh(), c.fresh()]
    return _padded_conv_type(c, known, 2)


@op("FusedResizeAndPadConv2D", type=_resized_conv_type)
def fused_resize_and_pad_conv2d(
    x: Array,
    size: Array,
    paddings: Array,
    weights: Array,
    *,
    resize_align_corners: bool = False,
    mode: str,
    strides: Ints,
    padding: str,
) -> Array:
    """ResizeBilinear, then MirrorPad, then Conv2D."""
    resized = bilinear(wide(x), size, resize_align_corners, False).astype(x.dtype)
    return _padded_conv(resized, paddings, weights, mode, strides, padding)
