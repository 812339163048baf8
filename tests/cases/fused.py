"""Rows of tfdeploy/ops/fused.py."""

import ml_dtypes
import numpy as np

from tests.cases import case, f32, f64, with_nan

F16 = np.float16
ONES = [1, 1, 1, 1]
IMAGE = f32(2, 7, 6, 4)
WEIGHTS = f32(3, 2, 4, 5)
DEPTHWISE = f32(3, 2, 4, 2)
VIDEO, WINDOW = f32(1, 4, 4, 3, 2), f32(2, 2, 2, 2, 3)
COLORS = f32(2, 3, 3, 4)
STATISTICS = [f32(5, low=0.5, seed=s) for s in range(4)]
LEFT, RIGHT = f32(3, 4), f32(4, 5)
EDGES = np.array([[0, 0], [2, 1], [0, 3], [0, 0]], np.int32)


def fused(ops, *args, x=IMAGE, w=WEIGHTS, padding="SAME", **attrs):
    return case(
        "_FusedConv2D",
        x,
        w,
        list(args),
        [],
        strides=ONES,
        padding=padding,
        fused_ops=ops,
        T=x.dtype,
        num_args=len(args),
        **attrs,
    )


def fused_depthwise(ops, *args, x=IMAGE, w=DEPTHWISE, padding="SAME", **attrs):
    return case(
        "_FusedDepthwiseConv2dNative",
        x,
        w,
        list(args),
        strides=ONES,
        padding=padding,
        fused_ops=ops,
        **attrs,
    )


def fused3(ops, *args, x=VIDEO, w=WINDOW, padding="SAME", **attrs):
    return case(
        "_FusedConv3D",
        x,
        w,
        list(args),
        strides=[1] * 5,
        padding=padding,
        fused_ops=ops,
        num_args=len(args),
        **attrs,
    )


def norm(x=COLORS, *side, is_training=False, activation_mode="Relu", **attrs):
    return case(
        "_FusedBatchNormEx",
        x,
        *(s[:4] for s in STATISTICS),
        list(side),
        activation_mode=activation_mode,
        num_side_inputs=len(side),
        is_training=is_training,
        filled=5,
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


def resized(x=IMAGE[:1], size=(5, 9), mode="REFLECT", padding="VALID", **attrs):
    return case(
        "FusedResizeAndPadConv2D",
        x,
        list(size),
        EDGES,
        WEIGHTS.astype(x.dtype),
        mode=mode,
        strides=[1, 2, 2, 1],
        padding=padding,
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
    fused3(["BiasAdd", "Relu"], f32(3)),
    norm(),
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
BIAS, RELU = ["BiasAdd"], ["BiasAdd", "Relu"]
FIRST = np.ascontiguousarray(np.moveaxis(IMAGE, -1, 1))
CASES += [
    fused(RELU, f32(5), padding="VALID"),
    fused(RELU, f32(5), padding="EXPLICIT", explicit_paddings=[0, 0, 2, 0, 1, 3, 0, 0]),
    fused(RELU, f64(5), x=f64(0, 7, 6, 4), w=f64(3, 2, 4, 5)),
    fused(RELU, f32(5), dilations=[1, 2, 1, 1]),
    fused(BIAS, f32(5), x=with_nan(IMAGE)),
    fused(RELU, f32(5), x=FIRST, data_format="NCHW"),
    fused_depthwise(RELU, f32(8), padding="VALID"),
    fused_depthwise(RELU, f32(8), dilations=[1, 2, 2, 1]),
    fused_depthwise(BIAS, f32(8), x=with_nan(IMAGE)),
    fused_depthwise(RELU, f32(8), x=FIRST, data_format="NCHW"),
    fused_depthwise(BIAS, f32(8), epsilon=0.1),
    matmul(RELU, f32(5), epsilon=0.1),
    fused3(BIAS, f32(3), padding="VALID"),
    fused3(BIAS, f32(3), dilations=[1, 1, 2, 1, 1]),
    fused3(BIAS, f32(3), x=with_nan(f32(1, 4, 4, 3, 2))),
    fused3(BIAS, f32(3), x=f32(1, 2, 4, 4, 3), data_format="NCDHW"),
    fused3(["BiasAdd", "LeakyRelu"], f32(3), leakyrelu_alpha=0.3, epsilon=0.1),
    fused3(BIAS, f32(3), padding_list=[0, 0, 1, 1, 0, 2, 1, 0, 0, 0]),
    norm(epsilon=0.1),
    norm(COLORS[:0]),
    norm(f32(2, 4, 3, 3), data_format="NCHW"),
    padded(x=with_nan(IMAGE[:1])),
    resized(padding="SAME"),
    resized(x=with_nan(IMAGE[:1])),
    resized(x=IMAGE[:0], raises=True),
    resized(x=IMAGE[:1].astype(F16), ulp=64),
]
CASES += [
    fused(RELU, f32(5).astype(t), x=IMAGE.astype(t), w=WEIGHTS.astype(t), ulp=64)
    for t in (np.float64, F16)
]
for t in (F16, ml_dtypes.bfloat16):
    wide = (f32(8), IMAGE, DEPTHWISE, LEFT, RIGHT, VIDEO, WINDOW)
    bias, x, w, left, right, video, window = (v.astype(t) for v in wide)
    CASES += [
        fused_depthwise(RELU, bias, x=x, w=w, ulp=64),
        matmul(RELU, bias[:5], a=left, b=right, ulp=64),
        fused3(RELU, bias[:3], x=video, w=window, ulp=64),
    ]
CASES += [norm(COLORS.astype(ml_dtypes.bfloat16), ulp=64, U=np.float32)]
