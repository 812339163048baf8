"""Rows of tfdeploy/ops/fused.py."""

import numpy as np

from tests.cases import case, f32, f64

F16 = np.float16
ONES = [1, 1, 1, 1]
IMAGE = f32(2, 7, 6, 4)
WEIGHTS = f32(3, 2, 4, 5)
STATISTICS = [f32(5, low=0.5, seed=s) for s in range(4)]
LEFT, RIGHT = f32(3, 4), f32(4, 5)
EDGES = np.array([[0, 0], [2, 1], [0, 3], [0, 0]], np.int32)


def fused(ops, *args, **attrs):
    return case(
        "_FusedConv2D",
        IMAGE,
        WEIGHTS,
        list(args),
        [],
        strides=ONES,
        padding="SAME",
        fused_ops=ops,
        T=np.float32,
        num_args=len(args),
        **attrs,
    )


def fused_depthwise(ops, *args, **attrs):
    return case(
        "_FusedDepthwiseConv2dNative",
        IMAGE,
        f32(3, 2, 4, 2),
        list(args),
        strides=ONES,
        padding="SAME",
        fused_ops=ops,
        **attrs,
    )


def matmul(ops, *args, a=LEFT, b=RIGHT, **attrs):
    return case("_FusedMatMul", a, b, list(args), fused_ops=ops, num_args=len(args), **attrs)


def padded(x=IMAGE[:1], edges=EDGES, mode="REFLECT", padding="VALID", **attrs):
    return case(
        "FusedPadConv2D",
        x,
        edges,
        WEIGHTS.astype(x.dtype),
        mode=mode,
        strides=ONES,
        padding=padding,
        **attrs,
    )


def resized(x=IMAGE[:1], size=(5, 9), mode="REFLECT", **attrs):
    return case(
        "FusedResizeAndPadConv2D",
        x,
        list(size),
        EDGES,
        WEIGHTS.astype(x.dtype),
        mode=mode,
        strides=[1, 2, 2, 1],
        padding="VALID",
        **attrs,
    )


CASES = [
    fused(["BiasAdd"], f32(5)),
    fused(["BiasAdd", "Relu"], f32(5)),
    fused(["BiasAdd", "Relu6"], f32(5)),
    fused(["BiasAdd", "Elu"], f32(5)),
    fused(["BiasAdd", "LeakyRelu"], f32(5), leakyrelu_alpha=0.3),
    fused(["FusedBatchNorm"], *STATISTICS, epsilon=0.1),
    fused(["FusedBatchNorm", "Relu"], *STATISTICS, epsilon=0.1),
    fused_depthwise(["BiasAdd"], f32(8)),
    fused_depthwise(["BiasAdd", "Relu6"], f32(8)),
    matmul(["BiasAdd"], f32(5)),
    matmul(["BiasAdd", "Relu"], f32(5)),
    matmul(["BiasAdd", "Relu6"], f32(5)),
    matmul(["BiasAdd", "Elu"], f32(5)),
    matmul(["BiasAdd", "LeakyRelu"], f32(5), leakyrelu_alpha=0.3),
    matmul(["BiasAdd", "Tanh"], f32(5)),
    matmul(["BiasAdd", "Sigmoid"], f32(5)),
    matmul(["BiasAdd", "GeluExact"], f32(5)),
    matmul(["BiasAdd", "GeluApproximate"], f32(5)),
    matmul(["BiasAdd"], f32(5), a=f32(4, 3), transpose_a=True),
    matmul(["BiasAdd"], f32(5), b=f32(5, 4), transpose_b=True),
    matmul(["BiasAdd"], f32(5), a=f32(0, 4)),
    matmul(["BiasAdd"], f32(5), a=np.full((1, 4), np.nan, np.float32)),
    case(
        "_FusedConv3D",
        f32(1, 4, 4, 3, 2),
        f32(2, 2, 2, 2, 3),
        [f32(3)],
        strides=[1] * 5,
        padding="SAME",
        fused_ops=["BiasAdd", "Relu"],
        num_args=1,
    ),
    case(
        "_FusedBatchNormEx",
        f32(2, 3, 3, 4),
        *(s[:4] for s in STATISTICS),
        [],
        activation_mode="Relu",
        num_side_inputs=0,
        is_training=False,
    ),
    padded(),
    padded(mode="SYMMETRIC"),
    padded(padding="SAME"),
    padded(x=f64(1, 4, 5, 4)),
    padded(x=IMAGE[:1].astype(F16)),
    padded(x=IMAGE[:0], raises=True),
    padded(edges=EDGES * 7, raises=True),
    resized(),
    resized(mode="SYMMETRIC", resize_align_corners=True),
    resized(x=f64(1, 4, 5, 4)),
    resized(size=(0, 5), raises=True),
]
