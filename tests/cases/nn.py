"""Rows of tfdeploy/ops/nn.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import as_types, case, f32, f64, ints, with_nan

nan, inf = np.nan, np.inf
NUMBERS = "float32 float64 float16 bfloat16 int32 complex64"
CORNERS = np.array([nan, inf, -inf, -0.0, 0, 100, -100, -20, 20, 1e-8, -1e-3, 3], np.float32)
F16 = np.float16
IMAGE = f32(2, 3, 4, 3)
VIDEO = f32(2, 2, 3, 2, 3)
PER_CHANNEL = [f32(3, low=0.5, high=2, seed=s) for s in range(4)]
FIRST = f32(2, 3, 4, 4)  # three channels on axis 1


def activation(name, **attrs):
    return [
        case(name, CORNERS, **attrs),
        case(name, CORNERS.astype(np.float64), **attrs),
        case(name, f32(0, 3), **attrs),
        case(name, f32(2, 3).astype(F16), **attrs),
        case(name, f32(3, 5, low=-9, high=9), **attrs),
    ]


def batch_norm(name, x, **attrs):
    return case(name, x, *PER_CHANNEL, **attrs)


CASES = [
    *(
        row
        for name in ("Relu", "Relu6", "Elu", "Selu", "Softplus", "Softsign", "LeakyRelu")
        for row in activation(name)
    ),
    case("Relu", ints(2, 3)),
    case("Relu", ints(5, dtype=np.int8)),
    case("Relu", ints(5, dtype=np.int64)),
    case("Relu6", ints(2, 3)),
    case("Relu6", np.array([0, 5, 9, 200], np.uint8)),
    *(row for alpha in (2.0, -1.0, 0.0) for row in activation("LeakyRelu", alpha=alpha)),
    case("Softmax", f32(3, 5)),
    case("Softmax", f32(7)),
    case("Softmax", f32(2, 3, 4)),
    case("Softmax", f64(3, 5)),
    case("Softmax", f32(3, 5).astype(F16)),
    case("Softmax", CORNERS[None, 3:]),
    case("Softmax", np.array([[nan, 1], [inf, 1], [-inf, 1], [-inf, -inf]])),
    case("Softmax", f32(0, 3)),
    case("Softmax", f32(3, 0)),
    case("Softmax", np.float32(1), raises=True),
    case("LogSoftmax", f32(3, 5)),
    case("LogSoftmax", f32(2, 3, 4)),
    case("LogSoftmax", f64(3, 5)),
    case("LogSoftmax", f32(3, 5).astype(F16)),
    case("LogSoftmax", np.array([[nan, 1], [inf, 1], [-inf, 1], [-inf, -inf]], np.float32)),
    case("LogSoftmax", f32(0, 3)),
    case("BiasAdd", IMAGE, f32(3)),
    case("BiasAdd", f32(4, 3), f32(3)),
    case("BiasAdd", np.array([[nan, inf, -inf]], np.float32), f32(3)),
    case("BiasAdd", FIRST, f32(3), data_format="NCHW"),
    case("BiasAdd", f32(2, 3, 4), f32(3), data_format="NCHW"),
    case("BiasAdd", f32(1, 3, 2, 2, 2), f32(3), data_format="NCHW"),
    case("BiasAdd", f32(0, 3), f32(3)),
    case("BiasAdd", f32(2, 3).astype(F16), f32(3).astype(F16)),
    case("BiasAdd", ints(2, 3), ints(3)),
    case("BiasAdd", ints(2, 3, dtype=np.int64), ints(3, dtype=np.int64)),
    case("BiasAdd", f32(2, 3).astype(np.complex64), f32(3).astype(np.complex64)),
    case("BiasAdd", f32(3), f32(3), raises=True),
    case("BiasAdd", f32(4, 3), f32(4), raises=True),
    case("BiasAdd", f32(4, 1), f32(4), raises=True),
    case("BiasAdd", f32(3, 2), f32(2), data_format="NCHW", raises=True),
    case("BiasAddV1", IMAGE, f32(3)),
    case("BiasAddV1", f64(0, 3), f64(3)),
    case("BiasAdd", with_nan(f64(2, 3)), f64(3)),
    *[
        case("BiasAddV1", x, bias)
        for x, bias in zip(
            as_types(with_nan(f32(2, 3)), NUMBERS), as_types(f32(3), NUMBERS), strict=True
        )
    ],
    *(
        batch_norm(name, IMAGE, is_training=False, epsilon=0.01)
        for name in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ),
    *(
        case(name, IMAGE, *PER_CHANNEL[:2], f32(0), f32(0))
        for name in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ),
    *(
        row
        for name in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
        for row in (
            batch_norm(name, IMAGE, exponential_avg_factor=0.25),
            batch_norm(name, with_nan(IMAGE)),
            batch_norm(name, with_nan(IMAGE), is_training=False),
        )
    ),
    *(batch_norm("FusedBatchNormV2", IMAGE.astype(t), is_training=False) for t in (F16, bfloat16)),
    *(
        batch_norm("FusedBatchNormV3", x, is_training=training, data_format=layout, filled=3)
        for layout, x in (("NDHWC", VIDEO), ("NCDHW", np.moveaxis(VIDEO, -1, 1).copy()))
        for training in (True, False)
    ),
    *(
        case(
            "BatchNormWithGlobalNormalization",
            *(v.astype(t) for v in (with_nan(IMAGE), *PER_CHANNEL)),
            variance_epsilon=0.1,
            scale_after_normalization=scale,
        )
        for t in (np.float32, np.float64, F16)
        for scale in (True, False)
    ),
    batch_norm("FusedBatchNormV3", IMAGE[:0], is_training=False),
    batch_norm("FusedBatchNormV3", IMAGE[:0], exponential_avg_factor=0.25),
    case("FusedBatchNormV3", IMAGE[:1, :1, :1], *PER_CHANNEL[:2], f32(0), f32(0)),
    batch_norm("FusedBatchNormV3", IMAGE.astype(F16), is_training=False),
    batch_norm(
        "FusedBatchNormV3", np.full((1, 1, 1, 3), [nan, inf, -inf], np.float32), is_training=False
    ),
    batch_norm("FusedBatchNormV3", FIRST, is_training=False, data_format="NCHW"),
    batch_norm("FusedBatchNormV2", FIRST, exponential_avg_factor=0.5, data_format="NCHW"),
    batch_norm("FusedBatchNorm", FIRST, is_training=False, data_format="NCHW"),
    batch_norm("FusedBatchNormV3", IMAGE[..., :2], is_training=False, raises=True),
    case(
        "BatchNormWithGlobalNormalization",
        IMAGE,
        *PER_CHANNEL,
        variance_epsilon=0.1,
        scale_after_normalization=True,
    ),
    case(
        "BatchNormWithGlobalNormalization",
        IMAGE[:0],
        *PER_CHANNEL,
        variance_epsilon=0.1,
        scale_after_normalization=False,
    ),
    case("LRN", f32(1, 2, 2, 9)),
    case("LRN", f32(1, 2, 2, 12), depth_radius=1, bias=0.1, alpha=0.5, beta=0.3),
    case("LRN", f32(1, 2, 2, 3), depth_radius=0),
    *[
        case("LRN", f32(1, 2, 2, 5), depth_radius=1, bias=0.3, alpha=-3.0, beta=b)
        for b in (0.5, 1.0, 2.0)
    ],
    case("LRN", f32(1, 1, 1, 4).astype(F16)),
    case("LRN", CORNERS.reshape(1, 2, 2, 3)),
    case("LRN", f32(0, 2, 2, 3)),
    case("LRN", f32(2, 2, 3), raises=True),
    case("LRN", f32(1, 2, 2, 3), depth_radius=-1, raises=True),
    case("L2Loss", f32(3, 4)),
    case("L2Loss", f64(3, 4)),
    case("L2Loss", f32(3, 4).astype(F16)),
    case("L2Loss", f32(0)),
    case("L2Loss", CORNERS),
    case("SoftmaxCrossEntropyWithLogits", f32(3, 5), f32(3, 5, low=0)),
    case("SoftmaxCrossEntropyWithLogits", f32(3, 5), f32(1, 5, low=0)),
    case("SoftmaxCrossEntropyWithLogits", f32(1, 5), f32(3, 5, low=0)),
    case("SoftmaxCrossEntropyWithLogits", f64(3, 5), f64(3, 5, low=0)),
    case("SoftmaxCrossEntropyWithLogits", f32(3, 5).astype(F16), f32(3, 5, low=0).astype(F16)),
    case("SoftmaxCrossEntropyWithLogits", f32(0, 5), f32(0, 5)),
    case(
        "SoftmaxCrossEntropyWithLogits",
        np.array([[-inf, 0, 1], [nan, 0, 1]], np.float32),
        np.array([[0, 1, 0], [0, 1, 0]], np.float32),
    ),
    case("SoftmaxCrossEntropyWithLogits", f32(3, 5), f32(2, 5), raises=True),
    case("SoftmaxCrossEntropyWithLogits", f32(3), f32(3), raises=True),
    case("SparseSoftmaxCrossEntropyWithLogits", f32(3, 5), np.array([0, 4, 2])),
    case("SparseSoftmaxCrossEntropyWithLogits", f64(3, 5), np.array([0, 4, 2], np.int32)),
    case("SparseSoftmaxCrossEntropyWithLogits", f32(3, 5).astype(F16), np.array([0, 4, 2])),
    case("SparseSoftmaxCrossEntropyWithLogits", f32(0, 5), np.zeros(0, np.int64)),
    case(
        "SparseSoftmaxCrossEntropyWithLogits",
        np.array([[nan, 1], [-inf, 1]], np.float32),
        np.array([1, 0]),
    ),
    case("DataFormatDimMap", np.array([0, 1, 2, 3, -1, -4], np.int32)),
    case("DataFormatDimMap", np.array([[0, 1], [2, 3]]), src_format="NCHW", dst_format="NHWC"),
    case(
        "DataFormatDimMap", np.array([0, 4, -5], np.int32), src_format="NDHWC", dst_format="NCDHW"
    ),
    case("DataFormatDimMap", ints(0)),
    case("DataFormatVecPermute", np.array([7, 4, 9, 3], np.int32)),
    case("DataFormatVecPermute", ints(4, 2, dtype=np.int64)),
    case(
        "DataFormatVecPermute",
        np.array([7, 4, 9, 3], np.int32),
        src_format="NCHW",
        dst_format="NHWC",
    ),
    case("DataFormatVecPermute", ints(2), src_format="NHWC", dst_format="NCHW"),
    case("DataFormatVecPermute", ints(5), src_format="NDHWC", dst_format="NCDHW"),
    case("DataFormatVecPermute", ints(3), raises=True),
    case("DataFormatVecPermute", ints(0), raises=True),
    case("DataFormatVecPermute", ints(4, 0), raises=True),
    *(
        case(name, f32(3, 5).astype(bfloat16), ulp=32)
        for name in (
            "Relu",
            "Relu6",
            "Elu",
            "Selu",
            "LeakyRelu",
            "Softplus",
            "Softsign",
            "Softmax",
            "LogSoftmax",
            "L2Loss",
        )
    ),
    case("BiasAdd", f32(3, 5).astype(bfloat16), f32(5).astype(bfloat16)),
    batch_norm("FusedBatchNormV3", IMAGE.astype(bfloat16), is_training=False),
    case(
        "SoftmaxCrossEntropyWithLogits",
        f32(3, 5).astype(bfloat16),
        f32(3, 5).astype(bfloat16),
        ulp=32,
    ),
    case(
        "SparseSoftmaxCrossEntropyWithLogits",
        f32(3, 5).astype(bfloat16),
        np.array([1, 2, 3]),
        ulp=32,
    ),
]
