"""Rows of image layers: resizing, cropping, and all that draw at random, as they serve."""

from __future__ import annotations

from itertools import product
from typing import Any

import tensorflow as tf
from keras import layers as k

from tests.exported import Given, Row, between, floats, ids, images, row

IMAGE = images(12, 10, 3)
LEVELS = images(12, 10, 3, dtype="uint8")
FIRST = images(3, 12, 10)
UNIT = between(0, 1, 12, 10, 3)
INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area")
FILLS = ("reflect", "wrap", "constant", "nearest")
BOXES = Given((4, 4), lambda rng, shape: sides(rng, shape), "float32")
LABELS = ids(0, 3, 4)
# Layers that TensorFlow does not run on bytes.  RandomHue on bytes is left out too: TensorFlow's
# optimizer makes a division by 255 a product, and what is then cut off to a byte may differ by 1.
NOT_BYTES = (
    *(k.RandomContrast, k.RandomShear, k.RandomPerspective, k.RandomSaturation, k.RandomHue),
    *(k.RandomSharpness, k.RandomColorJitter, k.RandomErasing, k.RandomGaussianBlur),
    k.RandomElasticTransform,
)


def sides(rng: Any, shape: tuple[int, ...]) -> Any:
    """Boxes as left, top, right and bottom, within an image of 12 by 10."""
    ends = rng.uniform(0, 1, (*shape[:-1], 2, 2))
    ends.sort(axis=-2)
    return (ends * [10, 12]).reshape(shape)


def drawn(make: Any, *inputs: Given, **options: Any) -> Row:
    """A layer as it is in training; each call draws anew."""
    given = {"call": training, "batches": (3, 3, 1), **options}
    return row(make, *(inputs or (IMAGE,)), **given)


def training(layer: Any, x: Any) -> Any:
    return layer(x, training=True)


def with_boxes(layer: Any, image: Any, boxes: Any, labels: Any) -> Any:
    """A layer on images with their boxes."""
    given = {"images": image, "bounding_boxes": {"boxes": boxes, "labels": labels}}
    return layer(given, training=True)


def labelled(layer: Any, image: Any, labels: Any) -> Any:
    return layer({"images": image, "labels": tf.one_hot(labels, 3)}, training=True)


def augmentation(kind: Any, *positional: Any, boxed: bool = False, **options: Any) -> Any:
    """Rows of a random layer: training, serving, bytes, colours up to 1, channels first."""

    def make(**further: Any) -> Any:
        return lambda: kind(*positional, **{"seed": 11, **options, **further})

    rows = {
        "": drawn(make()),
        "serving": row(make(), IMAGE, batches=(3, 3, 1)),
        "one image": drawn(make(), Given((10, 3), IMAGE.draw, "float32", batch=12), batches=(1, 1)),
    }
    if kind is not k.RandomElasticTransform:
        rows["empty"] = drawn(make(), batches=(0,))
    if kind not in NOT_BYTES:
        rows["bytes"] = drawn(make(dtype="uint8"), LEVELS)
    if kind is not k.RandomColorJitter:  # some of its parts take the last axis for colours
        rows["channels first"] = drawn(make(data_format="channels_first"), FIRST)
    if "value_range" in kind.__init__.__code__.co_varnames:
        rows["unit"] = drawn(make(value_range=(0, 1)), UNIT)
    if boxed:
        rows["boxes"] = drawn(
            make(bounding_box_format="xyxy"), IMAGE, BOXES, LABELS, call=with_boxes
        )
    return rows


def warping(kind: Any, *positional: Any, boxed: bool = True, fills: Any = FILLS, **options: Any):
    """Rows of a random layer that samples the image elsewhere."""
    rows = augmentation(kind, *positional, boxed=boxed, **options)
    for fill, kernel in product(fills, ("nearest", "bilinear")):
        given = {"fill_mode": fill, "interpolation": kernel, "fill_value": 7.0}
        rows[f"{fill} {kernel}"] = drawn(
            lambda given=given: kind(*positional, seed=11, **options, **given)
        )
    return rows


