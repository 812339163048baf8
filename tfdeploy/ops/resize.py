"""Images sampled on another grid: resizing, cropping, projective transforms.

Images are (n, h, w, c).  Coordinates are computed in float32, as TensorFlow does, since their
rounding decides which pixels are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32
from ..graph.types import ValueType
from .quantize import round_away
from .registry import op
from .rules import Inference
from .windows import check_size

Array = NDArray[Any]

_F32 = np.float32


def _image(x: Array, size: Array) -> tuple[int, int]:
    """Height and width asked for; raises ValueError where image or size cannot be."""
    if x.ndim != 4 or size.shape != (2,):
        raise ValueError(f"image {x.shape} and size {size.shape} should be (n, h, w, c) and (2,)")
    height, width = (int(n) for n in size)
    if height < 1 or width < 1 or 0 in x.shape[1:]:
        raise ValueError(f"size {(height, width)} and image {x.shape} should not be empty")
    check_size((len(x), height, width, x.shape[3]))
    return height, width


def _resized(float_out: bool) -> Callable[[Inference], ValueType]:
    """(n, h, w, c) of input 0 with the size that input 1 gives; float32 or the input's dtype."""

    def rule(c: Inference) -> ValueType:
        shape, size = c.inputs[0].shape, c.extents(1)
        if shape is not None and len(shape) != 4:
            raise ValueError(f"the image has rank {len(shape)} and should have 4")
        n, _, _, channels = shape or c.unknown(4) or ()
        height, width = size if size is not None and len(size) == 2 else (c.fresh(), c.fresh())
        dtype = FLOAT32 if float_out else c.inputs[0].dtype
        return ValueType(dtype, (n, height, width, channels))

    return rule


def _grid(n: int, out: int, align_corners: bool, half: bool, shift: float = 0.5) -> Array:
    """Where each of `out` positions falls on an axis of `n`.

    Half-pixel centers are moved back by `shift`.  Raises ValueError for two conventions at once.
    """
    if align_corners and half:
        raise ValueError("align_corners and half_pixel_centers exclude each other")
    scale = _F32(n - 1) / _F32(out - 1) if align_corners and out > 1 else _F32(n) / _F32(out)
    at = np.arange(out, dtype=_F32)
    return (at + _F32(0.5)) * scale - _F32(shift) if half else at * scale


def whole(x: Array) -> Array:
    return x.astype(np.int64)


