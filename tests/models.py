"""Whole models, built with Keras, made lively and exported together with TensorFlow's own answers.

"Lively" means that nothing is left at a value that hides mistakes: batch-norm statistics, biases,
scales and layer scales are random, and activations keep a sane range, because the statistics are
measured before they are disturbed.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
from keras import layers
from keras.src import applications

Size = tuple[int, int]

CLASSES = 10
CALIBRATED = (
    6  # rows by which batch-norm statistics are measured; the first two are what tests feed
)


class Example(NamedTuple):
    """A model, what to feed it (at least two rows), and names of layers to compare on the way."""

    model: Any
    feeds: list[np.ndarray]
    stages: tuple[str, ...]


class Family(NamedTuple):
    """A family of keras.applications.

    `small` builds a member of few blocks, where that is possible, `whole` the known one; `odd` and
    `full` are image sizes.  `shift` is the mean that batch norms give, in standard deviations: the
    more of it, the fewer units a ReLU cuts off, and the less a deep plain net magnifies rounding.
    """

    small: Callable[..., Any]
    whole: Callable[..., Any]
    odd: Size
    full: Size
    pixels: float = 1.0  # the range of the images that its own preprocessing expects
    shift: float = 0.8


def _resnet50(version: int, **kwargs: Any) -> Any:
    resnet = applications.resnet
    stack = resnet.stack_residual_blocks_v1 if version == 1 else resnet.stack_residual_blocks_v2

    def stages(x: Any) -> Any:
        strides = (1, 2, 2, 2) if version == 1 else (2, 2, 2, 1)
        for number, stride in enumerate(strides):
            x = stack(x, 32 << number, 2, stride1=stride, name=f"conv{number + 2}")
        return x

    return resnet.ResNet(stages, version == 2, True, weights=None, name="resnet", **kwargs)


def _inception_resnet(**kwargs: Any) -> Any:
    """InceptionResNetV2 with two blocks of each kind."""
    module = applications.inception_resnet_v2
    block = module.inception_resnet_block

    def few(x: Any, *args: Any, block_idx: int, **rest: Any) -> Any:
        return block(x, *args, block_idx=block_idx, **rest) if block_idx in (1, 10) else x

    with mock.patch.object(module, "inception_resnet_block", few):
        return module.InceptionResNetV2(weights=None, **kwargs)


def _member(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    return lambda **kwargs: function(weights=None, **fixed, **kwargs)


def _whole(name: str) -> Callable[..., Any]:
    return _member(getattr(keras.applications, name))


FAMILIES = {
    "Xception": Family(_whole("Xception"), _whole("Xception"), (73, 79), (299, 299), shift=0.6),
    "VGG16": Family(_whole("VGG16"), _whole("VGG16"), (33, 39), (224, 224)),
    "ResNet50": Family(partial(_resnet50, 1), _whole("ResNet50"), (37, 45), (224, 224)),
    "ResNet50V2": Family(partial(_resnet50, 2), _whole("ResNet50V2"), (37, 45), (224, 224)),
    "InceptionV3": Family(
        _whole("InceptionV3"), _whole("InceptionV3"), (107, 115), (299, 299), shift=1.5
    ),
    "InceptionResNetV2": Family(
        _inception_resnet, _whole("InceptionResNetV2"), (107, 115), (299, 299), shift=1.5
    ),
    "MobileNet": Family(
        _member(keras.applications.MobileNet, alpha=0.25),
        _whole("MobileNet"),
        (39, 45),
        (224, 224),
        shift=1.4,
    ),
    "MobileNetV2": Family(
        _member(keras.applications.MobileNetV2, alpha=0.35),
        _whole("MobileNetV2"),
        (39, 45),
        (224, 224),
    ),
    "MobileNetV3Small": Family(
        _member(keras.applications.MobileNetV3Small, alpha=0.75),
        _whole("MobileNetV3Small"),
        (39, 45),
        (224, 224),
        255.0,
    ),
    "DenseNet121": Family(
        _member(applications.densenet.DenseNet, blocks=[2, 2, 2, 2]),
        _whole("DenseNet121"),
        (69, 77),
        (224, 224),
        shift=1.1,
    ),
    "NASNetMobile": Family(
        _member(
            applications.nasnet.NASNet,
            num_blocks=1,
            stem_block_filters=16,
            penultimate_filters=192,
            skip_reduction=False,
        ),
        _whole("NASNetMobile"),
        (37, 45),
        (224, 224),
    ),
    "EfficientNetB0": Family(
        _member(
            applications.efficientnet.EfficientNet,
            width_coefficient=0.5,
            depth_coefficient=0.3,
            default_size=64,
        ),
        _whole("EfficientNetB0"),
        (39, 45),
        (224, 224),
        255.0,
    ),
    "EfficientNetV2B0": Family(
        _member(
            applications.efficientnet_v2.EfficientNetV2,
            name="efficientnetv2-b0",
            width_coefficient=0.5,
            depth_coefficient=0.3,
            default_size=64,
        ),
        _whole("EfficientNetV2B0"),
        (39, 45),
        (224, 224),
        255.0,
    ),
    "ConvNeXtTiny": Family(
        _member(
            applications.convnext.ConvNeXt, depths=[1, 1, 2, 1], projection_dims=[24, 48, 96, 192]
        ),
        _whole("ConvNeXtTiny"),
        (37, 45),
        (224, 224),
        255.0,
    ),
}


def family(name: str, size: Size, whole: bool) -> Example:
    """A member of a family with its logits for images of `size`."""
    chosen = FAMILIES[name]
    _reset(name)
    build = chosen.whole if whole else chosen.small
    model = build(input_shape=(*size, 3), classes=CLASSES, classifier_activation=None)
    rng = np.random.default_rng(1)
    pictures = rng.normal(size=(CALIBRATED, *size, 3)) + rng.normal(size=(CALIBRATED, 1, 1, 3))
    pixels = np.tanh(pictures) * 0.5 + 0.5
    enliven(model, [(pixels * chosen.pixels).astype(np.float32)], chosen.shift)
    colours = pixels.mean(axis=(1, 2))
    far = int(np.abs(colours - colours[0]).sum(axis=-1).argmax()) if whole else 1
    fed = pixels[[0, far]] * chosen.pixels
    return Example(model, [fed.astype(np.float32)], stages(model))


def transformer() -> Example:
    """Two encoder blocks over token ids of any number; zero is padding."""
    _reset("transformer")
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    mask = keras.ops.not_equal(tokens, 0)
    place = keras.ops.cumsum(keras.ops.ones_like(tokens), axis=1)
    x = layers.Embedding(50, 24, name="words")(tokens) + layers.Embedding(40, 24, name="places")(
        place
    )
    for block in ("first", "second"):
        y = layers.LayerNormalization(name=f"{block}_norm")(x)
        y = layers.MultiHeadAttention(4, 6, name=f"{block}_attention")(
            y, y, attention_mask=mask[:, None, :]
        )
        x = layers.Add(name=f"{block}_attended")([x, y])
        y = layers.LayerNormalization(epsilon=1e-6, name=f"{block}_norm_2")(x)
        y = layers.Dense(48, activation="gelu", name=f"{block}_wide")(y)
        x = layers.Add(name=f"{block}_block")([x, layers.Dense(24)(y)])
    x = layers.GlobalAveragePooling1D(name="pool")(x, mask=mask)
    model = keras.Model(tokens, layers.Dense(CLASSES, name="logits")(x))
    ids = np.random.default_rng(2).integers(1, 50, (2, 17)).astype(np.int32)
    ids[1, 11:] = 0
    enliven(model, [ids])
    names = (
        "words",
        "first_norm",
        "first_attention",
        "first_wide",
        "first_block",
        "second_block",
        "pool",
    )
    return Example(model, [ids], names)


def autoencoder() -> Example:
    """Convolutions down, transposed convolutions and bilinear upsampling up."""
    _reset("autoencoder")
    image = keras.Input((27, 33, 3), name="image")
    x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu", name="down_1")(image)
    x = layers.Conv2D(20, 3, strides=2, padding="same", activation="elu", name="down_2")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2DTranspose(
        16, 3, strides=2, padding="same", activation="leaky_relu", name="up_1"
    )(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="up_2")(x)
    x = layers.Conv2DTranspose(8, 4, padding="valid", activation="softplus", name="up_3")(x)
    model = keras.Model(image, layers.Conv2D(3, 3, padding="same", name="picture")(x))
    pictures = np.random.default_rng(3).normal(size=(CALIBRATED, 27, 33, 3)).astype(np.float32)
    enliven(model, [pictures])
    return Example(model, [pictures[:2]], ("down_1", "down_2", "norm", "up_1", "up_2", "up_3"))


def wide_and_deep() -> Example:
    """Two inputs: categories, embedded both for a linear part and for a deep one, and numbers."""
    _reset("wide_and_deep")
    categories = keras.Input((3,), dtype="int64", name="categories")
    numbers = keras.Input((5,), name="numbers")
    wide = keras.ops.sum(layers.Embedding(30, CLASSES, name="linear")(categories), axis=1)
    deep = layers.Flatten()(layers.Embedding(30, 8, name="embedded")(categories))
    deep = layers.Concatenate(name="joined")(
        [deep, layers.BatchNormalization(name="norm")(numbers)]
    )
    for width, activation in ((32, "relu"), (16, "tanh"), (16, "silu")):
        deep = layers.Dense(width, activation=activation, name=f"deep_{activation}")(deep)
    logits = layers.Add(name="logits")([wide, layers.Dense(CLASSES)(deep)])
    model = keras.Model([categories, numbers], logits)
    rng = np.random.default_rng(4)
    feeds = [
        rng.integers(0, 30, (CALIBRATED, 3)),
        rng.normal(size=(CALIBRATED, 5)).astype(np.float32),
    ]
    enliven(model, feeds)
    return Example(
        model, [f[:2] for f in feeds], ("embedded", "joined", "deep_relu", "deep_tanh", "deep_silu")
    )


def compiled() -> Example:
    """Grouped convolutions and channels-first volumes, which Keras wraps in functions for XLA."""
    _reset("compiled")
    image, volume = keras.Input((11, 14, 8), name="image"), keras.Input((2, 7, 6, 9), name="volume")
    x = layers.Conv2D(16, 3, groups=4, activation="relu", name="grouped")(image)
    x = layers.Conv2D(12, 3, groups=2, strides=2, padding="same", name="strided")(x)
    x = layers.GlobalMaxPooling2D()(layers.BatchNormalization(name="norm")(x))
    first = "channels_first"
    y = layers.Conv3D(6, 3, padding="same", activation="relu", data_format=first, name="solid")(
        volume
    )
    y = layers.Flatten()(layers.AveragePooling3D(2, data_format=first, name="pooled")(y))
    model = keras.Model(
        [image, volume], layers.Dense(CLASSES, name="logits")(layers.Concatenate()([x, y]))
    )
    rng = np.random.default_rng(6)
    shapes = ((CALIBRATED, 11, 14, 8), (CALIBRATED, 2, 7, 6, 9))
    feeds = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    enliven(model, feeds)
    return Example(model, [f[:2] for f in feeds], ("grouped", "strided", "norm", "solid", "pooled"))


OTHERS = {
    "transformer": transformer,
    "autoencoder": autoencoder,
    "wide_and_deep": wide_and_deep,
    "compiled": compiled,
}


def _reset(name: str) -> None:
    """Starts layer names afresh, and seeds what Keras draws."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(zlib.crc32(name.encode()))


