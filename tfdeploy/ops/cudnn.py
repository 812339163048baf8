"""Recurrent networks of cuDNN, whose weights lie in one vector.

The vector holds, layer by layer and in each forward before backward, the matrices of all gates for
the input, then those for the state; after all matrices come the biases in the same order.  Gates
are i, f, c, o (LSTM) or r, z, h (GRU); a matrix is [units, inputs], by rows.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dtypes import DType
from ..graph.types import Extent, ValueType
from .math import sigmoid
from .registry import op
from .rules import Inference

Array = NDArray[Any]

_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
INT8 = DType("int8")


class _Layout(NamedTuple):
    """Sizes that decide where weights lie."""

    mode: str
    layers: int
    directions: int
    units: int
    inputs: int
    skips: bool  # the first layer takes its input as it is

    def shapes(self) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Shapes of all matrices, and of all biases, in their order."""
        gates = _GATES[self.mode]
        matrices: list[tuple[int, ...]] = []
        for layer in range(self.layers):
            depth = self.units * self.directions if layer else self.inputs
            for _ in range(self.directions):
                if layer or not self.skips:
                    matrices += [(self.units, depth)] * gates
                matrices += [(self.units, self.units)] * gates
        return matrices, [(self.units,)] * (2 * gates * self.layers * self.directions)


def _layout(
    rnn_mode: str, input_mode: str, direction: str, layers: int, units: int, inputs: int
) -> _Layout:
    if rnn_mode not in _GATES:
        raise ValueError(f"rnn_mode {rnn_mode!r} is none of {', '.join(_GATES)}")
    skips = input_mode == "skip_input" or (input_mode == "auto_select" and inputs == units)
    if skips and inputs != units:
        raise ValueError(f"{inputs} inputs cannot stand in for {units} units")
    directions = 2 if direction == "bidirectional" else 1
    return _Layout(rnn_mode, layers, directions, units, inputs, skips)


def _unpack(params: Array, shapes: list[tuple[int, ...]]) -> list[Array]:
    """Arrays of `shapes`, which lie one after the other in `params`."""
    sizes = [math.prod(shape) for shape in shapes]
    if sum(sizes) != params.size:
        raise ValueError(f"{params.size} weights where {sum(sizes)} are needed")
    parts = np.split(params, np.cumsum(sizes)[:-1]) if sizes else []
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _advance(
    mode: str, x: list[Array], h: Array, c: Array, weights: list[Array], bias: list[Array]
) -> tuple[Array, Array]:
    """Next state and cell from each gate's share of the input, biases included."""
    share = [np.matmul(h, w.T) + b for w, b in zip(weights, bias, strict=True)]
    if mode == "lstm":
        i, f, g, o = (a + b for a, b in zip(x, share, strict=True))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    if mode == "gru":
        r, z = sigmoid(x[0] + share[0]), sigmoid(x[1] + share[1])
        return (1 - z) * np.tanh(x[2] + r * share[2]) + z * h, c
    total = x[0] + share[0]
    return (np.tanh(total) if mode == "rnn_tanh" else np.maximum(total, 0)), c


def _run(
    layout: _Layout, x: Array, h: Array, c: Array, params: Array, lengths: Array
) -> tuple[Array, Array, Array]:
    """Output [time, batch, units * directions] and final states of all layers."""
    gates = _GATES[layout.mode]
    matrices, biases = layout.shapes()
    parts = iter(_unpack(params, matrices + biases))
    weights = [next(parts) for _ in matrices]
    bias = [list(g) for g in np.split(np.stack(list(parts)), 2 * layout.layers * layout.directions)]
    steps = np.arange(len(x))[:, None]
    running = steps < lengths
    back = np.where(running, lengths - 1 - steps, steps)[..., None]
    h, c = h.copy(), c.copy()
    for layer in range(layout.layers):
        outputs = []
        for direction in range(layout.directions):
            at = layer * layout.directions + direction
            skips = layout.skips and not layer
            into = [] if skips else [weights.pop(0) for _ in range(gates)]
            within = [weights.pop(0) for _ in range(gates)]
            source = np.take_along_axis(x, back, axis=0) if direction else x
            share = [source] * gates if skips else [np.matmul(source, w.T) for w in into]
            share = [s + b for s, b in zip(share, bias[2 * at], strict=True)]
            output = np.zeros((*x.shape[:2], layout.units), x.dtype)
            for t in range(len(x)):
                new = _advance(
                    layout.mode, [s[t] for s in share], h[at], c[at], within, bias[2 * at + 1]
                )
                on = running[t][:, None]
                h[at], c[at] = np.where(on, new[0], h[at]), np.where(on, new[1], c[at])
                output[t] = np.where(on, new[0], 0)
            outputs.append(np.take_along_axis(output, back, axis=0) if direction else output)
        x = np.concatenate(outputs, axis=2)
    return x, h, c


