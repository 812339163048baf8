"""Rows of tfdeploy/ops/norm_grad.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case, f32, f64, with_nan

F16 = np.float16
IMAGE, GRADS = f32(2, 3, 4, 5), f32(2, 3, 4, 5, seed=1)
SCALE, MEAN, VARIANCE = f32(5), f32(5, seed=1), f32(5, seed=2, low=0.1)
VIDEO = f32(2, 3, 2, 2, 5)


def first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def fused(name, x=IMAGE, dy=GRADS, scale=SCALE, **attrs):
    more = (np.zeros(0, np.float32),) if name.endswith("V3") else ()
    return case(name, dy, x, scale, MEAN, VARIANCE, *more, ulp=64, **attrs)


CASES = [
    *(
        row
        for name in ("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
        for row in (
            fused(name),
            fused(name, is_training=False),
            fused(name, epsilon=0.1),
            fused(name, IMAGE[:0], GRADS[:0]),
            fused(name, with_nan(IMAGE)),
            fused(name, dy=with_nan(GRADS), is_training=False),
            fused(name, dy=GRADS[:, :2], raises=True),
        )
    ),
    *(
        fused(name, first(IMAGE), first(GRADS), data_format="NCHW")
        for name in ("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
    ),
    *(
        fused(name, IMAGE.astype(kind), GRADS.astype(kind))
        for name in ("FusedBatchNormGradV2", "FusedBatchNormGradV3")
        for kind in (F16, bfloat16)
    ),
    fused("FusedBatchNormGradV3", VIDEO, f32(2, 3, 2, 2, 5, seed=1), data_format="NDHWC"),
    fused(
        "FusedBatchNormGradV3",
        first(VIDEO),
        first(f32(2, 3, 2, 2, 5, seed=1)),
        data_format="NCDHW",
    ),
    *(
        case(
            "BatchNormWithGlobalNormalizationGrad",
            *(v.astype(kind) for v in (x, MEAN, VARIANCE, SCALE, GRADS[: len(x)])),
            variance_epsilon=1e-3,
            scale_after_normalization=scaled,
            ulp=64,
        )
        for x, kind, scaled in (
            (IMAGE, np.float32, True),
            (IMAGE, np.float32, False),
            (f64(2, 3, 4, 5), np.float64, True),
            (IMAGE, F16, True),
            (with_nan(IMAGE), np.float32, True),
            (IMAGE[:0], np.float32, True),
        )
    ),
    *(
        case("LRNGrad", *(v.astype(kind) for v in (dy, x, f32(*x.shape, seed=3))), ulp=64, **more)
        for dy, x, kind, more in (
            (GRADS, IMAGE, np.float32, {}),
            (
                GRADS,
                IMAGE,
                np.float32,
                {"depth_radius": 1, "bias": 1.5, "alpha": 0.3, "beta": 0.75},
            ),
            (GRADS, IMAGE, F16, {}),
            (with_nan(GRADS), IMAGE, np.float32, {"depth_radius": 0}),
            (GRADS[:0], IMAGE[:0], np.float32, {}),
        )
    ),
    case("LRNGrad", GRADS, IMAGE, IMAGE[:1], raises=True),
]