def enliven(model: Any, feeds: list[np.ndarray], shift: float = 0.8) -> None:
    """Makes every weight random; batch norms get the statistics that `feeds` have, disturbed."""
    rng = np.random.default_rng(5)
    normalize = layers.BatchNormalization.call

    def measure(norm: Any, x: Any, **_: Any) -> Any:
        values = np.asarray(x).reshape(-1, x.shape[-1])
        variance = values.var(0)
        variance = np.maximum(variance, 0.3 * np.square(values).mean(0) + 1e-3)
        mean = values.mean(0) - rng.normal(shift, 0.3, variance.shape) * np.sqrt(variance)
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance * rng.uniform(0.7, 1.4, variance.shape))
        return normalize(norm, x, training=False)

    for weight in model.weights:
        weight.assign(_lively(weight, rng))
    with mock.patch.object(layers.BatchNormalization, "call", measure):
        _call(model, feeds)


def _call(model: Any, feeds: list[np.ndarray]) -> Any:
    return model(feeds if len(feeds) > 1 else feeds[0], training=False)


def _lively(weight: Any, rng: np.random.Generator) -> np.ndarray:
    shape, kind = tuple(weight.shape), weight.name
    if "int" in str(weight.dtype):
        return np.asarray(weight)
    if kind in ("bias", "beta", "mean", "moving_mean"):
        return rng.normal(0, 0.1, shape)
    if kind in ("gamma", "variance", "moving_variance"):
        return rng.uniform(0.6, 1.4, shape)
    if kind == "embeddings":
        return rng.normal(0, 1, shape)
    depthwise = kind == "depthwise_kernel" or "depthwise" in weight.path
    inputs = math.prod(shape[:2] if depthwise else shape[:-1])
    if "attention" in weight.path and "output" not in weight.path:
        inputs = shape[0]
    return rng.normal(0, math.sqrt(2 / inputs), shape)


