"""Recurrent networks of cuDNN, without a CPU kernel, against Keras layers with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases import f32
from tfdeploy.dtypes import DType
from tfdeploy.ops import registry

T, N, D, H = 6, 3, 4, 5


def run(op: str, *inputs: Any, **attrs: Any) -> Any:
    """The implementation of `op` with its defaults."""
    record = registry.get(op)
    assert record is not None
    return record.func()(*map(np.asarray, inputs), **(record.defaults | attrs))


def gates(kernel: np.ndarray, mode: str) -> list[np.ndarray]:
    """Keras' columns of gates as cuDNN's matrices; a GRU's first two change places."""
    parts = [part.T for part in np.split(kernel, {"lstm": 4, "gru": 3}.get(mode, 1), axis=-1)]
    return [parts[1], parts[0], parts[2]] if mode == "gru" else parts


def canonical(layer: Any, mode: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Matrices and biases of a Keras layer in cuDNN's order."""
    kernel, recurrent, bias = (np.asarray(w) for w in layer.get_weights())
    if mode == "gru":
        both = [*gates(bias[0], mode), *gates(bias[1], mode)]
    else:
        own = gates(bias, mode)
        both = [*(np.zeros_like(b) for b in own), *own]
    return gates(kernel, mode) + gates(recurrent, mode), both


def keras_layers(mode: str, count: int) -> list[Any]:
    """Layers that return sequences and states, with biases that are not zero."""
    import keras

    keras.utils.set_random_seed(1)
    kinds = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    kind = kinds.get(mode, keras.layers.SimpleRNN)
    extra = {"activation": "relu"} if mode == "rnn_relu" else {}
    return [
        kind(
            H,
            return_sequences=True,
            return_state=True,
            bias_initializer=keras.initializers.RandomNormal(seed=i),
            **extra,
        )
        for i in range(count)
    ]


def vector(layers: list[Any], mode: str) -> np.ndarray:
    parts = [canonical(layer, mode) for layer in layers]
    return np.concatenate([a.ravel() for i in (0, 1) for part in parts for a in part[i]])


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, np.asarray(wanted), rtol=0, atol=3e-6)


@pytest.mark.parametrize("mode", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
def test_two_layers(mode: str) -> None:
    first, second = keras_layers(mode, 2)
    x = f32(N, T, D)
    middle, *state_1 = first(x)
    wanted, *state_2 = second(middle)
    none = np.zeros((2, N, H), np.float32)
    params = vector([first, second], mode)
    for op in ("CudnnRNN", "CudnnRNNV2"):
        output, h, c, *rest = run(op, x.swapaxes(0, 1), none, none, params, rnn_mode=mode)
        close(output.swapaxes(0, 1), wanted)
        close(h, np.stack([state_1[0], state_2[0]]))
        if mode == "lstm":
            close(c, np.stack([state_1[1], state_2[1]]))
        assert len(rest) == (1 if op == "CudnnRNN" else 2)


@pytest.mark.parametrize("mode", ["lstm", "gru"])
def test_both_directions_and_lengths(mode: str) -> None:
    forward, backward = keras_layers(mode, 2)
    x, lengths = f32(N, T, D), np.array([6, 2, 4], np.int32)
    state = f32(N, 2, H, low=-1, high=1)
    cell = f32(N, 2, H, seed=3)
    forward(x), backward(x)
    output, h, c, _, _ = run(
        "CudnnRNNV3",
        x,
        state,
        cell if mode == "lstm" else np.zeros((), np.float32),
        vector([forward, backward], mode),
        lengths,
        rnn_mode=mode,
        direction="bidirectional",
        time_major=False,
    )
    for n, length in enumerate(lengths):
        for i, (layer, order) in enumerate(
            ((forward, slice(None)), (backward, slice(None, None, -1)))
        ):
            begin = (
                [state[n : n + 1, i], cell[n : n + 1, i]]
                if mode == "lstm"
                else [state[n : n + 1, i]]
            )
            wanted, *last = layer(x[n : n + 1, :length][:, order], initial_state=begin)
            close(output[n, :length, i * H : (i + 1) * H], np.asarray(wanted)[0, order])
            close(h[n, i], last[0][0])
            if mode == "lstm":
                close(c[n, i], last[1][0])
        assert not output[n, length:].any()


def test_weights_there_and_back() -> None:
    layers = keras_layers("lstm", 2)
    middle, *_ = layers[0](f32(N, T, D))
    layers[1](middle)
    sizes = (np.int32(2), np.int32(H), np.int32(D))
    params = vector(layers, "lstm")
    assert run("CudnnRNNParamsSize", *sizes, S=DType("int32")).tolist() == [params.size]
    parts = run("CudnnRNNParamsToCanonical", *sizes, params, num_params=16)
    assert [p.shape for p in parts[:9]] == [(H, D)] * 4 + [(H, H)] * 5
    again = run(
        "CudnnRNNParamsToCanonicalV2", *sizes, params, num_params_weights=16, num_params_biases=16
    )
    for a, b in zip(parts, again, strict=True):
        np.testing.assert_array_equal(a, b)
    for op in ("CudnnRNNCanonicalToParams", "CudnnRNNCanonicalToParamsV2"):
        np.testing.assert_array_equal(run(op, *sizes, *parts), params)


def test_what_cannot_be() -> None:
    x, h = f32(T, N, D), np.zeros((1, N, H), np.float32)
    with pytest.raises(ValueError, match="are needed"):
        run("CudnnRNN", x, h, h, f32(7))
    with pytest.raises(ValueError, match="stand in"):
        run("CudnnRNN", x, h, h, f32(7), input_mode="skip_input")
    with pytest.raises(ValueError, match="dropout"):
        run("CudnnRNN", x, h, h, f32(7), dropout=0.5)