@op("ResizeBilinear", type=_resized(True), exact=True, ranks="41")
def resize_bilinear(
    x: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Array:
    """Linear interpolation between the four pixels around (tf.image.resize), as float32."""
    return bilinear(x.astype(_F32, copy=False), size, align_corners, half_pixel_centers)


def bilinear(wide: Array, size: Array, align_corners: bool, half_pixel_centers: bool) -> Array:
    """Linear interpolation in the dtype of the image `wide`."""
    height, width = _image(wide, size)
    for axis, out in ((2, width), (1, height)):
        n = wide.shape[axis]
        at = _grid(n, out, align_corners, half_pixel_centers)
        low = np.floor(at)
        part = (at - low).astype(wide.dtype).reshape(-1, *[1] * (3 - axis))
        before = wide.take(whole(np.maximum(low, 0)), axis)
        after = wide.take(whole(np.minimum(np.ceil(at), n - 1)), axis)
        wide = before + (after - before) * part
    return wide


@op("ResizeNearestNeighbor", type=_resized(False), exact=True, ranks="41")
def resize_nearest(
    x: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Array:
    """The pixel that each position falls into (tf.image.resize)."""
    height, width = _image(x, size)
    for axis, out in ((2, width), (1, height)):
        at = _grid(x.shape[axis], out, align_corners, half_pixel_centers, shift=0)
        at = np.floor(at + _F32(0.5)) if align_corners else np.floor(at)
        x = x.take(whole(np.clip(at, 0, x.shape[axis] - 1)), axis)
    return x


def _weighted(x: Array, axis: int, index: Array, weights: Array) -> Array:
    """Sum over k of x at ``index[:, k]`` along `axis` times ``weights[:, k]``; -1 adds nothing."""
    shape = (-1, *[1] * (x.ndim - 1 - axis))
    total = np.zeros((*x.shape[:axis], len(index), *x.shape[axis + 1 :]), x.dtype)
    for at, weight in zip(index.T, weights.T.astype(x.dtype), strict=True):
        share = x.take(np.maximum(at, 0), axis) * weight.reshape(shape)
        total += np.where((at >= 0).reshape(shape), share, x.dtype.type(0))
    return total


def _unit_sum(weights: Array) -> Array:
    """Weights that sum to one, where their sum is not next to nothing."""
    total = weights.sum(axis=1, keepdims=True)
    enough = np.abs(total) >= 1000 * np.finfo(_F32).tiny
    return np.where(enough, weights * (_F32(1) / np.where(enough, total, _F32(1))), weights)


def _cubic(distance: Array, a: float) -> Array:
    """The cubic kernel of parameter `a` (Keys 1981)."""
    x = np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, far).astype(_F32)


_CUBIC_STEPS = 1024


@op("ResizeBicubic", type=_resized(True), exact=True, ranks="41")
def resize_bicubic(
    x: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Array:
    """Cubic interpolation between the sixteen pixels around (tf.image.resize), as float32.

    As TensorFlow it takes the kernel at multiples of 1/1024; with half-pixel centers the kernel is
    Keys' and pixels outside weigh nothing, else the edge repeats.
    """
    height, width = _image(x, size)
    wide = x.astype(_F32, copy=False)
    for axis, out in ((2, width), (1, height)):
        n = x.shape[axis]
        at = _grid(n, out, align_corners, half_pixel_centers)
        low = np.floor(at)
        part = np.rint((at - low) * _F32(_CUBIC_STEPS)) / _CUBIC_STEPS
        taps = np.arange(-1, 3)
        index = whole(low)[:, None] + taps
        weights = _cubic(part[:, None] - taps, -0.5 if half_pixel_centers else -0.75)
        inside = np.clip(index, 0, n - 1)
        if half_pixel_centers:
            weights = _unit_sum(np.where(inside == index, weights, _F32(0)))
        wide = _weighted(wide, axis, inside, weights)
    return wide


@op("ResizeArea", type=_resized(True), exact=True, ranks="41")
def resize_area(x: Array, size: Array, *, align_corners: bool = False) -> Array:
    """Mean over the area that each position covers (tf.image.resize), as float32."""
    height, width = _image(x, size)
    wide = x.astype(_F32, copy=False)
    for axis, out in ((2, width), (1, height)):
        n = x.shape[axis]
        aligned = align_corners and min(n, out) > 1
        scale = _F32(n - 1) / _F32(out - 1) if aligned else _F32(n) / _F32(out)
        start = np.arange(out, dtype=_F32) * scale
        end = np.arange(1, out + 1, dtype=_F32) * scale
        first, stop = np.floor(start), np.ceil(end)
        taps = first[:, None] + np.arange(int((stop - first).max()), dtype=_F32)
        share = np.minimum(taps + 1, end[:, None]) - np.maximum(taps, start[:, None])
        index = np.where(taps < stop[:, None], whole(np.clip(taps, 0, n - 1)), -1)
        wide = _weighted(wide, axis, index, share / scale)
    return wide


# Sampling with a kernel


def _lanczos(radius: int) -> Callable[[Array], Array]:
    def kernel(x: Array) -> Array:
        with np.errstate(all="ignore"):
            y = radius * np.sin(np.pi * x) * np.sin(np.pi * x / radius) / (np.pi * np.pi * x * x)
        return np.where(x > radius, 0, np.where(x <= 1e-3, 1, y))

    return kernel


def _mitchell(x: Array) -> Array:
    near = ((7 / 6) * x - 2) * x * x + 8 / 9
    far = ((-7 / 18 * x + 2) * x - 10 / 3) * x + 16 / 9
    return np.where(x >= 2, 0, np.where(x >= 1, far, near))


_KERNELS: dict[str, tuple[float, Callable[[Array], Array]]] = {
    "lanczos1": (1, _lanczos(1)),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
    "gaussian": (1.5, lambda x: np.where(x >= 1.5, 0, np.exp(-x * x / 0.5))),
    "box": (1, lambda x: np.where(x < 0.5, 1, np.where(x == 0.5, 0.5, 0))),
    "triangle": (1, lambda x: np.maximum(1 - x, 0)),
    "keyscubic": (2, lambda x: np.where(x >= 2, 0, _cubic(x, -0.5))),
    "mitchellcubic": (2, _mitchell),
}
"""Radius, and weight by distance, of each ``kernel_type``."""


def spans(
    kernel_type: str, n: int, out: int, scale: Any, translation: Any, antialias: bool
) -> tuple[Array, Array]:
    """Indices and weights (out, k) of the pixels that each position takes; index -1 for none."""
    radius, kernel = _KERNELS[kernel_type]
    inverse = _F32(1) / scale
    stretch = np.maximum(inverse, _F32(1)) if antialias else _F32(1)
    reach = _F32(radius) * stretch
    at = (np.arange(out, dtype=_F32) + _F32(0.5)) * inverse + -inverse * translation
    outside = (at < 0) | (at > n)
    safe = np.where(outside, _F32(0), at)
    first = np.clip(np.ceil(safe - reach - _F32(0.5)), 0, n - 1)
    final = np.clip(np.floor(safe + reach - _F32(0.5)), 0, n - 1)
    taps = first[:, None] + np.arange(int((final - first).max()) + 1, dtype=_F32)
    distance = np.abs((taps + _F32(0.5) - safe[:, None]) * (_F32(1) / stretch))
    used = (taps <= final[:, None]) & ~outside[:, None]
    weights = np.where(used, kernel(distance), 0).astype(_F32)
    return np.where(used, whole(taps), -1), _unit_sum(weights)


def check_kernel(kernel_type: str, scale: Array, translation: Array) -> None:
    """Raises ValueError for an unknown kernel or a scale that is not positive."""
    if kernel_type not in _KERNELS:
        raise ValueError(f"kernel_type {kernel_type!r} is none of {', '.join(_KERNELS)}")
    if scale.shape != (2,) or translation.shape != (2,) or not np.all(scale > 0):
        raise ValueError(
            f"scale {scale.tolist()} and translation {translation.tolist()} should "
            "be two numbers, the scales positive"
        )


@op("ScaleAndTranslate", type=_resized(True), ranks="41")
def scale_and_translate(
    x: Array,
    size: Array,
    scale: Array,
    translation: Array,
    *,
    kernel_type: str = "lanczos3",
    antialias: bool = True,
) -> Array:
    """Resampling by a kernel, which widens when shrinking if `antialias`
    (tf.raw_ops.ScaleAndTranslate, tf.image.resize with antialias), as float32.

    Raises ValueError for an unknown kernel or a scale that is not positive.
    """
    height, width = _image(x, size)
    check_kernel(kernel_type, scale, translation)
    wide = x.astype(_F32, copy=False)
    for axis, out in ((2, width), (1, height)):
        index, weights = spans(
            kernel_type, x.shape[axis], out, scale[axis - 1], translation[axis - 1], antialias
        )
        wide = _weighted(wide, axis, index, weights)
    return wide


# Crops


def _crop_type(c: Inference) -> ValueType:
    image, boxes, size = c.inputs[0].shape, c.inputs[1].shape, c.extents(3)
    count = c.fresh() if boxes is None else boxes[0]
    height, width = size if size is not None and len(size) == 2 else (c.fresh(), c.fresh())
    channels = c.fresh() if image is None else image[-1]
    return ValueType(FLOAT32, (count, height, width, channels))


def _crop_grid(first: Array, final: Array, n: int, out: int) -> Array:
    """Coordinates (boxes, out) from `first` to `final`, which are fractions of n - 1."""
    if out == 1:
        return (_F32(0.5) * (first + final) * _F32(n - 1))[:, None]
    scale = (final - first) * _F32(n - 1) / _F32(out - 1)
    return first[:, None] * _F32(n - 1) + np.arange(out, dtype=_F32) * scale[:, None]


def crop_places(
    shape: tuple[int, ...], boxes: Array, box_ind: Array, size: tuple[int, int], method: str
) -> tuple[Array, Array, Array, Array]:
    """Rows (boxes, h, 1) and columns (boxes, 1, w) where CropAndResize reads images of `shape`,
    which of them lie inside (boxes, h, w), and the image (boxes, 1, 1) that each box is of.

    Raises ValueError where shapes do not fit or a box names no image.
    """
    if method not in ("bilinear", "nearest"):
        raise ValueError(f"method {method!r} is neither bilinear nor nearest")
    if boxes.ndim != 2 or boxes.shape[1] != 4 or box_ind.shape != boxes.shape[:1]:
        raise ValueError(f"boxes {boxes.shape}, box_ind {box_ind.shape}: should be [n, 4], [n]")
    if np.any((box_ind < 0) | (box_ind >= shape[0])):
        raise ValueError(f"box_ind should lie in [0, {shape[0]}), the number of images")
    check_size((len(boxes), *size, shape[3]))
    rows, columns = shape[1:3]
    y = _crop_grid(boxes[:, 0], boxes[:, 2], rows, size[0])[:, :, None]
    x = _crop_grid(boxes[:, 1], boxes[:, 3], columns, size[1])[:, None, :]
    inside = (y >= 0) & (y <= rows - 1) & (x >= 0) & (x <= columns - 1)
    y, x = (np.where(np.isfinite(q), q, 0).clip(0, n - 1) for q, n in ((y, rows), (x, columns)))
    return y, x, inside, box_ind[:, None, None]


@op("CropAndResize", type=_crop_type, exact=True, ranks="4211")
def crop_and_resize(
    image: Array,
    boxes: Array,
    box_ind: Array,
    crop_size: Array,
    *,
    method: str = "bilinear",
    extrapolation_value: float = 0.0,
) -> Array:
    """Boxes (y1, x1, y2, x2 in fractions of the image) brought to one size
    (tf.image.crop_and_resize), as float32; `extrapolation_value` outside the image.

    Raises ValueError where shapes do not fit or a box names no image.
    """
    height, width = _image(image, crop_size)
    y, x, inside, of = crop_places(image.shape, boxes, box_ind, (height, width), method)

    def pixel(row: Array, column: Array) -> Array:
        return image[of, whole(row), whole(column)].astype(_F32)

    if method == "nearest":
        found = pixel(round_away(y), round_away(x))
    else:
        top, left = np.floor(y), np.floor(x)
        down, right = (y - top)[..., None], (x - left)[..., None]
        upper = pixel(top, left) + (pixel(top, np.ceil(x)) - pixel(top, left)) * right
        bottom = np.ceil(y)
        lower = pixel(bottom, left) + (pixel(bottom, np.ceil(x)) - pixel(bottom, left)) * right
        found = upper + (lower - upper) * down
    return np.where(inside[..., None], found, _F32(extrapolation_value))


# Projective transforms


def _reflect(at: Array, n: int) -> Array:
    """[abcd] continued as [dcba|abcd|dcba]."""
    period = _F32(2 * n)
    low = np.where(at < period, period * np.trunc(-at / period) + at, at)
    low = np.where(low < -n, low + period, -low - 1)
    high = at - period * np.trunc(at / period)
    high = np.where(high >= n, period - high - 1, high)
    return np.where(at < 0, low, np.where(at > n - 1, high, at))


def _wrap(at: Array, n: int) -> Array:
    """[abcd] continued as [abcd|abcd|abcd]."""
    low = at + _F32(n) * (np.trunc(-at / _F32(n - 1)) + 1)
    high = at - _F32(n) * np.trunc(at / _F32(n - 1))
    return np.where(at < 0, low, np.where(at > n - 1, high, at))


_FILLS: dict[str, Callable[[Array, int], Array]] = {
    "REFLECT": _reflect,
    "WRAP": _wrap,
    "NEAREST": lambda at, n: at,
}


def _continued(at: Array, n: int, fill_mode: str) -> Array:
    """Coordinates brought into an axis of `n`; raises ValueError for an unknown mode."""
    if fill_mode == "CONSTANT":
        return at
    if fill_mode not in _FILLS:
        raise ValueError(f"fill_mode {fill_mode!r} is none of CONSTANT, {', '.join(_FILLS)}")
    if n <= 1:
        return np.zeros_like(at)
    return np.clip(_FILLS[fill_mode](at, n), _F32(0), _F32(n - 1))


def _project(
    images: Array,
    transforms: Array,
    output_shape: Array,
    fill_value: Any,
    interpolation: str,
    fill_mode: str,
) -> Array:
    height, width = _image(images, output_shape)
    if transforms.ndim != 2 or transforms.shape[1] != 8 or len(transforms) not in (1, len(images)):
        raise ValueError(f"transforms {transforms.shape} should be [1 or {len(images)}, 8]")
    if interpolation not in ("NEAREST", "BILINEAR"):
        raise ValueError(f"interpolation {interpolation!r} is neither NEAREST nor BILINEAR")
    rows, columns = images.shape[1:3]
    a, b, c, d, e, f, g, h = np.moveaxis(transforms[:, :, None, None], 1, 0)
    y = np.arange(height, dtype=_F32)[:, None]
    x = np.arange(width, dtype=_F32)
    depth = g * x + h * y + _F32(1)
    at_x = _continued((a * x + b * y + c) / depth, columns, fill_mode)
    at_y = _continued((d * x + e * y + f) / depth, rows, fill_mode)
    at_x, at_y = (np.broadcast_to(q, (len(images), height, width)) for q in (at_x, at_y))
    fill = np.asarray(fill_value).astype(images.dtype)
    of = np.arange(len(images))[:, None, None]

    def pixel(row: Array, column: Array) -> Array:
        real = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        row, column = (whole(np.where(real, q, 0)) for q in (row, column))
        return np.where(real[..., None], images[of, row, column], fill)

    if interpolation == "NEAREST":
        found = pixel(round_away(at_y), round_away(at_x))
    else:
        top, left = np.floor(at_y), np.floor(at_x)
        down, right = (at_y - top)[..., None], (at_x - left)[..., None]
        up, back = (top + 1 - at_y)[..., None], (left + 1 - at_x)[..., None]
        upper = back * pixel(top, left).astype(_F32) + right * pixel(top, left + 1).astype(_F32)
        lower = back * pixel(top + 1, left).astype(_F32) + right * pixel(top + 1, left + 1).astype(
            _F32
        )
        found = (up * upper + down * lower).astype(images.dtype)
    return np.where(depth[..., None] != 0, found, fill)


def _projected(c: Inference) -> ValueType:
    shape, size = c.inputs[0].shape, c.extents(2)
    n, _, _, channels = shape or c.unknown(4) or ()
    height, width = size if size is not None and len(size) == 2 else (c.fresh(), c.fresh())
    return ValueType(c.inputs[0].dtype, (n, height, width, channels))


@op("ImageProjectiveTransformV2", type=_projected, exact=True, ranks="4.1")
def image_projective_transform_v2(
    images: Array,
    transforms: Array,
    output_shape: Array,
    *,
    interpolation: str,
    fill_mode: str = "CONSTANT",
) -> Array:
    """As ImageProjectiveTransformV3; outside the image 0."""
    return _project(images, transforms, output_shape, 0, interpolation, fill_mode)


@op("ImageProjectiveTransformV3", type=_projected, exact=True, ranks="4.10")
def image_projective_transform(
    images: Array,
    transforms: Array,
    output_shape: Array,
    fill_value: Array,
    *,
    interpolation: str,
    fill_mode: str = "CONSTANT",
) -> Array:
    """Position (x, y) takes the pixel at ((a x + b y + c) / k, (d x + e y + f) / k), where
    k = g x + h y + 1 (tf.raw_ops.ImageProjectiveTransformV3, Keras' random augmentations)."""
    return _project(images, transforms, output_shape, fill_value, interpolation, fill_mode)
