"""Colours and patches of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32
from ..graph.types import Extent, ValueType
from .generators import State, normal, uniform
from .nn import scalar, wide
from .registry import RANDOM, op
from .rules import Inference
from .windows import axes, check_size, extents, pad, spatial_shape, taps

Array = NDArray[Any]
Ints = Sequence[int]

_F32 = np.float32


# Colours


def _colors(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    if shape is not None and (not shape or (isinstance(shape[-1], int) and shape[-1] != 3)):
        raise ValueError(f"the image has shape {shape} and should have 3 channels")
    return c.inputs[0]


def _channels(images: Array, rank: int = 1) -> tuple[Array, Array, Array]:
    """Red, green and blue, or what the three channels are; raises ValueError for other numbers."""
    if images.ndim < rank or images.shape[-1:] != (3,):
        raise ValueError(f"the image has shape {images.shape} and should have 3 channels")
    red, green, blue = np.moveaxis(images, -1, 0)
    return red, green, blue


def _hue(red: Array, green: Array, blue: Array, most: Array, span: Array) -> Array:
    """The hue in [0, 1] of colours whose brightest channel is `most`, `span` above the darkest."""
    norm = 1 / span * scalar(span, 1 / 6)
    hue = np.where(
        red == most,
        norm * (green - blue),
        np.where(
            green == most,
            norm * (blue - red) + scalar(span, 2 / 6),
            norm * (red - green) + scalar(span, 4 / 6),
        ),
    )
    hue = np.where(span > 0, hue, scalar(span, 0))
    return np.where(hue < 0, hue + scalar(span, 1), hue)


@op("RGBToHSV", type=_colors, exact=True)
def rgb_to_hsv(images: Array) -> Array:
    """Hue, saturation and value, all in [0, 1] (tf.image.rgb_to_hsv).

    A NaN gives way to the channel after it, when brightest and darkest are looked for.
    """
    red, green, blue = _channels(wide(images))
    most = least = red
    for other in (green, blue):
        most = np.where(most > other, most, other)
        least = np.where(least < other, least, other)
    span = most - least
    saturation = np.where(most > 0, span / most, scalar(most, 0))
    hue = _hue(red, green, blue, most, span)
    return np.stack([hue, saturation, most], axis=-1).astype(images.dtype)


@op("HSVToRGB", type=_colors, exact=True)
def hsv_to_rgb(images: Array) -> Array:
    """Red, green and blue of hue, saturation and value (tf.image.hsv_to_rgb)."""
    hue, saturation, value = _channels(wide(images))
    six = hue * scalar(hue, 6)
    red = np.clip(np.abs(six - 3) - 1, 0, 1)
    green = np.clip(2 - np.abs(six - 2), 0, 1)
    blue = np.clip(2 - np.abs(six - 4), 0, 1)
    pale = 1 - saturation
    channels = [(pale + saturation * c) * value for c in (red, green, blue)]
    return np.stack(channels, axis=-1).astype(images.dtype)


_ORDER = np.array([[2, 1, 0], [1, 2, 0], [0, 2, 1], [0, 1, 2], [1, 0, 2], [2, 0, 1]])
"""Which of (least, middle, most) red, green and blue are, in each sixth of the hues."""
_RANKED = np.argsort(_ORDER, axis=1)
"""Which channel is least, middle and most, in each sixth."""


@op("AdjustHue", type=_colors, exact=True)
def adjust_hue(images: Array, delta: Array) -> Array:
    """Hue turned by `delta` (1 is a full turn), brightest and darkest channel kept
    (tf.image.adjust_hue).  Colours without a hue, for NaN or infinities, go to the last sixth."""
    red, green, blue = channels = _channels(wide(images), 3)
    low = np.where(blue < red, 1, np.where(blue > green, 3, 2))
    sixth = np.where(red < green, low, np.where(blue < green, 0, np.where(blue > red, 4, 5)))
    ranked = np.take_along_axis(np.stack(channels, axis=-1), _RANKED[sixth], axis=-1)
    least, middle, most = np.moveaxis(ranked, -1, 0)
    ratio = (middle - least) / (most - least)
    hue = sixth + np.where(sixth % 2 == 0, ratio, 1 - ratio).astype(_F32)
    hue = np.where(most == least, _F32(0), hue.astype(_F32)) + _F32(delta) * _F32(6)
    hue = (hue - 6 * np.floor(hue / 6)).astype(_F32)
    sixth = np.where(hue < 6, hue, 5).astype(int)
    ratio = hue - sixth.astype(_F32)
    middle = least + np.where(sixth % 2 == 0, ratio, 1 - ratio) * (most - least)
    levels = np.stack([least, middle, most], axis=-1)
    return np.take_along_axis(levels, _ORDER[sixth], axis=-1).astype(images.dtype)


@op("AdjustSaturation", type=_colors, exact=True)
def adjust_saturation(images: Array, scale: Array) -> Array:
    """Saturation times `scale`, kept in [0, 1] (tf.image.adjust_saturation).

    Where the hue is NaN or rounds to a full turn, all channels become the darkest level.
    """
    red, green, blue = _channels(wide(images), 3)
    most, least = blue, blue
    for other in (green, red):  # a NaN stays only where red has it
        most = np.where(other < most, most, other)
        least = np.where(least < other, least, other)
    hue = _hue(red, green, blue, most, most - least)
    saturation = np.where(most > 0, (most - least) / most, scalar(most, 0))
    saturation = np.clip(saturation * _F32(scale), _F32(0), _F32(1))
    colors = hsv_to_rgb(np.stack([hue, saturation, most], axis=-1))
    grey = (most - saturation * most)[..., None]
    return np.where((hue < 1)[..., None], colors, grey).astype(images.dtype)


def _contrast(images: Array, factor: Array) -> Array:
    if images.ndim < 3 or np.ndim(factor):
        raise ValueError(f"image {images.shape} should have rank 3 or more, the factor 0")
    x = images.astype(_F32)
    total = x.sum(axis=(-3, -2), keepdims=True, dtype=np.float64)
    mean = (total / (x.shape[-3] * x.shape[-2])).astype(_F32)
    return (x - mean) * _F32(factor) + mean


def _at_least_3(c: Inference) -> ValueType:
    if c.inputs[0].shape is not None and len(c.inputs[0].shape) < 3:
        raise ValueError(f"the image has shape {c.inputs[0].shape} and should have rank 3 or more")
    return c.inputs[0]


@op("AdjustContrastv2", type=_at_least_3, ranks=".0")
def adjust_contrast(images: Array, contrast_factor: Array) -> Array:
    """Distance from each channel's mean times `contrast_factor` (tf.image.adjust_contrast)."""
    return _contrast(images, contrast_factor).astype(images.dtype)


