"""Trains the network of the demo and writes `digits/` and `digits_test.npz` beside this file.

    python -m tfdeploy.demo.train_digits

Needs TensorFlow and scikit-learn.  The images are scikit-learn's digits (UCI, "Optical Recognition
of Handwritten Digits", test part): 8 x 8 pixels of 0 to 16.  One in five is held out, by a fixed
seed; training never sees it.  `digits_test.npz` holds these images, their labels and the logits
that TensorFlow computed from the SavedModel that ships.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

HERE = Path(__file__).parent
SEED = 1
EPOCHS = 60

Array = np.ndarray[Any, Any]


def network() -> Any:
    def stage(x: Any, filters: int) -> Any:
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))

    image = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Rescaling(1 / 16)(image)
    x = stage(x, 16)
    x = keras.layers.MaxPooling2D()(stage(x, 16))
    x = keras.layers.AveragePooling2D(2)(stage(x, 24))
    x = keras.layers.Dense(24, activation="relu")(keras.layers.Flatten()(x))
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(image, keras.layers.Dense(10, name="logits")(x))


def shifted(images: Array, rng: np.random.Generator) -> Array:
    """Each image moved by at most one pixel in each direction."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    corners = rng.integers(0, 3, (len(images), 2))
    return np.stack([p[r : r + 8, c : c + 8] for p, (r, c) in zip(padded, corners, strict=True)])


def train(images: Array, labels: Array) -> Any:
    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    decay = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * -(-len(images) // 64))
    model.compile(keras.optimizers.Adam(decay), loss)
    for _ in range(EPOCHS):
        model.fit(shifted(images, rng), labels, batch_size=64, verbose=0)
    return model


def strip(folder: Path) -> None:
    """Leaves out what no loader needs: the trace of Python lines behind each node."""
    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    for meta in saved.meta_graphs:
        for part in (meta.graph_def, *meta.graph_def.library.function):
            for node in part.node if part is meta.graph_def else part.node_def:
                node.ClearField("experimental_debug_info")
    path.write_bytes(saved.SerializeToString(deterministic=True))
    shutil.rmtree(folder / "debug", ignore_errors=True)
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def main() -> None:
    digits = load_digits()
    images = digits.images[..., None].astype(np.uint8)
    split = train_test_split(
        images, digits.target, test_size=0.2, random_state=SEED, stratify=digits.target
    )
    train_images, test_images, train_labels, test_labels = split
    model = train(train_images.astype(np.float32), train_labels)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "digits")
        model.export(str(folder), verbose=False)
        strip(folder)
        answer = tf.saved_model.load(str(folder)).signatures["serving_default"]
        logits = next(iter(answer(tf.constant(test_images, tf.float32)).values())).numpy()
        print(f"held-out accuracy {np.mean(logits.argmax(1) == test_labels):.2%}")
        shutil.rmtree(HERE / "digits", ignore_errors=True)
        shutil.copytree(folder, HERE / "digits")
    np.savez_compressed(
        HERE / "digits_test.npz",
        images=test_images,
        labels=test_labels.astype(np.uint8),
        logits=logits,
    )


if __name__ == "__main__":
    main()
