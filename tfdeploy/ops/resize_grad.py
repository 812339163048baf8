"""Gradients of resizing and of cropping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, DType
from ..graph.types import ValueType
from .quantize import round_away
from .registry import op
from .resize import (
    check_kernel,
    crop_places,
    resize_bicubic,
    resize_bilinear,
    resize_nearest,
    spans,
    whole,
)
from .rules import Inference, shape_vector
from .windows import check_size

Array = NDArray[Any]

_F32 = np.float32


def _transposed(
    grads: Array, size: Sequence[int], weights: Callable[[int, int, int], Array]
) -> Array:
    """Images of `size` (h, w) whose pixels get of `grads` what they gave to it.

    ``weights(axis, n, out)`` says by rows what each of `out` positions takes of `n` pixels.
    """
    if grads.ndim != 4 or len(size) != 2 or min(size) < 1 or 0 in grads.shape[1:]:
        raise ValueError(f"a gradient of shape {grads.shape} for images of {list(size)}")
    check_size((len(grads), *size, grads.shape[3]))
    kept = grads.astype(np.float64 if grads.dtype == np.float64 else _F32)
    for axis, n in ((1, size[0]), (2, size[1])):
        matrix = weights(axis, n, grads.shape[axis])
        of, to = np.nonzero(matrix)  # what weighs nothing takes nothing of NaN
        shares = kept.take(of, axis) * matrix[of, to].reshape(-1, *[1] * (3 - axis))
        result = np.zeros((*kept.shape[:axis], n, *kept.shape[axis + 1 :]), kept.dtype)
        np.add.at(np.moveaxis(result, axis, 0), to, np.moveaxis(shares, axis, 0))
        kept = result
    return kept


def _by_resizing(
    resize: Callable[..., Array], align_corners: bool, half_pixel_centers: bool
) -> Callable[[int, int, int], Array]:
    """The weights of a way to resize: what it makes of images of one lit pixel."""

    def weights(axis: int, n: int, out: int) -> Array:
        lit = np.eye(n, dtype=_F32)[None, :, :, None]
        given = {"align_corners": align_corners, "half_pixel_centers": half_pixel_centers}
        return resize(lit, np.array([out, n]), **given)[0, :, :, 0]

    return weights


def _like(c: Inference) -> ValueType:
    return c.inputs[1]


def _resized_gradient(
    grads: Array, image: Array, weights: Callable[[int, int, int], Array]
) -> Array:
    if image.ndim != 4 or (len(image), image.shape[3]) != (len(grads), grads.shape[3]):
        raise ValueError(f"a gradient of shape {grads.shape} for images of shape {image.shape}")
    return _transposed(grads, image.shape[1:3], weights).astype(image.dtype)


@op("ResizeBilinearGrad", type=_like, ranks="44")
def resize_bilinear_grad(
    grads: Array,
    original_image: Array,
    *,
    align_corners: bool = False,
    half_pixel_centers: bool = False,
) -> Array:
    """The gradient of ResizeBilinear by its images (tf.raw_ops.ResizeBilinearGrad)."""
    weights = _by_resizing(resize_bilinear, align_corners, half_pixel_centers)
    return _resized_gradient(grads, original_image, weights)


@op("ResizeBicubicGrad", type=_like, ranks="44")
def resize_bicubic_grad(
    grads: Array,
    original_image: Array,
    *,
    align_corners: bool = False,
    half_pixel_centers: bool = False,
) -> Array:
    """The gradient of ResizeBicubic by its images (tf.raw_ops.ResizeBicubicGrad)."""
    weights = _by_resizing(resize_bicubic, align_corners, half_pixel_centers)
    return _resized_gradient(grads, original_image, weights)


def _sized(c: Inference) -> ValueType:
    shape, size = c.inputs[0].shape, c.extents(1)
    n, _, _, channels = shape or c.unknown(4) or ()
    height, width = size if size is not None and len(size) == 2 else (c.fresh(), c.fresh())
    return ValueType(c.inputs[0].dtype, (n, height, width, channels))


@op("ResizeNearestNeighborGrad", type=_sized, ranks="41")
def resize_nearest_grad(
    grads: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Array:
    """The gradient of ResizeNearestNeighbor by its images, of `size`."""
    weights = _by_resizing(resize_nearest, align_corners, half_pixel_centers)
    return _transposed(grads, size.tolist(), weights).astype(grads.dtype)


@op("ScaleAndTranslateGrad", type=_like, ranks="4411")
def scale_and_translate_grad(
    grads: Array,
    original_image: Array,
    scale: Array,
    translation: Array,
    *,
    kernel_type: str = "lanczos3",
    antialias: bool = True,
) -> Array:
    """The gradient of ScaleAndTranslate by its images."""
    check_kernel(kernel_type, scale, translation)

    def weights(axis: int, n: int, out: int) -> Array:
        index, shares = spans(
            kernel_type, n, out, scale[axis - 1], translation[axis - 1], antialias
        )
        matrix = np.zeros((out, n + 1), _F32)  # the last column takes what is for no pixel
        np.add.at(matrix, (np.arange(out)[:, None], index), shares)
        return matrix[:, :n]

    return _resized_gradient(grads, original_image, weights)


# Crops


def _corners(places: tuple[Array, ...]) -> tuple[tuple[Array, Array, Array, Array], Array, Array]:
    """Rows above and below, columns left and right of where crops read; how far below and right."""
    y, x = places[:2]
    top, left = np.floor(y), np.floor(x)
    around = (whole(top), whole(np.ceil(y)), whole(left), whole(np.ceil(x)))
    return around, (y - top)[..., None], (x - left)[..., None]


def _check_crops(grads: Array, boxes: Array) -> tuple[int, int]:
    if grads.ndim != 4 or len(grads) != len(boxes) or 0 in grads.shape[1:3]:
        raise ValueError(f"a gradient of shape {grads.shape} for boxes of shape {boxes.shape}")
    return grads.shape[1], grads.shape[2]


@op(
    "CropAndResizeGradImage",
    type=lambda c: ValueType(c.attrs["T"], shape_vector(c, 3)),
    ranks="4211",
)
def crop_and_resize_grad_image(
    grads: Array,
    boxes: Array,
    box_ind: Array,
    image_size: Array,
    *,
    T: DType,
    method: str = "bilinear",
) -> Array:
    """The gradient of CropAndResize by its images, of `image_size`."""
    size, shape = _check_crops(grads, boxes), tuple(image_size.tolist())
    if len(shape) != 4 or min(shape[1:]) < 1 or shape[3] != grads.shape[3]:
        raise ValueError(f"a gradient of shape {grads.shape} for images of shape {shape}")
    check_size(shape)
    places = crop_places(shape, boxes, box_ind, size, method)
    y, x, inside, of = places
    result = np.zeros(shape, T.numpy)
    share = np.where(inside[..., None], grads, _F32(0))
    if method == "nearest":
        np.add.at(result, (of, whole(round_away(y)), whole(round_away(x))), share)
        return result
    (top, bottom, left, right), down, across = _corners(places)
    for row, part in ((top, 1 - down), (bottom, down)):
        for column, more in ((left, 1 - across), (right, across)):
            np.add.at(result, (of, row, column), (part * share * more).astype(T.numpy))
    return result


@op(
    "CropAndResizeGradBoxes",
    type=lambda c: ValueType(FLOAT32, c.inputs[2].shape),
    ranks="4421",
)
def crop_and_resize_grad_boxes(
    grads: Array, image: Array, boxes: Array, box_ind: Array, *, method: str = "bilinear"
) -> Array:
    """The gradient of CropAndResize by its boxes."""
    size = _check_crops(grads, boxes)
    if image.ndim != 4 or image.shape[3] != grads.shape[3] or 0 in image.shape[1:]:
        raise ValueError(f"a gradient of shape {grads.shape} for images of shape {image.shape}")
    places = crop_places(image.shape, boxes, box_ind, size, method)
    (top, bottom, left, right), down, across = _corners(places)
    of, wide = places[3], image.astype(_F32)
    ends = (
        wide[of, top, left],
        wide[of, top, right],
        wide[of, bottom, left],
        wide[of, bottom, right],
    )
    share = np.where(places[2][..., None], grads, _F32(0))
    by_row = (1 - across) * (ends[2] - ends[0]) + across * (ends[3] - ends[1])
    by_column = (1 - down) * (ends[1] - ends[0]) + down * (ends[3] - ends[2])
    result = np.zeros(boxes.shape, _F32)
    for i, (slope, n) in enumerate(((by_row, image.shape[1]), (by_column, image.shape[2]))):
        far = np.linspace(0, 1, size[i], dtype=_F32) if size[i] > 1 else np.full(1, 0.5, _F32)
        total = (share * slope).sum(axis=(2 - i, 3)) * _F32(n - 1)
        result[:, i], result[:, 2 + i] = total @ (1 - far), total @ far
    return result