@op("AdjustContrast", type=lambda c: ValueType(FLOAT32, _at_least_3(c).shape), ranks=".000")
def adjust_contrast_v1(
    images: Array, contrast_factor: Array, min_value: Array, max_value: Array
) -> Array:
    """As AdjustContrastv2, kept in [min_value, max_value] (TensorFlow 0.x), as float32."""
    return np.minimum(np.maximum(_contrast(images, contrast_factor), min_value), max_value)


# Patches


def _patches(x: Array, sizes: Ints, strides: Ints, rates: Ints, padding: str) -> Array:
    for what, values in (("ksizes", sizes), ("strides", strides), ("rates", rates)):
        if len(values) != x.ndim or values[0] != 1 or values[-1] != 1:
            raise ValueError(f"{what} {list(values)} should be {x.ndim}, first and last 1")
    step, spread, window = strides[1:-1], rates[1:-1], sizes[1:-1]
    around = axes(x.shape[1:-1], window, step, spread, padding)
    outs = [a.out for a in around]
    depth = int(np.prod(window)) * x.shape[-1]
    check_size([len(x), *outs, depth])
    found = [under for _, under in taps(pad(x, around), window, step, spread, outs)]
    return np.stack(found, axis=-2).reshape(len(x), *outs, depth)


def _patches_type(c: Inference) -> ValueType:
    sizes = c.attrs["ksizes"]
    x = spatial_shape(c, 0, len(sizes), "NHWC")
    rates = c.attrs.get("rates", (1,) * len(sizes))
    outs = extents(
        c,
        x[1:-1],
        sizes[1:-1],
        c.attrs["strides"][1:-1],
        rates[1:-1],
        c.attrs["padding"],
        fits=False,
    )
    return ValueType(c.inputs[0].dtype, (x[0], *outs, int(np.prod(sizes)) * x[-1]))


@op("ExtractImagePatches", type=_patches_type, exact=True, ranks="4")
def extract_image_patches(
    images: Array, *, ksizes: Ints, strides: Ints, rates: Ints, padding: str
) -> Array:
    """What lies under each position of a window, in the channels (tf.image.extract_patches)."""
    return _patches(images, ksizes, strides, rates, padding)


@op("ExtractVolumePatches", type=_patches_type, exact=True, ranks="5")
def extract_volume_patches(images: Array, *, ksizes: Ints, strides: Ints, padding: str) -> Array:
    """As ExtractImagePatches over three axes (tf.extract_volume_patches)."""
    return _patches(images, ksizes, strides, (1,) * len(ksizes), padding)


def _glimpse_type(c: Inference) -> ValueType:
    x, size = spatial_shape(c, 0, 4, "NHWC"), c.extents(1)
    height, width = size if size is not None and len(size) == 2 else (c.fresh(), c.fresh())
    return ValueType(FLOAT32, (x[0], height, width, x[-1]))


