"""Gradients of the cells of recurrent networks, and of an LSTM over all steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import ValueType
from .nn import wide
from .registry import op
from .rules import Inference

Array = NDArray[Any]
Peepholes = tuple[Array, ...] | None


def _slope(gate: Array) -> Array:
    """The derivative of a sigmoid by what it was taken of."""
    return gate * (1 - gate)


def _lstm_step_grad(
    cell: Array,
    gates: dict[str, Array],
    peepholes: Peepholes,
    order: str,
    cell_grad: Array,
    hidden_grad: Array,
) -> tuple[Array, Array, list[Array]]:
    """Gradients of one step by the state before it, by the gates before their functions, which
    stand in `order`, and by the peepholes' weights."""
    i, f, o, ci, co = (gates[name] for name in ("i", "f", "o", "ci", "co"))
    by_o = _slope(o) * hidden_grad * co
    by_cell = (1 - np.square(co)) * hidden_grad * o + cell_grad
    if peepholes is not None:
        by_cell = by_cell + by_o * peepholes[2]
    by_c, by_f = (1 - np.square(ci)) * by_cell * i, _slope(f) * by_cell * cell
    by_i = _slope(i) * by_cell * ci
    before = by_cell * f
    weights = [np.zeros(cell.shape[1:], cell.dtype)] * 3
    if peepholes is not None:
        before = before + by_i * peepholes[0] + by_f * peepholes[1]
        met = by_i * cell, by_f * cell, by_o * gates["cs"]
        weights = [product.sum(axis=0) for product in met]
    parts = {"i": by_i, "c": by_c, "f": by_f, "o": by_o}
    return before, np.concatenate([parts[name] for name in order], axis=1), weights


_NAMES = ("i", "cs", "f", "o", "ci", "co")


def _cell_types(c: Inference) -> list[ValueType]:
    dtype, shape = c.inputs[1]
    gates = None if shape is None or len(shape) != 2 else (shape[0], shape[1] * 4)
    return [c.inputs[1], ValueType(dtype, gates), c.inputs[4], c.inputs[5], c.inputs[6]]


@op(
    "LSTMBlockCellGrad",
    type=_cell_types,
    outputs=("cs_prev_grad", "dicfo", "wci_grad", "wcf_grad", "wco_grad"),
    ranks="22",
)
def lstm_block_cell_grad(*inputs: Array, use_peephole: bool) -> tuple[Array, ...]:
    """The gradients of LSTMBlockCell by its state, gates and peepholes; the inputs are those of
    the cell, what it gave, and the gradients by state and output."""
    dtype, (x, cell, _, _, wci, wcf, wco, _, *rest) = inputs[0].dtype, map(wide, inputs)
    *parts, cell_grad, hidden_grad = rest
    if any(part.shape != cell.shape for part in rest) or len(x) != len(cell):
        raise ValueError(f"states {[part.shape for part in rest]} should have shape {cell.shape}")
    gates = dict(zip(_NAMES, parts, strict=True))
    peepholes = (wci, wcf, wco) if use_peephole else None
    before, bars, weights = _lstm_step_grad(cell, gates, peepholes, "icfo", cell_grad, hidden_grad)
    return tuple(part.astype(dtype) for part in (before, bars, *weights))


_LSTM = (
    "x_grad",
    "cs_prev_grad",
    "h_prev_grad",
    "w_grad",
    "wci_grad",
    "wcf_grad",
    "wco_grad",
    "b_grad",
)


