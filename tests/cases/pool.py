"""Rows of tfdeploy/ops/pool.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import as_types, case, f32, f64, ints, with_nan

nan, inf = np.nan, np.inf
NUMBERS = "float32 float64 float16 bfloat16 int32 uint8"
F16 = np.float16
ONES = [1, 1, 1, 1]
IMAGE = f32(2, 7, 6, 4)
FIRST = np.ascontiguousarray(np.moveaxis(IMAGE, -1, 1))
VIDEO = f32(1, 5, 4, 3, 2)
CORNERS = np.array(
    [[1, nan, 2, 3], [nan, 1, 2, 3], [nan] * 4, [-inf] * 4, [1, inf, 2, nan]], np.float32
).reshape(5, 1, 4, 1)


def pool(name, x=IMAGE, ksize=(1, 3, 2, 1), strides=(1, 1, 1, 1), padding="SAME", **attrs):
    return case(name, x, ksize=list(ksize), strides=list(strides), padding=padding, **attrs)


def both(name):
    return [
        pool(name),
        pool(name, padding="VALID"),
        pool(name, strides=(1, 2, 3, 1)),
        pool(name, strides=(1, 3, 2, 1), padding="VALID"),
        pool(name, x=f64(2, 5, 5, 3)),
        pool(name, x=IMAGE.astype(F16)),
        pool(name, x=IMAGE[:0]),
        pool(name, x=CORNERS, ksize=(1, 1, 2, 1)),
        pool(name, x=CORNERS, ksize=(1, 1, 4, 1), padding="VALID"),
        pool(name, ksize=(1, 8, 2, 1), padding="VALID", raises=True),
        pool(name, ksize=(2, 2, 2, 1), raises=True),
        pool(name, strides=(1, 0, 1, 1), raises=True),
    ]


def both3(name):
    return [
        case(name, VIDEO, ksize=[1, 2, 3, 2, 1], strides=[1, 1, 1, 1, 1], padding="SAME"),
        case(name, VIDEO, ksize=[1, 2, 3, 2, 1], strides=[1, 2, 2, 1, 1], padding="VALID"),
        case(name, VIDEO[:0], ksize=[1, 2, 3, 2, 1], strides=[1, 2, 2, 1, 1], padding="VALID"),
        case(
            name,
            np.moveaxis(VIDEO, -1, 1).copy(),
            ksize=[1, 1, 2, 2, 2],
            strides=[1, 1, 2, 2, 2],
            padding="SAME",
            data_format="NCDHW",
        ),
        case(name, CORNERS[None], ksize=[1, 1, 1, 2, 1], strides=[1, 1, 1, 1, 1], padding="SAME"),
    ]


def argmax(x=IMAGE, ksize=(1, 3, 2, 1), strides=(1, 2, 1, 1), padding="SAME", **attrs):
    return pool("MaxPoolWithArgmax", x, ksize, strides, padding, **attrs)


CASES = [
    *both("MaxPool"),
    *both("AvgPool"),
    *both3("MaxPool3D"),
    *both3("AvgPool3D"),
    pool("MaxPool", x=FIRST, ksize=(1, 1, 2, 2), data_format="NCHW"),
    pool(
        "MaxPool",
        x=FIRST,
        ksize=(1, 1, 3, 2),
        strides=(1, 1, 2, 2),
        padding="VALID",
        data_format="NCHW",
    ),
    pool("AvgPool", x=FIRST, ksize=(1, 1, 2, 2), data_format="NCHW"),
    pool("MaxPool", padding="EXPLICIT", explicit_paddings=[0, 0, 1, 1, 1, 0, 0, 0]),
    pool("MaxPool", ksize=(1, 1, 1, 2), strides=(1, 1, 1, 2), padding="VALID"),
    pool("MaxPool", ksize=(1, 1, 1, 3), strides=(1, 1, 1, 3), padding="VALID", raises=True),
    pool("MaxPool", x=ints(1, 5, 5, 2)),
    pool("MaxPool", x=ints(1, 5, 5, 2, dtype=np.int64)),
    pool("MaxPool", x=ints(1, 5, 5, 2, low=0, dtype=np.uint8)),
    pool("MaxPool", x=ints(1, 5, 5, 2, dtype=np.int8)),
    pool("MaxPool", x=ints(1, 5, 5, 2, dtype=np.int16)),
    pool("MaxPool", x=ints(1, 5, 5, 2, low=0, dtype=np.uint16)),
    case("MaxPoolV2", IMAGE, [1, 3, 2, 1], [1, 2, 2, 1], padding="SAME"),
    case("MaxPoolV2", CORNERS.astype(np.float64), [1, 1, 2, 1], [1, 1, 2, 1], padding="VALID"),
    case("MaxPoolV2", ints(0, 5, 5, 2), [1, 3, 2, 1], [1, 2, 2, 1], padding="VALID"),
    argmax(),
    argmax(padding="VALID", include_batch_in_index=True),
    argmax(Targmax=np.int32),
    argmax(x=f64(2, 5, 5, 3)),
    argmax(x=IMAGE.astype(F16)),
    argmax(x=ints(2, 5, 5, 2, low=0, high=3), note="ties"),
    argmax(x=IMAGE[:0], raises=True),
    argmax(x=CORNERS, ksize=(1, 1, 2, 1), strides=(1, 1, 1, 1)),
    argmax(x=CORNERS, ksize=(1, 1, 4, 1), strides=(1, 1, 1, 1), padding="VALID"),
    pool("MaxPool", x=IMAGE.astype(bfloat16)),
    pool("AvgPool", x=IMAGE.astype(bfloat16), ulp=32),
    argmax(x=IMAGE.astype(bfloat16)),
    case(
        "MaxPool3D", VIDEO.astype(bfloat16), ksize=[1, 2, 2, 2, 1], strides=[1] * 5, padding="SAME"
    ),
    *(
        case(
            "AvgPool3D",
            VIDEO.astype(bfloat16),
            ksize=[1, 2, 3, 2, 1],
            strides=[1, 2, 1, 1, 1],
            padding=padding,
            ulp=32,
        )
        for padding in ("SAME", "VALID")
    ),
    *(
        case("MaxPoolV2", IMAGE.astype(t), [1, 3, 2, 1], [1, 2, 2, 1], padding="VALID")
        for t in (F16, bfloat16)
    ),
    *(
        case(
            "MaxPoolGrad",
            x,
            np.zeros_like(grad),
            grad,
            ksize=[1, 3, 2, 1],
            strides=[1, 2, 1, 1],
            padding="VALID",
        )
        for x, grad in zip(
            as_types(with_nan(IMAGE * 9), NUMBERS),
            as_types(f32(2, 3, 5, 4) * 9, NUMBERS),
            strict=True,
        )
    ),
    case(
        "MaxPoolGrad",
        CORNERS,
        CORNERS[:, :, ::2].copy(),
        f32(5, 1, 2, 1),
        ksize=[1, 1, 2, 1],
        strides=[1, 1, 2, 1],
        padding="VALID",
    ),
    *(
        case(
            "MaxPoolGrad",
            x,
            np.zeros_like(grad),
            grad,
            ksize=[1, 3, 2, 1],
            strides=[1, 2, 1, 1],
            padding="SAME",
        )
        for x, grad in ((IMAGE, f32(2, 4, 6, 4)), (f64(2, 7, 6, 4), f64(2, 4, 6, 4)))
    ),
    case(
        "MaxPoolGrad",
        IMAGE,
        f32(2, 8, 5, 4),
        f32(2, 8, 5, 4),
        ksize=[1, 2, 2, 1],
        strides=ONES,
        padding="EXPLICIT",
        explicit_paddings=[0, 0, 1, 1, 0, 0, 0, 0],
    ),
    case(
        "MaxPoolGrad",
        IMAGE[:0],
        f32(0, 7, 6, 4),
        f32(0, 7, 6, 4),
        ksize=ONES,
        strides=ONES,
        padding="SAME",
    ),
    case(
        "MaxPoolGrad",
        IMAGE,
        f32(2, 3, 6, 4),
        f32(2, 3, 6, 4),
        ksize=ONES,
        strides=ONES,
        padding="SAME",
        raises=True,
    ),
    *(
        case(
            name,
            x,
            pooling_ratio=[1.0, 1.4, 1.7, 1.0],
            pseudo_random=pseudo,
            overlapping=over,
            deterministic=True,
            seed=5,
            seed2=6,
        )
        for name in ("FractionalMaxPool", "FractionalAvgPool")
        for x in (
            f32(2, 9, 11, 3),
            f64(1, 8, 8, 1),
            ints(1, 9, 7, 2),
            ints(1, 9, 7, 2, dtype=np.int64),
        )
        for pseudo in (True, False)
        for over in (True, False)
    ),
    case(
        "FractionalMaxPool",
        CORNERS.reshape(1, 5, 4, 1),
        pooling_ratio=[1.0, 1.3, 1.3, 1.0],
        seed=5,
        seed2=6,
        deterministic=True,
    ),
    *(
        case(
            name,
            CORNERS.reshape(1, 5, 4, 1),
            pooling_ratio=[1.0, 1.3, 1.3, 1.0],
            overlapping=over,
            seed=5,
            seed2=6,
            deterministic=True,
        )
        for name in ("FractionalMaxPool", "FractionalAvgPool")
        for over in (True, False)
    ),
    *(
        case(name, x, pooling_ratio=[1.0, 1.4, 1.7, 1.0], check="shape", raises=not x.size)
        for name in ("FractionalMaxPool", "FractionalAvgPool")
        for x in (f32(2, 9, 11, 3), f32(0, 9, 11, 3))
    ),
    case(
        "FractionalAvgPool",
        f32(1, 3, 3, 1),
        pooling_ratio=[1.0, 4.0, 1.0, 1.0],
        seed=5,
        raises=True,
    ),
]
