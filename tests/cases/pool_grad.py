"""Rows of tfdeploy/ops/pool_grad.py; those of MaxPoolGrad stand in tests/cases/pool.py."""

from itertools import pairwise

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case, f32, f64, ints, with_nan

F16, I32 = np.float16, np.int32
IMAGE, VIDEO = f32(2, 7, 6, 3), f32(2, 4, 5, 3, 2)
TIED = ints(2, 7, 6, 3, low=0, high=3).astype(np.float32)
PLACES = ints(2, 7, 2, 3, low=0, high=126, dtype=np.int64)
ALL_PLACES = PLACES + np.array([0, 126]).reshape(2, 1, 1, 1)


def window(k, rank, strides=None, padding="SAME", **attrs):
    ksize = [1, *k, 1]
    return {"ksize": ksize, "strides": strides or [1] * rank, "padding": padding, **attrs}


def mean(dy, shape=(2, 7, 6, 3), k=(3, 2), **attrs):
    return case("AvgPoolGrad", np.array(shape, I32), dy, **window(k, 4, **attrs))


def mean3(dy, shape=(2, 4, 5, 3, 2), k=(2, 3, 1), **attrs):
    return case("AvgPool3DGrad", np.array(shape, I32), dy, **window(k, 5, **attrs))


def pooled(x, k, strides, padding):
    """The greatest of each window, NaN aside, as MaxPool gives it."""
    from tfdeploy.ops import pool

    return pool._greatest(x, [1, *k, 1], strides, padding, "NDHWC" if x.ndim == 5 else "NHWC")


def greatest(name, x, k=(3, 2), strides=None, padding="SAME", seed=1, **attrs):
    strides = strides or [1] * x.ndim
    y = pooled(x, k, strides, padding)
    shape = x.shape if name.endswith("GradGrad") else y.shape
    dy = f32(*shape, seed=seed).astype(x.dtype)
    more = {"ksize": [1, *k, 1], "strides": strides, "padding": padding, **attrs}
    return case(name, x, y, dy, **more)


def by_inputs(name, row):
    """A row whose window and strides are inputs."""
    attrs = dict(row.attrs)
    given = [np.array(attrs.pop(n), I32) for n in ("ksize", "strides")]
    return case(name, *row.inputs, *given, **attrs)


def fractional(x=IMAGE, rows=(0, 2, 3, 5, 7), columns=(0, 1, 3, 6), **attrs):
    cuts = [np.array(c, np.int64) for c in (rows, columns)]
    shape = (len(x), len(rows) - 1, len(columns) - 1, x.shape[3])
    dy = f32(*shape, seed=3) if x.dtype.kind == "f" else ints(*shape, seed=3)
    dy = dy.astype(x.dtype)
    more = int(attrs.get("overlapping", False))
    pairs = [[(a, b + more) for a, b in pairwise(c)] for c in (rows, columns)]
    y = [[x[:, a:b, c:d].max(axis=(1, 2)) for c, d in pairs[1]] for a, b in pairs[0]]
    y = np.ascontiguousarray(np.moveaxis(np.array(y), 2, 0))
    return [
        case(
            "FractionalMaxPoolGrad",
            x,
            y,
            dy,
            *cuts,
            raises=bool(np.isnan(y).any()) or not len(x),
            **attrs,
        ),
        case(
            "FractionalAvgPoolGrad",
            np.array(x.shape, np.int64),
            dy,
            *cuts,
            raises=not len(x),
            **attrs,
        ),
    ]


