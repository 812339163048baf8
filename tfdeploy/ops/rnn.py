"""Cells of recurrent networks, and an LSTM over all steps, as single ops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.types import Shape, ValueType
from .math import sigmoid
from .registry import op
from .rules import Inference

Array = NDArray[Any]


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x


def _lstm_step(
    x: Array,
    cell: Array,
    hidden: Array,
    weights: Array,
    peepholes: tuple[Array, Array, Array] | None,
    bias: Array,
    order: str,
    forget_bias: float,
    cell_clip: float,
) -> tuple[Array, ...]:
    """One step: i, cs, f, o, ci, co, h.  `order` is that of the gates in the weights' columns."""
    if len(weights) != x.shape[1] + hidden.shape[1] or weights.shape[1] != 4 * hidden.shape[1]:
        raise ValueError(
            f"weights {weights.shape} do not fit an input {x.shape} and a state {hidden.shape}"
        )
    product = np.matmul(np.concatenate([x, hidden], axis=1), weights) + bias
    gate = dict(zip(order, np.split(product, 4, axis=1), strict=True))
    before_i, before_f, before_o = gate["i"], gate["f"] + x.dtype.type(forget_bias), gate["o"]
    if peepholes is not None:
        before_i, before_f = before_i + cell * peepholes[0], before_f + cell * peepholes[1]
    i, f, ci = sigmoid(before_i), sigmoid(before_f), np.tanh(gate["c"])
    new = ci * i + cell * f
    if cell_clip > 0:
        new = np.clip(new, x.dtype.type(-cell_clip), x.dtype.type(cell_clip))
    if peepholes is not None:
        before_o = before_o + new * peepholes[2]
    o, co = sigmoid(before_o), np.tanh(new)
    return i, new, f, o, ci, co, o * co


def _lstm_types(c: Inference, cell: int, steps: bool) -> list[ValueType]:
    """Seven outputs of the shape of the state in input `cell`, after input 1's steps if `steps`."""
    shape: Shape = c.inputs[cell].shape
    if shape is not None and steps:
        time = c.inputs[1].shape
        shape = (c.fresh() if time is None else time[0], *shape)
    return [ValueType(c.inputs[cell].dtype, shape)] * 7


_GATES = ("i", "cs", "f", "o", "ci", "co", "h")


@op("LSTMBlockCell", type=lambda c: _lstm_types(c, 1, False), outputs=_GATES, ranks="22")
def lstm_block_cell(
    x: Array,
    cs_prev: Array,
    h_prev: Array,
    w: Array,
    wci: Array,
    wcf: Array,
    wco: Array,
    b: Array,
    *,
    forget_bias: float = 1.0,
    cell_clip: float = 3.0,
    use_peephole: bool = False,
) -> tuple[Array, ...]:
    """One LSTM step from [batch, input] and two states [batch, cells]; weights
    [input + cells, 4 cells] in the order i, c, f, o (tf.raw_ops.LSTMBlockCell)."""
    if not cs_prev.size:
        raise ValueError(f"cs_prev should not be empty, its shape is {cs_prev.shape}")
    peepholes = (_wide(wci), _wide(wcf), _wide(wco)) if use_peephole else None
    wide, cell, hidden, weights, bias = map(_wide, (x, cs_prev, h_prev, w, b))
    found = _lstm_step(wide, cell, hidden, weights, peepholes, bias, "icfo", forget_bias, cell_clip)
    return tuple(part.astype(x.dtype) for part in found)


def _block_lstm(
    seq_len_max: Array,
    x: Array,
    cell: Array,
    hidden: Array,
    w: Array,
    peepholes: tuple[Array, Array, Array] | None,
    b: Array,
    order: str,
    forget_bias: float,
    cell_clip: float,
) -> tuple[Array, ...]:
    steps = int(seq_len_max)
    if not 0 <= steps <= len(x):
        raise ValueError(f"{steps} of {len(x)} steps")
    result = tuple(np.zeros((len(x), *cell.shape), x.dtype) for _ in range(7))
    wide, cell, hidden, w, b = map(_wide, (x, cell, hidden, w, b))
    for t in range(steps):
        found = _lstm_step(wide[t], cell, hidden, w, peepholes, b, order, forget_bias, cell_clip)
        cell, hidden = found[1], found[6]
        for part, value in zip(result, found, strict=True):
            part[t] = value
    return result


@op("BlockLSTM", type=lambda c: _lstm_types(c, 2, True), outputs=_GATES, ranks=".3......1")
def block_lstm(
    seq_len_max: Array,
    x: Array,
    cs_prev: Array,
    h_prev: Array,
    w: Array,
    wci: Array,
    wcf: Array,
    wco: Array,
    b: Array,
    *,
    forget_bias: float = 1.0,
    cell_clip: float = 3.0,
    use_peephole: bool = False,
) -> tuple[Array, ...]:
    """LSTMBlockCell over the first `seq_len_max` steps of [time, batch, input], zeros after them
    (tf.raw_ops.BlockLSTM)."""
    peepholes = (_wide(wci), _wide(wcf), _wide(wco)) if use_peephole else None
    return _block_lstm(
        seq_len_max, x, cs_prev, h_prev, w, peepholes, b, "icfo", forget_bias, cell_clip
    )


@op("BlockLSTMV2", type=lambda c: _lstm_types(c, 2, True), outputs=_GATES, ranks=".3......1")
def block_lstm_v2(
    seq_len_max: Array,
    x: Array,
    cs_prev: Array,
    h_prev: Array,
    w: Array,
    wci: Array,
    wcf: Array,
    wco: Array,
    b: Array,
    *,
    cell_clip: float = 0.0,
    use_peephole: bool = False,
) -> tuple[Array, ...]:
    """As BlockLSTM, with weights in the order i, f, c, o and no bias of the forget gate."""
    peepholes = (_wide(wci), _wide(wcf), _wide(wco)) if use_peephole else None
    return _block_lstm(seq_len_max, x, cs_prev, h_prev, w, peepholes, b, "ifco", 0.0, cell_clip)


@op("GRUBlockCell", type=lambda c: [c.inputs[1]] * 4, outputs=("r", "u", "c", "h"), ranks="22")
def gru_block_cell(
    x: Array, h_prev: Array, w_ru: Array, w_c: Array, b_ru: Array, b_c: Array
) -> tuple[Array, ...]:
    """One GRU step from [batch, input] and a state [batch, cells]: reset, update, candidate and new
    state (tf.raw_ops.GRUBlockCell)."""
    depth = x.shape[1] + h_prev.shape[1]
    if w_ru.shape != (depth, 2 * h_prev.shape[1]) or w_c.shape != (depth, h_prev.shape[1]):
        raise ValueError(
            f"weights {w_ru.shape} and {w_c.shape} do not fit an input {x.shape} and a state "
            f"{h_prev.shape}"
        )
    gates = sigmoid(np.matmul(np.concatenate([x, h_prev], axis=1), w_ru) + b_ru)
    r, u = np.split(gates, 2, axis=1)
    c = np.tanh(np.matmul(np.concatenate([x, h_prev * r], axis=1), w_c) + b_c)
    return r, u, c, u * h_prev + (1 - u) * c
