"""Rows of tfdeploy/ops/conv.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import as_types, case, f32, f64, ints, with_nan

nan, inf = np.nan, np.inf
F16 = np.float16
ONES = [1, 1, 1, 1]
ONES3 = [1] * 5
IMAGE = f32(2, 7, 6, 4)
FIRST = np.ascontiguousarray(np.moveaxis(IMAGE, -1, 1))
WEIGHTS = f32(3, 2, 4, 5)
DEPTHWISE = f32(3, 2, 4, 2)
VIDEO = f32(1, 5, 4, 3, 4)


def conv(x=IMAGE, w=WEIGHTS, strides=(1, 1, 1, 1), padding="SAME", **attrs):
    return case("Conv2D", x, w, strides=list(strides), padding=padding, **attrs)


def depthwise(x=IMAGE, w=DEPTHWISE, strides=(1, 1, 1, 1), padding="SAME", **attrs):
    return case("DepthwiseConv2dNative", x, w, strides=list(strides), padding=padding, **attrs)


def transposed(sizes, dy, w=WEIGHTS, strides=(1, 1, 1, 1), padding="SAME", **attrs):
    return case(
        "Conv2DBackpropInput",
        np.array(sizes, np.int32),
        w,
        dy,
        strides=list(strides),
        padding=padding,
        **attrs,
    )


CASES = [
    conv(),
    conv(padding="VALID"),
    conv(strides=(1, 2, 3, 1)),
    conv(strides=(1, 3, 2, 1), padding="VALID"),
    conv(strides=(1, 3, 3, 1), w=f32(1, 1, 4, 2)),
    conv(dilations=[1, 2, 3, 1]),
    conv(dilations=[1, 3, 2, 1], padding="VALID"),
    conv(padding="EXPLICIT", explicit_paddings=[0, 0, 2, 0, 1, 3, 0, 0]),
    conv(padding="EXPLICIT", explicit_paddings=[0, 0, 2, 0, 1, 3, 0, 0], strides=(1, 2, 2, 1)),
    conv(w=f32(3, 2, 2, 6), note="groups"),
    conv(w=f32(3, 2, 1, 8), note="groups"),
    conv(x=FIRST, data_format="NCHW"),
    conv(x=FIRST, data_format="NCHW", strides=(1, 1, 2, 3), padding="VALID"),
    conv(
        x=FIRST, data_format="NCHW", padding="EXPLICIT", explicit_paddings=[0, 0, 0, 0, 2, 0, 1, 3]
    ),
    conv(x=f64(2, 7, 6, 4), w=f64(3, 2, 4, 5)),
    conv(x=IMAGE.astype(F16), w=WEIGHTS.astype(F16)),
    conv(x=ints(1, 5, 5, 2), w=ints(2, 2, 2, 3)),
    conv(x=f64(0, 7, 6, 4), w=f64(3, 2, 4, 5)),
    conv(x=f64(2, 0, 6, 4), w=f64(3, 2, 4, 5)),
    conv(x=np.full((1, 3, 3, 1), [nan], np.float32), w=f32(2, 2, 1, 1)),
    conv(x=np.array([inf, 1, 2, -inf, 3, 4], np.float32).reshape(1, 2, 3, 1), w=f32(1, 2, 1, 1)),
    conv(x=IMAGE[:, :2], padding="VALID", raises=True),
    conv(w=f32(3, 2, 3, 5), raises=True),
    conv(strides=(1, 1, 1, 2), raises=True),
    conv(strides=(1, 0, 1, 1), raises=True),
    conv(x=f32(7, 6, 4), raises=True),
    depthwise(),
    depthwise(padding="VALID", strides=(1, 2, 2, 1)),
    depthwise(strides=(1, 2, 2, 1)),
    depthwise(dilations=[1, 2, 2, 1]),
    depthwise(padding="EXPLICIT", explicit_paddings=[0, 0, 2, 0, 1, 2, 0, 0]),
    depthwise(x=FIRST, data_format="NCHW"),
    depthwise(x=f64(2, 7, 6, 4), w=f64(3, 2, 4, 1)),
    depthwise(x=IMAGE.astype(F16), w=f32(3, 2, 4, 2).astype(F16)),
    depthwise(x=f64(0, 7, 6, 4), w=f64(3, 2, 4, 2)),
    depthwise(x=np.full((1, 3, 3, 4), [nan, 1, inf, 2], np.float32)),
    depthwise(w=f32(3, 2, 3, 2), raises=True),
    case("Conv3D", VIDEO, f32(2, 3, 2, 4, 3), strides=ONES3, padding="SAME"),
    case("Conv3D", VIDEO, f32(2, 3, 2, 4, 3), strides=[1, 2, 1, 2, 1], padding="VALID"),
    case(
        "Conv3D",
        VIDEO,
        f32(2, 2, 2, 4, 3),
        strides=ONES3,
        padding="SAME",
        dilations=[1, 1, 2, 1, 1],
    ),
    case(
        "Conv3D", VIDEO.astype(F16), f32(2, 2, 2, 4, 3).astype(F16), strides=ONES3, padding="SAME"
    ),
    case("Conv3D", VIDEO.astype(np.float64), f64(2, 2, 2, 4, 3), strides=ONES3, padding="SAME"),
    case("Conv3D", f64(0, 5, 4, 3, 4), f64(2, 2, 2, 4, 3), strides=ONES3, padding="SAME"),
    case(
        "Conv3D",
        np.moveaxis(VIDEO, -1, 1).copy(),
        f32(2, 2, 2, 4, 3),
        strides=ONES3,
        padding="SAME",
        data_format="NCDHW",
    ),
    case(
        "Conv3D",
        np.full((1, 2, 2, 2, 1), nan, np.float32),
        f32(1, 1, 1, 1, 2),
        strides=ONES3,
        padding="SAME",
    ),
    case("Conv", IMAGE, WEIGHTS, strides=ONES, padding="SAME"),
    case("Conv", f32(2, 3, 5, 5, 4), WEIGHTS, strides=ONES, padding="VALID", batch_dims=2),
    case("Conv", VIDEO, f32(2, 3, 2, 4, 3), strides=[1, 2, 1, 1, 1], padding="SAME"),
    case("Conv", IMAGE[:0], WEIGHTS, strides=[1, 2, 1, 1], padding="SAME", dilations=[1, 1, 1, 1]),
    transposed([2, 7, 6, 4], f32(2, 7, 6, 5)),
    transposed([2, 7, 6, 4], f32(2, 5, 5, 5), padding="VALID"),
    transposed([2, 7, 6, 4], f32(2, 4, 2, 5), strides=(1, 2, 3, 1)),
    transposed([2, 8, 6, 4], f32(2, 3, 2, 5), strides=(1, 2, 4, 1), padding="VALID"),
    transposed([2, 7, 6, 4], f32(2, 7, 6, 5), dilations=[1, 2, 1, 1]),
    transposed([7, 6], f32(2, 7, 6, 5)),
    transposed(
        [2, 7, 6, 4],
        f32(2, 7, 9, 5),
        padding="EXPLICIT",
        explicit_paddings=[0, 0, 2, 0, 1, 3, 0, 0],
    ),
    transposed([2, 4, 7, 6], f32(2, 5, 7, 6), data_format="NCHW"),
    transposed([2, 7, 6, 4], f32(2, 7, 6, 6), w=f32(3, 2, 2, 6), note="groups"),
    transposed([2, 7, 6, 4], f64(2, 7, 6, 5), w=f64(3, 2, 4, 5)),
    transposed([2, 7, 6, 4], f32(2, 7, 6, 5).astype(F16), w=WEIGHTS.astype(F16)),
    transposed([2, 7, 6, 4], ints(2, 7, 6, 5), w=ints(3, 2, 4, 5)),
    transposed([0, 7, 6, 4], f32(0, 7, 6, 5)),
    transposed([1, 3, 3, 4], np.full((1, 3, 3, 5), nan, np.float32)),
    transposed([2, 7, 7, 4], f32(2, 7, 6, 5), raises=True),
    transposed([2, 7, 6, 3], f32(2, 7, 6, 5), raises=True),
    case(
        "Conv3DBackpropInputV2",
        np.array([1, 5, 4, 3, 4], np.int32),
        f32(2, 3, 2, 4, 3),
        f32(1, 5, 4, 3, 3),
        strides=ONES3,
        padding="SAME",
    ),
    case(
        "Conv3DBackpropInputV2",
        np.array([1, 5, 4, 3, 4], np.int64),
        f32(2, 3, 2, 4, 3),
        f32(1, 3, 4, 2, 3),
        strides=[1, 2, 1, 2, 1],
        padding="SAME",
    ),
    case(
        "Conv3DBackpropInputV2",
        np.array([1, 5, 4, 3, 4], np.int32),
        f64(2, 3, 2, 4, 3),
        f64(1, 2, 2, 1, 3),
        strides=[1, 2, 1, 2, 1],
        padding="VALID",
    ),
    case(
        "Conv3DBackpropInputV2",
        np.array([0, 5, 4, 3, 4], np.int32),
        f32(2, 3, 2, 4, 3),
        f32(0, 5, 4, 3, 3),
        strides=ONES3,
        padding="SAME",
    ),
    case(
        "Conv3DBackpropInputV2",
        np.array([1, 2, 2, 2, 1], np.int32),
        f32(1, 1, 1, 1, 1),
        np.full((1, 2, 2, 2, 1), nan, np.float32),
        strides=ONES3,
        padding="SAME",
    ),
    case(
        "Conv3DBackpropInput",
        VIDEO,
        f32(2, 3, 2, 4, 3),
        f32(1, 5, 4, 3, 3),
        strides=ONES3,
        padding="SAME",
    ),
    case(
        "DepthwiseConv2dNativeBackpropInput",
        np.array([2, 7, 6, 4], np.int32),
        f32(3, 2, 4, 2),
        f32(2, 7, 6, 8),
        strides=ONES,
        padding="SAME",
    ),
    case(
        "DepthwiseConv2dNativeBackpropInput",
        np.array([2, 7, 6, 4], np.int32),
        f64(3, 2, 4, 2),
        f64(2, 3, 3, 8),
        strides=[1, 2, 2, 1],
        padding="VALID",
    ),
    case(
        "DepthwiseConv2dNativeBackpropInput",
        np.array([0, 7, 6, 4], np.int32),
        f32(3, 2, 4, 1),
        f32(0, 7, 6, 4),
        strides=ONES,
        padding="SAME",
    ),
    case("Dilation2D", IMAGE, f32(3, 2, 4), strides=ONES, rates=ONES, padding="SAME"),
    case(
        "Dilation2D", IMAGE, f32(3, 2, 4), strides=[1, 2, 2, 1], rates=[1, 2, 1, 1], padding="VALID"
    ),
    case("Dilation2D", ints(1, 4, 4, 2), ints(2, 2, 2), strides=ONES, rates=ONES, padding="SAME"),
    case("Dilation2D", f64(0, 4, 4, 2), f64(2, 2, 2), strides=ONES, rates=ONES, padding="SAME"),
    case(
        "Dilation2D",
        np.array([nan, inf, -inf, 1], np.float32).reshape(1, 2, 2, 1),
        f32(1, 2, 1),
        strides=ONES,
        rates=ONES,
        padding="SAME",
    ),
    conv(x=IMAGE.astype(bfloat16), w=WEIGHTS.astype(bfloat16), ulp=64),
    depthwise(x=IMAGE.astype(bfloat16), w=DEPTHWISE.astype(bfloat16), ulp=64),
    transposed([2, 7, 6, 4], f32(2, 7, 6, 5).astype(bfloat16), w=WEIGHTS.astype(bfloat16), ulp=64),
    case(
        "Conv3D",
        VIDEO.astype(bfloat16),
        f32(2, 2, 2, 4, 3).astype(bfloat16),
        strides=ONES3,
        padding="SAME",
        ulp=64,
    ),
    case(
        "Dilation2D",
        IMAGE.astype(bfloat16),
        f32(3, 2, 4).astype(bfloat16),
        strides=ONES,
        rates=ONES,
        padding="SAME",
    ),
    case(
        "Dilation2D",
        f32(2, 6, 2, 4),
        f32(3, 4, 4),
        strides=[1, 4, 4, 1],
        rates=[1, 1, 2, 1],
        padding="VALID",
    ),
    conv(x=IMAGE[:, :2], padding="VALID", strides=(1, 2, 2, 1), raises=True),
]
FLOATS = "float64 float16 bfloat16"
CASES += [
    case(
        "Conv",
        IMAGE,
        WEIGHTS,
        strides=ONES,
        padding="EXPLICIT",
        explicit_paddings=[0, 0, 2, 0, 1, 3, 0, 0],
    ),
    case("Conv", with_nan(IMAGE), WEIGHTS, strides=ONES, padding="SAME"),
    case("Conv", ints(1, 5, 5, 2), ints(2, 2, 2, 3), strides=ONES, padding="SAME"),
]
for x, w in zip(as_types(IMAGE, FLOATS), as_types(WEIGHTS, FLOATS), strict=True):
    CASES += [case("Conv", x, w, strides=ONES, padding="SAME", ulp=64)]


def transposed3(dy, w, op="Conv3DBackpropInputV2", **attrs):
    """The whole image is `dy` times the strides."""
    spread = attrs.setdefault("strides", ONES3)
    attrs.setdefault("padding", "SAME")
    last = attrs.get("data_format") != "NCDHW"
    sizes = np.array(dy.shape, np.int32) * np.array(spread, np.int32)
    sizes[-1 if last else 1] = w.shape[-2]
    return case(
        op, sizes if op.endswith("V2") else np.zeros(sizes, dy.dtype), w, dy, ulp=64, **attrs
    )


DY, W3 = f32(1, 2, 3, 2, 3), f32(2, 3, 2, 4, 3)
for op, types in (("Conv3DBackpropInputV2", FLOATS), ("Conv3DBackpropInput", "float64 float16")):
    CASES += [
        transposed3(DY, f32(2, 1, 1, 4, 3), op, strides=[1, 2, 1, 1, 1], padding="VALID"),
        transposed3(DY[:0], W3, op),
        transposed3(with_nan(DY), W3, op),
        *[
            transposed3(y, w, op)
            for y, w in zip(as_types(DY, types), as_types(W3, types), strict=True)
        ],
    ]
CASES += [
    transposed3(np.moveaxis(DY, -1, 1).copy(), W3, data_format="NCDHW"),
    transposed3(DY, W3, dilations=[1, 1, 2, 1, 1]),
]


def spread(dy, w=DEPTHWISE, padding="SAME", **attrs):
    sizes = np.array([*dy.shape[:3], w.shape[2]], np.int32)
    if attrs.get("data_format") == "NCHW":
        sizes = np.array([dy.shape[0], w.shape[2], *dy.shape[2:]], np.int32)
    return case(
        "DepthwiseConv2dNativeBackpropInput",
        sizes,
        w,
        dy,
        strides=ONES,
        padding=padding,
        ulp=64,
        **attrs,
    )


DY = f32(2, 5, 4, 8)
CASES += [
    spread(with_nan(DY)),
    spread(np.moveaxis(DY, -1, 1).copy(), data_format="NCHW"),
    spread(DY, dilations=[1, 2, 2, 1]),
    spread(DY, padding="EXPLICIT", explicit_paddings=[0, 0, 2, 0, 1, 0, 0, 0]),
    *[spread(y, w) for y, w in zip(as_types(DY, FLOATS), as_types(DEPTHWISE, FLOATS), strict=True)],
]
