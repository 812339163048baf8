"""The models of the benchmarks: built with Keras or TensorFlow, weights random but lively, as
SavedModels.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

LARGEST_DRAWN = 200


class Row(NamedTuple):
    """A line of the comparison: a model, and the shape and range of what it is fed."""

    model: str
    shapes: tuple[tuple[int | None, ...], ...]  # None where an extent is drawn for each call
    integers: int = 0  # inputs are ints below this, where it is not 0

    @property
    def drawn(self) -> bool:
        """Whether the batch is of another size in each call."""
        return None in self.shapes[0]

    def feeds(self) -> list[np.ndarray]:
        """Inputs in the order of the signature, drawn extents at their largest."""
        rng = np.random.default_rng(0)
        shapes = [[LARGEST_DRAWN if n is None else n for n in shape] for shape in self.shapes]
        if self.integers:
            return [rng.integers(0, self.integers, s).astype(np.int32) for s in shapes]
        return [rng.standard_normal(s, np.float32) for s in shapes]


def drawn_sizes(count: int) -> np.ndarray:
    """The sizes of `count` batches."""
    return np.random.default_rng(0).integers(0, LARGEST_DRAWN + 1, count)


IMAGE = (224, 224, 3)
ROWS = {
    "softmax 10000": Row("softmax", ((10000, 784),)),
    "mlp 10-10-10, 1": Row("mlp10", ((1, 10),)),
    "mlp 5x100, 1": Row("mlp5x100", ((1, 100),)),
    "mlp 5x100, 10": Row("mlp5x100", ((10, 100),)),
    "mlp 5x100, 1000": Row("mlp5x100", ((1000, 100),)),
    "mlp 10x500, 1": Row("mlp10x500", ((1, 1000),)),
    "mlp 10x500, 100": Row("mlp10x500", ((100, 1000),)),
    "mnist cnn, 1": Row("mnist", ((1, 28, 28, 1),)),
    "mnist cnn, 256": Row("mnist", ((256, 28, 28, 1),)),
    "resnet50, 1": Row("resnet50", ((1, *IMAGE),)),
    "vgg16, 1": Row("vgg16", ((1, *IMAGE),)),
    "mobilenetv2, 1": Row("mobilenetv2", ((1, *IMAGE),)),
    "mobilenetv2, 8": Row("mobilenetv2", ((8, *IMAGE),)),
    "transformer 4x256, 1": Row("transformer4x256", ((1, 128),), 1000),
    "transformer 6x512, 4": Row("transformer6x512", ((4, 128),), 1000),
    "batchmatmul 4000 8x8": Row("batchmatmul", ((4000, 8, 8),) * 2),
    "attention 8x12x128x64": Row("attention", ((8, 12, 128, 64),) * 3),
    "pooling 8x112x112x64": Row("pooling", ((8, 112, 112, 64),)),
    "lstm 2x128, 32x100": Row("lstm", ((32, 100, 64),)),
    "bidirectional gru 64, 1x100": Row("gru64", ((1, 100, 64),)),
    "bidirectional gru 128, 1x100": Row("gru128", ((1, 100, 64),)),
}
DRAWN = {
    "mlp 5x100, 0 to 200": Row("mlp5x100", ((None, 100),)),
    "mnist cnn, 0 to 200": Row("mnist", ((None, 28, 28, 1),)),
}


def _mlp(inputs: int, widths: list[int]) -> Any:
    import keras

    x = first = keras.Input((inputs,))
    for width in widths[:-1]:
        x = keras.layers.Dense(width, activation="relu")(x)
    return keras.Model(first, keras.layers.Dense(widths[-1])(x))


def _cnn() -> Any:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def _transformer(blocks: int, width: int, tokens: int = 128, heads: int = 8) -> Any:
    import keras
    from keras import layers

    first = keras.Input((tokens,), dtype="int32")
    x = layers.Embedding(1000, width)(first)
    for _ in range(blocks):
        attended = layers.MultiHeadAttention(heads, width // heads)(x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(x + attended)
        hidden = layers.Dense(4 * width, activation="gelu")(x)
        x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dense(width)(hidden))
    return keras.Model(first, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def _lstm() -> Any:
    import keras
    from keras import layers

    first = keras.Input((None, 64))
    x = layers.LSTM(128)(layers.LSTM(128, return_sequences=True)(first))
    return keras.Model(first, layers.Dense(10)(x))


def _gru(units: int) -> Any:
    import keras
    from keras import layers

    first = keras.Input((None, 64))
    x = layers.Bidirectional(layers.GRU(units, return_sequences=True))(first)
    return keras.Model(first, layers.Dense(10)(x))


def _softmax() -> Any:
    import keras

    return keras.Sequential([keras.Input((784,)), keras.layers.Dense(100, activation="softmax")])


def _application(name: str) -> Any:
    import keras

    return getattr(keras.applications, name)(weights=None)


def _function(function: Callable[..., Any], *shapes: tuple[int | None, ...]) -> Any:
    import tensorflow as tf

    module = tf.Module()
    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    module.serve = tf.function(function, input_signature=specs)
    return module


def _pool(x: Any) -> Any:
    import tensorflow as tf

    x = tf.nn.max_pool2d(x, 3, 2, "SAME")
    return tf.nn.max_pool2d(tf.nn.avg_pool2d(x, 3, 2, "SAME"), 5, 1, "SAME")


def _matmul(x: Any, y: Any) -> Any:
    import tensorflow as tf

    return tf.matmul(x, y)


def _attend(q: Any, k: Any, v: Any) -> Any:
    import tensorflow as tf

    return tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * 0.125), v)


BUILDERS: dict[str, Callable[[], Any]] = {
    "softmax": _softmax,
    "mlp10": lambda: _mlp(10, [10, 10, 10]),
    "mlp5x100": lambda: _mlp(100, [100] * 5 + [10]),
    "mlp10x500": lambda: _mlp(1000, [500] * 10 + [10]),
    "mnist": _cnn,
    "resnet50": lambda: _application("ResNet50"),
    "vgg16": lambda: _application("VGG16"),
    "mobilenetv2": lambda: _application("MobileNetV2"),
    "transformer4x256": lambda: _transformer(4, 256),
    "transformer6x512": lambda: _transformer(6, 512),
    "batchmatmul": lambda: _function(_matmul, (None, 8, 8), (None, 8, 8)),
    "attention": lambda: _function(_attend, *[(None, 12, 128, 64)] * 3),
    "lstm": _lstm,
    "gru64": lambda: _gru(64),
    "gru128": lambda: _gru(128),
    "pooling": lambda: _function(_pool, (None, 112, 112, 64)),
}


def _enliven(model: Any) -> None:
    """Random statistics, scales and biases, so that no step is the identity.

    Statistics are measured before they are disturbed: else activations vanish in a deep net, and
    with them whatever depends on the input.
    """
    import keras

    rng = np.random.default_rng(1)
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    if norms:
        model(rng.standard_normal((4, *model.input_shape[1:]), np.float32), training=True)
    for weight in model.weights:
        if "variance" in weight.path:
            weight.assign(weight * rng.uniform(0.5, 1.5, weight.shape))
        elif "gamma" in weight.path:
            weight.assign(rng.uniform(0.8, 1.2, weight.shape))
        elif "mean" in weight.path:
            weight.assign_add(rng.normal(0, 0.05, weight.shape))
        elif any(name in weight.path for name in ("bias", "beta")):
            weight.assign(rng.normal(0, 0.05, weight.shape))


def saved_model(name: str, cache: Path) -> Path:
    """The folder of model `name`, built into `cache` where it is not there yet."""
    folder = cache / name / "saved_model"
    if not folder.exists():
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import keras
        import tensorflow as tf

        keras.utils.set_random_seed(0)
        model = BUILDERS[name]()
        partial = cache / name / "partial"
        if isinstance(model, keras.Model):
            _enliven(model)
            model.export(str(partial), verbose=False)
        else:
            tf.saved_model.save(model, str(partial), signatures=model.serve)
        partial.rename(folder)
    return folder
