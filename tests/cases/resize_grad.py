"""Rows of tfdeploy/ops/resize_grad.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case, f32, f64, ints, with_nan

F16, I32 = np.float16, np.int32
IMAGE, GRADS = f32(2, 5, 6, 3), f32(2, 8, 4, 3)
WAYS = ({}, {"align_corners": True}, {"half_pixel_centers": True})
KERNELS = ("lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle")
KERNELS += ("keyscubic", "mitchellcubic")
BOXES = np.array(
    [[0.1, 0.2, 0.9, 0.7], [-0.3, 0.0, 1.4, 1.0], [0.8, 0.9, 0.2, 0.1], [0, 0, 0, 0]], np.float32
)
OF = np.array([0, 1, 1, 0], I32)
SIZE = np.array([2, 5, 6, 3], I32)
CROPS = f32(4, 3, 4, 3)


def scaled(x=IMAGE, dy=GRADS, **attrs):
    scale, shift = np.array([1.6, 0.7], np.float32), np.array([0.3, -0.2], np.float32)
    return case("ScaleAndTranslateGrad", dy, x, scale, shift, **attrs)


CASES = [
    *(
        row
        for name in ("ResizeBilinearGrad", "ResizeBicubicGrad")
        for row in (
            *(case(name, GRADS, IMAGE, ulp=32, **way) for way in WAYS),
            case(name, f32(2, 1, 1, 3), IMAGE, align_corners=True),
            case(name, f32(2, 9, 12, 3), f32(2, 1, 1, 3)),
            case(name, GRADS, f64(2, 5, 6, 3), ulp=2.0**32),
            case(name, GRADS * np.float32(np.nan), IMAGE),
            case(name, GRADS[:0], IMAGE[:0]),
            case(name, GRADS, IMAGE, align_corners=True, half_pixel_centers=True, raises=True),
        )
    ),
    case("ResizeBilinearGrad", GRADS, IMAGE.astype(F16)),
    case("ResizeBilinearGrad", GRADS, IMAGE.astype(bfloat16)),
    *(case("ResizeNearestNeighborGrad", GRADS, np.array([5, 6], I32), **way) for way in WAYS),
    *(
        case("ResizeNearestNeighborGrad", dy, np.array([5, 6], I32))
        for dy in (f64(2, 8, 4, 3), GRADS.astype(F16), ints(2, 8, 4, 3), GRADS[:0], with_nan(GRADS))
    ),
    case("ResizeNearestNeighborGrad", GRADS, np.array([0, 6], I32), raises=True),
    *(scaled(kernel_type=name, antialias=smooth) for name in KERNELS for smooth in (True, False)),
    scaled(with_nan(IMAGE)),
    scaled(dy=with_nan(GRADS)),
    scaled(IMAGE[:0], GRADS[:0]),
    scaled(kernel_type="none", raises=True),
    case("CropAndResizeGradImage", CROPS, BOXES, OF, SIZE, T=np.float32),
    case("CropAndResizeGradImage", CROPS, BOXES, OF, SIZE, T=np.float32, method="nearest"),
    case("CropAndResizeGradImage", CROPS, BOXES, OF, SIZE, T=np.float64, ulp=2.0**32),
    case("CropAndResizeGradImage", CROPS, BOXES, OF, SIZE, T=F16),
    case("CropAndResizeGradImage", f32(4, 1, 1, 3), BOXES, OF, SIZE, T=np.float32),
    case("CropAndResizeGradImage", CROPS[:0], BOXES[:0], OF[:0], SIZE, T=np.float32),
    case("CropAndResizeGradImage", with_nan(CROPS), BOXES, OF, SIZE, T=np.float32),
    case("CropAndResizeGradImage", CROPS, BOXES, OF + 1, SIZE, T=np.float32, raises=True),
    case("CropAndResizeGradBoxes", CROPS, IMAGE, BOXES, OF, ulp=32),
    case("CropAndResizeGradBoxes", f32(4, 1, 1, 3), IMAGE, BOXES, OF, ulp=32),
    case("CropAndResizeGradBoxes", CROPS, f64(2, 5, 6, 3), BOXES, OF, ulp=32),
    case("CropAndResizeGradBoxes", CROPS, IMAGE.astype(F16), BOXES, OF, ulp=32),
    case("CropAndResizeGradBoxes", CROPS, ints(2, 5, 6, 3), BOXES, OF, ulp=32),
    case("CropAndResizeGradBoxes", CROPS[:0], IMAGE, BOXES[:0], OF[:0]),
    case("CropAndResizeGradBoxes", CROPS, with_nan(IMAGE), BOXES, OF),
    case("CropAndResizeGradBoxes", CROPS, IMAGE, BOXES, OF + 1, raises=True),
]