CHOSEN = [
    greatest("MaxPoolGradGrad", TIED),
    greatest("MaxPoolGradGrad", IMAGE, strides=[1, 2, 3, 1]),
    greatest("MaxPoolGradGrad", IMAGE, strides=[1, 2, 2, 1], padding="VALID"),
    greatest("MaxPoolGradGrad", f64(2, 7, 6, 3)),
    greatest("MaxPoolGradGrad", IMAGE.astype(F16)),
    greatest("MaxPoolGradGrad", ints(2, 7, 6, 3)),
    greatest("MaxPoolGradGrad", IMAGE[:0]),
    greatest("MaxPoolGradGrad", with_nan(IMAGE)),
]
CASES = [
    mean(f32(2, 7, 6, 3)),
    mean(f32(2, 3, 3, 3), strides=[1, 2, 2, 1], padding="VALID"),
    mean(f32(2, 3, 2, 3), strides=[1, 3, 3, 1]),
    mean(f64(2, 7, 6, 3)),
    mean(f32(2, 7, 6, 3).astype(F16)),
    mean(f32(2, 7, 6, 3).astype(bfloat16), ulp=64),
    mean(f32(0, 7, 6, 3), shape=(0, 7, 6, 3)),
    mean(with_nan(f32(2, 7, 6, 3))),
    mean3(f32(2, 4, 5, 3, 2)),
    mean3(f32(2, 3, 3, 3, 2), padding="VALID"),
    mean3(f32(2, 2, 3, 2, 2), strides=[1, 2, 2, 2, 1]),
    mean3(f32(2, 4, 5, 3, 2).astype(bfloat16), ulp=64),
    mean3(f32(0, 4, 5, 3, 2), shape=(0, 4, 5, 3, 2)),
    mean3(with_nan(f32(2, 4, 5, 3, 2))),
    *CHOSEN,
    *(by_inputs("MaxPoolGradGradV2", row) for row in CHOSEN),
    *(
        by_inputs("MaxPoolGradV2", greatest("MaxPoolGrad", x, **attrs))
        for x, attrs in (
            (TIED, {}),
            (IMAGE, {"strides": [1, 2, 3, 1]}),
            (IMAGE, {"strides": [1, 2, 2, 1], "padding": "VALID"}),
            (f64(2, 7, 6, 3), {}),
            (IMAGE.astype(F16), {}),
            (ints(2, 7, 6, 3), {}),
            (IMAGE[:0], {}),
            (with_nan(IMAGE), {}),
        )
    ),
    *(
        greatest(name, x, **{"k": (2, 3, 2), **attrs})
        for name in ("MaxPool3DGrad", "MaxPool3DGradGrad")
        for x, attrs in (
            (VIDEO, {}),
            (ints(2, 4, 5, 3, 2, low=0, high=3).astype(np.float32), {}),
            (VIDEO, {"strides": [1, 2, 2, 1, 1]}),
            (VIDEO, {"padding": "VALID"}),
            (VIDEO.astype(bfloat16), {}),
            (VIDEO[:0], {"raises": name.endswith("GradGrad")}),
            (with_nan(VIDEO), {}),
        )
    ),
    *(
        case(
            "MaxPoolGradWithArgmax",
            x,
            dy,
            at,
            **{**window((1, 2), 4, strides=[1, 1, 3, 1], padding="VALID"), **attrs},
        )
        for x, dy, at, attrs in (
            (IMAGE, f32(2, 7, 2, 3), PLACES, {}),
            (IMAGE, f32(2, 7, 2, 3), ALL_PLACES, {"include_batch_in_index": True}),
            (IMAGE, f32(2, 7, 2, 3), PLACES, {"padding": "SAME"}),
            (f64(2, 7, 6, 3), f64(2, 7, 2, 3), PLACES, {}),
            (IMAGE.astype(F16), f32(2, 7, 2, 3).astype(F16), PLACES, {}),
            (ints(2, 7, 6, 3), ints(2, 7, 2, 3), PLACES, {}),
            (with_nan(IMAGE), with_nan(f32(2, 7, 2, 3)), PLACES, {}),
            (IMAGE[:0], f32(0, 7, 2, 3), ints(0, 7, 2, 3, dtype=np.int64), {}),
        )
    ),
    *fractional(),
    *fractional(overlapping=True),
    *fractional(TIED),
    *fractional(f64(2, 7, 6, 3)),
    *fractional(ints(2, 7, 6, 3)),
    *fractional(with_nan(IMAGE), columns=(0, 2, 3, 6)),
    *fractional(IMAGE[:0]),
    case("FractionalAvgPoolGrad", [1, 4, 4, 1], with_nan(f32(1, 2, 1, 1)), [0, 1, 4], [0, 4]),
]