def resizing() -> dict[str, Row]:
    rows = {
        "bilinear": row(lambda: k.Resizing(7, 15), IMAGE),
        "open": row(lambda: k.Resizing(7, 15), images(12, 10, 3, open=2)),
        "channels first": row(lambda: k.Resizing(7, 15, data_format="channels_first"), FIRST),
        "boxes": row(
            lambda: k.Resizing(7, 15, bounding_box_format="xyxy"),
            IMAGE,
            BOXES,
            LABELS,
            call=with_boxes,
        ),
        "bytes": row(lambda: k.Resizing(7, 15, dtype="uint8"), LEVELS),
    }
    for size, kernel, antialias in product(((7, 15), (20, 4)), INTERPOLATIONS, (False, True)):
        given = {"interpolation": kernel, "antialias": antialias}
        rows[f"{kernel} {size}{' antialias' * antialias}"] = row(
            lambda size=size, given=given: k.Resizing(*size, **given), IMAGE
        )
    for size, kernel in product(((7, 15), (20, 4), (24, 20)), ("bilinear", "nearest")):
        for way in ("crop", "pad"):
            given = {"interpolation": kernel, f"{way}_to_aspect_ratio": True, "fill_value": 3.0}
            rows[f"{way} {kernel} {size}"] = row(
                lambda size=size, given=given: k.Resizing(*size, **given), IMAGE
            )
            rows[f"{way} {kernel} {size} open"] = row(
                lambda size=size, given=given: k.Resizing(*size, **given), images(12, 10, 3, open=2)
            )
    return rows


def boxes_limited(layer: Any, image: Any, boxes: Any, labels: Any) -> Any:
    return layer({"images": image, "bounding_boxes": {"boxes": boxes, "labels": labels}})


