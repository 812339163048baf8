"""Recurrent Keras models, exported, against TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import tensorflow as tf
from keras import layers as kl

import tfdeploy as td
from tfdeploy.graph.types import Dim

TOLERANCE = 2e-5  # of the largest magnitude
BATCH, STEPS, TOKENS = 3, 6, 10


def chain(*layers: Any, shape: tuple[int | None, ...] = (None, 5), tokens: bool = False) -> Any:
    value = given = keras.Input(shape, dtype="int32" if tokens else "float32")
    for layer in layers:
        value = layer(value)
    return keras.Model(given, value)


MODELS = {
    "lstm": lambda: chain(kl.LSTM(4)),
    "stacked": lambda: chain(
        kl.LSTM(4, return_sequences=True), kl.LSTM(3, return_sequences=True), kl.Dense(2)
    ),
    "backwards": lambda: chain(kl.GRU(4, return_sequences=True, go_backwards=True)),
    "bidirectional": lambda: chain(
        kl.Bidirectional(kl.LSTM(4, return_sequences=True)),
        kl.Bidirectional(kl.GRU(3), merge_mode="sum"),
    ),
    "masked": lambda: chain(kl.Masking(0.0), kl.LSTM(4, return_sequences=True), kl.GRU(3)),
    "embedded": lambda: chain(
        kl.Embedding(TOKENS, 5, mask_zero=True),
        kl.Bidirectional(kl.GRU(4, return_sequences=True)),
        kl.LSTM(3),
        shape=(None,),
        tokens=True,
    ),
    "convolutional": lambda: chain(
        kl.ConvLSTM2D(4, 3, return_sequences=True, padding="same"), shape=(None, 7, 6, 2)
    ),
}


def feeds(model: Any, rng: np.random.Generator, steps: int) -> np.ndarray:
    extents = zip(model.input_shape, (BATCH, steps, 7, 6, 2), strict=False)
    shape = [fixed or extent for fixed, extent in extents]
    if model.inputs[0].dtype == "int32":
        values = rng.integers(1, TOKENS, shape).astype(np.int32)
        values[1, -1:] = values[0, 2:4] = 0
        return values
    values = rng.normal(size=shape).astype(np.float32)
    values[0, -2:] = 0
    return values


def lively(model: Any, rng: np.random.Generator) -> Any:
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    return model


def check(model: Any, path: Path, lengths: tuple[int, ...] = (STEPS,)) -> None:
    rng = np.random.default_rng(3)
    lively(model, rng).export(str(path), verbose=False)
    converted = td.convert(path)
    loaded = tf.saved_model.load(str(path))
    for steps in lengths:
        x = feeds(model, rng, steps)
        want, got = loaded.serve(x).numpy(), converted(x)
        assert got.shape == want.shape and got.dtype == want.dtype
        assert np.abs(got - want).max() <= TOLERANCE * np.abs(want).max()
        assert np.abs(want[0] - want[1]).max() > 0.02 * np.abs(want).max()


@pytest.mark.parametrize("name", MODELS)
def test_equals_tensorflow(name: str, tmp_path: Path) -> None:
    check(MODELS[name](), tmp_path / "model", (STEPS, 1))


def test_batch_and_steps_are_known_as_what_is_fed(tmp_path: Path) -> None:
    chain(kl.LSTM(4, return_sequences=True)).export(str(tmp_path / "model"), verbose=False)
    signature = td.convert(tmp_path / "model").signatures["serving_default"]
    graph = signature._entry.graph
    (given,), (output,) = signature._inputs.values(), signature._outputs.values()
    batch, steps, _ = graph.type(given).shape or ()
    assert isinstance(batch, Dim) and isinstance(steps, Dim)
    assert graph.type(output).shape == (batch, steps, 4)


def test_state_goes_from_call_to_call(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    given = keras.Input(batch_shape=(2, 5, 3))
    model = keras.Model(given, kl.GRU(3)(kl.LSTM(4, stateful=True, return_sequences=True)(given)))
    lively(model, rng)
    for layer in model.layers:
        if hasattr(layer, "reset_states"):
            layer.reset_states()
    model.export(str(tmp_path / "model"), verbose=False)
    loaded, converted = tf.saved_model.load(str(tmp_path / "model")), td.convert(tmp_path / "model")
    x = rng.normal(size=(2, 5, 3)).astype(np.float32)
    first = converted(x)
    np.testing.assert_allclose(first, loaded.serve(x), rtol=1e-5, atol=1e-6)
    for _ in range(3):
        again = converted(x)
        assert np.abs(again - first).max() > 1e-4
        np.testing.assert_allclose(again, loaded.serve(x), rtol=1e-5, atol=1e-6)
    converted.reset_state()
    np.testing.assert_array_equal(converted(x), first)