def _block_lstm_grad(
    inputs: tuple[Array, ...], use_peephole: bool, order: str
) -> tuple[Array, ...]:
    steps, dtype = int(inputs[0]), inputs[1].dtype
    x, cell, hidden, w, wci, wcf, wco, b, *rest = map(wide, inputs[1:])
    *parts, h, cell_grad, hidden_grad = rest
    if not 0 <= steps <= len(x) or any(part.shape != (len(x), *cell.shape) for part in rest):
        raise ValueError(f"{steps} steps, and states {[part.shape for part in rest]} for {x.shape}")
    if w.shape != (x.shape[2] + hidden.shape[1], 4 * hidden.shape[1]):
        raise ValueError(f"weights {w.shape} do not fit {x.shape} and a state {hidden.shape}")
    peepholes = (wci, wcf, wco) if use_peephole else None
    x_grad, w_grad, b_grad = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    held = [np.zeros_like(weight) for weight in (wci, wcf, wco)]
    by_cell, by_hidden = np.zeros_like(cell), np.zeros_like(hidden)
    for t in range(steps - 1, -1, -1):
        gates = dict(zip(_NAMES, (part[t] for part in parts), strict=True))
        before, output = (
            gates_before[t - 1] if t else first
            for gates_before, first in ((parts[1], cell), (h, hidden))
        )
        by_cell, bars, weights = _lstm_step_grad(
            before, gates, peepholes, order, cell_grad[t] + by_cell, hidden_grad[t] + by_hidden
        )
        both = bars @ w.T
        x_grad[t], by_hidden = both[:, : x.shape[2]], both[:, x.shape[2] :]
        w_grad += np.concatenate([x[t], output], axis=1).T @ bars
        b_grad += bars.sum(axis=0)
        held = [a + b for a, b in zip(held, weights, strict=True)]
    found = (x_grad, by_cell, by_hidden, w_grad, *held, b_grad)
    return tuple(part.astype(dtype) for part in found)


@op("BlockLSTMGrad", type=lambda c: list(c.inputs[1:9]), outputs=_LSTM)
def block_lstm_grad(*inputs: Array, use_peephole: bool) -> tuple[Array, ...]:
    """The gradients of BlockLSTM by all that it takes; the inputs are those of the LSTM, what it
    gave, and the gradients by states and outputs."""
    return _block_lstm_grad(inputs, use_peephole, "icfo")


@op("BlockLSTMGradV2", type=lambda c: list(c.inputs[1:9]), outputs=_LSTM)
def block_lstm_grad_v2(*inputs: Array, use_peephole: bool) -> tuple[Array, ...]:
    """As BlockLSTMGrad, of BlockLSTMV2."""
    return _block_lstm_grad(inputs, use_peephole, "ifco")


def _gru_types(c: Inference) -> list[ValueType]:
    dtype, shape = c.inputs[1]
    both = None if shape is None or len(shape) != 2 else (shape[0], shape[1] * 2)
    return [c.inputs[0], c.inputs[1], c.inputs[1], ValueType(dtype, both)]


@op(
    "GRUBlockCellGrad",
    type=_gru_types,
    outputs=("d_x", "d_h_prev", "d_c_bar", "d_r_bar_u_bar"),
    ranks="2222112222",
)
def gru_block_cell_grad(
    x: Array,
    h_prev: Array,
    w_ru: Array,
    w_c: Array,
    b_ru: Array,
    b_c: Array,
    r: Array,
    u: Array,
    c: Array,
    d_h: Array,
) -> tuple[Array, ...]:
    """The gradients of GRUBlockCell by input, state, candidate and gates before their functions."""
    depth, width = x.shape[1], h_prev.shape[1]
    if w_ru.shape != (depth + width, 2 * width) or w_c.shape != (depth + width, width):
        raise ValueError(f"weights {w_ru.shape} and {w_c.shape} do not fit a state {h_prev.shape}")
    by_c = d_h * (1 - u) * (1 - np.square(c))
    by_u = d_h * (h_prev - c) * _slope(u)
    x_part, reset = np.split(by_c @ w_c.T, [depth], axis=1)
    by_r = reset * h_prev * _slope(r)
    gates = np.concatenate([by_r, by_u], axis=1)
    x_rest, h_rest = np.split(gates @ w_ru.T, [depth], axis=1)
    return x_part + x_rest, reset * r + h_rest + u * d_h, by_c, gates