def _noise(image: Array, count: int, kind: str) -> Array:
    """What stands outside of an image: zeros, or numbers between its extremes that nobody seeds:
    equally likely ones, or normal ones of the image's own mean and deviation."""
    if kind == "zero" or not count:
        return np.zeros(count, image.dtype)
    stream = State().reserve(0, 0, 0)
    low, high = image.min(), image.max()
    if kind == "uniform":
        return low + uniform(stream, count, image.dtype) * (high - low)
    drawn = normal(stream, count, image.dtype) * image.std() + image.mean()
    return np.clip(drawn, low, high)


def _glimpse(
    x: Array,
    size: Array,
    offsets: Array,
    centered: bool,
    normalized: bool,
    noise: str,
    uniform_noise: bool,
    old: bool,
) -> Array:
    if x.ndim != 4 or size.shape != (2,) or offsets.shape != (len(x), 2) or np.any(size < 0):
        raise ValueError(
            f"image {x.shape}, size {size.tolist()}, offsets {offsets.shape}: should "
            "be (n, h, w, c), two numbers of at least 0, (n, 2)"
        )
    if noise not in ("uniform", "gaussian", "zero") or (uniform_noise and noise != "uniform"):
        raise ValueError(
            f"noise {noise!r} should be uniform, gaussian or zero, uniform_noise False but for the "
            "first"
        )
    height, width = (int(n) for n in size)
    check_size((len(x), height, width, x.shape[3]))
    result = np.zeros((len(x), height, width, x.shape[3]), x.dtype)
    for n, offset in enumerate(offsets):
        starts = []
        for at, extent, wanted in zip(offset, x.shape[1:3], (height, width), strict=True):
            at = at * _F32(extent) if normalized else at
            if centered:
                at = (at / _F32(2) if normalized or old else at) + _F32(extent) / _F32(2)
            if old or (centered and normalized):
                at = at - _F32(wanted) / _F32(2)
            with np.errstate(invalid="ignore"):  # NaN and infinities become the least int64
                starts.append(int(np.asarray(at).astype(np.int64)))
        (top, left), (rows, columns) = starts, x.shape[1:3]
        y, z = np.arange(top, top + height), np.arange(left, left + width)
        inside = ((y >= 0) & (y < rows))[:, None] & ((z >= 0) & (z < columns))
        pixels = x[n, np.clip(y, 0, rows - 1)[:, None], np.clip(z, 0, columns - 1)]
        result[n] = pixels
        outside = ~inside
        count = int(outside.sum()) * x.shape[3]
        result[n, outside] = _noise(x[n], count, noise).reshape(-1, x.shape[3])
    return result


@op("ExtractGlimpse", type=_glimpse_type, effect=RANDOM, exact=True, ranks="412")
def extract_glimpse(
    x: Array,
    size: Array,
    offsets: Array,
    *,
    centered: bool = True,
    normalized: bool = True,
    uniform_noise: bool = True,
    noise: str = "uniform",
) -> Array:
    """A window at an offset for each image (tf.compat.v1.image.extract_glimpse)."""
    return _glimpse(x, size, offsets, centered, normalized, noise, uniform_noise, old=True)


@op("ExtractGlimpseV2", type=_glimpse_type, effect=RANDOM, exact=True, ranks="412")
def extract_glimpse_v2(
    x: Array,
    size: Array,
    offsets: Array,
    *,
    centered: bool = True,
    normalized: bool = True,
    uniform_noise: bool = True,
    noise: str = "uniform",
) -> Array:
    """A window at an offset for each image (tf.image.extract_glimpse)."""
    return _glimpse(x, size, offsets, centered, normalized, noise, uniform_noise, old=False)


def _random_crop_type(c: Inference) -> ValueType:
    size, shape = c.extents(1), c.inputs[0].shape
    depth: Extent = c.fresh() if shape is None else shape[-1]
    height, width = size if size is not None and len(size) == 2 else (c.fresh(), c.fresh())
    return ValueType(c.inputs[0].dtype, (height, width, depth))


@op("RandomCrop", type=_random_crop_type, effect=RANDOM, exact=True)
def random_crop(
    image: Array, size: Array, *, seed: int = 0, seed2: int = 0, state: State | None = None
) -> Array:
    """A window of `size` at a random place of an image (h, w, c) (TensorFlow 0.x)."""
    if image.ndim != 3 or size.shape != (2,):
        raise ValueError(f"image {image.shape} and size {size.shape} should be (h, w, c) and (2,)")
    height, width = (int(n) for n in size)
    if not 0 <= height <= image.shape[0] or not 0 <= width <= image.shape[1]:
        raise ValueError(f"a crop of {(height, width)} does not fit into an image {image.shape}")
    spare = image.shape[0] - height, image.shape[1] - width
    if not any(spare):
        return image
    words = iter((state or State()).reserve(seed, seed2, 1).words(2).tolist())
    left = next(words) % (spare[1] + 1) if spare[1] else 0
    top = next(words) % (spare[0] + 1) if spare[0] else 0
    return image[top : top + height, left : left + width]
