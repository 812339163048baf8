"""Rows of tfdeploy/ops/resize.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case, f32, f64, ints, with_nan

nan, inf = np.nan, np.inf
F16 = np.float16
IMAGE = f32(2, 5, 7, 3)
TINY = f32(1, 1, 1, 1)
HOLES = np.array([1, nan, 2, 3, inf, 4], np.float32).reshape(1, 2, 3, 1)
SIZES = [[3, 4], [9, 11], [5, 7], [1, 1], [10, 14], [2, 20]]
BOXES = np.array(
    [[0, 0, 1, 1], [0.1, 0.2, 0.8, 0.7], [0.9, 0.9, -0.2, 1.3], [0.5, 0.5, 0.5, 0.5]], np.float32
)
OF = np.array([0, 1, 1, 0], np.int32)
TURN = np.array([[0.9, 0.3, -0.7, -0.2, 1.1, 0.4, 0.01, 0.02]], np.float32)
FAR = np.array([[3, 0.3, -7.3, -0.2, 2.6, -9.1, 0, 0], [1, 0, 0.5, 0, 1, 0.5, 0, 0]], np.float32)
MODES = ("CONSTANT", "REFLECT", "WRAP", "NEAREST")


TYPES = (np.float64, F16, np.uint8, np.int8, np.int16, np.int32, np.int64)


def pair(a, b):
    return np.array([a, b], np.float32)


def resizing(name, options):
    rows = [case(name, IMAGE, size, **option) for size in SIZES for option in options]
    rows += [case(name, (IMAGE * 9 + 20).astype(kind), [8, 3]) for kind in TYPES]
    rows += [case(name, TINY, [3, 2]), case(name, HOLES, [3, 4]), case(name, IMAGE[:0], [3, 4])]
    rows += [
        case(name, IMAGE, [0, 4], raises=True),
        case(name, IMAGE[0], [3, 4], raises=True),
        case(name, IMAGE[:, :0], [3, 4], raises=True),
    ]
    return rows


GRIDS = [{}, {"align_corners": True}, {"half_pixel_centers": True}]

CASES = [
    *resizing("ResizeBilinear", GRIDS),
    *resizing("ResizeNearestNeighbor", GRIDS),
    *resizing("ResizeBicubic", GRIDS),
    *resizing("ResizeArea", GRIDS[:2]),
    *(
        case(
            "ScaleAndTranslate",
            IMAGE,
            size,
            pair(size[0] / 5, size[1] / 7),
            pair(0, 0),
            kernel_type=kernel,
            antialias=antialias,
        )
        for size in ([3, 4], [9, 11])
        for kernel in (
            "lanczos1",
            "lanczos3",
            "lanczos5",
            "gaussian",
            "box",
            "triangle",
            "keyscubic",
            "mitchellcubic",
        )
        for antialias in (True, False)
    ),
    case("ScaleAndTranslate", IMAGE, [6, 6], pair(1.7, 0.6), pair(-1.3, 2.2)),
    case("ScaleAndTranslate", IMAGE, [6, 6], pair(1.7, 0.6), pair(30, -20), kernel_type="triangle"),
    case(
        "ScaleAndTranslate", (IMAGE * 9 + 20).astype(np.uint8), [6, 6], pair(1.7, 0.6), pair(0, 0)
    ),
    case("ScaleAndTranslate", HOLES, [2, 3], pair(1, 1), pair(0, 0), kernel_type="triangle"),
    case("ScaleAndTranslate", IMAGE[:0], [6, 6], pair(1.7, 0.6), pair(0, 0)),
    case("ScaleAndTranslate", IMAGE, [6, 6], pair(0, 0.6), pair(0, 0), raises=True),
    case("ScaleAndTranslate", IMAGE, [6, 6], pair(1, 1), pair(0, 0), kernel_type="no", raises=True),
    *(
        case("CropAndResize", IMAGE, BOXES, OF, size, method=method, extrapolation_value=-5.0)
        for size in ([3, 4], [1, 1], [8, 9])
        for method in ("bilinear", "nearest")
    ),
    case("CropAndResize", (IMAGE * 9 + 20).astype(np.uint8), BOXES, OF, [3, 4]),
    case("CropAndResize", f64(2, 4, 4, 1), BOXES, OF, [3, 4]),
    case("CropAndResize", ints(2, 4, 4, 1), BOXES, OF, [3, 4]),
    case("CropAndResize", IMAGE, BOXES[:0], OF[:0], [3, 4]),
    case("CropAndResize", HOLES, BOXES[:1], OF[:1], [2, 3]),
    case("CropAndResize", IMAGE, BOXES, OF + 1, [3, 4], raises=True),
    case("CropAndResize", IMAGE, BOXES, OF[:2], [3, 4], raises=True),
    case("CropAndResize", IMAGE, BOXES, OF, [0, 4], raises=True),
    *(
        case(
            "ImageProjectiveTransformV3",
            IMAGE,
            transform,
            [6, 5],
            2.5,
            interpolation=how,
            fill_mode=mode,
        )
        for transform in (TURN, FAR)
        for how in ("NEAREST", "BILINEAR")
        for mode in MODES
    ),
    *(
        case(
            "ImageProjectiveTransformV3",
            (IMAGE * 9 + 20).astype(kind),
            TURN,
            [6, 5],
            2.5,
            interpolation="BILINEAR",
        )
        for kind in (np.float64, F16, np.uint8, np.int32, np.int64)
    ),
    case(
        "ImageProjectiveTransformV3",
        IMAGE,
        np.array([[1, 0, 0, 0, 1, 0, -1, 0]], np.float32),
        [6, 5],
        2.5,
        interpolation="NEAREST",
    ),
    case(
        "ImageProjectiveTransformV3",
        IMAGE,
        np.array([[1, 0, -1.5, 0, 1, -0.5, 0, 0]], np.float32),
        [6, 5],
        2.5,
        interpolation="NEAREST",
    ),
    case(
        "ImageProjectiveTransformV3",
        TINY,
        TURN,
        [2, 2],
        2.5,
        interpolation="BILINEAR",
        fill_mode="WRAP",
    ),
    case("ImageProjectiveTransformV3", HOLES, TURN, [2, 3], 2.5, interpolation="BILINEAR"),
    case("ImageProjectiveTransformV3", IMAGE[:0], TURN, [2, 3], 2.5, interpolation="BILINEAR"),
    case(
        "ImageProjectiveTransformV3",
        IMAGE,
        TURN[:, :7],
        [2, 3],
        2.5,
        interpolation="BILINEAR",
        raises=True,
    ),
    case("ImageProjectiveTransformV2", IMAGE, TURN, [6, 5], interpolation="BILINEAR"),
    case(
        "ImageProjectiveTransformV2",
        IMAGE,
        FAR,
        [6, 5],
        interpolation="NEAREST",
        fill_mode="REFLECT",
    ),
    *(
        case(name, IMAGE.astype(bfloat16), [3, 4])
        for name in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
    ),
    *(
        case("CropAndResize", IMAGE.astype(F16), BOXES, OF, [3, 4], method=method)
        for method in ("bilinear", "nearest")
    ),
    *(
        case("ScaleAndTranslate", f64(1, 4, 5, 2), [6, 3], pair(1.5, 0.6), pair(0, 1), **attrs)
        for attrs in ({}, {"antialias": False, "kernel_type": "triangle"})
    ),
    *(
        case(
            "ImageProjectiveTransformV2",
            (IMAGE * 9 + 20).astype(kind),
            TURN,
            [6, 5],
            interpolation=how,
            ulp=16,
        )
        for kind in (np.float64, F16, bfloat16, np.uint8, np.int32, np.int64)
        for how in ("NEAREST", "BILINEAR")
    ),
    *(
        case(
            "ImageProjectiveTransformV2",
            with_nan(IMAGE),
            TURN,
            [6, 5],
            interpolation=how,
            fill_mode=mode,
        )
        for how in ("NEAREST", "BILINEAR")
        for mode in MODES
    ),
    case("ImageProjectiveTransformV2", IMAGE[:0], TURN, [2, 3], interpolation="BILINEAR"),
    case(
        "ImageProjectiveTransformV2", IMAGE, TURN[:0], [2, 3], interpolation="NEAREST", raises=True
    ),
    case("ScaleAndTranslate", IMAGE.astype(bfloat16), [3, 3], pair(0.6, 0.5), pair(0, 1)),
    case(
        "ImageProjectiveTransformV3",
        IMAGE.astype(bfloat16),
        TURN,
        [3, 3],
        1.5,
        interpolation="BILINEAR",
        ulp=16,
    ),
    case("ResizeArea", f32(1, 5, 1, 2), [4, 3], align_corners=True),
    case("ResizeArea", f32(1, 1, 1, 2), [2, 2], align_corners=True),
]