ROWS: dict[str, dict[str, Row]] = {
    "Resizing": resizing(),
    "CenterCrop": {
        "": row(lambda: k.CenterCrop(5, 6), IMAGE),
        "larger": row(lambda: k.CenterCrop(20, 6), IMAGE),
        "odd": row(lambda: k.CenterCrop(7, 7), IMAGE),
        "open": row(lambda: k.CenterCrop(5, 6), images(12, 10, 3, open=2)),
        "channels first": row(lambda: k.CenterCrop(5, 6, data_format="channels_first"), FIRST),
        "boxes": row(
            lambda: k.CenterCrop(5, 6, bounding_box_format="xyxy"),
            IMAGE,
            BOXES,
            LABELS,
            call=with_boxes,
        ),
    },
    "RandomCrop": {
        **augmentation(k.RandomCrop, 6, 7, boxed=True),
        "larger": drawn(lambda: k.RandomCrop(20, 7, seed=3)),
    },
    "RandomFlip": {
        **augmentation(k.RandomFlip, boxed=True),
        "horizontal": drawn(lambda: k.RandomFlip("horizontal", seed=3)),
        "vertical": drawn(lambda: k.RandomFlip("vertical", seed=3)),
    },
    "RandomRotation": warping(k.RandomRotation, 0.3),
    "RandomZoom": {
        **warping(k.RandomZoom, 0.3),
        "two": drawn(lambda: k.RandomZoom((0.1, 0.4), (-0.4, -0.1), seed=3)),
    },
    "RandomTranslation": warping(k.RandomTranslation, 0.3, 0.2),
    "RandomShear": warping(k.RandomShear, 0.3, 0.2),
    "RandomPerspective": {
        **augmentation(k.RandomPerspective, boxed=True),
        "nearest": drawn(lambda: k.RandomPerspective(interpolation="nearest", seed=3)),
    },
    "RandomElasticTransform": {
        **warping(k.RandomElasticTransform, boxed=False),
        "weak": drawn(lambda: k.RandomElasticTransform(0.5, 0.3, seed=3)),
    },
    "RandomContrast": augmentation(k.RandomContrast, 0.4),
    "RandomBrightness": augmentation(k.RandomBrightness, 0.3),
    "RandomHue": augmentation(k.RandomHue, 0.3),
    "RandomSaturation": augmentation(k.RandomSaturation, 0.5),
    "RandomSharpness": augmentation(k.RandomSharpness, 0.5),
    "RandomPosterization": augmentation(k.RandomPosterization, 4),
    "RandomInvert": augmentation(k.RandomInvert, 0.5),
    "RandomGrayscale": augmentation(k.RandomGrayscale, 0.5),
    "RandomColorDegeneration": augmentation(k.RandomColorDegeneration, 0.6),
    "RandomColorJitter": augmentation(
        k.RandomColorJitter,
        brightness_factor=0.2,
        contrast_factor=0.3,
        saturation_factor=0.4,
        hue_factor=0.1,
    ),
    "RandomErasing": {
        **augmentation(k.RandomErasing),
        "filled": drawn(lambda: k.RandomErasing(fill_value=9.0, seed=3)),
    },
    "RandomGaussianBlur": {
        **augmentation(k.RandomGaussianBlur),
        "wide": drawn(lambda: k.RandomGaussianBlur(0.7, 5, (0.2, 0.9), seed=3)),
    },
    "AutoContrast": {
        "": row(lambda: k.AutoContrast(), IMAGE),
        "unit": row(lambda: k.AutoContrast(value_range=(0, 1)), UNIT),
    },
    "Equalization": {
        "": row(lambda: k.Equalization(), IMAGE),
        "few bins": row(lambda: k.Equalization(bins=8), IMAGE),
        "unit": row(lambda: k.Equalization(value_range=(0, 1)), UNIT),
        "channels first": row(lambda: k.Equalization(data_format="channels_first"), FIRST),
    },
    "ContrastLimitedAdaptiveHistogramEqualization": {
        "": row(
            lambda: k.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 3)),
            images(12, 9, 3),
        ),
        "unit": row(
            lambda: k.ContrastLimitedAdaptiveHistogramEqualization(
                value_range=(0, 1), tile_grid_size=(2, 2), clip_limit=2.0
            ),
            UNIT,
        ),
        "grey": row(
            lambda: k.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(3, 2)),
            images(12, 10, 1),
        ),
    },
    "Solarization": {
        "": drawn(lambda: k.Solarization(0.3, 0.4, seed=11)),
        "serving": row(lambda: k.Solarization(0.3, 0.4, seed=11), IMAGE),
        "unit": drawn(lambda: k.Solarization(0.3, 0.4, value_range=(0, 1), seed=11), UNIT),
    },
    "RandAugment": {
        "": drawn(lambda: k.RandAugment(seed=11)),
        "many": drawn(lambda: k.RandAugment(num_ops=5, factor=0.9, seed=12), batches=(3,) * 6),
        "unit": drawn(lambda: k.RandAugment((0, 1), seed=11), UNIT),
    },
    "AugMix": {
        "": drawn(lambda: k.AugMix(seed=11)),
        "few": drawn(lambda: k.AugMix(num_chains=2, chain_depth=2, all_ops=False, seed=12)),
    },
    "CutMix": {
        "": drawn(lambda: k.CutMix(seed=11)),
        "labels": drawn(lambda: k.CutMix(0.6, seed=11), IMAGE, ids(0, 3), call=labelled),
    },
    "MixUp": {
        "": drawn(lambda: k.MixUp(seed=11)),
        "labels": drawn(lambda: k.MixUp(0.6, seed=11), IMAGE, ids(0, 3), call=labelled),
    },
    "MaxNumBoundingBoxes": {
        "fewer": row(
            lambda: k.MaxNumBoundingBoxes(2, bounding_box_format="xyxy"),
            IMAGE,
            BOXES,
            LABELS,
            call=boxes_limited,
        ),
        "more": row(
            lambda: k.MaxNumBoundingBoxes(6, fill_value=-2, bounding_box_format="xyxy"),
            IMAGE,
            BOXES,
            LABELS,
            call=boxes_limited,
        ),
    },
    "MelSpectrogram": {
        "": row(
            lambda: k.MelSpectrogram(
                fft_length=64, sequence_stride=16, sampling_rate=800, num_mel_bins=12
            ),
            floats(300),
        ),
        "power": row(
            lambda: k.MelSpectrogram(
                fft_length=64,
                sequence_stride=20,
                sequence_length=50,
                sampling_rate=800,
                num_mel_bins=12,
                power_to_db=False,
                mag_exp=1.0,
                min_freq=50,
                max_freq=350,
                window="hamming",
            ),
            floats(300),
        ),
        "no window": row(
            lambda: k.MelSpectrogram(
                fft_length=64, sequence_stride=16, sampling_rate=800, num_mel_bins=8, window=None
            ),
            floats(300),
        ),
        "open": row(
            lambda: k.MelSpectrogram(
                fft_length=64, sequence_stride=16, sampling_rate=800, num_mel_bins=8
            ),
            floats(300, open=1),
        ),
    },
    "STFTSpectrogram": {
        "log": row(
            lambda: k.STFTSpectrogram(frame_length=32, frame_step=10, fft_length=64),
            floats(200, 1),
        ),
        **{
            f"{mode} {padding} {scaling}": row(
                lambda mode=mode, padding=padding, scaling=scaling: k.STFTSpectrogram(
                    mode, 32, 16, 64, padding=padding, scaling=scaling
                ),
                floats(200, 2),
            )
            for mode in ("magnitude", "psd", "real", "imag", "angle", "stft")
            for padding in ("valid", "same")
            for scaling in ("density", "spectrum", None)
            if mode != "angle" or scaling == "density"
        },
        "periodic": row(
            lambda: k.STFTSpectrogram(
                "magnitude", 32, 16, window="hamming", periodic=True, expand_dims=True
            ),
            floats(200, 1),
        ),
        "channels first": row(
            lambda: k.STFTSpectrogram("magnitude", 32, data_format="channels_first"),
            floats(1, 200),
        ),
    },
}