def _rnn(
    input: Array,
    input_h: Array,
    input_c: Array,
    params: Array,
    lengths: Array | None,
    rnn_mode: str,
    input_mode: str,
    direction: str,
    dropout: float,
    is_training: bool,
) -> tuple[Array, Array, Array]:
    if dropout and is_training:
        raise ValueError("dropout while training: export the model for inference")
    if input.ndim != 3 or input_h.ndim != 3:
        raise ValueError(f"input {input.shape} and state {input_h.shape} should have rank 3")
    directions = 2 if direction == "bidirectional" else 1
    layout = _layout(
        rnn_mode,
        input_mode,
        direction,
        len(input_h) // directions,
        input_h.shape[2],
        input.shape[2],
    )
    lstm = rnn_mode == "lstm"
    wide = [v.astype(np.float32) if v.dtype.itemsize == 2 else v for v in (input, input_h, input_c)]
    cell = wide[2] if lstm else np.zeros_like(wide[1])
    limits = np.full(input.shape[1], len(input)) if lengths is None else lengths
    output, h, c = _run(layout, wide[0], wide[1], cell, params.astype(wide[0].dtype), limits)
    final = c if lstm else np.zeros((), input.dtype)
    return output.astype(input.dtype), h.astype(input.dtype), final.astype(input.dtype)


def _rnn_types(c: Inference, count: int) -> list[ValueType]:
    dtype, shape = c.inputs[0].dtype, c.inputs[0].shape
    state = c.inputs[1].shape
    factor = 2 if c.attrs["direction"] == "bidirectional" else 1
    width: Extent = c.fresh() if state is None else state[2] * factor
    output = ValueType(dtype, None if shape is None else (*shape[:2], width))
    cell = ValueType(dtype, state if c.attrs["rnn_mode"] == "lstm" else ())
    rest = [ValueType(dtype, (0,)), ValueType(INT8, (0,))]
    return [output, ValueType(dtype, state), cell, *rest[:count]]


_OUTPUTS = ("output", "output_h", "output_c", "reserve_space", "host_reserved")


@op("CudnnRNN", type=lambda c: _rnn_types(c, 1), outputs=_OUTPUTS[:4])
def cudnn_rnn(
    input: Array,
    input_h: Array,
    input_c: Array,
    params: Array,
    *,
    rnn_mode: str = "lstm",
    input_mode: str = "linear_input",
    direction: str = "unidirectional",
    dropout: float = 0.0,
    is_training: bool = True,
) -> tuple[Array, ...]:
    """Stacked recurrent layers over [time, batch, inputs] from states [layers, batch, units], which
    are empty but for the cells of an LSTM (tf.raw_ops.CudnnRNN)."""
    found = _rnn(
        input, input_h, input_c, params, None, rnn_mode, input_mode, direction, dropout, is_training
    )
    return (*found, np.zeros((0,), input.dtype))


@op("CudnnRNNV2", type=lambda c: _rnn_types(c, 2), outputs=_OUTPUTS)
def cudnn_rnn_v2(
    input: Array,
    input_h: Array,
    input_c: Array,
    params: Array,
    *,
    rnn_mode: str = "lstm",
    input_mode: str = "linear_input",
    direction: str = "unidirectional",
    dropout: float = 0.0,
    is_training: bool = True,
) -> tuple[Array, ...]:
    """As CudnnRNN, with one more output that training needs."""
    found = _rnn(
        input, input_h, input_c, params, None, rnn_mode, input_mode, direction, dropout, is_training
    )
    return (*found, np.zeros((0,), input.dtype), np.zeros((0,), np.int8))


