"""Rows of tfdeploy/ops/conv_grad.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case, f32, f64, ints, with_nan

F16, I32 = np.float16, np.int32
IMAGE, VIDEO = f32(2, 7, 6, 4), f32(2, 4, 5, 3, 2)


def grad(name, dy, x=IMAGE, sizes=(3, 2, 4, 5), strides=(1, 1, 1, 1), padding="SAME", **attrs):
    given = sizes if isinstance(sizes, np.ndarray) else np.array(sizes, I32)
    return case(name, x, given, dy, strides=list(strides), padding=padding, **attrs)


def conv(*args, **attrs):
    return grad("Conv2DBackpropFilter", *args, **attrs)


def volume(*args, x=VIDEO, sizes=(2, 3, 1, 2, 3), strides=(1, 1, 1, 1, 1), **attrs):
    return grad("Conv3DBackpropFilterV2", *args, x=x, sizes=sizes, strides=strides, **attrs)


def depthwise(*args, sizes=(3, 2, 4, 2), **attrs):
    return grad("DepthwiseConv2dNativeBackpropFilter", *args, sizes=sizes, **attrs)


def dilation(dy, x=IMAGE, w=None, strides=(1, 1, 1, 1), rates=(1, 1, 1, 1), padding="SAME", **more):
    w = f32(3, 2, 4).astype(x.dtype) if w is None else w
    kept = {"strides": list(strides), "rates": list(rates), "padding": padding, **more}
    names = "Dilation2DBackpropInput", "Dilation2DBackpropFilter"
    return [case(name, x, w, dy, **kept) for name in names]


CASES = [
    conv(f32(2, 7, 6, 5)),
    conv(f32(2, 5, 5, 5), padding="VALID"),
    conv(f32(2, 4, 2, 5), strides=(1, 2, 3, 1)),
    conv(f32(2, 8, 9, 5), padding="EXPLICIT", explicit_paddings=[0, 0, 2, 1, 1, 3, 0, 0]),
    conv(f32(2, 7, 6, 5).astype(F16), x=IMAGE.astype(F16), ulp=32),
    conv(f32(2, 7, 6, 5).astype(bfloat16), x=IMAGE.astype(bfloat16), ulp=32),
    conv(f64(2, 7, 6, 5), x=f64(2, 7, 6, 4)),
    conv(f32(0, 7, 6, 5), x=IMAGE[:0]),
    conv(with_nan(f32(2, 7, 6, 5))),
    conv(f32(2, 6, 6, 5), raises=True),
    conv(f32(2, 7, 6, 5), sizes=(3, 2, 3, 5), raises=True),
    conv(f32(2, 7, 6, 5), sizes=(3, 2, 4), raises=True),
    volume(f32(2, 4, 5, 3, 3)),
    volume(f32(2, 3, 3, 3, 3), padding="VALID", sizes=np.array([2, 3, 1, 2, 3], np.int64)),
    volume(f32(2, 2, 3, 2, 3), strides=(1, 2, 2, 2, 1)),
    volume(f64(2, 4, 5, 3, 3), x=f64(2, 4, 5, 3, 2)),
    volume(f32(2, 4, 5, 3, 3).astype(F16), x=VIDEO.astype(F16), ulp=32),
    volume(f32(0, 4, 5, 3, 3), x=VIDEO[:0]),
    volume(with_nan(f32(2, 4, 5, 3, 1)), x=VIDEO[..., :1], sizes=(1, 1, 1, 1, 1)),
    volume(f32(2, 4, 5, 2, 3), raises=True),
    *(
        case("Conv3DBackpropFilter", x, w, dy, strides=[1, 1, 2, 1, 1], padding=p, **more)
        for x, w, dy, p, more in (
            (VIDEO, f32(2, 3, 1, 2, 3), f32(2, 4, 3, 3, 3), "SAME", {}),
            (VIDEO, f32(2, 3, 1, 2, 3), f32(2, 3, 2, 3, 3), "VALID", {}),
            (f64(2, 4, 5, 3, 2), f64(2, 3, 1, 2, 3), f64(2, 4, 3, 3, 3), "SAME", {}),
            (
                VIDEO.astype(F16),
                f32(2, 3, 1, 2, 3).astype(F16),
                f32(2, 4, 3, 3, 3).astype(F16),
                "SAME",
                {"ulp": 32},
            ),
            (VIDEO[:0], f32(2, 3, 1, 2, 3), f32(0, 4, 3, 3, 3), "SAME", {}),
            (with_nan(VIDEO[..., :1]), f32(1, 1, 1, 1, 3), f32(2, 4, 3, 3, 3), "SAME", {}),
        )
    ),
    depthwise(f32(2, 7, 6, 8)),
    depthwise(f32(2, 5, 5, 8), padding="VALID"),
    depthwise(f32(2, 4, 3, 8), strides=(1, 2, 2, 1)),
    depthwise(f32(2, 8, 9, 8), padding="EXPLICIT", explicit_paddings=[0, 0, 2, 1, 1, 3, 0, 0]),
    depthwise(f64(2, 7, 6, 8), x=f64(2, 7, 6, 4)),
    depthwise(f32(2, 7, 6, 8).astype(F16), x=IMAGE.astype(F16), ulp=64),
    depthwise(f32(0, 7, 6, 8), x=IMAGE[:0], check="shape"),
    depthwise(f32(2, 7, 6, 8), dilations=[1, 2, 2, 1]),
    depthwise(with_nan(f32(2, 7, 6, 8))),
    depthwise(f32(2, 7, 6, 7), raises=True),
    *dilation(f32(2, 7, 6, 4)),
    *dilation(
        f32(2, 3, 4, 4), rates=(1, 2, 1, 1), strides=(1, 2, 1, 1), padding="VALID", w=f32(2, 3, 4)
    ),
    *dilation(f32(2, 4, 2, 4), strides=(1, 2, 3, 1), rates=(1, 2, 1, 1)),
    *dilation(f64(2, 7, 6, 4), x=f64(2, 7, 6, 4)),
    *dilation(f32(2, 7, 6, 4).astype(F16), x=IMAGE.astype(F16)),
    *dilation(ints(2, 7, 6, 4), x=ints(2, 7, 6, 4), w=np.zeros((3, 2, 4), I32), note="equals"),
    *dilation(f32(2, 7, 6, 4), x=with_nan(IMAGE)),
    *dilation(f32(2, 7, 6, 4), x=np.full_like(IMAGE, np.nan)),
    *dilation(f32(0, 7, 6, 4), x=IMAGE[:0]),
    *dilation(f32(2, 7, 5, 4), raises=True),
]