_COPIES = (layers.InputLayer, layers.Dropout, layers.ZeroPadding2D)


def stages(model: Any) -> tuple[str, ...]:
    """The last layer of each resolution that more than one layer has.

    Layers called ``x_1`` are left out, since an export gives the scope ``x_1`` to layer ``x``.
    """
    last: dict[tuple[int, ...], list[str]] = {}
    for layer in model.layers:
        copies = isinstance(layer, _COPIES) or layer.get_config().get("activation") == "linear"
        if len(layer.output.shape) == 4 and not copies and not layer.name.endswith("_1"):
            last.setdefault(tuple(layer.output.shape[1:3]), []).append(layer.name)
    return tuple(names[-1] for names in last.values() if len(names) > 1)


def export(example: Example, folder: Path) -> None:
    """Writes ``folder/model``, a SavedModel; the feeds, and TensorFlow's answers, as ``.npz``.

    Answers are ``logits``, and ``stage/NAME`` for every stage.
    """
    model, feeds = example.model, example.feeds
    model.export(folder / "model", verbose=False)
    outputs = [model.get_layer(name).output for name in example.stages]
    staged = keras.Model(model.input, [*outputs, *model.outputs])
    answers = [np.asarray(a) for a in _call(staged, feeds)]
    names = [*(f"stage/{name}" for name in example.stages), "logits"]
    np.savez(folder / "answers.npz", **dict(zip(names, answers, strict=True)))
    named = zip(model.inputs, feeds, strict=True)
    np.savez(folder / "feeds.npz", **{tensor.name: value for tensor, value in named})
