"""Rows of dense and embedding layers, activations, regularisation, masking and wrappers."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras import layers as k

from tests.exported import Row, flags, floats, ids, images, row

X = floats(6)
STEPS = floats(4, 6, open=1)
MAP = floats(5, 7, 4)
TOKENS = ids(0, 11, 7, open=1)
# Values that activations treat apart: their corners and far tails.
CORNERS = tf.constant([0.0, -0.0, 1, -1, 3, -3, 6, -6, 0.5, -0.5, 2.5, 20, -20, 90, -90, 1e-3])


def activations() -> dict[str, Row]:
    functions = {
        name: function
        for name, function in sorted(vars(keras.activations).items())
        if callable(function) and name not in ("deserialize", "get", "serialize", "threshold")
    }
    rows = {
        name: row(
            lambda function=function: k.Activation(function),
            floats(8),
            call=lambda layer, x: (layer(x * 3), layer(CORNERS[None])),
        )
        for name, function in functions.items()
    }
    rows["threshold"] = row(
        lambda: partial(keras.ops.threshold, threshold=0.2, default_value=3.0), X
    )
    rows["gelu tanh"] = row(lambda: partial(keras.activations.gelu, approximate=True), floats(8))
    return {"relu": rows.pop("relu"), **rows}


def with_mask(layer: Any, x: Any) -> Any:
    """The output and the mask that goes with it."""
    return layer(x), layer.compute_mask(x)


def zeroed(layer: Any, x: Any) -> Any:
    """Masking of an input with some steps that are zero."""
    x = tf.where(x[..., :1] > 0, x, 0.0)
    return layer(x), layer.compute_mask(x)


def dropped(make: Any, *inputs: Any) -> dict[str, Row]:
    """A layer that only serves while training, as it is and training."""
    return {
        "": row(make, *inputs),
        "training": row(
            make, *inputs, call=lambda layer, x: layer(x, training=True), batches=(3, 3, 1, 0)
        ),
    }


def saved() -> Any:
    """A layer around a SavedModel."""
    import tempfile

    inner = keras.Sequential([keras.Input((6,)), k.Dense(3, activation="tanh")])
    path = tempfile.mkdtemp(prefix="tfsm")
    inner.export(path, verbose=False)
    return k.TFSMLayer(path, call_endpoint="serve")


def wrapped() -> Any:
    class Halved(k.Wrapper):  # Wrapper itself has no call
        def call(self, x: Any) -> Any:
            return self.layer(x) * 0.5

    return Halved(k.Dense(3))


ROWS: dict[str, dict[str, Row]] = {
    "Dense": {
        "relu": row(lambda: k.Dense(4, activation="relu"), X),
        "no bias": row(lambda: k.Dense(4, use_bias=False), X),
        "many axes": row(lambda: k.Dense(4, activation="gelu"), floats(3, 4, 6, open=2)),
        "softmax": row(lambda: k.Dense(40, activation="softmax"), X),
        "lora": row(lambda: k.Dense(4, lora_rank=2), X),
        "one": row(lambda: k.Dense(1, activation="sigmoid"), floats(300)),
        "integers": row(lambda: k.Dense(4), ids(-9, 9, 6)),
    },
    "EinsumDense": {
        "sequence": row(lambda: k.EinsumDense("abc,cd->abd", (None, 8), bias_axes="d"), STEPS),
        "ellipsis": row(lambda: k.EinsumDense("...x,xy->...y", 4, bias_axes="y"), STEPS),
        "heads": row(lambda: k.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"), STEPS),
        "from heads": row(
            lambda: k.EinsumDense("abcd,cde->abe", (None, 8), activation="tanh"),
            floats(5, 2, 3, open=1),
        ),
        "plain": row(lambda: k.EinsumDense("ab,bc->ac", 5), X),
        "lora": row(lambda: k.EinsumDense("abc,cd->abd", (None, 8), lora_rank=2), STEPS),
    },
    "Embedding": {
        "mask": row(lambda: k.Embedding(11, 4, mask_zero=True), TOKENS, call=with_mask),
        "int64": row(lambda: k.Embedding(11, 4), ids(0, 11, 3, 2, dtype="int64")),
        "floats": row(lambda: k.Embedding(11, 4), ids(0, 11, 3, dtype="float32")),
        "uint8": row(lambda: k.Embedding(11, 4), ids(0, 11, 3, dtype="uint8")),
        "lora": row(lambda: k.Embedding(11, 4, lora_rank=2), TOKENS),
    },
    "ReversibleEmbedding": {
        "tied": row(
            lambda: k.ReversibleEmbedding(11, 4),
            TOKENS,
            call=lambda layer, x: layer(layer(x), reverse=True),
        ),
        "untied": row(
            lambda: k.ReversibleEmbedding(11, 4, tie_weights=False, logit_soft_cap=2.0),
            TOKENS,
            call=lambda layer, x: layer(layer(x), reverse=True),
        ),
    },
    "Activation": activations(),
    "ReLU": {
        "all": row(lambda: k.ReLU(1.5, 0.1, 0.2), X),
        "plain": row(lambda: k.ReLU(), X),
        "six": row(lambda: k.ReLU(6.0), X),
        "leaky": row(lambda: k.ReLU(negative_slope=0.3), X),
        "threshold": row(lambda: k.ReLU(threshold=0.5), X),
    },
    "ELU": {"": row(lambda: k.ELU(), X), "alpha": row(lambda: k.ELU(0.3), X)},
    "LeakyReLU": {"": row(lambda: k.LeakyReLU(), X), "slope": row(lambda: k.LeakyReLU(0.05), X)},
    "PReLU": {
        "": row(lambda: k.PReLU(), X),
        "shared": row(lambda: k.PReLU(shared_axes=[1, 2]), MAP),
    },
    "Softmax": {
        "masked": row(
            lambda: k.Softmax(),
            floats(5, 6),
            flags(5, 6),
            call=lambda layer, x, mask: layer(x, mask=mask),
        ),
        "": row(lambda: k.Softmax(), MAP),
        "axis": row(lambda: k.Softmax(axis=1), MAP),
        "two axes": row(lambda: k.Softmax(axis=(1, 2)), MAP),
        "two axes masked": row(
            lambda: k.Softmax(axis=(1, 2)),
            MAP,
            flags(5, 7, 4),
            call=lambda layer, x, mask: layer(x, mask=mask),
        ),
    },
    "ActivityRegularization": {"": row(lambda: k.ActivityRegularization(0.1, 0.2), X)},
    "Dropout": {
        **dropped(lambda: k.Dropout(0.4, seed=1), X),
        "noise shape": row(
            lambda: k.Dropout(0.4, noise_shape=(None, 1, 6), seed=1),
            STEPS,
            call=lambda layer, x: layer(x, training=True),
        ),
    },
    "AlphaDropout": dropped(lambda: k.AlphaDropout(0.4, seed=1), X),
    "GaussianDropout": dropped(lambda: k.GaussianDropout(0.4, seed=1), X),
    "GaussianNoise": dropped(lambda: k.GaussianNoise(0.4, seed=1), X),
    "SpatialDropout1D": dropped(lambda: k.SpatialDropout1D(0.4, seed=1), STEPS),
    "SpatialDropout2D": dropped(lambda: k.SpatialDropout2D(0.4, seed=1), MAP),
    "SpatialDropout3D": dropped(lambda: k.SpatialDropout3D(0.4, seed=1), floats(2, 3, 4, 5)),
    "Identity": {"": row(lambda: k.Identity(), X)},
    "InputLayer": {
        "": row(lambda: keras.Sequential([k.InputLayer((6,)), k.Dense(3)]), X),
    },
    "Lambda": {
        "": row(lambda: k.Lambda(lambda x: keras.ops.sin(x) * 2 + 1), X),
        "arguments": row(lambda: k.Lambda(lambda x, by: x**by, arguments={"by": 3}), X),
        "several": row(lambda: k.Lambda(lambda xs: xs[0] @ xs[1]), floats(2, 3), floats(3, 4)),
    },
    "Masking": {
        "": row(lambda: k.Masking(), STEPS, call=zeroed),
        "value": row(lambda: k.Masking(2.0), STEPS, call=with_mask),
    },
    "Wrapper": {"": row(wrapped, X)},
    "TFSMLayer": {"": row(saved, X, fixed=True)},
    "SpectralNormalization": {
        "dense": row(lambda: k.SpectralNormalization(k.Dense(4)), X),
        "convolution": row(lambda: k.SpectralNormalization(k.Conv2D(3, 2)), MAP, batches=(3, 1)),
        "training": row(
            lambda: k.SpectralNormalization(k.Dense(4), power_iterations=3),
            X,
            call=lambda layer, x: layer(x, training=True),
        ),
    },
    "TimeDistributed": {
        "dense": row(lambda: k.TimeDistributed(k.Dense(3, activation="relu")), STEPS),
        "convolution": row(lambda: k.TimeDistributed(k.Conv2D(3, 2)), floats(4, 5, 7, 2, open=1)),
        "fixed steps": row(lambda: k.TimeDistributed(k.BatchNormalization()), floats(4, 6)),
        "masked": row(
            lambda: k.TimeDistributed(k.Dense(3)),
            STEPS,
            call=lambda layer, x: layer(x, mask=x[..., 0] > 0),
        ),
    },
    "Pipeline": {
        "": row(lambda: k.Pipeline([k.Rescaling(1 / 255), k.CenterCrop(3, 4)]), images(6, 7, 3)),
    },
}