@op("CudnnRNNV3", type=lambda c: _rnn_types(c, 2), outputs=_OUTPUTS)
def cudnn_rnn_v3(
    input: Array,
    input_h: Array,
    input_c: Array,
    params: Array,
    sequence_lengths: Array,
    *,
    rnn_mode: str = "lstm",
    input_mode: str = "linear_input",
    direction: str = "unidirectional",
    dropout: float = 0.0,
    num_proj: int = 0,
    is_training: bool = True,
    time_major: bool = True,
) -> tuple[Array, ...]:
    """As CudnnRNN for sequences of different lengths: zeros after their ends, and the states there;
    input and states are [batch, ...] unless `time_major`."""
    if num_proj:
        raise ValueError("projections of the state (num_proj) are not supported")
    x, h, c = input, input_h, input_c
    if not time_major:
        x, h = np.swapaxes(x, 0, 1), np.swapaxes(h, 0, 1)
        c = np.swapaxes(c, 0, 1) if c.ndim == 3 else c
    output, h, c = _rnn(
        x, h, c, params, sequence_lengths, rnn_mode, input_mode, direction, dropout, is_training
    )
    if not time_major:
        output, h = np.swapaxes(output, 0, 1), np.swapaxes(h, 0, 1)
        c = np.swapaxes(c, 0, 1) if c.ndim == 3 else c
    return output, h, c, np.zeros((0,), input.dtype), np.zeros((0,), np.int8)


@op(
    "CudnnRNNParamsSize",
    type=lambda c: ValueType(c.attrs["S"], (1,)),
    exact=True,
)
def cudnn_rnn_params_size(
    num_layers: Array,
    num_units: Array,
    input_size: Array,
    *,
    S: DType,
    rnn_mode: str = "lstm",
    input_mode: str = "linear_input",
    direction: str = "unidirectional",
) -> Any:
    """The number of weights, biases included."""
    layout = _layout(
        rnn_mode, input_mode, direction, int(num_layers), int(num_units), int(input_size)
    )
    matrices, biases = layout.shapes()
    return np.array([sum(map(math.prod, matrices + biases))], S.numpy)


@op(
    "CudnnRNNCanonicalToParams",
    "CudnnRNNCanonicalToParamsV2",
    type=lambda c: ValueType(c.inputs[3].dtype, c.unknown(1)),
    exact=True,
)
def cudnn_rnn_canonical_to_params(
    num_layers: Array, num_units: Array, input_size: Array, *weights_and_biases: Array
) -> Any:
    """The vector of weights from matrices and biases in their order."""
    return np.concatenate([part.ravel() for part in weights_and_biases])


def _canonical_types(c: Inference) -> list[ValueType]:
    dtype = c.inputs[3].dtype
    matrices = c.attrs.get("num_params_weights") or c.attrs["num_params"]
    biases = c.attrs.get("num_params_biases") or c.attrs["num_params"]
    return [ValueType(dtype, c.unknown(2)) for _ in range(matrices)] + [
        ValueType(dtype, c.unknown(1)) for _ in range(biases)
    ]


def _canonical(
    num_layers: Array,
    num_units: Array,
    input_size: Array,
    params: Array,
    rnn_mode: str,
    input_mode: str,
    direction: str,
) -> tuple[Array, ...]:
    layout = _layout(
        rnn_mode, input_mode, direction, int(num_layers), int(num_units), int(input_size)
    )
    matrices, biases = layout.shapes()
    return tuple(_unpack(params, matrices + biases))


@op(
    "CudnnRNNParamsToCanonical",
    type=_canonical_types,
    exact=True,
    outputs=("weights*num_params", "biases*num_params"),
)
def cudnn_rnn_params_to_canonical(
    num_layers: Array,
    num_units: Array,
    input_size: Array,
    params: Array,
    *,
    num_params: int,
    rnn_mode: str = "lstm",
    input_mode: str = "linear_input",
    direction: str = "unidirectional",
) -> tuple[Array, ...]:
    """Matrices and biases from the vector of weights."""
    return _canonical(num_layers, num_units, input_size, params, rnn_mode, input_mode, direction)


@op(
    "CudnnRNNParamsToCanonicalV2",
    type=_canonical_types,
    exact=True,
    outputs=("weights*num_params_weights", "biases*num_params_biases"),
)
def cudnn_rnn_params_to_canonical_v2(
    num_layers: Array,
    num_units: Array,
    input_size: Array,
    params: Array,
    *,
    num_params_weights: int,
    num_params_biases: int,
    rnn_mode: str = "lstm",
    input_mode: str = "linear_input",
    direction: str = "unidirectional",
) -> tuple[Array, ...]:
    """Matrices and biases from the vector of weights."""
    return _canonical(num_layers, num_units, input_size, params, rnn_mode, input_mode, direction)
